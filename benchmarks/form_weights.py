"""The weights of the rules of form that make the means of real tunes the optimum at c = 1.

Of all policies whose rules have the means of real tunes, the one with the smallest KL divergence
from the prior p is p(τ)·exp(λ·f(τ))/Z (Csiszár 1975, I-divergence geometry): the optimum of
E[λ·f] − KL(π‖p), which is what tuning maximises at c = 1. The weights λ minimise the convex
log E_p[exp(λ·f)] − λ·E_real[f], estimated here on tunes of the prior. So a rule pays for what real
tunes have more of than the prior's, and no policy earns by going beyond them.

    python benchmarks/form_weights.py --number 50000

prints the measures of real tunes for `seqtutor/tasks/tunes/real_tunes.py`; the targets and the
weights for `seqtutor/tasks/tunes/settings.py`; the means of real tunes, of the prior and of the
optimum; and how many independent samples the estimate rests on. Rules that the prior hardly ever
follows get no weight, from which that of the preset sets out.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import jax
import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp

from seqtutor.measures.intervals import interval_of
from seqtutor.models.files import load_model
from seqtutor.tasks.tunes.copies import training_melodies
from seqtutor.tasks.tunes.data import TunesData
from seqtutor.tasks.tunes.dataset import read_phrases
from seqtutor.tasks.tunes.measures import tune_estimates, tune_values
from seqtutor.tasks.tunes.priors import SHIPPED_PRIOR, bars_of
from seqtutor.training.rollout import generate

FAULT = -2.0
"""What a faulty bar costs; real tunes have none, so that no finite weight is exact."""
RIDGE = 1e-3
FIXED = ("faulty_bars", "meter_6_8", "mode_major")
"""Of metres and modes, all but one of each have a weight."""
RARE = 0.005
"""A rule that the prior follows less often is left out: its weight would rest on few tunes."""


def main() -> None:
    """Sample, fit and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prior", type=Path, default=SHIPPED_PRIOR)
    parser.add_argument("--number", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    prior = load_model(options.prior)
    bars = bars_of(prior)
    parts = read_phrases(TunesData(bars=bars), prior.vocabulary)
    data, unseen = parts.train, parts.test
    melodies = training_melodies(prior.vocabulary, bars, None)
    estimates = tune_estimates(unseen.tokens, unseen.mask, prior.vocabulary, bars, melodies)
    print(f"{len(unseen):,} phrases of test tunes, with 95 % intervals:")
    for name, estimate in estimates.items():
        interval = interval_of(estimate)
        print(f'    "{name}": {estimate.value:.4f},  # {interval.low:.4f} to {interval.high:.4f}')
    real = tune_values(data.tokens, data.mask, prior.vocabulary, bars)
    print("the targets, means of the training phrases, for `seqtutor/tasks/tunes/settings.py`:")
    for name, values in real.items():
        print(f"    {name}: float = {values.mean():.4f}")
    drawn = generate(
        prior.model,
        jax.random.key(options.seed),
        options.number,
        prior.origin["max_length"],
        end=prior.vocabulary.end,
    )
    mine = tune_values(np.asarray(drawn.tokens), np.asarray(drawn.mask), prior.vocabulary, bars)
    names = [n for n in real if n not in FIXED and mine[n].mean() >= RARE]
    means = np.array([real[name].mean() for name in names])
    features = np.stack([mine[name] for name in names], axis=1)
    base = FAULT * mine["faulty_bars"]
    weights = fitted(features, base, means)
    shares = np.exp(_log_shares(weights, features, base))
    print(f"{'rule':<16} {'real':>7} {'prior':>7} {'optimum':>8} {'weight':>7}")
    for place, name in enumerate(names):
        of_prior, at_optimum = features[:, place].mean(), shares @ features[:, place]
        print(
            f"{name:<16} {means[place]:7.3f} {of_prior:7.3f} {at_optimum:8.3f} "
            f"{weights[place]:7.2f}"
        )
    faults = mine["faulty_bars"] > 0
    print(f"tunes with faults: prior {faults.mean():.3f}, optimum {shares @ faults:.3f}")
    log_partition = logsumexp(features @ weights + base) - np.log(len(base))
    divergence = float(shares @ (features @ weights + base)) - log_partition
    print(f"KL of the optimum {divergence:.2f} nats a tune, log Z {log_partition:.2f}")
    print(f"effective samples {1 / np.square(shares).sum():,.0f} of {options.number:,}")


def fitted(features: np.ndarray, base: np.ndarray, means: np.ndarray) -> np.ndarray:
    """The weights that give the features these means.

    Args:
        features: of tunes of the prior, `Float["tune rule"]`.
        base: what the tunes earn already.
        means: to be reached.
    """

    def dual(weights: np.ndarray) -> tuple[float, np.ndarray]:
        logits = features @ weights + base
        shares = np.exp(_log_shares(weights, features, base))
        value = logsumexp(logits) - np.log(len(base)) - weights @ means
        ridge = 0.5 * RIDGE * weights @ weights
        return float(value + ridge), shares @ features - means + RIDGE * weights

    return minimize(dual, np.zeros(len(means)), jac=True, method="L-BFGS-B").x


def _log_shares(weights: np.ndarray, features: np.ndarray, base: np.ndarray) -> np.ndarray:
    logits = features @ weights + base
    return logits - logsumexp(logits)


if __name__ == "__main__":
    main()
