"""How much of the adversarial experiment is run. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from seqtutor.adversarial.settings import JudgeSettings
from seqtutor.tasks.folk.spec import USUAL_TRAINING
from seqtutor.tasks.folk.variants import GameSizes
from seqtutor.training.pretrain_settings import PretrainSettings


@dataclass(frozen=True)
class Scale:
    """The sizes and numbers of an experiment.

    Attributes:
        seeds: of the games.
        most_real: largest number of training sequences for games and judges; `None` for all.
        most_held_out: largest number of sequences to validate and to measure on, each.
        pretraining: of the prior.
        sizes: of the games.
        judge: the settings of the judges.
        judges: how many of them each generator has.
        temperatures: at which the prior is measured as well.
        minutes: that it takes with the usual generators on the machine of
            `seqtutor.runs.expectation`, if that is known.
    """

    seeds: int
    most_real: int | None
    most_held_out: int | None
    pretraining: PretrainSettings
    sizes: GameSizes
    judge: JudgeSettings
    judges: int
    temperatures: tuple[float, ...]
    minutes: float | None = None


MOST_REAL, MOST_HELD_OUT = 2048, 350
"""Of the default scale: all of Nottingham's sequences and of the published ones; of music21's
tunes, which are three times as many, a part."""
USUAL_JUDGE = JudgeSettings(epochs=20, patience=3)

SCALES: Mapping[str, Scale] = {
    "smoke": Scale(
        seeds=1,
        most_real=128,
        most_held_out=128,
        pretraining=PretrainSettings.of(hidden_sizes=(16,), batch=32, epochs=2),
        sizes=GameSizes(
            rounds=2,
            first_rounds=1,
            environments=16,
            anchored_environments=16,
            anchored_iterations=1,
            generated=64,
            discriminator_batch=32,
        ),
        judge=JudgeSettings(epochs=2, patience=1),
        judges=1,
        temperatures=(0.7,),
        minutes=2,
    ),
    "default": Scale(
        seeds=1,
        most_real=MOST_REAL,
        most_held_out=MOST_HELD_OUT,
        pretraining=PretrainSettings.of(**USUAL_TRAINING),
        sizes=GameSizes(),
        judge=USUAL_JUDGE,
        judges=3,
        temperatures=(0.5, 0.7, 0.85, 1.15),
        minutes=16,
    ),
    "full": Scale(
        seeds=3,
        most_real=None,
        most_held_out=None,
        pretraining=PretrainSettings.of(**USUAL_TRAINING).changed(
            hidden_sizes=(512,),
            embedding_size=32,
            batch=16,
            learning_rate=4e-3,
            dropout=0.5,
        ),
        sizes=GameSizes(
            rounds=100,
            first_rounds=100,
            discriminator_epochs=3,
            environments=128,
            generated=1408,
            diagnoses=20,
            discriminator="bjare",
            discriminator_rate=1e-4,
        ),
        judge=JudgeSettings(),
        judges=5,
        temperatures=(0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.1, 1.2),
    ),
}
