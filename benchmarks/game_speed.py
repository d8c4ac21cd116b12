"""How many rounds a second a generator and a discriminator play, and what each takes of them.

A round is a collection with its updates, fresh samples, and an epoch of the discriminator on them.
Prints rounds a second and the share of the discriminator's learning: what a round takes more than
one in which it is frozen. Sequences and priors are random, of the default sizes or the published
ones (3,216 tokens, 100 steps, LSTM of 512, as many filters as Bjare & Meredith 2020).

    python benchmarks/game_speed.py
    python benchmarks/game_speed.py --sizes published --methods reinforce --rounds 3
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
import tyro

from seqtutor.adversarial.game import Game
from seqtutor.adversarial.settings import (
    DiscriminatorSettings,
    GameSettings,
    RewardSource,
)
from seqtutor.models.lstm import LSTM
from seqtutor.runs.games import unrewarded_task
from seqtutor.training.settings import TutorSettings, applicable_settings
from seqtutor.types import SequenceBatch
from seqtutor.vocabulary import Vocabulary

Sizes = Literal["small", "published"]


@dataclass(frozen=True)
class Size:
    """Of everything that plays."""

    tokens: int
    length: int
    cells: int
    embedding: int
    discriminator: str


SIZES: dict[Sizes, Size] = {
    "small": Size(400, 64, 128, 0, "small"),
    "published": Size(3216, 100, 512, 32, "bjare"),
}


@dataclass(frozen=True)
class Options:
    """Measure games."""

    sizes: tuple[Sizes, ...] = ("small", "published")
    """Small ones are near those of `seqtutor reproduce folk`."""
    methods: tuple[str, ...] = ("reinforce", "merl", "rloo", "psi")
    """Of the generator."""
    rounds: int = 5
    """That are timed, after two that are not."""
    environments: int = 64
    """Sequences in a collection, and as many in an update."""
    generated: int = 256
    """Real and generated sequences that the discriminator learns from in each round."""


def seconds_a_round(size: Size, method: str, source: RewardSource, options: Options) -> float:
    """The median."""
    shape = (2 * options.generated, size.length)
    tokens = jax.random.randint(jax.random.key(0), shape, 0, size.tokens)
    real = SequenceBatch(tokens, jnp.ones(shape, bool))
    vocabulary = Vocabulary(tuple(map(str, range(size.tokens))))
    game = Game(
        unrewarded_task(vocabulary, size.length),
        LSTM(size.tokens, (size.cells,), embedding_size=size.embedding, key=jax.random.key(1)),
        real[: options.generated],
        real[options.generated :],
        TutorSettings.of(
            method,
            **applicable_settings(
                method,
                environments=options.environments,
                batch=options.environments,
                replay_capacity=options.environments * 4,
            ),
        ),
        GameSettings(
            rounds=options.rounds + 2,
            first_rounds=0,
            generated=options.generated,
            source=source,
            discriminator=DiscriminatorSettings.of(size.discriminator),
        ),
    )
    state, taken = game.initial_state(), []
    for _ in range(game.rounds):
        start = time.perf_counter()
        state, _ = game.play_round(state)
        jax.block_until_ready(state)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[2:])


def main(options: Options) -> None:
    """Measure and print."""
    print(f"{'sizes':<12}{'method':<20}{'rounds/s':>10}{'discriminator learns':>24}")
    for name in options.sizes:
        for method in options.methods:
            whole, frozen = (
                seconds_a_round(SIZES[name], method, source, options)
                for source in ("discriminator", "frozen")
            )
            share = 100 * (1 - frozen / whole)
            print(f"{name:<12}{method:<20}{1 / whole:>10.2f}{share:>22.0f} %", flush=True)


if __name__ == "__main__":
    main(tyro.cli(Options))
