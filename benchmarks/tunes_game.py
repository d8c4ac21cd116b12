"""Rules of form and a discriminator together as the reward of tunes, judged by fresh judges.

    python benchmarks/tunes_game.py --kinds rules discriminator both --seeds 0 1 2 3 4

A generator starts as the prior of tunes and plays the anchored game of docs/folk.md at c = 1: it is
rewarded by the logit of a discriminator that learns to tell its tunes from real ones, by the rules
with the preset's weights, or by both. Of each, and of the prior, 10,000 tunes are measured: what
the rules pay, and what judges say that are trained afterwards and know neither. Means and 95 %
intervals are over seeds; of the prior over its judges. A game that is over is loaded from the
output folder.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import seqtutor as st
from seqtutor.adversarial.evaluation import RealSequences
from seqtutor.adversarial.settings import DiscriminationSettings, GameSettings
from seqtutor.api import Generator
from seqtutor.measures.intervals import mean_interval
from seqtutor.tasks.tunes.data import TunesData
from seqtutor.tasks.tunes.dataset import read_phrases
from seqtutor.tasks.tunes.judging import judge_estimates
from seqtutor.tasks.tunes.layouts import in_parts
from seqtutor.tasks.tunes.measures import tune_estimates
from seqtutor.tasks.tunes.priors import SHIPPED_PRIOR, bars_of
from seqtutor.tasks.tunes.task import tunes_task
from seqtutor.training.rollout import generate

KINDS = {"rules": ("constant", 1.0), "discriminator": ("discriminator", 0.0)}
KINDS["both"] = ("discriminator", 1.0)
"""Where D comes from, and the weight of the rules."""
SHOWN = ("whole", "phrase_returns", "rhythm_returns", "half_cadence", "tonic_close", "long_close")


def rules_of(kind: str, rounds: int) -> GameSettings:
    """The anchored game of the folk task, with fewer first rounds."""
    source, task_weight = KINDS[kind]
    return GameSettings(
        rounds=rounds,
        generator_iterations=4,
        generated=2048,
        old_share=0.25,
        only_better=True,
        source=source,
        task_weight=task_weight,
        discrimination=DiscriminationSettings(label_smoothing=0.1),
    )


def measured(generator: Generator, task: st.Task, real, number: int, judges: int, seed: int):
    """Measures by name, means over judges and tunes."""
    vocabulary, bars = generator.vocabulary, bars_of(generator)
    batch = generate(
        generator.model, jax.random.key(seed), number, task.max_length, end=vocabulary.end
    )
    tokens, mask = np.asarray(batch.tokens), np.asarray(batch.mask)
    form = tune_estimates(tokens, mask, vocabulary, bars)
    earned = in_parts(jax.jit(lambda t, m: jnp.sum(task.reward(t, m).total, axis=1)), tokens, mask)
    found = {"earned by the rules": float(earned.mean())}
    found |= {name: form[name].value for name in SHOWN}
    of_judges = judge_estimates(tokens, mask, real, vocabulary, judges)
    return found | {name: one.value for name, one in of_judges.items()}


def rows(options: argparse.Namespace) -> Iterator[tuple[str, list[dict[str, float]]]]:
    """Of each kind, the measures of each seed."""
    prior = st.load(SHIPPED_PRIOR)
    task = tunes_task(prior=prior)
    data = read_phrases(TunesData(bars=bars_of(prior)), prior.vocabulary)
    real = RealSequences.of(data).judging
    tunes = [
        [prior.vocabulary.tokens[token] for token in row[there]]
        for row, there in zip(data.train.tokens, data.train.mask, strict=True)
    ]

    def of(generator: Generator, seed: int) -> dict[str, float]:
        return measured(generator, task, real, options.number, options.judges, seed)

    yield "prior", [of(prior, seed) for seed in options.seeds]
    for kind in options.kinds:
        found = []
        for seed in options.seeds:
            played = st.play(
                prior,
                task,
                tunes,
                game=rules_of(kind, options.rounds),
                output=options.output / f"{kind}-seed{seed}",
                environments=256,
                learning_rate=options.learning_rate,
                seed=seed,
            )
            found.append(of(played.generator, seed))
            print(kind, seed, {n: round(value, 3) for n, value in found[-1].items()}, flush=True)
        yield kind, found


def main() -> None:
    """Play, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--number", type=int, default=10_000)
    parser.add_argument("--judges", type=int, default=2)
    parser.add_argument("--output", type=Path, default=Path("tunes-games"))
    table = dict(rows(parser.parse_args()))
    print("| | " + " | ".join(table) + " |\n| :-- |" + " --: |" * len(table))
    for name in next(iter(table.values()))[0]:
        cells = []
        for found in table.values():
            interval = mean_interval([one[name] for one in found])
            cells.append(f"{interval.mean:.3f} ± {interval.half_width:.3f}")
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
