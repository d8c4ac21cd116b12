"""Options of commands that depend on the task."""

from __future__ import annotations

from collections import Counter
from dataclasses import field, fields, make_dataclass
from typing import Annotated, Any, TypeVar

import tyro

from seqtutor.settings import require
from seqtutor.training.settings import TutorSettings, to_flat

_Options = TypeVar("_Options")


def extended(base: type[_Options], values: dict[str, Any], groups: dict[str, Any]) -> _Options:
    """An instance of `base` with further groups of options.

    Args:
        base: the options that the command has for every task, a frozen dataclass.
        values: for fields of `base`, in place of its defaults.
        groups: by name, instances of dataclasses whose fields become options without a prefix.

    Raises:
        UserError: if two options have the same name, of which one is that of a user's own task.
    """
    names = Counter(name for one in (base, *groups.values()) for name in _names(one))
    for name, times in names.items():
        require(times == 1, f"there is an option --{name.replace('_', '-')} already; rename yours")
    extra = [
        (
            name,
            Annotated[type(value), tyro.conf.arg(name=""), *_markers(value)],
            field(default=value),
        )
        for name, value in groups.items()
    ]
    kind = make_dataclass(
        base.__name__,
        extra,
        bases=(base,),
        frozen=True,
        namespace={"__doc__": base.__doc__},
    )
    return kind(**values)


def _names(options: Any) -> list[str]:
    if isinstance(options, TutorSettings):
        return list(to_flat(options))
    return list(options.flat) if hasattr(options, "flat") else [f.name for f in fields(options)]


def _markers(value: Any) -> tuple[Any, ...]:
    """The options of a model have no prefix, like those of its training."""
    is_flat = hasattr(value, "flat")
    return (tyro.conf.OmitArgPrefixes,) if is_flat else ()
