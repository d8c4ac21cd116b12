"""Tasks by name: those that installed packages offer, and a user's own in a file.

A task is found by its name, as an entry point of the group `seqtutor.tasks`, or is given as
`FILE.py:ATTRIBUTE` or `module:attribute`.
"""

from __future__ import annotations

import ast
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

from seqtutor.errors import UserError
from seqtutor.files import read_regular
from seqtutor.references import (
    entry_points_of,
    is_reference,
    load_reference,
    running_users_code,
    source_sha256,
)
from seqtutor.settings import require, require_name
from seqtutor.task_spec import OWN_NAMES, TaskSpec

_MOST_SOURCE = 1 << 20
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
    _require_usable(found)
    # Not assignments: the spec may be a frozen dataclass.
    object.__setattr__(found, "reference", _absolute(name))
    if is_reference(name):
        object.__setattr__(found, "source_sha256", source_sha256(found.reference))
    return found


def _require_usable(spec: TaskSpec[Any]) -> None:
    require_name(spec.name)
    for name in ("settings_type", "data_type", "sample_type", "evaluate_type"):
        kind = getattr(spec, name)
        require(
            isinstance(kind, type)
            and is_dataclass(kind)
            and kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
            and not any(one.default is one.default_factory is MISSING for one in fields(kind)),
            f"`{name}` of the task {spec.name} must be a frozen dataclass whose fields have "
            f"defaults, not {kind!r}",
        )
    for one in fields(spec.settings_type):
        require(
            one.name not in OWN_NAMES,
            f"no setting of the task {spec.name} can be called {one.name!r}, as part of a run's "
            "configuration is",
        )
    for name, folder in spec.priors.items():
        require(
            isinstance(folder, Path),
            f"the prior {name!r} of the task {spec.name} must be a pathlib.Path, not {folder!r}",
        )


def task_name_in(path: Path) -> str:
    """The name of the one task that a file seems to define, read without importing it; or "NAME".

    A task is a variable to which a call of `Task` or `TaskSpec.of` is assigned, or a class that
    derives from `TaskSpec`.
    """
    try:
        nodes = ast.parse(read_regular(path, _MOST_SOURCE)).body
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
        return "NAME"
    found = []
    for node in nodes:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            if _last_name(node.value.func) in ("Task", "of"):
                found += [one.id for one in node.targets if isinstance(one, ast.Name)]
        elif isinstance(node, ast.ClassDef):
            found += [node.name] if "TaskSpec" in map(_last_name, node.bases) else []
    return found[0] if len(found) == 1 else "NAME"


def _last_name(node: ast.expr) -> str:
    """`Task` of `st.Task` and of `Task`, `TaskSpec` of `TaskSpec[Settings]`."""
    if isinstance(node, ast.Subscript):
        return _last_name(node.value)
    return str(getattr(node, "attr", getattr(node, "id", "")))


def _absolute(reference: str) -> str:
    """The reference, which means the same from another folder."""
    file, _, attribute = reference.rpartition(":")
    return f"{Path(file).resolve()}:{attribute}" if file.endswith(".py") else reference
