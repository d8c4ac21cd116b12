"""A preference model as reward.

With the utility u of a listener as reward and a weight of 1, the optimum of the tutor's objective,
π* ∝ p·exp(u/c), is that of direct preference optimisation with the same c. The utility is known
from few votes, and a policy that maximises it seeks the sequences where it is too high. So what is
paid is a lower bound, u(x) − k·σ(x), with the posterior's deviation σ, which grows with the
distance from the sequences that were compared.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from seqtutor.preferences.features import last
from seqtutor.preferences.files import load_preference
from seqtutor.preferences.model import PreferenceModel
from seqtutor.rewards import Reward
from seqtutor.settings import require
from seqtutor.task_records import SequenceFeatures
from seqtutor.vocabulary import Vocabulary

TERM = "preference"


def preference_reward(
    model: str | Path | PreferenceModel,
    *,
    pessimism: float = 1.0,
    shape: Literal["prefix", "end"] = "prefix",
    weight: float = 1.0,
    features: SequenceFeatures | None = None,
) -> Reward:
    """The reward of a preference model; its one term is called `preference`.

    Args:
        model: its folder, or what was read of it.
        pessimism: k, deviations that are subtracted from the utility.
        shape: `prefix` pays each token what it adds, `end` the whole at the last token.
        weight: of the term.
        features: those that the task has, where a folder is read.

    Raises:
        UserError: if the folder cannot be read; and when a task of another vocabulary or longer
            sequences is made with the reward.
    """
    if not isinstance(model, PreferenceModel):
        model = load_preference(Path(model), features)
    require(shape in ("prefix", "end"), f"shape must be prefix or end, not {shape!r}")
    require(pessimism >= 0, f"pessimism must be at least 0, not {pessimism}")
    return Reward(_Preference(model, pessimism, shape == "prefix"), {TERM: weight})


class _Preference:
    """A compiled reward whose model is a constant of the programs."""

    is_compiled_reward = True

    def __init__(self, model: PreferenceModel, pessimism: float, is_of_prefixes: bool) -> None:
        self._model, self._pessimism = model, pessimism
        self._is_of_prefixes = is_of_prefixes

    def bind(self, vocabulary: Vocabulary) -> _Preference:
        """The same reward, if the model has this vocabulary."""
        require(
            vocabulary == self._model.vocabulary,
            "the preference model has another vocabulary than the task; make one from votes on the "
            "task's own sequences",
        )
        return self

    def __call__(
        self, tokens: Int[Array, "batch time"], mask: Bool[Array, "batch time"]
    ) -> dict[str, Array]:
        """The term, one number a sequence or one a step."""
        utilities, deviations = self._model.of_prefixes(tokens, mask)
        bounds = utilities - self._pessimism * deviations
        if not self._is_of_prefixes:
            return {TERM: last(bounds, mask)}
        return {TERM: increments_by_length(bounds, mask)}


def increments_by_length(
    values: Float[Array, "batch time"], mask: Bool[Array, "batch time"]
) -> Float[Array, "batch time"]:
    """What each token adds to the value of the prefix times its share of the longest length.

    The value of a prefix of one token says little and lies far from those of whole sequences. The
    last prefix counts whole, so that the sum over a sequence is its value.
    """
    length = values.shape[1]
    following = jnp.pad(mask[:, 1:], ((0, 0), (0, 1)))
    shares = jnp.where(following, jnp.arange(1, length + 1) / length, 1.0)
    scaled = values * shares
    before = jnp.pad(scaled[:, :-1], ((0, 0), (1, 0)))
    return jnp.where(mask, scaled - before, 0.0)
