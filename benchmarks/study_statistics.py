"""Whether the statistics of listening studies do what they say, on simulated studies.

    python benchmarks/study_statistics.py                     # all parts, about ten minutes
    python benchmarks/study_statistics.py intervals --studies 200

Parts: intervals (bias and coverage), bootstrap (why the intervals are not percentiles), separation
(a model that wins always), null (p-values where models do not differ), heterogeneity, power,
defects, paper (the design of Jaques et al. 2017). Adaptive pairs: study_adaptive.py.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Sequence

import numpy as np

from planted_defects import MODELS, PLANTED, Plan, clean, simulated_votes
from seqtutor.study.agreement import heterogeneity
from seqtutor.study.bradley_terry import fit, probabilities
from seqtutor.study.inference import infer
from seqtutor.study.power import LEVEL, TIES, listeners_needed
from seqtutor.study.rank_tests import kruskal_wallis, mann_whitney, pairs_factor
from seqtutor.study.simulated import Population
from seqtutor.study.tally import Tally, tally
from seqtutor.study.votes import Vote
from seqtutor.study.warnings import study_warnings

STRENGTHS = (0.0, 0.5, 1.0, 2.0)
POSITION = 0.3


def simulated_tallies(
    studies: int,
    listeners: int,
    trials: int,
    strengths: Sequence[float],
    position: float,
    spread: float,
    seed: int = 0,
) -> list[Tally]:
    """Balanced studies of listeners whose log-odds vary normally, as counts."""
    generator = np.random.default_rng(seed)
    models = len(strengths)
    chance = chances(np.array(strengths), position, spread, (studies, listeners), generator)
    each, rest = divmod(trials, chance.shape[2])
    places = generator.random(chance.shape[:3]).argsort(axis=-1).argsort(axis=-1)
    counts = generator.multinomial(each + (places < rest), chance).astype(float)
    names = tuple(f"m{place}" for place in range(models))
    voters = tuple(f"l{place}" for place in range(listeners))
    return [Tally(names, voters, own) for own in counts]


def chances(
    strengths: np.ndarray,
    position: float,
    spread: float,
    shape: tuple[int, ...],
    generator: np.random.Generator,
) -> np.ndarray:
    """Of each outcome in each cell, for listeners whose log-odds vary normally."""
    own = strengths + spread * generator.standard_normal((*shape, len(strengths)))
    against_first = own[..., 1:] - own[..., :1]
    terms = np.broadcast_to([position, TIES], (*shape, 2))
    return probabilities(np.concatenate([against_first, terms], axis=-1))


def true_parameters(strengths: Sequence[float], position: float, spread: float) -> np.ndarray:
    """What the model's estimates tend to with many listeners: the log-odds of their mean votes."""
    generator = np.random.default_rng(1)
    draws = 1 if spread == 0 else 200_000
    chance = chances(np.array(strengths), position, spread, (draws,), generator).mean(axis=0)
    return fit(chance * 1e8, len(strengths)).parameters


def intervals(studies: int) -> None:
    """Bias in standard deviations of the estimate, and coverage."""
    print("listeners trials spread | bias / s.d. (θ1 θ2 θ3 β ν) | coverage in % | largest |z|")
    every = []
    for listeners, trials, spread in (
        (5, 24, 0.0), (5, 24, 0.7), (8, 20, 0.0), (8, 20, 0.7), (15, 20, 0.0), (15, 20, 0.7),
        (30, 20, 0.0), (30, 20, 0.7), (60, 12, 0.4),
    ):  # fmt: skip
        truth = true_parameters(STRENGTHS, POSITION, spread)
        estimates, covered = [], []
        for counted in simulated_tallies(studies, listeners, trials, STRENGTHS, POSITION, spread):
            inference = infer(counted)
            ends = [inference.interval(contrast) for contrast in np.eye(5)]
            estimates.append(inference.fitted.parameters)
            covered.append([e.low <= t <= e.high for e, t in zip(ends, truth, strict=True)])
        deviation = np.std(estimates, axis=0)
        bias = (np.mean(estimates, axis=0) - truth) / deviation
        shares = 100 * np.mean(covered, axis=0)
        every.append(shares)
        print(
            f"{listeners:9} {trials:6} {spread:6} | {row(bias, 2)} | {row(shares, 1)} | "
            f"{np.abs(bias).max() * studies**0.5:.1f}"
        )
    print(f"all: {np.mean(every):.1f} %, lowest {np.min(every):.1f}, highest {np.max(every):.1f}")


