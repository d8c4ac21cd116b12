"""The terms of the reward that are computed from the lead sheet."""

from __future__ import annotations

import math
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqtutor.adversarial.discriminator import ConvolutionalDiscriminator
from seqtutor.adversarial.files import SavedDiscriminator, save_discriminator
from seqtutor.errors import UserError
from seqtutor.tasks.folk.interleaved import InterleavedTokenisation
from seqtutor.tasks.folk.model import LeadSheetReader
from seqtutor.tasks.folk.settings import FolkSettings
from seqtutor.tasks.folk.terms import (
    TYPICAL,
    chord_tones,
    echoes,
    folk_reward,
    in_the_scale,
    leaps,
    on_the_bar,
    sheet_measures,
)
from seqtutor.tasks.scores.lead_sheet import Chord, LeadSheet, MelodyNote
from seqtutor.vocabulary import Vocabulary

C, F, G = (48, 52, 55), (53, 57, 60), (55, 59, 62)


def sheet(pitches, chords=(), duration=Fraction(1)):
    """Notes of one duration, and chords as (onset, pitches), each until the next."""
    notes = tuple(MelodyNote(i * duration, duration, p) for i, p in enumerate(pitches))
    length = len(pitches) * duration
    onsets = [Fraction(onset) for onset, _ in chords]
    ends = [*onsets, length][1:]
    harmony = tuple(
        Chord(onset, end - onset, own)
        for onset, end, (_, own) in zip(onsets, ends, chords, strict=True)
    )
    return LeadSheet(notes, harmony, length)


def test_chord_tones_are_counted_on_the_beats_of_their_chord():
    # Beats of C: c and d; of F from 2: f and a. Eighths between beats do not count.
    tune = sheet([60, 61, 62, 61, 65, 61, 69, 61], [(0, C), (2, F)], Fraction(1, 2))
    assert chord_tones(tune) == 3 / 4
    assert math.isnan(chord_tones(sheet([60, 62])))
    late = sheet([60, 62, 64, 65], [(1, C)])
    assert chord_tones(late) == 1 / 3, "the first note has no chord"


def test_chord_changes_keep_to_the_half_bars_that_fit_best():
    common = sheet([60] * 12, [(0, C), (2, F), (4, G), (8, C)])
    assert on_the_bar(common) == 1
    jig = sheet([60] * 12, [(0, C), (Fraction(3, 2), F), (3, G), (6, C), (9, F)])
    assert on_the_bar(jig) == 1
    upbeat = sheet([60] * 12, [(1, C), (5, F), (9, G)])
    assert on_the_bar(upbeat) == 1
    limping = sheet([60] * 12, [(0, C), (2, F), (Fraction(9, 2), G), (Fraction(13, 2), C)])
    assert on_the_bar(limping) == 2 / 4
    assert math.isnan(on_the_bar(sheet([60], [(0, C)])))


def test_echoes_are_runs_that_were_heard_to_their_end():
    four = [60, 62, 64, 65]
    assert echoes(sheet([*four, *four])) == 1 / 5
    assert echoes(sheet([60] * 8)) == 1 / 5, "overlapping runs are no echo"
    assert echoes(sheet([*four, 67, 69, 71, 72])) == 0
    assert math.isnan(echoes(sheet([60, 62])))
    other = sheet(four, duration=Fraction(1, 2))
    notes = [*sheet(four).notes]
    notes += [MelodyNote(4 + note.onset, note.duration, note.pitch) for note in other.notes]
    assert echoes(LeadSheet(tuple(notes), (), Fraction(6))) == 0, "other durations"


def test_measures_without_a_reward():
    assert in_the_scale(sheet([60, 61, 62, 64])) == 3 / 4
    assert leaps(sheet([60, 67, 75, 60])) == 2 / 3


TUNE = sheet([60, 64, 67, 64] * 4, [(0, C), (2, F), (4, G), (6, C), (8, F)])
TOKENS = InterleavedTokenisation().encode(TUNE)
VOCABULARY = Vocabulary(tuple(dict.fromkeys(map(str, TOKENS))))
ORIGIN = {"tokenisation": "interleaved", "max_length": len(TOKENS)}


def encoded():
    ids = [VOCABULARY.tokens.index(str(token)) for token in TOKENS]
    tokens = np.array([ids, ids])
    mask = np.ones(tokens.shape, bool)
    mask[1, 6:] = False
    return tokens, mask


def test_the_reward_is_a_share_up_to_that_of_real_tunes():
    settings = FolkSettings(chord_tones=2.0, on_the_bar=0.0, echoes=5.0)
    found = folk_reward(settings, VOCABULARY, ORIGIN)(*encoded())
    assert set(found.terms) == {"chord_tones", "echoes"}
    share = chord_tones(TUNE)
    assert share < TYPICAL["chord_tones"]
    paid = np.asarray(found.terms["chord_tones"].sum(axis=1))
    assert paid[0] == pytest.approx(2.0 * share / TYPICAL["chord_tones"])
    assert echoes(TUNE) > TYPICAL["echoes"]
    assert found.terms["echoes"].sum(axis=1)[0] == pytest.approx(5.0)
    # A sequence is read up to the end of its mask, and undefined shares are 0.
    assert found.terms["echoes"].sum(axis=1)[1] == 0


def test_measures_are_means_over_the_sequences_that_have_a_share():
    group = sheet_measures(LeadSheetReader(VOCABULARY, ORIGIN))
    found = group.estimate(*encoded())
    assert found["echoes"].value == pytest.approx(echoes(TUNE) / 2)
    assert found["chord_tones"].count == 2


def test_a_discriminator_is_a_term_beside_them(tmp_path):
    settings = {"embedding_size": 4, "widths": (1,), "filters": (4,), "dropout": 0.0}
    judge = ConvolutionalDiscriminator(VOCABULARY.size, **settings, key=jax.random.key(0))
    save_discriminator(SavedDiscriminator(judge, VOCABULARY), tmp_path / "judge")
    own = FolkSettings(discriminator=tmp_path / "judge", discriminator_weight=3.0, echoes=0.0)
    tokens, mask = encoded()
    found = folk_reward(own, VOCABULARY, ORIGIN)(tokens, mask)
    assert set(found.terms) == {"discriminator", "chord_tones", "on_the_bar"}
    expected = 3.0 * np.asarray(judge.logits(jnp.asarray(tokens), jnp.asarray(mask)))
    np.testing.assert_allclose(found.terms["discriminator"].sum(axis=1), expected, rtol=1e-5)
    with pytest.raises(UserError, match="all weights of the reward are 0"):
        FolkSettings(chord_tones=0.0, on_the_bar=0.0, echoes=0.0)
