"""What measuring policies costs where their reward is dear, told before it begins."""

from __future__ import annotations

from collections.abc import Sequence

from seqtutor.measures.sampling import BATCH
from seqtutor.methods.registry import method_named
from seqtutor.rewards import Reward
from seqtutor.runs.optimum import priors_sampled
from seqtutor.runs.policies import NamedPolicy
from seqtutor.runs.progress import console
from seqtutor.training.settings import TutorSettings


def rewarded(number: int) -> int:
    """How many sequences are rewarded where so many are wanted: whole batches are."""
    size = min(BATCH, number)
    return -(-number // size) * size if size else 0


def rewarded_after(tutor: TutorSettings, samples: int, evaluate: int) -> int:
    """Sequences that are rewarded after the training of a run: its samples, table and page."""
    has_bounds = tutor.discount == 1 and not method_named(tutor.method).learns_from_votes
    # The run and its prior, and sequences of the prior by which log Z is bounded.
    return samples + rewarded(evaluate) * (2 + has_bounds)


def rewarded_to_measure(policies: Sequence[NamedPolicy], number: int) -> int:
    """Sequences that are rewarded to measure policies on so many each."""
    return rewarded(number) * (len(policies) + priors_sampled(policies))


def announce_cost(reward: Reward, sequences: int, why: str = "To measure this, ") -> None:
    """Tell what so many sequences cost, where the reward says so."""
    for line in reward.cost(sequences):
        console.print(f"{why}{line}", style="yellow", highlight=False)
