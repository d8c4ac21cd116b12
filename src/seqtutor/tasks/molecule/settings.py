"""The settings of the molecule task. Imports nothing heavy, so that help texts stay quick."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from seqtutor.settings import require
from seqtutor.tasks.molecule.goals import Goal, GoalName, goal_named
from seqtutor.tasks.molecule.reward_settings import MoleculeRewardSettings


@dataclass(frozen=True)
class MoleculeSettings:
    """The reward, the length and the goal of a run.

    What depends on the prior (`length`, and the extremes of its training set in `reward`) is filled
    in by `seqtutor.tasks.molecule.task.completed` before a run starts, so that its configuration is
    complete.
    """

    reward: MoleculeRewardSettings = field(default_factory=MoleculeRewardSettings)
    """The terms of the reward."""
    length: int | None = None
    """Tokens of the longest string, the end token included; by default that of the prior's training
    strings."""
    goal: GoalName | None = None
    """A published benchmark: its number is recorded for each new molecule, a call of its oracle,
    and the best so far is reported against the calls. It changes no reward; the presets of these
    names reward it."""
    calls: int | None = None
    """Calls of the goal's oracle after which the run ends; 0 for no limit."""

    def __post_init__(self) -> None:
        if self.goal is not None:
            goal_named(self.goal)
        if self.calls == 0:
            object.__setattr__(self, "calls", None)
        require(
            self.calls is None or self.calls > 0, f"--calls must not be negative, not {self.calls}"
        )
        require(
            self.calls is None or self.goal is not None,
            "calls are those of a goal's oracle: name a goal, or give no calls (--calls 0)",
        )
        require(
            self.length is None or self.length >= 2,
            f"length must be at least 2, a token and the end, not {self.length}",
        )

    @property
    def chosen_goal(self) -> Goal | None:
        """The goal, if there is one."""
        return None if self.goal is None else goal_named(self.goal)

    def without_memory(self) -> MoleculeSettings:
        """The settings without the term and the goal that depend on earlier batches."""
        diversity = replace(self.reward.diversity, weight=0.0)
        return replace(
            self, reward=replace(self.reward, diversity=diversity), goal=None, calls=None
        )