def bootstrap(studies: int) -> None:
    """Coverage of percentiles of a bootstrap over listeners, beside the jackknife's t interval."""
    from scipy.special import ndtr, ndtri

    studies, resamples = min(studies, 400), 400
    generator = np.random.default_rng(0)
    print("listeners | jackknife t | bootstrap s.d. with t | percentiles | BCa   (mean over θ)")
    for listeners in (5, 8, 15, 30):
        truth = true_parameters(STRENGTHS, POSITION, 0.5)[:3]
        found = np.zeros(4)
        for counted in simulated_tallies(studies, listeners, 20, STRENGTHS, POSITION, 0.5):
            inference = infer(counted)
            estimate = inference.fitted.parameters[:3]
            ends = [inference.interval(contrast) for contrast in np.eye(5)[:3]]
            half = np.array([(e.high - e.low) / 2 for e in ends])
            drawn = generator.multinomial(listeners, np.full(listeners, 1 / listeners), resamples)
            refitted = fit(np.tensordot(drawn, counted.counts, 1), 4, tolerance=1e-3).parameters
            refitted = refitted[:, :3]
            jack = fit(counted.total - counted.counts, 4, tolerance=1e-5).parameters[:, :3]
            away = jack.mean(axis=0) - jack
            skew = (away**3).sum(axis=0) / (6 * (away**2).sum(axis=0) ** 1.5)
            below = np.clip((refitted < estimate).mean(axis=0), 0.002, 0.998)
            shift = ndtri(below)
            z = shift + np.array([[-1.96], [1.96]])
            levels = ndtr(shift + z / (1 - skew * z))
            bca = np.array([np.quantile(refitted[:, k], levels[:, k]) for k in range(3)]).T
            scale = refitted.std(axis=0) * (listeners / (listeners - 1)) ** 0.5
            ratio = half / np.sqrt(np.diag(inference.covariance)[:3])
            found += [
                (np.abs(estimate - truth) <= half).mean(),
                (np.abs(estimate - truth) <= ratio * scale).mean(),
                _inside(truth, np.quantile(refitted, (0.025, 0.975), axis=0)),
                _inside(truth, bca),
            ]
        print(f"{listeners:9} | {row(100 * found / studies, 1)}")


def _inside(truth: np.ndarray, ends: np.ndarray) -> float:
    return float(((ends[0] <= truth) & (truth <= ends[1])).mean())


def separation(studies: int) -> None:
    """A model so good that it often wins always: coverage, and how often one end is open."""
    print("listeners spread θ | coverage of θ in % | one-sided in %")
    for listeners, spread, strength in ((5, 0.0, 5.0), (10, 0.0, 6.0), (10, 0.7, 6.0)):
        strengths = (0.0, 0.5, strength)
        truth = true_parameters(strengths, 0.0, spread)
        ends = [
            infer(counted).interval(np.eye(4)[1])
            for counted in simulated_tallies(studies, listeners, 18, strengths, 0.0, spread)
        ]
        covered = np.mean([end.low <= truth[1] <= end.high for end in ends])
        is_open = np.mean([end.is_one_sided for end in ends])
        print(f"{listeners:9} {spread:6} {strength} | {100 * covered:.1f} | {100 * is_open:.1f}")


def null(studies: int) -> None:
    """Shares of p below 0.05 and 0.01, and Kolmogorov's test of uniformity, without differences."""
    from scipy.stats import kstest

    print("Models do not differ: share of p < 0.05, < 0.01 (%), Kolmogorov–Smirnov p")
    for listeners, trials, spread in ((12, 24, 0.0), (12, 24, 0.7)):
        found: dict[str, list[float]] = {}
        statistic = []
        for seed in range(studies):
            votes = _votes(Population(spread=spread), listeners, trials, seed)
            generator = np.random.default_rng(seed)
            whole = kruskal_wallis(votes, MODELS, generator)
            # Of one pair, so that Holm's correction changes nothing.
            pair = mann_whitney(votes, MODELS, generator, pairs=[MODELS[:2]])[0]
            inference = infer(tally(votes, MODELS))
            test = inference.no_difference()
            assert test is not None
            statistic.append(whole.H)
            for name, p in (
                ("Kruskal–Wallis, as the paper", whole.p),
                ("Kruskal–Wallis, over listeners", whole.p_listeners),
                ("Mann–Whitney, as the paper", pair.p),
                ("Mann–Whitney, over listeners", pair.p_listeners),
                ("Hotelling, over listeners", test.p),
                ("log-odds of a pair, t over listeners", inference.test(inference.contrast(1, 0))),
                ("position, t over listeners", inference.test(np.eye(5)[3])),
            ):
                found.setdefault(name, []).append(p)
        print(f" {listeners} listeners, spread {spread}: mean H {np.mean(statistic):.2f} (df 3)")
        for name, ps in found.items():
            rates = [100 * np.mean(np.array(ps) < level) for level in (0.05, 0.01)]
            print(f"  {name:37} {row(rates, 1)}   {kstest(ps, 'uniform').pvalue:.3f}")


def _votes(population: Population, listeners: int, trials: int, seed: int) -> list[Vote]:
    drawn = [population.listener(number, MODELS, seed) for number in range(listeners)]
    return simulated_votes(drawn, MODELS, trials, seed=seed)


def spread_of_tastes(studies: int) -> None:
    """The estimated spread, and how often listeners are found to differ."""
    print("spread | estimate | found to differ at 0.05 in %   (30 listeners, 24 trials)")
    for spread in (0.0, 0.3, 0.6, 1.0):
        generator = np.random.default_rng(0)
        found = [
            heterogeneity(infer(counted), generator)
            for counted in simulated_tallies(min(studies, 300), 30, 24, STRENGTHS, 0.0, spread)
        ]
        mean = np.mean([one.spread**2 for one in found]) ** 0.5
        print(f"{spread:6} | {mean:.2f} | {100 * np.mean([one.p < 0.05 for one in found]):.1f}")


