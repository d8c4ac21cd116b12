"""Tasks by name: those that installed packages offer, and a user's own in a file.

A task is found by its name, as an entry point of the group `seqtutor.tasks`, or is given as
`FILE.py:ATTRIBUTE` or `module:attribute`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seqtutor.errors import UserError
from seqtutor.references import (
    entry_points_of,
    is_reference,
    load_reference,
    running_users_code,
)
from seqtutor.settings import require_name
from seqtutor.task_spec import TaskSpec

GROUP = "seqtutor.tasks"
"""The group of entry points by which installed packages offer tasks."""


def task_names() -> list[str]:
    """The names of all tasks that installed packages offer."""
    return list(entry_points_of(GROUP))


def find_spec(name: str) -> TaskSpec[Any]:
    """The spec of that name, or the one that `FILE.py:ATTRIBUTE` or `module:attribute` names.

    Raises:
        UserError: if there is none.
    """
    if is_reference(name):
        found = load_reference(name)
    elif name in entry_points_of(GROUP):
        with running_users_code(f"the task {name}"):
            found = entry_points_of(GROUP)[name].load()
    else:
        raise UserError(
            f"there is no task {name!r}; choose one of {', '.join(task_names())}, or give your own "
            "as FILE.py:ATTRIBUTE"
        )
    with running_users_code(name):
        return _spec_of(found, name)


def _spec_of(found: Any, name: str) -> TaskSpec[Any]:
    if isinstance(found, type) and issubclass(found, TaskSpec):
        found = found()
    elif not isinstance(found, TaskSpec):
        from seqtutor.task import Task

        found = TaskSpec.of(found) if isinstance(found, Task) else found
    if not isinstance(found, TaskSpec):
        raise UserError(f"{name} is {found!r}, not a seqtutor.Task or a seqtutor.TaskSpec")
    require_name(found.name)
    # Not an assignment: the spec may be a frozen dataclass.
    object.__setattr__(found, "reference", _absolute(name))
    return found


def _absolute(reference: str) -> str:
    """The reference, which means the same from another folder."""
    file, _, attribute = reference.rpartition(":")
    return f"{Path(file).resolve()}:{attribute}" if file.endswith(".py") else reference
