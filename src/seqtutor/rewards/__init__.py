"""Rewards: named terms of each sequence, weighted and summed.

`protocols` says what a reward function may be; a `Reward` weights the terms that one returns.
"""

from seqtutor.rewards.breakdown import RewardBreakdown, per_step
from seqtutor.rewards.causality import require_causal
from seqtutor.rewards.protocols import RewardFunction, compiled, learned
from seqtutor.rewards.reward import Reward
from seqtutor.rewards.strings import string_reward

__all__ = [
    "Reward",
    "RewardBreakdown",
    "RewardFunction",
    "compiled",
    "learned",
    "per_step",
    "require_causal",
    "string_reward",
]
