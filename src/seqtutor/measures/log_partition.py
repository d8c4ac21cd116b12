"""Bounds on log Z, the objective of the optimum, from samples of known probability.

At γ = 1 no policy has a higher objective J(π) = E_π[r]/c − KL(π‖p) than

    π*(τ) = p(τ)·exp(r(τ)/c)/Z,  J(π*) = log Z = log E_p[exp(r/c)],  log Z − J(π) = KL(π‖π*).

**From below.** With τ_i from a proposal q the weights W_i = p(τ_i)·exp(r(τ_i)/c)/q(τ_i) have the
mean Z. Half of the samples are the policy's and half the prior's, each weighted by the mixture
q = (π + p)/2 of both (Veach & Guibas 1995, the balance heuristic), so that W is at most twice what
either would give it alone.

**From above.** With τ* from π* put in the place of one of m samples, the mean Ẑ of the m weights
has E[1/Ẑ] = 1/Z (Sobolev & Vetrov 2019; Grosse et al. 2016, "Measuring the reliability of MCMC
inference with bidirectional Monte Carlo"; the identity is that of conditional importance sampling,
Andrieu et al. 2010). A bound on the mean of 1/Ẑ from below is one on Z from above.

Both are bounds on the mean of values that are not negative, of which nothing else is known, and are
made by one function, `lower_bound_of_log_mean`. What it states holds for any number of samples and
any tail. So the lower bound on log Z holds as stated, whatever the policy. The upper one does where
τ* is drawn from π* itself, as it can be for a problem that is enumerated. Elsewhere it is drawn
from the other samples by their weights (sampling importance resampling, Rubin 1987): what no sample
has come near is in neither bound. `pareto_k` warns where that is likely.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from jaxtyping import Float, Int
from scipy.special import logsumexp

from seqtutor.measure import Estimate, Estimates
from seqtutor.measures.intervals import CONFIDENCE, Interval
from seqtutor.measures.pareto import largest_trusted_k, pareto_k
from seqtutor.measures.sampling import Samples

PREFIX = "log_partition_"
PerSample = Float[np.ndarray, "proposal sample"]
ByProposal = Float[np.ndarray, "density proposal sample"]


@dataclass(frozen=True)
class LogPartition:
    """What samples say of log Z, in nats a sequence.

    Attributes:
        estimate: the logarithm of the mean weight, which is too low on average.
        lower, upper: the ends of the confidence interval; the upper one is infinite if other
            samples refute it.
        effective_size: how many samples of π* itself would tell Z as well, by Kish's estimate.
        pareto_k: the shape of the weights' tail; NaN if they have none.
        number: of samples.
    """

    estimate: float
    lower: float
    upper: float
    effective_size: float
    pareto_k: float
    number: int

    @classmethod
    def of_estimates(cls, estimates: Estimates) -> LogPartition:
        """The inverse of `estimates`."""
        values = {one.name: estimates[PREFIX + one.name].value for one in fields(cls)}
        return cls(**values)  # type: ignore[arg-type]

    @property
    def estimates(self) -> dict[str, Estimate]:
        """As measures of a policy, by names that begin with `PREFIX`."""
        return {PREFIX + name: Estimate(value) for name, value in vars(self).items()}

    @property
    def is_trusted(self) -> bool:
        """Whether the tail of the weights is light enough for the estimate and the upper bound."""
        return math.isfinite(self.upper) and not self.pareto_k > largest_trusted_k(self.number)

    def above(self, objective: Interval) -> Interval:
        """How far an objective lies below log Z, KL(π‖π*), which is not negative.

        The distances of the ends from both values are added as if they were independent.
        """
        value = self.estimate - objective.value
        half = np.nan_to_num(objective.half_width)
        low = value - math.hypot(self.estimate - self.lower, half)
        high = value + math.hypot(self.upper - self.estimate, half)
        return Interval(max(value, 0.0), max(low, 0.0), max(high, 0.0))


def lower_bound_of_log_mean(log_values: Float[np.ndarray, " sample"], confidence: float) -> float:
    """A lower confidence bound on log E[X] from the logarithms of independent X_i ≥ 0.

    If E[X] ≤ m, a bet of the share λ of one's wealth on each X_i/m does not gain on average: the
    wealth of equal stakes on several λ from 0 to 1,

        K(m) = mean over λ of Π_i (1 + λ·(X_i/m − 1)),

    has a mean of at most 1, and by Markov's inequality it comes to 1/α with a probability of at
    most α. K falls in m; the bound is the m at which it is 1/α (Waudby-Smith & Ramdas 2024,
    "Estimating means of bounded random variables by betting", which for bets on X alone needs no
    upper limit; Orabona & Jun 2023). The X_i need not have one distribution, only the mean E[X] on
    average (by the inequality of arithmetic and geometric means). The usual interval of a mean
    holds only for so many samples that the largest no longer matters, which importance weights
    seldom allow.

    Args:
        log_values: finite, or −∞ for zero.
        confidence: 1 − α.
    """
    from scipy.optimize import brentq  # Heavy, and every command that measures imports this.

    number = len(log_values)
    mean = float(logsumexp(log_values)) - math.log(number)
    if not math.isfinite(mean):
        return -math.inf
    shares = 0.5 ** np.arange(math.ceil(math.log2(number)) + 2)
    needed = -math.log1p(-confidence)

    def excess(log_mean: float) -> float:
        # Values above e^200 times the mean are bets that win whatever they are.
        ratios = np.exp(np.minimum(log_values - log_mean, 200.0)) - 1
        with np.errstate(divide="ignore"):
            wealth = [np.log1p(share * ratios).sum() for share in shares]
        return float(logsumexp(wealth)) - math.log(len(shares)) - needed

    step = 0.125
    while excess(mean - step) < 0:
        step *= 2
    return float(brentq(excess, mean - step, mean, xtol=1e-6))


def mixture_log_weights(log_target: PerSample, log_proposals: ByProposal) -> PerSample:
    """Log W of samples of several proposals, as many of each, under the mixture of all.

    Args:
        log_target: log p + r/c of each proposal's samples.
        log_proposals: their log-probabilities by each proposal.
    """
    return log_target - logsumexp(log_proposals, axis=0) + math.log(len(log_proposals))


def effective_size(log_weights: np.ndarray) -> float:
    """(Σ W)²/Σ W² of the weights (Kish 1965)."""
    return float(np.exp(2 * logsumexp(log_weights) - logsumexp(2 * log_weights)))


def log_partition(
    log_target: PerSample,
    log_proposals: ByProposal,
    *,
    confidence: float = CONFIDENCE,
    seed: int = 0,
    optimal: tuple[Float[np.ndarray, " star"], Float[np.ndarray, "density star"]] | None = None,
) -> LogPartition:
    """Both bounds from samples of several proposals, as many of each.

    Args:
        log_target: log p + r/c of each proposal's samples.
        log_proposals: their log-probabilities by each proposal.
        confidence: of the interval; each of its ends has half of the rest.
        seed: of the division into batches and of the resampling.
        optimal: of independent samples of π* itself, as many as `batches_of` says, the same two
            arrays; without it the samples are resampled.
    """
    weights = mixture_log_weights(log_target, log_proposals)
    each = (1 + confidence) / 2
    means = reverse_log_means(weights, log_proposals, np.random.default_rng(seed), optimal)
    whole = weights.reshape(-1)
    return LogPartition(
        estimate=float(logsumexp(whole)) - math.log(len(whole)),
        lower=lower_bound_of_log_mean(whole, each),
        upper=-lower_bound_of_log_mean(-means, each),
        effective_size=effective_size(whole),
        pareto_k=pareto_k(whole),
        number=len(whole),
    )


def from_samples(
    own: Samples,
    of_prior: Samples,
    log_policy: Float[np.ndarray, " sequence"],
    c: float,
    *,
    confidence: float = CONFIDENCE,
    seed: int = 0,
) -> LogPartition:
    """Both bounds from sequences of a policy and of the prior, as many of each, with rewards.

    Args:
        own: of the policy.
        of_prior: of the prior.
        log_policy: log π of the latter.
        c: divides the reward.
        confidence: of the interval.
        seed: as for `log_partition`.
    """
    assert own.reward is not None
    assert of_prior.reward is not None
    reward = np.stack([own.reward, of_prior.reward]).astype(np.float64)
    log_prior = np.stack([own.log_prior, of_prior.log_prior]).astype(np.float64)
    log_own = np.stack([own.log_policy, log_policy]).astype(np.float64)
    return log_partition(
        log_prior + reward / c,
        np.stack([log_own, log_prior]),
        confidence=confidence,
        seed=seed,
    )


def batches_of(samples: int) -> int:
    """Into how many batches so many samples of each proposal are divided: as many as are in one."""
    return max(2, math.isqrt(samples))


def reverse_log_means(
    log_weights: PerSample,
    log_proposals: ByProposal,
    generator: np.random.Generator,
    optimal: tuple[Float[np.ndarray, " star"], Float[np.ndarray, "density star"]] | None = None,
) -> Float[np.ndarray, " batch"]:
    """Log Ẑ of batches of the samples, in each of which one is replaced by a sample of π*.

    The one that is replaced is of proposal s with the probability q_s/Σ q of the new one, as the
    identity E[1/Ẑ] = 1/Z asks for with a fixed number of samples of each proposal.
    """
    proposals, samples = log_weights.shape
    batches = batches_of(samples)
    size = samples // batches
    order = np.stack([generator.permutation(samples) for _ in range(proposals)])
    order = order[:, : batches * size].reshape(proposals, batches, size)
    rows = np.arange(proposals)[:, None, None]
    parts = log_weights[rows, order]
    if optimal is None:
        chosen = _resampled(parts, generator)
        place = np.unravel_index(chosen, parts.shape)
        star = parts[place]
        densities = log_proposals[:, place[0], order[place]]
    else:
        log_target, densities = optimal
        star = mixture_log_weights(log_target, densities)
    shares = np.exp(densities - logsumexp(densities, axis=0))
    replaced = (generator.random(batches) > np.cumsum(shares, axis=0)).sum(axis=0)
    parts = parts.copy()
    parts[np.minimum(replaced, proposals - 1), np.arange(batches), 0] = star
    found: np.ndarray = logsumexp(parts, axis=(0, 2)) - math.log(proposals * size)
    return found


def _resampled(
    parts: Float[np.ndarray, "proposal batch size"], generator: np.random.Generator
) -> Int[np.ndarray, " batch"]:
    """For each batch, a sample of all others by its weight, as a flat index."""
    weights = np.exp(parts - parts.max())
    chosen = np.empty(parts.shape[1], np.int64)
    for batch, threshold in enumerate(generator.random(len(chosen))):
        others = weights.copy()
        others[:, batch] = 0
        cumulative = np.cumsum(others)
        chosen[batch] = np.searchsorted(cumulative, threshold * cumulative[-1], side="right")
    return np.minimum(chosen, weights.size - 1)


def joined(bounds: Sequence[LogPartition], lower_bounds: Sequence[float] = ()) -> LogPartition:
    """The bounds on one log Z from the samples of several policies, and further lower bounds.

    The lower bound is the highest; all else is of the policy with the largest effective size, but
    an upper bound that the lower one refutes: then it is the next one's, or infinite. If each has
    the confidence 1 − α/k, the result has 1 − α.
    """
    ordered = sorted(bounds, key=lambda one: -one.effective_size)
    best, lower = ordered[0], max([one.lower for one in bounds] + [*lower_bounds])
    upper = next((one.upper for one in ordered if one.upper > lower), math.inf)
    return replace(best, lower=lower, estimate=max(best.estimate, lower), upper=upper)
