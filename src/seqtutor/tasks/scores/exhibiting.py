"""Pieces on a page: their sound and their scores, all of them made together."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from seqtutor.errors import UserError
from seqtutor.exhibits import Exhibit, Exhibition, Fact, Listed, Mark, Picture, Shown
from seqtutor.tasks.scores.abc_writer import abc_file
from seqtutor.tasks.scores.chances import SHADED, key_of_shading
from seqtutor.tasks.scores.engraver_process import ENGRAVER
from seqtutor.tasks.scores.engraving import svg_of
from seqtutor.tasks.scores.note_statistics import Voice, note_distributions
from seqtutor.tasks.scores.options import SoundSettings
from seqtutor.tasks.scores.players import begin_ogg, finished_ogg, players
from seqtutor.tasks.scores.sound import Tone

WIDTH = 1200
"""Of a score, in tenths of a millimetre, so that it can be read in a column of the page."""
_CONTAINER = (
    '<?xml version="1.0" encoding="UTF-8"?><container><rootfiles>'
    '<rootfile full-path="score.musicxml"/></rootfiles></container>'
)
_NOTE = re.compile(r'data-note="(\d+)"')
_TITLE = re.compile(r"<work>.*?</work>\s*", re.DOTALL)


@dataclass(frozen=True)
class Piece:
    """A piece that is to be shown.

    Attributes:
        exhibit: what is shown of it beside its sound and its score.
        musicxml: the score.
        tones: what is heard.
        marks: of each note of the score the mark of the exhibit that it belongs to.
    """

    exhibit: Exhibit
    musicxml: str
    tones: Sequence[Tone]
    marks: Sequence[int]


def piece_with(
    marks: Sequence[Mark],
    of_notes: Sequence[int],
    roll: Picture,
    facts: Mapping[str, Fact],
    *,
    midi: bytes,
    abc: str,
    musicxml: str,
    tones: Sequence[Tone],
) -> Piece:
    """A piece with its files; its text is what its marks are called.

    Args:
        marks: parts that a reader can point at.
        of_notes: of each note the place of its mark.
        roll: its piano roll.
        facts: what else is to be said of it.
        midi: the piece in this format.
        abc: the same in this one.
        musicxml: the same in this one.
        tones: what is heard.
    """
    exhibit = Exhibit(
        " ".join(mark.label for mark in marks),
        [roll],
        marks=marks,
        facts=facts,
        files={"mid": midi, "abc": abc_file([abc]).encode("utf-8")},
    )
    return Piece(exhibit, musicxml, tones, of_notes)


def exhibition_of(
    policies: Mapping[str, Shown],
    pieces: Mapping[str, Iterable[Piece]],
    listed: Mapping[str, Sequence[Listed]],
    voices: Mapping[str, Sequence[Voice]],
    sound: SoundSettings,
    notes: Sequence[str] = (),
) -> Exhibition:
    """All that a page shows of pieces of music.

    Args:
        policies: what was asked for.
        pieces: those of each policy that are shown one by one. Where an iterator makes them, they
            are played as soon as they are made.
        listed: those in the table.
        voices: the notes of many.
        sound: how they are heard.
        notes: sentences about what is shown.
    """
    exhibits, problems = with_media(pieces, sound)
    is_shaded = any(shown.probabilities is not None for shown in policies.values())
    return Exhibition(
        exhibits,
        listed,
        note_distributions(voices),
        [*notes, *([SHADED] if is_shaded else []), *problems],
        keys=[key_of_shading()] if is_shaded else [],
    )


def with_media(
    policies: Mapping[str, Iterable[Piece]], sound: SoundSettings
) -> tuple[dict[str, list[Exhibit]], list[str]]:
    """The exhibits with their sounds and scores, and why something is missing, if it is.

    Args:
        policies: the pieces of each.
        sound: how they are heard.

    A score that verovio cannot engrave, or a SoundFont that cannot be read, does not cost the page.
    """
    begun: dict[str, list[tuple[Piece, Future[Any]]]] = {}
    pieces: list[Piece] = []
    engraved: list[Future[list[str]]] = []
    with ThreadPoolExecutor(1) as engraver:
        for name, own in policies.items():
            begun[name] = [(p, begin_ogg(p.tones, sound, compact=True)) for p in own]
            made = [piece for piece, _ in begun[name]]
            # A card has its title above; the file to download has it inside. The scores of one
            # policy are engraved while the next one's pieces are made.
            untitled = [_TITLE.sub("", piece.musicxml) for piece in made]
            engraved.append(engraver.submit(svg_of, untitled, WIDTH, len(pieces)))
            pieces += made
    problems: list[str] = []
    sounds: list[bytes | None] = [None] * len(pieces)
    scores: list[str | None] = [None] * len(pieces)
    try:
        scores = [score for part in engraved for score in part.result()]
    except UserError as error:
        problems.append(f"There are no scores: {error}.")
    try:
        sounds = [finished_ogg(one) for own in begun.values() for _, one in own]
    except UserError as error:
        problems.append(f"There is no sound: {error}.")
    finished = iter(map(_finished, pieces, sounds, scores))
    return {name: [next(finished) for _ in own] for name, own in begun.items()}, problems


def start_processes() -> None:
    """Start those that engrave and play, which take a second to load what they need."""
    ENGRAVER.start()
    players()


def _finished(piece: Piece, sound: bytes | None, score: str | None) -> Exhibit:
    pictures = list(piece.exhibit.pictures)
    files = {**piece.exhibit.files, "mxl": compressed(piece.musicxml)}
    if score is not None:
        svg = _NOTE.sub(lambda match: _mark(piece.marks, int(match[1])), score)
        alt = f"score of {len(piece.marks)} notes"
        pictures.insert(0, Picture(svg.replace("<svg ", '<svg data-score="" ', 1), alt, "theme"))
    return replace(piece.exhibit, pictures=pictures, sound=sound, files=files)


def compressed(musicxml: str) -> bytes:
    """A MusicXML document as a file of the suffix .mxl, a tenth of its size.

    Format: W3C, "MusicXML 4.0", chapter "Compressed .mxl files".
    """
    content = io.BytesIO()
    with ZipFile(content, "w", ZIP_DEFLATED) as archive:
        for name, text in (("META-INF/container.xml", _CONTAINER), ("score.musicxml", musicxml)):
            # With a date of its own each time, the same page would have other bytes.
            archive.writestr(ZipInfo(name), text, ZIP_DEFLATED)
    return content.getvalue()


def _mark(marks: Sequence[int], note: int) -> str:
    """The attribute that makes a note head stand for a mark."""
    return f'data-mark="{marks[note]}"' if note < len(marks) else ""
