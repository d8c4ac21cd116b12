"""Named settings of tuning, as every task has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from seqtutor.errors import UserError
from seqtutor.methods.registry import require_method

Tuning = TypeVar("Tuning")
"""What a run of the task is made of."""


@dataclass(frozen=True)
class Preset(Generic[Tuning]):
    """A title for tables, and the settings for each method."""

    title: str
    tuning: Callable[[str], Tuning]


def find_preset(presets: Mapping[str, Preset[Tuning]], name: str) -> Preset[Tuning]:
    """Look up a preset.

    Raises:
        UserError: if there is none of that name.
    """
    if name not in presets:
        raise UserError(f"there is no preset {name!r}; choose one of {', '.join(presets)}")
    return presets[name]


def find_tuning(presets: Mapping[str, Preset[Tuning]], name: str, method: str) -> Tuning:
    """A preset's settings for a method.

    Raises:
        UserError: if there is no such preset or method.
    """
    require_method(method)
    return find_preset(presets, name).tuning(method)
