"""How often the 95 % intervals of shares contain the true share, by simulation.

    python benchmarks/interval_coverage.py            # two minutes on a core

Prints the coverage for 20, 100 and 400 sequences: of events that are simulated at rates from 0.0003
to 0.5, independent or in bursts, and of the measures of Table 1, resampled from 40,000 melodies of
the prior at two temperatures.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np

from seqtutor.measures.estimates import share_estimate
from seqtutor.measures.intervals import interval_of
from seqtutor.measures.sampling import draw
from seqtutor.runs.policies import load_prior
from seqtutor.task_registry import find_spec
from seqtutor.tasks.melody.metrics import count_melodies, ratio_parts
from seqtutor.tasks.melody.table_1 import TABLE_1

Population = tuple[np.ndarray, np.ndarray]
"""Events and trials of each of many sequences."""

SIZES = (20, 100, 400)
RATES = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 0.5)
POPULATION, STEPS = 200_000, 32
WANTED = 0.93


def bursts(rate: float, mean_length: float, generator: np.random.Generator) -> np.ndarray:
    """Events in sequences of `STEPS` steps, in runs of that mean length (a Markov chain)."""
    begin = rate / (1 - rate) / mean_length
    is_event = generator.random(POPULATION) < rate
    events = is_event.astype(float)
    for _ in range(STEPS - 1):
        chance = np.where(is_event, 1 - 1 / mean_length, min(begin, 1.0))
        is_event = generator.random(POPULATION) < chance
        events += is_event
    return events


def simulated(rate: float, generator: np.random.Generator) -> Iterator[tuple[str, Population]]:
    """Populations of one rate, from a sequence as one trial to long bursts and uneven lengths."""
    steps = np.full(POPULATION, float(STEPS))
    yield "sequences", ((generator.random(POPULATION) < rate) * 1.0, np.ones(POPULATION))
    yield "steps, independent", (generator.binomial(STEPS, rate, POPULATION) * 1.0, steps)
    for length in (4, 12):
        yield f"steps, runs of {length}", (bursts(rate, length, generator), steps)
    shares = generator.beta(2 * rate, 2 * (1 - rate), POPULATION)
    yield "steps, rate of its own", (generator.binomial(STEPS, shares) * 1.0, steps)
    yield "shares", (shares, np.ones(POPULATION))
    lengths = generator.integers(1, 60, POPULATION)
    yield "steps, uneven lengths", (generator.binomial(lengths, rate) * 1.0, lengths * 1.0)


def of_melodies(temperature: float) -> Iterator[tuple[str, Population]]:
    """The shares of Table 1 in melodies of the prior."""
    spec = find_spec("melody")
    prior = load_prior(spec, None).model
    samples = draw(prior, prior, number=40_000, length=STEPS, temperature=temperature)
    parts = ratio_parts(count_melodies(samples.tokens))
    yield from ((row.name, parts[row.name]) for row in TABLE_1 if row.unit == "share")


def coverage(population: Population, size: int, repeats: int, seed: int = 0) -> float:
    """The share of samples of `size` sequences whose interval contains the population's share."""
    events, trials = population
    truth = events.sum() / trials.sum()
    generator = np.random.default_rng(seed)
    rows = generator.integers(0, len(events), (repeats, size))
    found = [interval_of(share_estimate(events[row], trials[row])) for row in rows]
    return float(np.mean([one.low <= truth <= one.high for one in found if one.value >= 0]))


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=1000)
    repeats = parser.parse_args().repeats
    generator = np.random.default_rng(0)
    populations = [(f"{r:<7} {n}", p) for r in RATES for n, p in simulated(r, generator)]
    for temperature in (1.0, 0.5):
        populations += [(f"T = {temperature:g} {n}", p) for n, p in of_melodies(temperature)]
    print(f"{'':40} {'share':>8} " + " ".join(f"{f'n = {size}':>8}" for size in SIZES))
    lowest = 1.0
    for name, population in populations:
        found = [coverage(population, size, repeats) for size in SIZES]
        lowest = min(lowest, *found)
        marks = "".join(f" {one:>8.3f}" for one in found) + (" !" if min(found) < WANTED else "")
        print(f"{name:40} {population[0].sum() / population[1].sum():8.5f}{marks}")
    print(f"lowest: {lowest:.3f}")


if __name__ == "__main__":
    main()
