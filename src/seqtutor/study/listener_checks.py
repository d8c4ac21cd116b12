"""Checks of listeners: robots, one side always, at random, the same person twice."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from seqtutor.study.bradley_terry import probabilities
from seqtutor.study.inference import Inference
from seqtutor.study.tally import LEFT, NONE, RIGHT, cells_of
from seqtutor.study.votes import Vote

FEWEST_VOTES = 8
FAST, VERY_FAST = 1.0, 0.3
"""Seconds: a median below the first is suspicious if the others take far longer, below the second
always."""
_FAR = 3.0
LONGEST_PATTERN = 6
ONE_SIDE = 0.9
"""Share of the answers with a preference that go to one side."""
SAME_ANSWERS = 0.9
CAUGHT_ATTENTIVE, CAUGHT_RANDOM = 0.05, 0.6
"""Share of catch trials that attentive listeners fail, and those who answer at random."""


@dataclass(frozen=True)
class Suspect:
    """A listener, or two with a line break between their identifiers, and what speaks against."""

    listener: str
    why: str


def by_listener(votes: Sequence[Vote]) -> dict[str, list[Vote]]:
    """All answers of each listener in their order."""
    found: dict[str, list[Vote]] = defaultdict(list)
    for vote in votes:
        found[vote.listener].append(vote)
    return {name: sorted(own, key=lambda vote: vote.order) for name, own in found.items()}


def robots(votes: Sequence[Vote], models: Sequence[str], level: float) -> list[Suspect]:
    """Listeners who answer too fast, or with a pattern that chance does not make.

    The probability of a perfect pattern of period k is that of k runs of equal ratings, given how
    others rated the same ordered pairs of models.
    """
    sessions = by_listener(votes)
    chances = _rating_chances(sessions, models)
    medians = {name: _median_seconds(own) for name, own in sessions.items()}
    known = [value for value in medians.values() if not math.isnan(value)]
    usual = float(np.median(known)) if known else math.nan
    found = []
    for name, own in sessions.items():
        if len(own) < FEWEST_VOTES:
            continue
        median = medians[name]
        if median < VERY_FAST or (median < FAST and median < usual / _FAR):
            why = f"half of the answers took less than {median:.2g} s, of others {usual:.2g} s"
            found.append(Suspect(name, why))
            continue
        ratings = np.array([vote.rating for vote in own])
        for period in range(1, min(LONGEST_PATTERN, len(own) // 3) + 1):
            if (ratings[period:] != ratings[:-period]).any():
                continue
            tests = LONGEST_PATTERN * len(sessions)
            if _pattern_chance(chances[name], period) * tests < level:
                found.append(Suspect(name, _pattern_in_words(ratings, period)))
            break
    return found


def _median_seconds(own: Sequence[Vote]) -> float:
    known = [vote.seconds for vote in own if not math.isnan(vote.seconds)]
    return float(np.median(known)) if len(known) >= FEWEST_VOTES else math.nan


def _pattern_chance(chances: Float[np.ndarray, "vote 5"], period: int) -> float:
    runs = [chances[start::period].prod(axis=0).sum() for start in range(period)]
    return float(np.prod(runs))


def _pattern_in_words(ratings: np.ndarray, period: int) -> str:
    if period == 1:
        return f"all {len(ratings)} ratings are {ratings[0]:+d}"
    shown = ", ".join(f"{rating:+d}" for rating in ratings[:period])
    return f"the ratings {shown} come again and again, {len(ratings)} in all"


def _rating_chances(
    sessions: dict[str, list[Vote]], models: Sequence[str]
) -> dict[str, Float[np.ndarray, "vote 5"]]:
    """For each answer, how others rated the same ordered pair, smoothed by all of their ratings.

    Exercises and catch trials, which are easier, are of one more kind.
    """
    cell = {(models[i], models[j]): place for place, (i, j) in enumerate(cells_of(len(models)))}
    places, own = {}, {}
    for name, votes in sessions.items():
        places[name] = [
            cell.get((vote.left, vote.right), len(cell)) if vote.kind == "comparison" else len(cell)
            for vote in votes
        ]
        own[name] = np.zeros((len(cell) + 1, 5))
        np.add.at(own[name], (places[name], [vote.rating + 2 for vote in votes]), 1)
    total = sum(own.values(), np.zeros((len(cell) + 1, 5)))
    found = {}
    for name in sessions:
        others = total - own[name]
        overall = (others.sum(axis=0) + 1) / (others.sum() + 5)
        smoothed = (others + 5 * overall) / (others.sum(axis=1, keepdims=True) + 5)
        found[name] = smoothed[places[name]]
    return found


def one_sided(votes: Sequence[Vote], inference: Inference, level: float) -> list[Suspect]:
    """Listeners whose preferences go to one side more often than the models explain."""
    from scipy.special import bdtrc

    counted = inference.tally
    chance = probabilities(inference.fitted.parameters)
    left_chance = chance[:, LEFT] / (chance[:, LEFT] + chance[:, RIGHT])
    found = []
    for name, counts in zip(counted.listeners, counted.counts, strict=True):
        decided = counts[:, LEFT] + counts[:, RIGHT]
        number = int(decided.sum())
        if number < FEWEST_VOTES:
            continue
        for side, outcome, one in (("left", LEFT, left_chance), ("right", RIGHT, 1 - left_chance)):
            taken = int(counts[:, outcome].sum())
            mean = float(decided @ one) / number
            p = float(bdtrc(taken - 1, number, mean)) * 2 * len(counted.listeners)
            if taken >= ONE_SIDE * number and p < level:
                found.append(Suspect(name, f"{taken} of {number} preferences are for the {side}"))
    return found


def inattentive(votes: Sequence[Vote], inference: Inference, level: float) -> list[Suspect]:
    """Listeners who answer as if at random, if there are more of them than chance makes.

    The likelihood of each listener's votes and catch trials is compared with that of random
    answers; a share π of such listeners is tested against none by its likelihood ratio, which at
    the edge π = 0 is zero or χ² with one degree of freedom, half of the time each.
    """
    from scipy.special import chdtri

    ratios = _random_ratios(votes, inference)
    if not ratios:
        return []
    values = np.array(list(ratios.values()))
    shares = np.linspace(0.0, 1.0, 201)[:-1, None]
    rising = np.logaddexp(np.log1p(-shares), np.log(np.maximum(shares, 1e-300)) + values)
    gains = rising.sum(axis=1)
    best = int(gains.argmax())
    if 2 * gains[best] < float(chdtri(1, 2 * level)):
        return []
    share = float(shares[best, 0])
    odds = values + math.log(share / (1 - share))
    catches = _catches(votes)
    found = []
    for place in np.argsort(-odds):
        name = list(ratios)[place]
        if odds[place] > 0:
            failed, trials = catches.get(name, (0, 0))
            why = (
                f"{failed} of {trials} catch trials failed"
                if failed > 1
                else "the preferences do not follow those of the others"
            )
            found.append(Suspect(name, why))
    return found


def _random_ratios(votes: Sequence[Vote], inference: Inference) -> dict[str, float]:
    """Log P(votes | at random) − log P(votes | as the others) of each listener."""
    counted = inference.tally
    chance = probabilities(inference.fitted.parameters)
    total = counted.total.sum(axis=0)
    tie = (total[NONE] + 1) / (total.sum() + 3)
    at_random = np.array([(1 - tie) / 2, tie, (1 - tie) / 2])
    ratio = np.log(at_random) - np.log(chance)
    found = dict(
        zip(counted.listeners, np.einsum("gco,co->g", counted.counts, ratio).tolist(), strict=True)
    )
    for name, (failed, trials) in _catches(votes).items():
        if name in found:
            found[name] += failed * math.log(CAUGHT_RANDOM / CAUGHT_ATTENTIVE)
            found[name] += (trials - failed) * math.log(
                (1 - CAUGHT_RANDOM) / (1 - CAUGHT_ATTENTIVE)
            )
    return found


def _catches(votes: Sequence[Vote]) -> dict[str, tuple[int, int]]:
    """How many catch trials each listener failed, and had."""
    found: dict[str, tuple[int, int]] = {}
    for vote in votes:
        if vote.kind == "catch":
            failed, trials = found.get(vote.listener, (0, 0))
            found[vote.listener] = (failed + (vote.rating * vote.expected <= 0), trials + 1)
    return found


def duplicates(votes: Sequence[Vote], models: Sequence[str], level: float) -> list[Suspect]:
    """Pairs of listeners with the same answers one after the other, or the same times.

    Answers are compared in their order. How many agree by chance follows from how others rated
    the same ordered pairs of models; the law is bounded by the binomial one (Hoeffding 1956).
    """
    from scipy.special import bdtrc

    sessions = {name: own for name, own in by_listener(votes).items() if len(own) >= FEWEST_VOTES}
    names = list(sessions)
    if len(names) < 2:
        return []
    chances = _rating_chances(by_listener(votes), models)
    longest = max(map(len, sessions.values()))
    given = np.zeros((len(names), longest, 5))
    likely = np.zeros_like(given)
    for row, (name, own) in enumerate(sessions.items()):
        given[row, np.arange(len(own)), [vote.rating + 2 for vote in own]] = 1
        likely[row, : len(own)] = chances[name]
    flat, expected = given.reshape(len(names), -1), likely.reshape(len(names), -1)
    both = (given.sum(axis=2) @ given.sum(axis=2).T).astype(int)
    same, mean = flat @ flat.T, (expected @ expected.T) / both
    tests = len(names) * (len(names) - 1) / 2
    p = bdtrc(same - 1, both, np.minimum(mean, 1.0)) * tests
    is_same = (same >= SAME_ANSWERS * both) & (p < level)
    times = _shared_times(sessions)
    found = []
    for i in range(len(names)):
        for j in range(i + 1, len(names)):
            pair = f"{names[i]}\n{names[j]}"
            shared = times.get((names[i], names[j]), 0)
            if is_same[i, j]:
                found.append(
                    Suspect(pair, f"{same[i, j]:.0f} of {both[i, j]} answers are the same")
                )
            elif shared >= max(FEWEST_VOTES / 2, both[i, j] / 2):
                found.append(Suspect(pair, f"{shared} answers took the same time to a millisecond"))
    return found


def _shared_times(sessions: dict[str, list[Vote]]) -> dict[tuple[str, str], int]:
    """How many times, to a millisecond, two listeners share that nobody else has."""
    owners: dict[float, list[str]] = defaultdict(list)
    for name, own in sessions.items():
        for seconds in {round(vote.seconds, 3) for vote in own if not math.isnan(vote.seconds)}:
            owners[seconds].append(name)
    found: dict[tuple[str, str], int] = defaultdict(int)
    for names in owners.values():
        if len(names) == 2:
            found[names[0], names[1]] += 1
    return found
