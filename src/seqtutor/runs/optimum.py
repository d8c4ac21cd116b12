"""Log Z of the runs among measured policies: how far each is from the optimum, at γ = 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from seqtutor.measures.intervals import CONFIDENCE
from seqtutor.measures.log_partition import LogPartition, from_samples, joined
from seqtutor.measures.sampling import Samples, draw, log_probabilities
from seqtutor.models.base import SequenceModel
from seqtutor.runs.policies import NamedPolicy
from seqtutor.task import Task
from seqtutor.vocabulary import Vocabulary

PRIOR_SEED = 7919
"""Added to the seed of the prior's samples: they are not those by which it is measured itself."""


def log_partitions(
    policies: Sequence[NamedPolicy],
    samples: Sequence[Samples],
    tasks: Mapping[Vocabulary, Task],
    temperature: float = 1.0,
    seed: int = 0,
) -> list[LogPartition | None]:
    """The bounds on log Z for each policy; `None` for a mere model, and for a run of γ < 1.

    Runs of the same c and prior have one log Z, on which the samples of all of them are used.

    Args:
        policies: runs and mere models.
        samples: of each of them.
        tasks: by vocabulary, with the reward that they are measured by; empty for none.
        temperature: of the samples.
        seed: of the prior's samples.
    """
    found: list[LogPartition | None] = [None] * len(policies)
    for by_c in _of_one_prior(policies).values() if tasks else ():
        first = next(iter(by_c.values()))[0]
        policy = policies[first]
        task, number = tasks[policy.saved.vocabulary], len(samples[first])
        prior = samples_of_prior(policy.prior().model, task, policy.length, number, seed)
        for c, runs in by_c.items():
            bounds = [
                from_samples(
                    samples[run],
                    prior,
                    log_probabilities(policies[run].model, prior, temperature),
                    c,
                    confidence=1 - (1 - CONFIDENCE) / len(runs),
                )
                for run in runs
            ]
            for run in runs:
                found[run] = joined(bounds)
    return found


def _of_one_prior(
    policies: Sequence[NamedPolicy],
) -> dict[tuple[str, int], dict[float, list[int]]]:
    """The places of the runs of γ = 1, by their prior and length, and by c."""
    found: dict[tuple[str, int], dict[float, list[int]]] = {}
    for place, policy in enumerate(policies):
        if policy.config is not None and policy.config.tutor.discount == 1:
            by_c = found.setdefault((policy.prior_sha256, policy.length), {})
            by_c.setdefault(policy.config.tutor.c, []).append(place)
    return found


def samples_of_prior(
    prior: SequenceModel, task: Task, length: int, number: int, seed: int = 0
) -> Samples:
    """Sequences of a prior with their rewards, which serve for every policy tuned from it."""
    return draw(
        prior,
        prior,
        number=number,
        length=length,
        end=task.vocabulary.end,
        seed=seed + PRIOR_SEED,
        reward=task.reward,
    )


def remarks_on_optimum(c: float, discount: float, bounds: LogPartition | None) -> list[str]:
    """What to know about the bounds of runs of one c, or why there are none."""
    if discount < 1:
        return [
            "The distance from the optimum is left out for γ < 1: log Z bounds the objective of "
            "γ = 1 alone."
        ]
    if bounds is None or bounds.is_trusted:
        return []
    return [
        f"The weights from which log Z at c = {c:g} is estimated have too heavy a tail "
        f"(k̂ = {bounds.pareto_k:.2f}, effective size {bounds.effective_size:,.0f} of "
        f"{bounds.number:,}): its lower bound holds, but it may be higher than its upper bound."
    ]
