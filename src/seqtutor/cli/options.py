"""Options of commands that depend on the task."""

from __future__ import annotations

from dataclasses import field, make_dataclass
from typing import Annotated, Any, TypeVar

import tyro

_Options = TypeVar("_Options")


def extended(base: type[_Options], values: dict[str, Any], groups: dict[str, Any]) -> _Options:
    """An instance of `base` with further groups of options.

    Args:
        base: the options that the command has for every task, a frozen dataclass.
        values: for fields of `base`, in place of its defaults.
        groups: by name, instances of dataclasses whose fields become options without a prefix.
    """
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


def _markers(value: Any) -> tuple[Any, ...]:
    """The options of a model have no prefix, like those of its training."""
    is_flat = hasattr(value, "flat")
    return (tyro.conf.OmitArgPrefixes,) if is_flat else ()
