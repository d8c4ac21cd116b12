"""Melody as a task: 38 tokens, a length in sixteenths, nine rules, and those about a batch."""

from __future__ import annotations

from seqtutor.rewards import Reward
from seqtutor.rewards.weighted_sum import weighted_sum
from seqtutor.task import Task
from seqtutor.tasks.melody.encoding import melody_vocabulary
from seqtutor.tasks.melody.rule_settings import MelodyRuleSettings
from seqtutor.tasks.melody.rules import MelodyReward
from seqtutor.tasks.melody.rules.batch import BatchReward
from seqtutor.tasks.melody.settings import BatchRuleSettings, RuleWeights


def melody_task(
    length: int = 32,
    rules: MelodyRuleSettings | None = None,
    weights: RuleWeights | None = None,
    batch_rules: BatchRuleSettings | None = None,
) -> Task:
    """Melodies of `length` sixteenths, rewarded by the nine rules and those about a batch."""
    rules = rules or MelodyRuleSettings()
    reward = Reward(MelodyReward(rules), vars(weights or RuleWeights()))
    if batch_rules is not None and any(batch_rules.weights.values()):
        of_batch = Reward(BatchReward(batch_rules, rules), batch_rules.weights)
        reward = weighted_sum([reward, of_batch])
    return Task(melody_vocabulary(), length, reward, "melody")
