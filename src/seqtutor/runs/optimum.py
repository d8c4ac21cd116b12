"""Log Z of the runs among measured policies: how far each is from the optimum, at γ = 1."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import jax
import numpy as np

from seqtutor.measure import Estimates, Measure
from seqtutor.measures.diversity import distinct_share
from seqtutor.measures.estimates import mean_estimate
from seqtutor.measures.intervals import CONFIDENCE
from seqtutor.measures.log_partition import (
    LogPartition,
    from_samples,
    joined,
    log_partition,
    lower_bound_of_log_mean,
)
from seqtutor.measures.optimum import optimum_of
from seqtutor.measures.particles import Particles, particles
from seqtutor.measures.proposals import Untwisted
from seqtutor.measures.sampling import Samples, draw, log_probabilities
from seqtutor.methods.registry import method_named
from seqtutor.models.base import SequenceModel
from seqtutor.runs.policies import NamedPolicy
from seqtutor.task import Task
from seqtutor.training.settings import TutorSettings
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
    """The bounds on log Z for each policy.

    `None` for a mere model, for a run of γ < 1, and for one that learned from votes.

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


def priors_sampled(policies: Sequence[NamedPolicy]) -> int:
    """How many priors `log_partitions` samples from."""
    return len(_of_one_prior(policies))


def _of_one_prior(
    policies: Sequence[NamedPolicy],
) -> dict[tuple[str, int], dict[float, list[int]]]:
    """The places of the runs of γ = 1 that a reward is for, by their prior and length, and by c."""
    found: dict[tuple[str, int], dict[float, list[int]]] = {}
    for place, policy in enumerate(policies):
        if policy.config is None or method_named(policy.config.tutor.method).learns_from_votes:
            continue
        if policy.config.tutor.discount == 1:
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


ENTROPY, DISTINCT = "optimum_entropy", "optimum_distinct"
MOST_PARTICLES = 1024
"""In a group; there are at least `FEWEST_GROUPS` groups."""
FEWEST_GROUPS = 16
GROUPS_AT_ONCE = 4
SEARCHED = (0.5, 0.25, 0.125)
"""Shares of c at which particles look for sequences that hold much of the optimum."""


def optimum_measures(sequence: str = "sequence", sequences: str = "sequences") -> list[Measure]:
    """The rows of what is estimated of the optimum at a c."""
    return [
        Measure(ENTROPY, f"Optimum: entropy, nats a {sequence}"),
        Measure(DISTINCT, f"Optimum: distinct {sequences}", unit="share"),
    ]


@dataclass(frozen=True)
class OptimumAtC:
    """What is known of the optimum of a model's own distribution as prior, before any tuning.

    Attributes:
        bounds: on log Z.
        estimates: the model's `objective`, and of the optimum its entropy in nats a sequence and
            the share of distinct sequences among as many as the model is measured on.
        remarks: what a user should know.
    """

    bounds: LogPartition
    estimates: Estimates
    remarks: list[str]


def optimum_at(
    policy: NamedPolicy,
    samples: Samples,
    task: Task,
    c: float,
    seed: int = 0,
    on_particles: Callable[[int], None] = lambda more: None,
) -> OptimumAtC:
    """The optimum at a c that tuning a model aims at, the model itself being the prior.

    As many particles of it as there are samples look for it at c and at each smaller one. The KL
    divergence in the objective is that from itself, zero.

    Args:
        policy: a mere model.
        samples: of it, at temperature 1.
        task: with the reward.
        c: divides the reward.
        seed: of the particles.
        on_particles: called with the number of particles that have been added.
    """
    assert samples.reward is not None
    prior, number = policy.model, len(samples)
    found, *searched = (
        particles_of_prior(prior, task, policy.length, c * share, number, seed, on_particles)
        for share in (1.0, *SEARCHED)
    )
    optimum = optimum_of(found, c, number, searched)
    each = (1 + CONFIDENCE) / 2
    bounds = joined(
        [_bounds_from_weights(samples, c, each, seed)],
        [lower_bound_of_log_mean(found.log_z, (1 + each) / 2), optimum.log_mass],
    )
    estimate = max(optimum.log_z, bounds.lower)
    bounds = replace(bounds, estimate=estimate, upper=max(bounds.upper, estimate))
    estimates = {
        "objective": mean_estimate(samples.reward.astype(np.float64) / c),
        ENTROPY: optimum.entropy,
        DISTINCT: optimum.distinct,
    }
    remarks = remarks_on_optimum(c, 1.0, bounds)
    remarks += _remarks_on_entropy(policy, c, estimates, samples)
    return OptimumAtC(bounds, estimates, remarks)


