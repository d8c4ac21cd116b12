"""A task against its contract: what the loop relies on, checked before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import numpy as np

from seqtutor.errors import UserError
from seqtutor.models.base import SequenceModel
from seqtutor.models.consistency import require_consistent
from seqtutor.rewards.causality import mask_of, random_sequences, require_causal
from seqtutor.task import Task

SEQUENCES = 64


def check_task(task: Task, model: SequenceModel | None, seed: int) -> Iterator[str]:
    """Check a task, giving a line for each property that it has.

    Args:
        task: whose reward is called on random sequences.
        model: of sequences of the task, if there is one.
        seed: of the random sequences.

    Raises:
        UserError: at the first property that it lacks.
    """
    if model is not None:
        require_consistent(model, task.max_length, jax.random.key(seed))
        yield "model: step by step and unrolled, it gives the same logits"
    rng = np.random.default_rng(seed)
    tokens = random_sequences(rng, task.vocabulary, task.max_length, SEQUENCES)
    mask = mask_of(tokens, task.vocabulary)
    first, again = task.reward(tokens, mask), task.reward(tokens, mask)
    for name, term in first.terms.items():
        if name not in again.terms:
            raise UserError(f"the reward term {name!r} is not there at every call")
        if not np.isfinite(np.asarray(term)).all():
            raise UserError(f"the reward term {name!r} is not finite for some sequences")
        if not task.reward.has_memory and not np.array_equal(term, again.terms[name]):
            raise UserError(f"the reward term {name!r} differs from call to call")
    yield f"reward: finite and the same at every call ({', '.join(first.terms)})"
    require_causal(task.reward, task.vocabulary, task.max_length, seed=seed)
    yield "reward: causal, what a step earns does not depend on later tokens"
