"""Samples of the folk experiment to see and hear."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import jax
import numpy as np

from seqtutor.models.discriminator import ConvolutionalDiscriminator
from seqtutor.models.files import SavedModel
from seqtutor.report.folk import Gallery, GalleryEntry
from seqtutor.tasks.folk.gallery import choose_exhibits
from seqtutor.tasks.folk.model import length_of, sheets_of
from seqtutor.tasks.folk.render import write_tunes
from seqtutor.training.discriminating import logits_of
from seqtutor.training.rollout import generate

SAMPLES = 256


def hang(
    title: str,
    saved: SavedModel,
    discriminator: ConvolutionalDiscriminator,
    seed: int,
    folder: Path,
) -> Gallery:
    """Choose samples of a generator and write them as MIDI, as sound, and as an ABC book.

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
    sheets = [
        replace(sheet, title=f"{title}: {one.kind}, D(x) = {one.probability:.3f}")
        for one, sheet in zip(
            exhibits, sheets_of(saved, np.stack([one.tokens for one in exhibits])), strict=True
        )
    ]
    (book,) = write_tunes(sheets, folder, ["abc"])
    entries = tuple(
        GalleryEntry(one.kind, one.probability, one.distinct, midi, sound)
        for one, midi, sound in zip(
            exhibits,
            write_tunes(sheets, folder, ["mid"]),
            write_tunes(sheets, folder, ["wav"]),
            strict=True,
        )
    )
    return Gallery(entries, book)
