"""Tunes as a task: tokens of a prior, and the rules of form."""

from __future__ import annotations

from seqtutor.rewards import Reward
from seqtutor.rewards.targets import Targets
from seqtutor.task import Task
from seqtutor.task_records import PriorRecord
from seqtutor.tasks.tunes.priors import SHIPPED_PRIOR, bars_of
from seqtutor.tasks.tunes.reward import FormReward
from seqtutor.tasks.tunes.settings import TunesSettings


def tunes_task(settings: TunesSettings | None = None, prior: PriorRecord | None = None) -> Task:
    """Phrases of a prior's tokens and length, rewarded by the rules that have a weight.

    Args:
        settings: weights of the rules, and the means that they follow.
        prior: by default the one that comes with the package.

    Raises:
        UserError: if the prior does not write tunes.
    """
    if prior is None:
        from seqtutor.models.files import load_model

        prior = load_model(SHIPPED_PRIOR)
    bars = bars_of(prior)
    chosen = settings or TunesSettings()
    means = vars(chosen.targets) if chosen.adaptation else {}
    targets = Targets(means, chosen.adaptation) if means else None
    weights = {n: weight for n, weight in vars(chosen.weights).items() if weight or n in means}
    # A reward has at least one term.
    weights = weights or {"faulty_bars": 0.0}
    reward = Reward(FormReward(prior.vocabulary, bars, tuple(weights)), weights, targets)
    return Task(prior.vocabulary, prior.origin["max_length"], reward, "tunes")
