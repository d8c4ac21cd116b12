"""Options of commands that depend on the task."""

from __future__ import annotations

from collections import Counter
from dataclasses import field, fields, is_dataclass, make_dataclass, replace
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

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


def with_named_groups(options: _Options, arguments: list[str]) -> _Options:
    """The options, with an entry for each name that the arguments give to a group of settings.

    A field `Mapping[str, Settings]` holds groups whose names the user chooses: the argument
    `--FIELD.NAME.setting` makes the group NAME, with the defaults of its type.
    """
    return _with_named(options, "--", [one.replace("-", "_") for one in arguments])


def _with_named(options: Any, prefix: str, arguments: list[str]) -> Any:
    hints = get_type_hints(type(options), include_extras=True)
    changed: dict[str, Any] = {}
    for one in fields(options):
        value, hint = getattr(options, one.name), hints[one.name]
        metadata = hint.__metadata__ if get_origin(hint) is Annotated else ()
        is_flat = any(getattr(note, "name", None) == "" for note in metadata)
        inner = prefix if is_flat else f"{prefix}{one.name}."
        if isinstance(value, dict):
            kind, start = get_args(hint)[1], inner.replace("-", "_")
            named = [a[len(start) :].partition(".")[0] for a in arguments if a.startswith(start)]
            new = {name: kind() for name in named if name and name not in value}
            changed |= {one.name: value | new} if new else {}
        elif is_dataclass(value) and not isinstance(value, type):
            found = _with_named(value, inner, arguments)
            changed |= {one.name: found} if found is not value else {}
    return replace(options, **changed) if changed else options
