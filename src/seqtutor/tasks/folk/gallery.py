"""Samples of a generator to see and hear: which look most real, which least, which repeat most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import jax
import numpy as np
from jaxtyping import Float, Int

from seqtutor.adversarial.discriminator import ConvolutionalDiscriminator
from seqtutor.adversarial.training import logits_of
from seqtutor.models.files import SavedModel
from seqtutor.report.tables import format_value
from seqtutor.tasks.folk.model import LeadSheetReader
from seqtutor.tasks.scores.lead_sheet_files import write_tunes
from seqtutor.training.rollout import generate
from seqtutor.types import SequenceBatch

Kind = Literal["false positive", "true negative", "collapsed", "real"]
GRAM = 4
"""Tokens in the runs whose repetition marks a collapsed sample."""
SAMPLES = 256
REAL_SEQUENCES = 2


@dataclass(frozen=True)
class Exhibit:
    """A sample, why it was chosen, D(x), and the share of its runs of four that are distinct."""

    kind: Kind
    tokens: Int[np.ndarray, " time"]
    probability: float
    distinct: float


def choose_exhibits(
    tokens: Int[np.ndarray, "sample time"], logits: Float[np.ndarray, " sample"], each: int = 2
) -> list[Exhibit]:
    """The samples with the highest and the lowest D(x), and the most repetitive ones.

    False positives have D(x) > ½ and may be missing, true negatives D(x) ≤ ½. A collapsed sample
    has at most half of its runs of four tokens different. No sample is chosen twice.

    Args:
        tokens: samples of a generator.
        logits: those of the discriminator.
        each: how many of a kind at most.
    """
    distinct = distinct_runs(tokens)
    order = np.argsort(-logits, kind="stable")
    kinds: dict[Kind, list[int]] = {
        "false positive": [i for i in order if logits[i] > 0],
        "true negative": [i for i in order[::-1] if logits[i] <= 0],
        "collapsed": [i for i in np.argsort(distinct, kind="stable") if distinct[i] <= 0.5],
    }
    chosen: dict[int, Kind] = {}
    for kind, candidates in kinds.items():
        free = [int(index) for index in candidates if int(index) not in chosen]
        chosen |= dict.fromkeys(free[:each], kind)
    return [
        one for i, kind in chosen.items() for one in as_exhibits(kind, tokens[[i]], logits[[i]])
    ]


def as_exhibits(
    kind: Kind, tokens: Int[np.ndarray, "sample time"], logits: Float[np.ndarray, " sample"]
) -> list[Exhibit]:
    """Sequences as exhibits of one kind, with D(x) from a discriminator's logits."""
    return [
        Exhibit(kind, row, float(1 / (1 + np.exp(-np.float64(logit)))), float(share))
        for row, logit, share in zip(tokens, logits, distinct_runs(tokens), strict=True)
    ]


def distinct_runs(tokens: Int[np.ndarray, "sample time"]) -> Float[np.ndarray, " sample"]:
    """For each sample, the share of its runs of four tokens that are distinct."""
    if tokens.shape[1] < GRAM:
        return np.ones(len(tokens))
    runs = np.lib.stride_tricks.sliding_window_view(tokens, GRAM, axis=1)
    return np.array([len(np.unique(one, axis=0)) / len(one) for one in runs])


def write_gallery(
    title: str,
    saved: SavedModel,
    discriminator: ConvolutionalDiscriminator,
    seed: int,
    folder: Path,
) -> list[str]:
    """Choose samples of a generator and write them as MIDI, WAV, MusicXML and one ABC book.

    Args:
        title: of the generator, for the titles of its tunes.
        saved: the generator.
        discriminator: by which they are chosen.
        seed: of the sampling; the samples are others than those that are measured.
        folder: where the files go.

    Returns:
        Lines of Markdown, with links relative to the folder two levels above.

    Raises:
        UserError: if a file cannot be written.
    """
    key = jax.random.fold_in(jax.random.key(seed), 1)
    samples = generate(saved.model, key, SAMPLES, saved.origin["max_length"])
    exhibits = choose_exhibits(np.asarray(samples.tokens), logits_of(discriminator, samples))
    return _write(title, exhibits, saved, folder)


def write_real_gallery(
    title: str,
    real: SequenceBatch,
    saved: SavedModel,
    discriminator: ConvolutionalDiscriminator,
    folder: Path,
) -> list[str]:
    """Write the first real sequences in the same way.

    Args:
        title: of the tunes.
        real: held-out sequences.
        saved: a generator of their vocabulary.
        discriminator: gives their D(x).
        folder: where the files go.

    Raises:
        UserError: if a file cannot be written.
    """
    some = real[:REAL_SEQUENCES]
    exhibits = as_exhibits("real", np.asarray(some.tokens), logits_of(discriminator, some))
    return _write(title, exhibits, saved, folder)


def _write(title: str, exhibits: Sequence[Exhibit], saved: SavedModel, folder: Path) -> list[str]:
    reader = LeadSheetReader(saved.vocabulary, saved.origin)
    sheets = [
        replace(sheet, title=f"{title}: {one.kind}, D(x) = {format_value(one.probability)}")
        for one, sheet in zip(
            exhibits, reader(np.stack([one.tokens for one in exhibits])), strict=True
        )
    ]
    (book,) = write_tunes(sheets, folder, ["abc"])
    files = [write_tunes(sheets, folder, [suffix]) for suffix in ("mid", "wav", "musicxml")]

    def link(name: str, path: Path) -> str:
        return f"[{name}]({path.relative_to(folder.parent.parent).as_posix()})"

    lines = [f"### {title} ({link('ABC', book)})\n"]
    for one, midi, sound, score in zip(exhibits, *files, strict=True):
        links = [link("MIDI", midi), link("WAV", sound), link("score", score)]
        lines.append(
            f"- {one.kind}, D(x) = {format_value(one.probability)}, {100 * one.distinct:.0f} % of "
            f"runs different: {', '.join(links)}"
        )
    return [*lines, ""]
