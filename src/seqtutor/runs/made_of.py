"""What a run is made of beside its configuration, and whether that is still the same."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seqtutor.errors import UserError
from seqtutor.models.base import SequenceModel
from seqtutor.models.files import weights_hash
from seqtutor.runs.run_folder import CONFIG, read_made_by
from seqtutor.task_spec import TaskSpec

PRIOR_SHA256, TASK_FILE_SHA256, MAX_LENGTH = "prior_sha256", "task_file_sha256", "max_length"
"""Names of entries in a run's `made_by`."""


def made_of(
    spec: TaskSpec[Any], prior: SequenceModel, max_length: int | None = None
) -> dict[str, Any]:
    """What the `made_by` of a run keeps: hashes of the prior's weights and of the task's file.

    Args:
        spec: the task; one of a package has no file of its own.
        prior: that is tuned.
        max_length: of the task, if it is known.
    """
    found = {
        PRIOR_SHA256: weights_hash(prior),
        TASK_FILE_SHA256: spec.source_sha256,
        MAX_LENGTH: max_length,
    }
    return {name: value for name, value in found.items() if value is not None}


def what_differs(recorded: Mapping[str, Any], now: Mapping[str, Any], spec: TaskSpec[Any]) -> str:
    """What a run was made of and is another now, in words; empty if nothing is.

    Only what both tell is compared: earlier versions recorded less.
    """
    file = spec.reference.rpartition(":")[0]
    words = {
        PRIOR_SHA256: "other weights of its prior",
        TASK_FILE_SHA256: f"another text of {file} or of a module that it imports",
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
