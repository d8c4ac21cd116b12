"""What a molecule run is made of. Imports nothing heavy, so that help texts stay quick."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from seqtutor.runs.tuning import Tuning
from seqtutor.settings import require
from seqtutor.tasks.molecule.goals import Goal, GoalName, goal_named
from seqtutor.tasks.molecule.reward_settings import MoleculeRewardSettings


@dataclass(frozen=True)
class MoleculeTuning(Tuning):
    """A tuning run of molecules; it is written as `config.yaml` and re-runnable.

    What is left to the prior (`length`, and the extremes of its training set in `reward`) is filled
    in by `seqtutor.tasks.molecule.task.completed` before a run starts, so that its file is whole.
    """

    task: ClassVar[str] = "molecule"

    reward: MoleculeRewardSettings = field(default_factory=MoleculeRewardSettings)
    length: int | None = None
    """Tokens of the longest string, the end token included; by default what the prior was trained
    on."""
    prior: Path | None = None
    """Folder of the prior; the one that comes with the package if not given."""
    goal: GoalName | None = None
    """What is reported against the calls of its oracle."""
    calls: int | None = None
    """Calls of the goal's oracle after which the run ends; by default there is no limit."""

    def __post_init__(self) -> None:
        if self.goal is not None:
            goal_named(self.goal)
        require(self.calls is None or self.calls > 0, f"calls must be above 0, not {self.calls}")
        require(
            self.calls is None or self.goal is not None,
            "calls are those of a goal's oracle: name a goal, or give no calls (--calls 0)",
        )
        require(
            self.length is None or self.length >= 2,
            f"length must be at least 2, a token and the end, not {self.length}",
        )

    @property
    def remembers(self) -> bool:
        """With the `diversity` term or a goal."""
        return "diversity" in self.reward.weights or self.goal is not None

    @property
    def chosen_goal(self) -> Goal | None:
        """The goal, if there is one."""
        return None if self.goal is None else goal_named(self.goal)
