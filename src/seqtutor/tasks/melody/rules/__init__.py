"""The nine rules of melody that tuning rewards (Jaques et al. 2017, section 4).

Most go back to Robert Gauldin, "A Practical Approach to Eighteenth-Century Counterpoint" (1988).
Each is a pure, causal function of tokens and settings: what step t earns depends on tokens up to t
alone (and on the length, which is known beforehand). Tokens are 0 (note-off), 1 (hold) and 2 … 37
(pitches C3 … B5), one per sixteenth.
"""

from seqtutor.tasks.melody.rules.autocorrelation import penalize_autocorrelation
from seqtutor.tasks.melody.rules.extremes import high_low_unique
from seqtutor.tasks.melody.rules.intervals import preferred_intervals
from seqtutor.tasks.melody.rules.leaps import leap_up_back
from seqtutor.tasks.melody.rules.motif import motif, repeated_motif
from seqtutor.tasks.melody.rules.repetition import penalize_repeating
from seqtutor.tasks.melody.rules.reward import RULES, MelodyReward, Rule, rule_rewards
from seqtutor.tasks.melody.rules.tonality import key, tonic

__all__ = [
    "RULES",
    "MelodyReward",
    "Rule",
    "high_low_unique",
    "key",
    "leap_up_back",
    "motif",
    "penalize_autocorrelation",
    "penalize_repeating",
    "preferred_intervals",
    "repeated_motif",
    "rule_rewards",
    "tonic",
]
