"""What the tuning run of any task has. Imports nothing heavy, so that help texts stay quick."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, ClassVar

from seqtutor.training.settings import TutorSettings


@dataclass(frozen=True)
class Tuning:
    """A tuning run, complete: it is written as `config.yaml` and re-runnable.

    A task adds what its reward and its sequences need.
    """

    task: ClassVar[str]
    """The task's name on the command line."""

    tutor: TutorSettings = field(default_factory=TutorSettings.of)

    @property
    def remembers(self) -> bool:
        """Whether its reward remembers what it judged, so that seeds cannot share a program."""
        return False


def differing(one: Any, other: Any, name: str = "") -> list[str]:
    """The options, as on the command line, by which two tunings of one kind differ."""
    if one == other:
        return []
    if not is_dataclass(one) or type(one) is not type(other):
        return [f"--{name}".replace("_", "-")]
    found = []
    for part in fields(one):
        # On the command line the settings of the tutor and of the method have no prefix.
        is_flat = part.name in ("tutor", "options")
        inner = name if is_flat else f"{name}.{part.name}".lstrip(".")
        found += differing(getattr(one, part.name), getattr(other, part.name), inner)
    return found
