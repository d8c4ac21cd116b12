from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqtutor.adversarial.judges import Parts, train_judge
from seqtutor.adversarial.settings import (
    DiscriminationSettings,
    DiscriminatorSettings,
    JudgeSettings,
)
from seqtutor.adversarial.training import cross_entropy, logits_of
from seqtutor.errors import UserError
from seqtutor.types import SequenceBatch
from tiny_problems import identical

SETTINGS = JudgeSettings(
    epochs=40,
    patience=4,
    discriminator=DiscriminatorSettings(embedding_size=4, widths=(1,), filters=(8,)),
    discrimination=DiscriminationSettings(batch=16, learning_rate=1e-2),
)


def parts(seed, chances):
    """Independent tokens with these chances."""
    tokens = np.random.default_rng(seed).choice(3, (160, 5), p=chances)
    batch = SequenceBatch(jnp.asarray(tokens, jnp.int32), jnp.ones(tokens.shape, bool))
    return Parts(batch[:80], batch[80:120], batch[120:])


REAL = parts(0, [0.5, 0.45, 0.05])


def judgement(chances, **changes):
    return train_judge(3, REAL, parts(1, chances), replace(SETTINGS, **changes))


def test_the_better_the_samples_the_nearer_to_a_half():
    bad, close, same = (
        judgement(chances) for chances in ([0.02, 0.08, 0.9], [0.3, 0.35, 0.35], [0.5, 0.45, 0.05])
    )
    assert bad.test.accuracy > 0.9
    assert bad.test.mean_generated < 0.1
    assert bad.test.mean_generated < close.test.mean_generated < same.test.mean_generated
    assert abs(same.test.mean_generated - 0.5) < 0.1


def test_it_stops_when_validation_gets_no_better_and_keeps_the_best():
    found = judgement([0.5, 0.45, 0.05])
    losses = [epoch.validation_loss for epoch in found.epochs]
    best = int(np.argmin(losses))
    assert len(losses) == best + 1 + SETTINGS.patience
    generated = parts(1, [0.5, 0.45, 0.05])
    logits = (logits_of(found.discriminator, part.validation) for part in (REAL, generated))
    assert cross_entropy(*logits) == losses[best]
    again = judgement([0.5, 0.45, 0.05], epochs=best + 1)
    assert identical(again.discriminator, found.discriminator)
    assert again.test == found.test


def test_one_that_cannot_tell_has_the_loss_log_2():
    assert cross_entropy(np.zeros(3), np.zeros(8)) == pytest.approx(np.log(2))


def test_every_part_is_needed():
    empty = REAL.test[:0]
    with pytest.raises(UserError, match="no validation sequences"):
        Parts(REAL.training, empty, REAL.test)


def test_the_seed_decides():
    one, other = (judgement([0.3, 0.35, 0.35], seed=seed, epochs=2) for seed in (0, 1))
    assert not identical(one.discriminator, other.discriminator)
    assert jax.tree.structure(one.discriminator) == jax.tree.structure(other.discriminator)
