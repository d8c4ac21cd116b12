"""What a run is made of beside its configuration, and whether that is still the same."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqtutor.comparisons import file_sha256
from seqtutor.errors import UserError
from seqtutor.models.base import SequenceModel
from seqtutor.models.files import WEIGHTS, weights_hash
from seqtutor.preferences.files import votes_file
from seqtutor.runs.run_folder import CONFIG, read_made_by
from seqtutor.task_spec import TaskSpec

if TYPE_CHECKING:
    from seqtutor.runs.config import RunConfig

PRIOR_SHA256, TASK_FILE_SHA256, MAX_LENGTH = "prior_sha256", "task_file_sha256", "max_length"
PREFERENCE_SHA256, VOTES_SHA256 = "preference_sha256", "votes_sha256"
"""Names of entries in a run's `made_by`."""


def made_of(
    spec: TaskSpec[Any],
    prior: SequenceModel,
    max_length: int | None = None,
    config: RunConfig[Any] | None = None,
) -> dict[str, Any]:
    """What the `made_by` of a run keeps: hashes of what it is made of beside its configuration.

    That are the prior's weights, the task's file, votes and a preference model.

    Args:
        spec: the task; one of a package has no file of its own.
        prior: that is tuned.
        max_length: of the task, if it is known.
        config: of the run, which names votes and a preference model, if any.
    """
    found = {
        PRIOR_SHA256: weights_hash(prior),
        TASK_FILE_SHA256: spec.source_sha256,
        MAX_LENGTH: max_length,
    }
    own = {name: value for name, value in found.items() if value is not None}
    return own if config is None else own | made_of_votes(config)


def made_of_votes(config: RunConfig[Any]) -> dict[str, str]:
    """The hashes of the votes and of the preference model that a configuration names.

    What is missing is left out; whoever needs it in earnest says so.
    """
    model, votes = config.preference.model, getattr(config.tutor.options, "votes", None)
    named = {
        PREFERENCE_SHA256: None if model is None else model / WEIGHTS,
        VOTES_SHA256: None if votes is None else votes_file(votes),
    }
    return {
        name: file_sha256(path)
        for name, path in named.items()
        if path is not None and path.is_file()
    }


def what_differs(recorded: Mapping[str, Any], now: Mapping[str, Any], spec: TaskSpec[Any]) -> str:
    """What a run was made of and is another now, in words; empty if nothing is.

    Only what both tell is compared: earlier versions recorded less.
    """
    file = spec.reference.rpartition(":")[0]
    words = {
        PRIOR_SHA256: "other weights of its prior",
        TASK_FILE_SHA256: f"another text of {file} or of a module that it imports",
        PREFERENCE_SHA256: "other weights of its preference model",
        VOTES_SHA256: "other votes",
        MAX_LENGTH: f"max_length {recorded.get(MAX_LENGTH)}, which is {now.get(MAX_LENGTH)} now",
    }
    return " and ".join(
        text
        for name, text in words.items()
        if name in recorded and name in now and recorded[name] != now[name]
    )


def require_made_of(folder: Path, now: Mapping[str, Any], spec: TaskSpec[Any], remedy: str) -> None:
    """Refuse a run that was made of something else.

    Args:
        folder: of the run.
        now: what `made_of` gives.
        spec: the task.
        remedy: what to do if the change is meant to stay.

    Raises:
        UserError: which says what has changed.
    """
    if found := what_differs(read_made_by(folder / CONFIG), now, spec):
        raise UserError(
            f"the run in {folder} was begun with {found}; undo that change, or {remedy}"
        )
