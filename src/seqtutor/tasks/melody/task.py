"""Melody as a task: 38 tokens, a length in sixteenths, nine rules, and what is asked of a batch."""

from __future__ import annotations

from functools import partial

from seqtutor.rewards import Reward
from seqtutor.rewards.targets import Targets
from seqtutor.rewards.weighted_sum import weighted_sum
from seqtutor.task import Task
from seqtutor.tasks.melody.encoding import melody_vocabulary
from seqtutor.tasks.melody.network import RuleNetwork
from seqtutor.tasks.melody.rules import MelodyReward
from seqtutor.tasks.melody.rules.batch import BatchReward
from seqtutor.tasks.melody.rules.rows import VARIANCES, RowReward
from seqtutor.tasks.melody.settings import MelodySettings

PULL = 8.0
"""κ of the rows' targets, in nats at a distance of one variance."""
LARGEST_WEIGHT = 30.0
"""Of a row; autocorrelations vary by a quarter from melody to melody."""


def melody_task(settings: MelodySettings | None = None) -> Task:
    """Melodies rewarded by the nine rules, by that about a batch, and by weights of rows.

    Its network follows the nine.
    """
    chosen = settings or MelodySettings()
    rules, batch_rules = chosen.rules, chosen.batch_rules
    rewards = [Reward(MelodyReward(rules), vars(chosen.weights))]
    if batch_rules.common_opening:
        own = {"common_opening": batch_rules.common_opening}
        rewards.append(Reward(BatchReward(batch_rules), own))
    if chosen.adaptation and chosen.targets.given:
        rewards.append(_of_rows(chosen))
    network = partial(RuleNetwork, length=chosen.length, rules=rules, rule_weights=chosen.weights)
    reward = rewards[0] if len(rewards) == 1 else weighted_sum(rewards)
    return Task(melody_vocabulary(), chosen.length, reward, "melody", network=network)


def _of_rows(settings: MelodySettings) -> Reward:
    """A term for each row that has a target, whose weight follows it."""
    given, rate = settings.targets.given, settings.adaptation
    at_target = dict.fromkeys(given, 0.0)
    targets = Targets(at_target, rate, PULL / rate, VARIANCES, LARGEST_WEIGHT)
    weights = {name: getattr(settings.row_weights, name) for name in given}
    return Reward(RowReward(tuple(given.items()), settings.rules), weights, targets)