def particles_of_prior(
    prior: SequenceModel,
    task: Task,
    length: int,
    c: float,
    number: int,
    seed: int = 0,
    on_particles: Callable[[int], None] = lambda more: None,
) -> Particles:
    """So many particles of the prior in independent groups, at least sixteen."""
    size = max(1, min(MOST_PARTICLES, number // FEWEST_GROUPS))
    parts = []
    for index in range(max(FEWEST_GROUPS, number // size) // GROUPS_AT_ONCE):
        # Other random numbers for each c: what one sweep misses, another may find.
        key = jax.random.fold_in(jax.random.key(seed + PRIOR_SEED), index)
        key = jax.random.fold_in(key, int(np.float32(c).view(np.int32)))
        found = particles(
            Untwisted(prior), task, c, groups=GROUPS_AT_ONCE, size=size, key=key, length=length
        )
        parts.append(found)
        on_particles(GROUPS_AT_ONCE * size)
    return jax.tree.map(lambda *arrays: np.concatenate(arrays), *parts)


def _bounds_from_weights(samples: Samples, c: float, confidence: float, seed: int) -> LogPartition:
    """From the importance weights exp(r/c) of the model's own samples."""
    assert samples.reward is not None
    log_prior = samples.log_policy.astype(np.float64)
    target = log_prior + samples.reward.astype(np.float64) / c
    return log_partition(target[None], log_prior[None, None], confidence=confidence, seed=seed)


def _remarks_on_entropy(
    policy: NamedPolicy, c: float, estimates: Estimates, samples: Samples
) -> list[str]:
    """That the optimum is only a few sequences, by the thresholds of a collapsed policy."""
    settings = TutorSettings.of()
    steps = float(samples.steps.mean())
    entropy, distinct = estimates[ENTROPY].value, estimates[DISTINCT].value
    least = settings.collapse_distinct * distinct_share(samples.tokens)
    if entropy >= settings.collapse_entropy * steps and distinct >= least:
        return []
    return [
        f"The optimum at c = {c:g} is a handful of {policy.spec.many}: of {len(samples):,} drawn "
        f"from it {100 * distinct:.2g} % would be different, and its entropy is about "
        f"{entropy:.1f} nats a {policy.spec.one}. No optimiser mends that, only a larger c or "
        "another reward."
    ]


def remarks_on_run(tutor: TutorSettings, bounds: LogPartition | None) -> list[str]:
    """What to know about the bounds of runs of these settings, or why there are none."""
    if method_named(tutor.method).learns_from_votes:
        return [
            "The distance from the optimum is left out for a policy that learned from votes: its c "
            "is that of a listener's utility, not of the reward."
        ]
    return remarks_on_optimum(tutor.c, tutor.discount, bounds)


def remarks_on_optimum(c: float, discount: float, bounds: LogPartition | None) -> list[str]:
    """What to know about the bounds at one c, or why there are none."""
    if discount < 1:
        return [
            "The distance from the optimum is left out for γ < 1: log Z bounds the objective of "
            "γ = 1 alone (tune with --discount 1)."
        ]
    if bounds is None or bounds.is_trusted:
        return []
    return [
        f"The weights from which log Z at c = {c:g} is estimated have too heavy a tail "
        f"(k̂ = {bounds.pareto_k:.2f}, effective size {bounds.effective_size:,.0f} of "
        f"{bounds.number:,}): its lower bound holds, but it may be higher than its upper bound."
    ]
