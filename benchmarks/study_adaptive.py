"""How many votes adaptive pairs save, beside what no choice of pairs could beat.

    python benchmarks/study_adaptive.py                  # about five minutes
    python benchmarks/study_adaptive.py --studies 20

A study of 480 balanced votes has intervals of some width. The ratio is that of the votes, a
multiple of twelve, with which adaptive pairs have intervals as narrow; the bound is the same ratio
for the best choice of pairs there is, by one who knows the log-odds beforehand (a design that is
optimal for that reading, as Kiefer and Wolfowitz understand it). Readings:

- best: the difference between the two models that lead, by the estimates of the day
- closest: the difference between the two models that are closest in truth
- mean, widest: over the differences of all pairs
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float, Int

from seqtutor.study.adaptive import contrasts_of, next_cells
from seqtutor.study.bradley_terry import design, fit, probabilities
from seqtutor.study.inference import Inference, infer
from seqtutor.study.plan import Goal
from seqtutor.study.tally import Tally, cells_of
from study_statistics import chances, row, true_parameters

DESIGNS = (
    (0.0, 0.3, 1.5, 3.0), (0.0, 0.0, 1.0, 2.0), (0.0, 0.2, 1.0, 1.2), (0.0, 1.0, 2.0, 3.0),
    (0.0, 2.0, 4.0, 6.0), (0.0, 0.0, 0.0, 0.0), (0.0, 0.5, 1.0),
    (0.0, 0.3, 1.5, 1.5, 2.2, 3.0),
)  # fmt: skip
GOALS: tuple[Goal, ...] = ("best", "order", "all")
STEP = 12
"""Votes between two looks."""


@dataclass(frozen=True)
class Course:
    """What studies of one kind know, look by look.

    Attributes:
        variances: of the log-odds of each pair of models, as if votes were independent.
        strengths: estimates of the log-odds of each model.
    """

    variances: Float[np.ndarray, "look study pair"]
    strengths: Float[np.ndarray, "look study model"]


Reading = Callable[[Course], Float[np.ndarray, " look"]]


def pairs_of(models: int) -> Int[np.ndarray, "pair 2"]:
    """Two models each, by number."""
    return np.array(list(combinations(range(models), 2)))


def course(strengths: Sequence[float], goal: Goal | None, votes: int, studies: int) -> Course:
    """Simulate studies; without a goal their pairs are balanced."""
    models = len(strengths)
    counts = np.zeros((studies, len(cells_of(models)), 3))
    contrasts = contrasts_of(models)
    variances, estimates = [], []
    for number, seen in voting(strengths, goal, votes, counts):
        if number % STEP == STEP - 1:
            fitted = fit(seen, models, tolerance=1e-4)
            variances.append(
                np.einsum("dp,spq,dq->sd", contrasts, fitted.covariance, contrasts, optimize=True)
            )
            estimates.append(fitted.strengths)
    return Course(np.array(variances), np.array(estimates))


def voting(
    strengths: Sequence[float],
    goal: Goal | None,
    votes: int,
    counts: np.ndarray,
    spread: float = 0.0,
    listeners: int = 1,
) -> Iterator[tuple[int, np.ndarray]]:
    """Votes one by one, listeners in turn, with the counts, which are changed in place.

    These are of each study, and of each of its listeners if there are several.
    """
    generator = np.random.default_rng(2)
    studies, cells = counts.shape[:2]
    chance = chances(np.array(strengths), 0.0, spread, (listeners, studies), generator)
    own = np.zeros((studies, listeners, cells, 3))
    rows = np.arange(studies)
    order = np.array([generator.permutation(cells) for _ in range(studies)])
    for number in range(votes):
        if goal is None:
            place = order[:, number % cells]
        else:
            place = next_cells(counts, len(strengths), generator, goal)
        listener = number % listeners
        levels = chance[listener, rows, place].cumsum(axis=-1)
        outcome = (generator.random(studies)[:, None] > levels[:, :2]).sum(axis=-1)
        counts[rows, place, outcome] += 1
        own[rows, listener, place, outcome] += 1
        yield number, counts if listeners == 1 else own


def best(found: Course) -> Float[np.ndarray, " look"]:
    """The mean variance of the difference between the two models that lead."""
    order = found.strengths.argsort(axis=-1, kind="stable")
    leading = np.sort(order[..., -2:], axis=-1)
    pairs = pairs_of(order.shape[-1])
    is_it = (leading[..., None, :] == pairs).all(axis=-1)
    return (found.variances * is_it).sum(axis=-1).mean(axis=-1)


def pair(place: int) -> Reading:
    """The mean variance of the difference of one pair."""
    return lambda found: found.variances[..., place].mean(axis=-1)


def mean_width(found: Course) -> Float[np.ndarray, " look"]:
    """The square of the mean deviation, over pairs."""
    return np.sqrt(found.variances.mean(axis=1)).mean(axis=-1) ** 2


def widest(found: Course) -> Float[np.ndarray, " look"]:
    """The variance of the pair of which least is known."""
    return found.variances.mean(axis=1).max(axis=-1)


def place_of(one: int, other: int, models: int) -> int:
    """Where two models stand among the pairs."""
    return pairs_of(models).tolist().index(sorted((one, other)))


def readings_of(strengths: Sequence[float]) -> dict[str, tuple[Reading, np.ndarray | None]]:
    """Readings, each with the share of the pairs in it; `None` for the widest."""
    models = len(strengths)
    pairs = pairs_of(models)
    gaps = [abs(strengths[a] - strengths[b]) for a, b in pairs]
    closest = int(np.argmin(gaps))
    second, first = np.argsort(strengths, kind="stable")[-2:]
    top = place_of(int(first), int(second), models)
    one = np.eye(len(pairs))
    return {
        "best": (best, one[top]),
        "closest": (pair(closest), one[closest]),
        "mean": (mean_width, np.ones(len(pairs)) / len(pairs)),
        "widest": (widest, None),
    }


def bound(strengths: Sequence[float], shares: np.ndarray | None, steps: int = 4000) -> float:
    """The least ratio of votes for a reading, of all ways to choose pairs.

    Multiplicative steps towards the design that is optimal for the sum of deviations with these
    shares; or, without shares, for the largest variance, whose shares follow in steps of their own.
    """
    models = len(strengths)
    x, contrasts = design(models), contrasts_of(models)
    chance = probabilities(true_parameters(strengths, 0.0, 0.0))
    mean = np.einsum("co,cop->cp", chance, x)
    told = np.einsum("co,cop,coq->cpq", chance, x, x) - mean[:, :, None] * mean[:, None, :]

    def variances(of_cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        information = np.einsum("c,cpq->pq", of_cells, told) + 1e-9 * np.eye(models + 1)
        covariance = np.linalg.inv(information)
        return covariance, np.einsum("dp,pq,dq->d", contrasts, covariance, contrasts)

    def reading(of_pairs: np.ndarray) -> float:
        return float(of_pairs.max() if shares is None else (shares @ np.sqrt(of_pairs)) ** 2)

    of_cells = np.full(len(told), 1 / len(told))
    balanced = least = reading(variances(of_cells)[1])
    weights = np.ones(len(contrasts))
    for _ in range(steps):
        covariance, of_pairs = variances(of_cells)
        least = min(least, reading(of_pairs))
        weights = (
            weights * (of_pairs / of_pairs.max()) ** 0.05
            if shares is None
            else shares / np.sqrt(of_pairs)
        )
        sought = np.einsum("d,dp,dq->pq", weights / weights.sum(), contrasts, contrasts)
        gain = np.einsum("cpq,pq->c", told, covariance @ sought @ covariance)
        of_cells = of_cells * np.sqrt(np.maximum(gain, 0))
        of_cells /= of_cells.sum()
    return least / balanced


def savings(studies: int, votes: int = 480) -> None:
    """The table of ratios."""
    print("log-odds | reading | bound | ratios with the goals " + ", ".join(GOALS))
    for strengths in DESIGNS:
        balanced = course(strengths, None, votes, studies)
        found = {goal: course(strengths, goal, votes, studies) for goal in GOALS}
        for name, (reading, shares) in readings_of(strengths).items():
            ratios = [_ratio(reading, found[goal], balanced, votes) for goal in GOALS]
            print(
                f"  {strengths} | {name:7} | {bound(strengths, shares):.2f} | {', '.join(ratios)}",
                flush=True,
            )


def _ratio(reading: Reading, found: Course, balanced: Course, votes: int) -> str:
    reached = np.flatnonzero(reading(found) <= reading(balanced)[-1])
    return f"{(reached[0] + 1) * STEP / votes:.2f}" if reached.size else "> 1"


@dataclass(frozen=True)
class Study:
    """Whom a simulated study asks, and how its pairs are chosen.

    Attributes:
        strengths: log-odds of the models.
        goal: of adaptive pairs; without one they are balanced.
        listeners: who answer in turn.
        each: votes of a listener.
        spread: standard deviation of a listener's own log-odds.
    """

    strengths: Sequence[float]
    goal: Goal | None
    listeners: int
    each: int = 20
    spread: float = 0.3


def listeners_saved(studies: int, listeners: int = 24) -> None:
    """The same for whole listeners whose tastes differ, by the intervals that results report."""
    each = Study.each
    print(f"listeners of {each} votes for the interval of {listeners} balanced ones, by best:")
    for strengths in DESIGNS[:4]:
        width = _reported(Study(strengths, None, listeners), studies)
        for number in range(6, listeners + 1, 2):
            if _reported(Study(strengths, "best", number), studies) <= width:
                break
        print(f"  {strengths} | {number} of {listeners}: {number / listeners:.2f}", flush=True)


def _reported(study: Study, studies: int) -> float:
    """The mean width of the interval of the difference between the two models that lead."""
    widths = []
    for inference in inferences(study, studies):
        second, first = inference.fitted.strengths.argsort(kind="stable")[-2:]
        ends = inference.interval(inference.contrast(int(first), int(second)))
        widths.append(ends.high - ends.low)
    return float(np.mean(widths))


def inferences(study: Study, studies: int) -> Iterator[Inference]:
    """What so many such studies report."""
    models, listeners = len(study.strengths), study.listeners
    counts = np.zeros((studies, len(cells_of(models)), 3))
    number = listeners * study.each
    votes = voting(study.strengths, study.goal, number, counts, study.spread, listeners)
    *_, (_, own) = votes
    names, voters = (tuple(f"{kind}{n}" for n in range(size)) for kind, size in (
        ("m", models), ("l", listeners),
    ))  # fmt: skip
    for one in own:
        yield infer(Tally(names, voters, one))


def coverage(studies: int, listeners: int = 12) -> None:
    """How often intervals after adaptive votes contain the truth, and bias in deviations."""
    strengths = DESIGNS[0]
    truth = true_parameters(strengths, 0.0, Study.spread)
    for goal in GOALS:
        covered, estimates = [], []
        for inference in inferences(Study(strengths, goal, listeners), studies):
            ends = [inference.interval(contrast) for contrast in np.eye(5)[:3]]
            covered.append([e.low <= t <= e.high for e, t in zip(ends, truth, strict=False)])
            estimates.append(inference.fitted.parameters[:3])
        bias = (np.mean(estimates, axis=0) - truth[:3]) / np.std(estimates, axis=0)
        print(
            f"  {strengths}, {goal}: coverage {row(100 * np.mean(covered, axis=0), 1)} %; "
            f"bias / s.d. {row(bias, 2)}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=100)
    studies = parser.parse_args().studies
    start = time.perf_counter()
    savings(studies)
    listeners_saved(studies)
    print("after 240 votes of 12 listeners whose tastes have a spread of 0.3:")
    coverage(10 * studies)
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
