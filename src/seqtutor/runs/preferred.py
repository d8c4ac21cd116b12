"""Votes in a run: a preference model as a term of its reward, or a method that learns from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from seqtutor.comparisons import ComparedSequences
from seqtutor.methods.registry import method_named
from seqtutor.models.base import SequenceModel
from seqtutor.preferences.files import is_preference, load_preference, load_votes, load_weights
from seqtutor.preferences.model import fit_preference
from seqtutor.preferences.reward import preference_reward
from seqtutor.preferences.settings import PreferenceTerm
from seqtutor.preferences.validation import NOISE
from seqtutor.rewards.weighted_sum import weighted_sum
from seqtutor.settings import require
from seqtutor.task import Task
from seqtutor.task_records import PriorRecord
from seqtutor.task_spec import TaskSpec
from seqtutor.training.settings import TutorSettings
from seqtutor.vocabulary import Vocabulary


@contextmanager
def opened_task(
    spec: TaskSpec[Any],
    settings: Any,
    prior: PriorRecord | None,
    workers: int | None,
    preference: PreferenceTerm,
) -> Iterator[Task]:
    """A context with the task of these settings, whose reward has the term of a preference model.

    Raises:
        UserError: as `TaskSpec.opened` does, or if the preference model cannot be used.
    """
    with spec.opened(settings, prior, workers) as task:
        yield with_preference(spec, task, preference)


def with_preference(spec: TaskSpec[Any], task: Task, term: PreferenceTerm) -> Task:
    """The task whose reward has this term; itself if there is none."""
    if term.model is None:
        return task
    own = preference_reward(
        load_preference(term.model, spec.features()), pessimism=term.pessimism, shape=term.shape
    )
    # Bound to the vocabulary first: a sum passes that on, but only a task knows it.
    own = own.bound_to(task.vocabulary)
    if term.task_weight == 0:
        return replace(task, reward=weighted_sum([own], [term.weight]))
    reward = weighted_sum([task.reward, own], [term.task_weight, term.weight])
    return replace(task, reward=reward)


def remarks_on_term(term: PreferenceTerm) -> list[str]:
    """A warning if the term's model predicted held-out votes no better than by chance.

    Raises:
        UserError: if the preference model cannot be read.
    """
    if term.model is None:
        return []
    held_out = load_weights(term.model)[2].get("held_out")
    if held_out is None or held_out["log_loss"] < held_out["chance_log_loss"]:
        return []
    return [f"The preference model in {term.model}: {NOISE}"]


def term_by_step(
    spec: TaskSpec[Any],
    term: PreferenceTerm,
    vocabulary: Vocabulary,
    sequences: Sequence[Sequence[int]],
) -> list[Float[np.ndarray, " time"] | None]:
    """What the term pays each sequence at each step; `None` of one that its model cannot read.

    That are empty sequences and those longer than the ones the model learned from.

    Raises:
        UserError: if the preference model cannot be used.
    """
    assert term.model is not None
    model = load_preference(term.model, spec.features())
    reward = preference_reward(
        model, pessimism=term.pessimism, shape=term.shape, weight=term.weight
    ).bound_to(vocabulary)
    longest = model.weights.max_length
    lengths = np.array([len(one) for one in sequences])
    usable = np.flatnonzero((lengths > 0) & (lengths <= longest)).tolist()
    mask = np.arange(longest) < lengths[usable, None]
    tokens = np.zeros(mask.shape, np.int32)
    for row, index in enumerate(usable):
        tokens[row, : lengths[index]] = sequences[index]
    paid = np.asarray(reward(tokens, mask).total)
    found: list[Float[np.ndarray, " time"] | None] = [None] * len(lengths)
    for row, index in enumerate(usable):
        found[index] = paid[row, : lengths[index]]
    return found


def votes_of(settings: TutorSettings, task: Task) -> ComparedSequences | None:
    """The votes from which the method of a run learns; `None` for any other method.

    Raises:
        UserError: if they are not named, or cannot be read.
    """
    path = _path_of(settings)
    return None if path is None else load_votes(path, task.vocabulary, task.max_length)


def with_vote_estimates(
    settings: TutorSettings, task: Task, network: SequenceModel
) -> TutorSettings:
    """The settings with ν and b, where they are left open, as a preference model estimates them.

    Raises:
        UserError: as `votes_of` does.
    """
    options: Any = settings.options
    if not method_named(settings.method).learns_from_votes:
        return settings
    if options.tie is not None and options.side_bias is not None:
        return settings
    path, votes = _path_of(settings), votes_of(settings, task)
    assert path is not None
    assert votes is not None
    if is_preference(path):
        found = load_weights(path)[0]
    else:
        found = fit_preference(votes, task.vocabulary, network, basis="both").weights
    return settings.with_changes(
        tie=rounded(found.tie) if options.tie is None else options.tie,
        side_bias=rounded(found.bias) if options.side_bias is None else options.side_bias,
    )


def rounded(number: Any) -> float:
    """A number in single precision with the digits that it has."""
    return float(f"{float(number):.6g}")


def _path_of(settings: TutorSettings) -> Path | None:
    if not method_named(settings.method).learns_from_votes:
        return None
    path: Path | None = getattr(settings.options, "votes", None)
    require(
        path is not None,
        f"{settings.method} learns from votes: name a file of them, or the folder of a preference "
        "model, with --votes",
    )
    return path
