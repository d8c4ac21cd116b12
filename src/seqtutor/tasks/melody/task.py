"""Melody as a task: 38 tokens, a length in sixteenths, nine rules, and those about a batch."""

from __future__ import annotations

from functools import partial

from seqtutor.rewards import Reward
from seqtutor.rewards.weighted_sum import weighted_sum
from seqtutor.task import Task
from seqtutor.tasks.melody.encoding import melody_vocabulary
from seqtutor.tasks.melody.network import RuleNetwork
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
    """Melodies of `length` sixteenths, rewarded by the nine rules and those about a batch.

    Its network follows the nine.
    """
    rules, weights = rules or MelodyRuleSettings(), weights or RuleWeights()
    reward = Reward(MelodyReward(rules), vars(weights))
    network = partial(RuleNetwork, length=length, rules=rules, rule_weights=weights)
    if batch_rules is not None and any(batch_rules.weights.values()):
        of_batch = Reward(BatchReward(batch_rules, rules), batch_rules.weights)
        reward = weighted_sum([reward, of_batch])
    return Task(melody_vocabulary(), length, reward, "melody", network=network)
