"""Named settings of tuning."""

from __future__ import annotations

from collections.abc import Callable

from seqtutor.errors import UserError
from seqtutor.tasks.melody.settings import MelodyTuning
from seqtutor.training.settings import MethodName, TutorSettings


def papers_rules(method: MethodName) -> MelodyTuning:
    """The papers' rules and weights, with settings of our own."""
    return MelodyTuning(TutorSettings(method=method, c=1.0, discount=0.7, trace=0.8))


PRESETS: dict[str, Callable[[MethodName], MelodyTuning]] = {"papers-rules": papers_rules}


def preset_tuning(preset: str, method: str) -> MelodyTuning:
    """A preset's settings for a method.

    Raises:
        UserError: if there is no such preset or method.
    """
    if preset not in PRESETS:
        raise UserError(f"there is no preset {preset!r}; choose one of {', '.join(PRESETS)}")
    methods = MethodName.__args__  # type: ignore[attr-defined]
    if method not in methods:
        raise UserError(f"there is no method {method!r}; choose one of {', '.join(methods)}")
    return PRESETS[preset](method)  # type: ignore[arg-type]
