"""Which methods there are. Imports no method before it is asked for, so that `--help` stays quick.

A method of this package is a file here and a line in `_BUILT_IN`. Another package offers one by an
entry point of the group `seqtutor.methods` that names a `seqtutor.methods.base.Method`:

    [project.entry-points."seqtutor.methods"]
    my-method = "my_package.my_method:METHOD"

A method of this package hides another of the same name.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from seqtutor.errors import UserError

if TYPE_CHECKING:
    from seqtutor.methods.base import Method

GROUP = "seqtutor.methods"
DEFAULT_METHOD = "psi"

_BUILT_IN = {
    "q": "q",
    "psi": "psi",
    "g": "g",
    "path": "path",
    "rloo": "rloo",
    "ppo": "ppo",
    "grpo": "grpo",
    "merl": "merl",
    "reinforce": "reinforce",
    "reinforce-baseline": "reinforce_baseline",
    "rl-only": "rl_only",
    "dpo": "dpo",
}


@cache
def _entry_points() -> dict[str, EntryPoint]:
    own = {
        name: EntryPoint(name, f"seqtutor.methods.{module}:METHOD", GROUP)
        for name, module in _BUILT_IN.items()
    }
    return own | {one.name: one for one in entry_points(group=GROUP) if one.name not in own}


def method_names() -> tuple[str, ...]:
    """The names of all methods, those of this package first."""
    return tuple(_entry_points())


def require_method(name: str) -> None:
    """Raise a `UserError` unless there is a method of that name; imports none."""
    if not is_method(name):
        raise UserError(f"there is no method {name!r}; choose one of {', '.join(method_names())}")


def is_method(name: str) -> bool:
    """Whether there is a method of that name; imports none."""
    return name in _entry_points()


def symbol_of(name: str) -> str:
    """What tables and figures call a method; any other name is returned as it is."""
    return method_named(name).symbol if is_method(name) else name


def method_named(name: str) -> Method:
    """The record of a method; imports its module.

    Raises:
        UserError: if there is no method of that name, or another package's cannot be imported.
    """
    require_method(name)
    try:
        return _entry_points()[name].load()
    except (ImportError, AttributeError) as error:
        raise UserError(f"the method {name!r} cannot be loaded: {error}") from error


def loadable_methods() -> list[Method]:
    """The records of all methods, but for those of other packages that cannot be imported."""
    found = []
    for name in method_names():
        with suppress(UserError):
            found.append(method_named(name))
    return found
