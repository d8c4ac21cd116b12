"""Tunes of the prior, of a tuned policy and of controls beside real ones, by every measure of form.

    python benchmarks/tunes_with_form.py RUN --number 10000 --judges 5

prints a table in Markdown with 95 % intervals over tunes; of judges over judges. The controls are
the prior at other temperatures and the best of n of its tunes by the reward of the run. Behind the
name of a row stands where the tuned policy is:

    between   from the prior to real tunes, or at either within the intervals
    beyond    further than real tunes, seen from the prior
    away      moved from real tunes

Real tunes are the 782 phrases of the test tunes. Of rhythms, whose number of different ones falls
with the number of tunes, the first 782 are counted in each column.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping

import jax
import jax.numpy as jnp
import numpy as np

from seqtutor.adversarial.evaluation import RealSequences
from seqtutor.measure import Estimate, Estimates
from seqtutor.measures.controls import TemperedModel
from seqtutor.measures.intervals import Interval, interval_of
from seqtutor.rewards import Reward
from seqtutor.runs.policies import find_policy
from seqtutor.tasks.tunes.copies import training_melodies
from seqtutor.tasks.tunes.data import TunesData
from seqtutor.tasks.tunes.dataset import read_phrases
from seqtutor.tasks.tunes.judging import JUDGING, judge_estimates
from seqtutor.tasks.tunes.layouts import in_parts
from seqtutor.tasks.tunes.measures import FORM, OTHERS, tune_estimates
from seqtutor.tasks.tunes.priors import bars_of
from seqtutor.tasks.tunes.settings import TunesSettings
from seqtutor.tasks.tunes.spec import spec
from seqtutor.tasks.tunes.task import tunes_task
from seqtutor.training.rollout import generate

Tunes = tuple[np.ndarray, np.ndarray]
REAL, PRIOR, TUNED = "real", "prior", "tuned"


def main() -> None:
    """Sample, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run")
    parser.add_argument("--number", type=int, default=10_000)
    parser.add_argument("--judges", type=int, default=5)
    parser.add_argument("--judge-controls", action="store_true")
    parser.add_argument("--temperatures", type=float, nargs="*", default=(0.8, 0.9, 1.1))
    parser.add_argument("--best-of", type=int, nargs="*", default=(4, 16))
    options = parser.parse_args()
    policy = find_policy(spec, options.run)
    prior = policy.prior()
    vocabulary, bars = prior.vocabulary, bars_of(prior)
    data = read_phrases(TunesData(bars=bars), vocabulary)
    training = training_melodies(vocabulary, bars, None)
    real = RealSequences.of(data).judging
    columns: dict[str, Estimates] = {}
    for name, (tokens, mask) in _groups(options, policy, prior, data):
        found = dict(tune_estimates(tokens, mask, vocabulary, bars, training))
        few = slice(len(data.test))
        found["distinct_rhythms"] = tune_estimates(tokens[few], mask[few], vocabulary, bars)[
            "distinct_rhythms"
        ]
        if name in (PRIOR, TUNED) or (options.judge_controls and name != REAL):
            found |= judge_estimates(tokens, mask, real, vocabulary, options.judges)
        columns[name] = found
        print(f"measured {name}, {len(tokens):,} tunes", flush=True)
    print("\n".join(_table(columns)))


def _groups(options, policy, prior, data) -> Iterator[tuple[str, Tunes]]:
    end, length = prior.vocabulary.end, prior.origin["max_length"]

    def drawn(model, seed: int, number: int) -> Tunes:
        batch = generate(model, jax.random.key(seed), number, length, end=end)
        return np.asarray(batch.tokens), np.asarray(batch.mask)

    yield PRIOR, drawn(prior.model, 0, options.number)
    yield TUNED, drawn(policy.model, 0, options.number)
    yield REAL, (data.test.tokens, data.test.mask)
    for temperature in options.temperatures:
        yield (
            f"T = {temperature:g}",
            drawn(TemperedModel(prior.model, temperature), 1, options.number),
        )
    settings = TunesSettings() if policy.config is None else policy.config.settings
    reward = tunes_task(settings, prior).reward
    for many in options.best_of:
        parts = [
            _best(drawn(prior.model, 100 + part, many * (options.number // 10)), many, reward)
            for part in range(10)
        ]
        yield f"best of {many}", tuple(map(np.concatenate, zip(*parts, strict=True)))


def _best(tunes: Tunes, many: int, reward: Reward) -> Tunes:
    """Of so many tunes at a time the one that earns most."""
    earned = in_parts(jax.jit(lambda t, m: jnp.sum(reward(t, m).total, axis=1)), *tunes)
    rows = np.arange(len(earned)).reshape(-1, many)
    chosen = rows[np.arange(len(rows)), earned[rows].argmax(axis=1)]
    return tunes[0][chosen], tunes[1][chosen]


def _table(columns: Mapping[str, Estimates]) -> Iterator[str]:
    yield "| | " + " | ".join(columns) + " |"
    yield "| :-- |" + " --: |" * len(columns)
    for row in (*FORM, *OTHERS, *JUDGING):
        estimates = {name: found.get(row.name) for name, found in columns.items()}
        cells = [_cell(estimate, row.unit == "share") for estimate in estimates.values()]
        verdict = _place(*(estimates[name] for name in (PRIOR, TUNED, REAL)))
        yield f"| {row.title} ({row.name}; {verdict}) | " + " | ".join(cells) + " |"


def _cell(estimate: Estimate | None, is_share: bool) -> str:
    if estimate is None:
        return "–"
    interval = interval_of(estimate)
    scale, unit = (100, " %") if is_share else (1, "")
    low, high = scale * interval.low, scale * interval.high
    return f"{scale * estimate.value:.1f} ({low:.1f} … {high:.1f}){unit}"


def _place(prior: Estimate | None, tuned: Estimate | None, real: Estimate | None) -> str:
    if prior is None or tuned is None or real is None:
        return "no row of form"
    of_prior, of_tuned, of_real = map(_ends, (prior, tuned, real))
    low, high = min(of_prior.low, of_real.low), max(of_prior.high, of_real.high)
    if of_tuned.high >= low and of_tuned.low <= high:
        return "between"
    nearer_to_real = abs(tuned.value - real.value) < abs(tuned.value - prior.value)
    return "beyond" if nearer_to_real else "away"


def _ends(estimate: Estimate) -> Interval:
    interval = interval_of(estimate)
    known = not np.isnan(interval.low)
    return interval if known else Interval.around(estimate.value, 0.0)


if __name__ == "__main__":
    main()
