"""Judges: discriminators that are trained afterwards, to measure a finished generator.

The discriminator of a game says little about its generator, which was tuned against just this one.
A judge is trained from random weights on samples of the finished generator, so that D(x) can be
compared between generators, each with judges of its own. The better the generator, the nearer is
D(x) to ½.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import numpy as np

from seqtutor.adversarial.discriminator import ConvolutionalDiscriminator
from seqtutor.adversarial.settings import JudgeSettings
from seqtutor.adversarial.training import (
    Discrimination,
    cross_entropy,
    discrimination,
    logits_of,
    new_discriminator_state,
    train_epoch,
)
from seqtutor.errors import UserError
from seqtutor.types import SequenceBatch


@dataclass(frozen=True)
class Parts:
    """Sequences to learn from, to stop by, and to measure on; no sequence may be in two parts."""

    training: SequenceBatch
    validation: SequenceBatch
    test: SequenceBatch

    def __post_init__(self) -> None:
        for name in ("training", "validation", "test"):
            if not len(getattr(self, name)):
                raise UserError(f"there are no {name} sequences for the judge")


@dataclass(frozen=True)
class JudgeEpoch:
    """Mean cross-entropy of a pass, and after it on the validation sequences."""

    training_loss: float
    validation_loss: float


@dataclass(frozen=True)
class TrainedJudge:
    """A judge, and its measures on the test sequences, as many real as generated ones.

    `test.mean_generated` is the mean reward of the published tables.
    """

    test: Discrimination
    discriminator: ConvolutionalDiscriminator
    epochs: list[JudgeEpoch]


def train_judge(
    vocabulary_size: int,
    real: Parts,
    generated: Parts,
    settings: JudgeSettings,
) -> TrainedJudge:
    """Train a discriminator until its validation loss stops falling, and measure the best one.

    Raises:
        UserError: if there are too few sequences, or the loss is not finite.
    """
    state = new_discriminator_state(
        vocabulary_size,
        settings.discriminator,
        settings.discrimination,
        jax.random.key(settings.seed),
    )
    best, best_loss, since_best = state.discriminator, np.inf, 0
    epochs: list[JudgeEpoch] = []
    while len(epochs) < settings.epochs and since_best < settings.patience:
        state, metrics = train_epoch(
            state, real.training, generated.training, settings.discrimination
        )
        logits = (
            logits_of(state.discriminator, part) for part in (real.validation, generated.validation)
        )
        epoch = JudgeEpoch(float(metrics["loss"]), cross_entropy(*logits))
        if not np.isfinite(epoch.training_loss + epoch.validation_loss):
            raise UserError(
                f"the judge's loss is not finite in epoch {len(epochs) + 1}; lower its learning "
                "rate"
            )
        epochs.append(epoch)
        since_best += 1
        if epoch.validation_loss < best_loss:
            best, best_loss, since_best = state.discriminator, epoch.validation_loss, 0
    number = min(len(real.test), len(generated.test))
    measured = (logits_of(best, part.test[:number]) for part in (real, generated))
    return TrainedJudge(discrimination(*measured), best, epochs)
