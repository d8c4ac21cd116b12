"""Melody as a task: 38 tokens, a length in sixteenths, nine rules."""

from __future__ import annotations

from seqtutor.rewards import Reward
from seqtutor.task import Task
from seqtutor.tasks.melody.encoding import melody_vocabulary
from seqtutor.tasks.melody.rule_settings import MelodyRuleSettings
from seqtutor.tasks.melody.rules import MelodyReward
from seqtutor.tasks.melody.settings import RuleWeights


def melody_task(
    length: int = 32,
    rules: MelodyRuleSettings | None = None,
    weights: RuleWeights | None = None,
) -> Task:
    """Melodies of `length` sixteenths, rewarded by the nine rules."""
    reward = MelodyReward(rules or MelodyRuleSettings())
    return Task(
        melody_vocabulary(), length, Reward(reward, vars(weights or RuleWeights())), "melody"
    )