def power(studies: int) -> None:
    """The power that `listeners_needed` promises, and how often the effect is found."""
    print("effect trials models spread | listeners, promised % | found %")
    for effect, trials, models, spread in (
        (0.8, 20, 2, 0.3), (0.5, 20, 4, 0.3), (0.8, 12, 4, 0.6), (0.4, 30, 3, 0.0),
    ):  # fmt: skip
        plan = listeners_needed(effect, trials, models=models, spread=spread)
        strengths = (0.0, *([effect / 2] * (models - 2)), effect)
        found = []
        for counted in simulated_tallies(studies, plan.listeners, trials, strengths, 0.0, spread):
            inference = infer(counted)
            p = inference.test(inference.contrast(models - 1, 0))
            found.append(p < LEVEL / plan.tests)
        print(
            f"{effect:6} {trials:6} {models:6} {spread:6} | {plan.listeners:3}, "
            f"{100 * plan.power:.0f} | {100 * np.mean(found):.1f}"
        )


def defects(studies: int) -> None:
    """How often each planted defect is flagged, and what a clean study is told."""
    plan, planted = Plan(), max(10, studies // 10)
    print(f"{plan.listeners} listeners, {plan.comparisons} comparisons, {plan.catch} catch trials")
    for defect, make in PLANTED.items():
        found: Counter[str] = Counter()
        for seed in range(planted):
            votes, files = make(seed, plan)
            told = {one.defect for one in study_warnings(votes, MODELS, files)}
            found.update(["flagged"] if defect in told else [])
            found.update(told - {defect})
        others = {name: n for name, n in found.items() if name != "flagged"}
        print(f"  {defect:22} flagged in {found['flagged']} of {planted}; beside it {others}")
    silent, told_all = 0, Counter[str]()
    for seed in range(studies):
        votes, files = clean(10_000 + seed, plan)
        told = {one.defect for one in study_warnings(votes, MODELS, files)}
        silent += not told
        told_all.update(told)
    print(f"  clean: silent in {100 * silent / studies:.1f} % of {studies}; {dict(told_all)}")


def paper(_: int) -> None:
    """What χ²(3) = 109.480 says, with 92 comparisons of each of four models."""
    published, each, models = 109.480, 92, 4
    ratings = each * models
    print(f"Jaques et al. 2017: H = {published} for {models} models in {each} comparisons each.")
    print(f"  {each} comparisons each are {each * models // 2} votes, not the 192 it counts.")
    squares = published * each / 4 * ratings / (ratings - 1)
    print(
        f"  Of wins and losses alone, Σ(wins − {each // 2})² would be {squares:.2f}; sums of "
        f"squares of whole numbers that add up to zero are even. The nearest give H = "
        + " and ".join(f"{win_statistic(even, each, models):.3f}" for even in (2524, 2526))
        + "."
    )
    print(
        "  With votes without a winner as losses of both, only "
        f"{', '.join(map(str, totals_of(published, each, models)))} wins in all could give it."
    )
    print("  So it is of the five-step ratings, as the text says, not of the wins of figure 3.")
    from scipy.special import chdtrc

    factor = pairs_factor(models)
    print(
        f"  ε² = {published / (ratings - 1):.3f}. Allowing for the two ratings of a comparison: "
        f"{published / factor:.1f}, p = {chdtrc(models - 1, published / factor):.1e}."
    )


def totals_of(statistic: float, each: int, models: int) -> list[int]:
    """How many wins in all can give H, rounded to three decimals, for some share among models."""
    ratings, found = each * models, []
    for total in range(models, ratings // 2 + 1):
        mean = total / models
        scale = (ratings - 1) / ratings / (mean * (1 - total / ratings))
        low, high = ((statistic + end) / scale + total * mean for end in (-5e-4, 5e-4))
        squares = int(np.floor(high))
        # Squares have the parity of what they are squares of, and so have their sums.
        if squares >= low and squares % 2 == total % 2:
            found.append(total)
    return found


def win_statistic(squares: float, each: int, models: int) -> float:
    """Kruskal–Wallis' H of wins (1) and losses (0), corrected for ties, of Σ(wins − each/2)²."""
    ratings = each * models
    return (ratings - 1) / ratings * squares / (each / 4)


def row(values: Sequence[float] | np.ndarray, digits: int) -> str:
    """Numbers of a line."""
    return "  ".join(f"{value:.{digits}f}" for value in values)


PARTS = {
    "intervals": intervals,
    "bootstrap": bootstrap,
    "separation": separation,
    "null": null,
    "heterogeneity": spread_of_tastes,
    "power": power,
    "defects": defects,
    "paper": paper,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="all unless given")
    parser.add_argument("--studies", type=int, default=1000)
    chosen = parser.parse_args()
    for name in chosen.parts or PARTS:
        start = time.perf_counter()
        print(f"== {name}")
        PARTS[name](chosen.studies)
        print(f"   {time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
