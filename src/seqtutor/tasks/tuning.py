"""What the tuning run of any task has. Imports nothing heavy, so that help texts stay quick."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from seqtutor.training.settings import TutorSettings


@dataclass(frozen=True)
class Tuning:
    """A tuning run, complete: it is written as `config.yaml` and re-runnable.

    A task adds what its reward and its sequences need.
    """

    task: ClassVar[str]
    """The task's name on the command line."""

    tutor: TutorSettings = field(default_factory=TutorSettings)

    @property
    def remembers(self) -> bool:
        """Whether its reward remembers what it judged, so that seeds cannot share a program."""
        return False
