"""Melody as a task: 38 tokens, a length in sixteenths, nine rules, and what openings pay."""

from __future__ import annotations

from seqtutor.rewards import Reward
from seqtutor.rewards.weighted_sum import weighted_sum
from seqtutor.task import Task
from seqtutor.tasks.melody.encoding import melody_vocabulary
from seqtutor.tasks.melody.rule_settings import MelodyRuleSettings
from seqtutor.tasks.melody.rules import MelodyReward
from seqtutor.tasks.melody.rules.openings import OpeningReward
from seqtutor.tasks.melody.settings import OpeningSettings, RuleWeights


def melody_task(
    length: int = 32,
    rules: MelodyRuleSettings | None = None,
    weights: RuleWeights | None = None,
    openings: OpeningSettings | None = None,
) -> Task:
    """Melodies of `length` sixteenths, rewarded by the nine rules, and for uncommon openings."""
    reward = Reward(MelodyReward(rules or MelodyRuleSettings()), vars(weights or RuleWeights()))
    if openings is not None and openings.weight:
        uncommon = Reward(OpeningReward(openings), {"common_opening": openings.weight})
        reward = weighted_sum([reward, uncommon])
    return Task(melody_vocabulary(), length, reward, "melody")
