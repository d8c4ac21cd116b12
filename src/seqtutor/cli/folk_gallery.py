"""Samples of the folk experiment to see and hear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np

from seqtutor.adversarial.discriminating import logits_of
from seqtutor.adversarial.discriminator import ConvolutionalDiscriminator
from seqtutor.models.files import SavedModel
from seqtutor.report.tables import format_value
from seqtutor.tasks.folk.gallery import Exhibit, as_exhibits, choose_exhibits
from seqtutor.tasks.folk.game_report import Gallery, GalleryEntry
from seqtutor.tasks.folk.model import length_of, sheets_of
from seqtutor.tasks.folk.render import write_tunes
from seqtutor.training.rollout import generate
from seqtutor.types import SequenceBatch

SAMPLES = 256
REAL_SEQUENCES = 2


def hang(
    title: str,
    saved: SavedModel,
    discriminator: ConvolutionalDiscriminator,
    seed: int,
    folder: Path,
) -> Gallery:
    """Choose samples of a generator and write them: MIDI, sound, score, and all as an ABC book.

    Args:
        title: of the generator, for the titles of its tunes.
        saved: the generator.
        discriminator: by which they are chosen.
        seed: of the sampling; other samples come from it than those that are measured.
        folder: where the files go.

    Raises:
        UserError: if a file cannot be written.
    """
    key = jax.random.fold_in(jax.random.key(seed), 1)
    samples = generate(saved.model, key, SAMPLES, length_of(saved))
    exhibits = choose_exhibits(np.asarray(samples.tokens), logits_of(discriminator, samples))
    return _write(title, exhibits, saved, folder)


def hang_real(
    title: str,
    real: SequenceBatch,
    saved: SavedModel,
    discriminator: ConvolutionalDiscriminator,
    folder: Path,
) -> Gallery:
    """Write the first real sequences in the same way, to be heard beside the samples.

    Args:
        title: of the tunes.
        real: held-out sequences.
        saved: a generator, of whose vocabulary they are.
        discriminator: that says how real they look.
        folder: where the files go.

    Raises:
        UserError: if a file cannot be written.
    """
    some = real[:REAL_SEQUENCES]
    exhibits = as_exhibits("real", np.asarray(some.tokens), logits_of(discriminator, some))
    return _write(title, exhibits, saved, folder)


def _write(title: str, exhibits: Sequence[Exhibit], saved: SavedModel, folder: Path) -> Gallery:
    sheets = [
        replace(sheet, title=f"{title}: {one.kind}, D(x) = {format_value(one.probability)}")
        for one, sheet in zip(
            exhibits, sheets_of(saved, np.stack([one.tokens for one in exhibits])), strict=True
        )
    ]
    (book,) = write_tunes(sheets, folder, ["abc"])
    files = [write_tunes(sheets, folder, [suffix]) for suffix in ("mid", "wav", "musicxml")]
    entries = tuple(
        GalleryEntry(one.kind, one.probability, one.distinct, *own)
        for one, *own in zip(exhibits, *files, strict=True)
    )
    return Gallery(entries, book)
