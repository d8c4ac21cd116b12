"""What is measured of every policy: distance from the prior, diversity, reward."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from seqtutor.measure import Estimate, Estimates, Measure, MeasureGroup
from seqtutor.measures.diversity import distinct_share, self_similarity
from seqtutor.measures.estimates import estimates_of, mean_estimate, ratio_estimate
from seqtutor.measures.sampling import Samples, draw
from seqtutor.models.base import SequenceModel
from seqtutor.rewards import Reward
from seqtutor.training.settings import TutorSettings
from seqtutor.vocabulary import Vocabulary

DEFINITIONS = 2
"""Increased when a measure of `comparison_estimates` is defined anew, so that cached values of the
old definition are not used."""


@dataclass(frozen=True)
class Evaluation:
    """Sequences of one policy and what was measured of them."""

    samples: Samples = field(repr=False)
    estimates: Estimates

    @property
    def number(self) -> int:
        """How many sequences there are."""
        return len(self.samples)


def evaluate(
    policy: SequenceModel,
    prior: SequenceModel,
    vocabulary: Vocabulary,
    measures: Sequence[Measure | MeasureGroup] = (),
    *,
    number: int,
    length: int,
    seed: int = 0,
    temperature: float = 1.0,
    reward: Reward | None = None,
    on_sequences: Callable[[int], None] = lambda done: None,
) -> Evaluation:
    """Sample sequences from a policy and measure them.

    Args:
        policy: generates the sequences.
        prior: the reference of KL and log p.
        vocabulary: of both.
        measures: of the task, besides those of every policy.
        number: of sequences.
        length: tokens of the longest sequence, the end token included.
        seed: of the sampling.
        temperature: of the sampling.
        reward: what the sequences are rewarded by, if their rewards are wanted.
        on_sequences: called with the number of sequences sampled so far.

    Returns:
        The estimates of `measures`, then those of `policy_estimates`.
    """
    samples = draw(
        policy,
        prior,
        number=number,
        length=length,
        end=vocabulary.end,
        seed=seed,
        temperature=temperature,
        reward=reward,
        on_sequences=on_sequences,
    )
    own = estimates_of(measures, samples.tokens, samples.mask, vocabulary)
    return Evaluation(samples, {**own, **policy_estimates(samples)})


def policy_measures(sequences: str = "sequences") -> tuple[Measure, ...]:
    """The rows of `policy_estimates` that need no reward; `sequences` is what a task calls them."""
    return (
        Measure("entropy", "Entropy, nats a step"),
        Measure("kl", "KL from the prior, nats a step"),
        Measure("log_prior", "Mean log p(a|s), nats"),
        Measure("distinct", f"Distinct {sequences}", unit="share"),
    )


def reward_measures(terms: Iterable[str], sequence: str = "sequence") -> tuple[Measure, ...]:
    """The rows of a reward, its terms and the objective; `sequence` is what a task calls one."""
    titles = {term: f"Term {term.replace('_', ' ')}" for term in terms}
    return (
        Measure("reward", f"Mean reward a {sequence}"),
        *(Measure(f"term_{term}", title) for term, title in titles.items()),
        Measure("objective", f"Objective E[r]/c − KL, nats a {sequence}"),
    )


def policy_estimates(samples: Samples) -> dict[str, Estimate]:
    """The measures of every policy, of the distribution that was sampled.

    Returns:
        `entropy`, `kl` and `log_prior` in nats per step, each a sum over all steps divided by
        their number, exact over the vocabulary, so that `kl` + `entropy` = −`log_prior`;
        `distinct`, the share of different sequences among all. With a reward also `reward` and each
        of its terms, `term_NAME`, per sequence.
    """
    per_step = {
        "entropy": samples.entropy,
        "kl": samples.kl,
        "log_prior": samples.expected_log_prior,
    }
    found = {name: ratio_estimate(sums, samples.steps) for name, sums in per_step.items()}
    found["distinct"] = Estimate(distinct_share(samples.tokens))
    if samples.reward is not None:
        found["reward"] = mean_estimate(samples.reward)
        found |= {f"term_{name}": mean_estimate(term) for name, term in samples.terms.items()}
    return found


def objective_estimate(samples: Samples, c: float) -> Estimate:
    """E[r]/c − KL per sequence, in nats; at each step KL is exact over the vocabulary."""
    assert samples.reward is not None
    return mean_estimate(samples.reward.astype(np.float64) / c - samples.kl)


def comparison_estimates(samples: Samples, c: float | None = None) -> dict[str, Estimate]:
    """The measures that policies are compared by at equal distance from the prior.

    Args:
        samples: with rewards.
        c: the weight of the prior, if the objective is to be measured too.

    Returns:
        `reward`, `kl` and, with `c`, `objective` (E[r]/c − KL) per sequence; `reward_per_step`,
        `kl_per_step`, `entropy` and `log_prior` per step; all in nats but the rewards. `distinct`
        and `self_similarity` are those of `seqtutor.measures.diversity`.
    """
    assert samples.reward is not None
    reward, kl = samples.reward.astype(np.float64), samples.kl.astype(np.float64)
    sequences = np.ones(len(samples))
    ratios = {
        "reward": (reward, sequences),
        "reward_per_step": (reward, samples.steps),
        "kl": (kl, sequences),
        "kl_per_step": (kl, samples.steps),
        "entropy": (samples.entropy, samples.steps),
        "log_prior": (samples.expected_log_prior, samples.steps),
    }
    found = {name: ratio_estimate(*parts) for name, parts in ratios.items()}
    if c is not None:
        found["objective"] = objective_estimate(samples, c)
    found["distinct"] = Estimate(distinct_share(samples.tokens))
    found["self_similarity"] = self_similarity(samples.tokens, samples.mask)
    return found


def has_collapsed(policy: Estimates, prior: Estimates, settings: TutorSettings) -> bool:
    """Whether a policy is only a few sequences, by the thresholds of the training loop's guard.

    Takes the estimates of as many sequences of the policy as of the prior.
    """
    return (
        policy["entropy"].value < settings.collapse_entropy
        or policy["distinct"].value < settings.collapse_distinct * prior["distinct"].value
    )
