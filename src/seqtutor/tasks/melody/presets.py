"""Named settings of tuning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

from seqtutor.errors import UserError
from seqtutor.tasks.melody.settings import MelodyTuning
from seqtutor.training.settings import MethodName, TutorSettings


@dataclass(frozen=True)
class Preset:
    """A title for tables, and the settings for each method."""

    title: str
    tuning: Callable[[MethodName], MelodyTuning]


def _papers_rules(method: MethodName) -> MelodyTuning:
    return MelodyTuning(TutorSettings(method=method, c=1.0, discount=0.7, trace=0.8))


PRESETS = {
    "papers-rules": Preset("The papers' rules and weights", _papers_rules),
}


def preset_named(name: str) -> Preset:
    """Look up a preset.

    Raises:
        UserError: if there is none of that name.
    """
    if name not in PRESETS:
        raise UserError(f"there is no preset {name!r}; choose one of {', '.join(PRESETS)}")
    return PRESETS[name]


def preset_tuning(preset: str, method: str) -> MelodyTuning:
    """A preset's settings for a method.

    Raises:
        UserError: if there is no such preset or method.
    """
    methods = get_args(MethodName)
    if method not in methods:
        raise UserError(f"there is no method {method!r}; choose one of {', '.join(methods)}")
    return preset_named(preset).tuning(method)  # type: ignore[arg-type]
