"""Folders of preference models, in the format of `seqtutor.models.files`, with their votes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seqtutor.comparisons import ComparedSequences, read_votes, votes_text
from seqtutor.errors import UserError
from seqtutor.files import atomic_write
from seqtutor.models.files import CONFIG, read_folder, write_folder
from seqtutor.models.registry import registered_kind
from seqtutor.preferences.model import (
    PreferenceModel,
    PreferenceWeights,
    basis_features,
    require_same_features,
)
from seqtutor.task_records import SequenceFeatures
from seqtutor.vocabulary import Vocabulary

VOTES = "votes.jsonl"
"""The votes from which the model of a folder learned."""


def save_preference(model: PreferenceModel, votes: ComparedSequences, folder: Path) -> None:
    """Write the folder of a preference model and the votes from which it learned.

    Raises:
        UserError: if it cannot be written.
    """
    # The model last: a folder that has one is whole.
    atomic_write(folder / VOTES, votes_text(votes, model.vocabulary))
    write_folder(model.weights, model.vocabulary, model.origin, folder)


def load_weights(folder: Path) -> tuple[PreferenceWeights, Vocabulary, dict[str, Any]]:
    """What the folder of a preference model holds, whatever its features are.

    Raises:
        UserError: if it is missing, incomplete, damaged, of a newer format, or holds anything else.
    """
    weights, vocabulary, origin = read_folder(folder, _kind_of)
    if not isinstance(weights, PreferenceWeights):
        raise UserError(
            f"{folder} holds no preference model; make one with seqtutor prefer TASK VOTES"
        )
    return weights, vocabulary, origin


def load_preference(folder: Path, of_task: SequenceFeatures | None = None) -> PreferenceModel:
    """Read the folder of a preference model.

    Args:
        folder: to read.
        of_task: the features that the task has, if it has some.

    Raises:
        UserError: as `load_weights` does, or if the task's features are not those that it learned
            from.
    """
    weights, vocabulary, origin = load_weights(folder)
    features = basis_features(
        weights.basis,
        vocabulary,
        weights.max_length,
        of_task=of_task,
        tokens=weights.tokens,
        network=weights.network,
    )
    require_same_features(weights, features)
    return PreferenceModel(weights, features, vocabulary, origin)


def is_preference(path: Path) -> bool:
    """Whether it is the folder of a model."""
    return (path / CONFIG).is_file()


def votes_file(path: Path) -> Path:
    """The file of votes that is meant: the path itself, or that of a preference model's folder."""
    return path / VOTES if is_preference(path) else path


def load_votes(path: Path, vocabulary: Vocabulary, max_length: int) -> ComparedSequences:
    """The votes of a file, or of the folder of a preference model.

    Raises:
        UserError: as `read_votes` does.
    """
    return read_votes(votes_file(path), vocabulary, max_length)


def _kind_of(name: str) -> type[Any]:
    return PreferenceWeights if name == PreferenceWeights.kind else registered_kind(name)
