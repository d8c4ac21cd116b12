"""Pieces of music as files that a person can open."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from seqtutor.errors import UserError
from seqtutor.files import write_together
from seqtutor.report.style import method_style
from seqtutor.settings import require
from seqtutor.task_records import Drawn, Gallery
from seqtutor.tasks.scores.abc_writer import abc_file
from seqtutor.tasks.scores.engraving import png_of, svg_of
from seqtutor.tasks.scores.keys import Key
from seqtutor.tasks.scores.notation import Meter, bar_length, is_binary, signature_fifths
from seqtutor.tasks.scores.options import SoundSettings
from seqtutor.tasks.scores.players import ogg_of
from seqtutor.tasks.scores.sound import Tone, wav_of

SHOWN = 6
"""Pieces of each policy whose scores are in the report of an experiment."""
_SHORTEST_UNIT = 64
"""Of a time signature's denominator."""
_MOST_UNITS = 99
"""Of its numerator; MIDI has a byte for it."""


def require_playable(tempo: float, programs: Sequence[int], velocities: Sequence[int]) -> None:
    """Raise a `UserError` unless MIDI can store the tempo, the instruments and the velocities."""
    # MIDI stores microseconds per quarter note in 24 bits: 3.6 is the slowest it can say.
    require(
        math.isfinite(tempo) and 4 <= tempo <= 1000,
        f"a tempo of {tempo:g} is out of range; use 4 to 1000 quarters",
    )
    for program in programs:
        require(0 <= program <= 127, f"there is no MIDI program {program}; use 0 to 127")
    for velocity in velocities:
        require(1 <= velocity <= 127, f"a velocity of {velocity} is out of range; use 1 to 127")


@dataclass(frozen=True)
class MidiTrack:
    """Notes of one instrument, each with onset and duration in ticks, pitch and velocity."""

    name: str
    program: int
    notes: Sequence[tuple[int, int, int, int]]


def render_midi(
    tracks: Sequence[MidiTrack],
    quarter: int,
    tempo: float,
    meter: Meter,
    key: Key,
    lines: Sequence[Fraction] = (Fraction(0),),
) -> bytes:
    """A MIDI file with `quarter` ticks in a quarter note and `tempo` quarters a minute.

    An upbeat, and a bar of another length than the metre's, has a time signature of its own, the
    only way that MIDI has to tell it; one that no time signature is as long as is not told.

    Args:
        tracks: with their notes.
        quarter: ticks.
        tempo: quarters a minute.
        meter: of the bars.
        key: of the signature.
        lines: the first bar lines, in quarters, one at least; what lies before is an upbeat. From
            the last one on bars are as long as the metre says.
    """
    import symusic

    score: Any = symusic.Score(quarter)
    score.tempos.append(symusic.Tempo(0, tempo))
    for line, own_meter in _meters(lines, meter):
        start = symusic.TimeSignature(int(line * quarter), *own_meter)
        score.time_signatures.append(start)
    score.key_signatures.append(
        symusic.KeySignature(0, signature_fifths(key), int(key.mode == "minor"))
    )
    for own in tracks:
        track: Any = symusic.Track(name=own.name, program=own.program)
        for note in own.notes:
            track.notes.append(symusic.Note(*note))
        score.tracks.append(track)
    return bytes(score.dumps_midi())


def _meters(lines: Sequence[Fraction], meter: Meter) -> Iterator[tuple[Fraction, Meter]]:
    """Where a time signature begins, in quarters, and which."""
    told: Meter | None = None
    for start, end in pairwise([*([Fraction(0)] if lines[0] else []), *lines]):
        whole, own = (end - start) / 4, meter
        if end - start != bar_length(meter):
            unit = max(4, whole.denominator)
            own = int(whole * unit), unit
            if not is_binary(whole) or unit > _SHORTEST_UNIT or own[0] > _MOST_UNITS:
                continue
        if own != told:
            yield start, own
        told = own
    if told != meter:
        yield (Fraction(0) if told is None else lines[-1]), meter


class Rendering(Protocol):
    """What the settings of every kind of piece have."""

    @property
    def sound(self) -> SoundSettings:
        """How it sounds."""


Piece = TypeVar("Piece")
Settings = TypeVar("Settings", bound=Rendering)


@dataclass(frozen=True)
class PieceWriter(Generic[Piece, Settings]):
    """Writes pieces of one kind in the format of a suffix.

    Attributes:
        what: a piece is called in messages, such as "a melody".
        midi, musicxml: render a piece with its settings.
        abc: the same, with the number of the tune in its book.
        tones: what is heard of a piece.
    """

    what: str
    midi: Callable[[Piece, Settings], bytes]
    abc: Callable[[Piece, Settings, int], str]
    musicxml: Callable[[Piece, Settings], str]
    tones: Callable[[Piece, Settings], Sequence[Tone]]

    def write_all(
        self,
        pieces: Sequence[tuple[Piece, Settings]],
        folder: Path,
        formats: Sequence[str],
        prefix: str,
    ) -> list[Path]:
        """Write `prefix-001.mid` and so on, but ABC as one tune book, `prefix.abc`.

        Args:
            pieces: each with its settings; those of the sound are the same in all.
            folder: made if it is missing.
            formats: suffixes, with or without the dot.
            prefix: how the files' names begin.

        Raises:
            UserError: if a format is none of mid, midi, abc, musicxml, xml, wav, ogg, svg, png, a
                piece cannot be rendered, or a file cannot be written; then none is.
        """
        digits = max(3, len(str(len(pieces))))
        suffixes = dict.fromkeys("." + name.lower().lstrip(".") for name in formats)
        contents = {suffix: self._rendered(suffix, pieces) for suffix in suffixes}

        def path(suffix: str, number: int) -> Path:
            place = "" if suffix == ".abc" else f"-{number:0{digits}d}"
            return folder / f"{prefix}{place}{suffix}"

        return write_together(
            (path(suffix, number), content)
            for suffix, files in contents.items()
            for number, content in enumerate(files, start=1)
        )

    def _rendered(
        self, suffix: str, pieces: Sequence[tuple[Piece, Settings]]
    ) -> Iterable[bytes | str]:
        """The content of each file; of large ones, one after the other."""
        match suffix:
            case ".abc":
                book = (self.abc(*piece, number) for number, piece in enumerate(pieces, start=1))
                return [abc_file(book)]
            case ".mid" | ".midi":
                return [self.midi(*piece) for piece in pieces]
            case ".musicxml" | ".xml":
                return [self.musicxml(*piece) for piece in pieces]
            case ".wav" | ".ogg":
                sound = pieces[0][1].sound if pieces else SoundSettings()
                encode = wav_of if suffix == ".wav" else ogg_of
                return encode([self.tones(*piece) for piece in pieces], sound)
            case ".svg" | ".png":
                scores = svg_of([self.musicxml(*piece) for piece in pieces])
                return scores if suffix == ".svg" else map(png_of, scores)
        raise UserError(
            f"cannot write {self.what} as {suffix or 'a file without a suffix'}; use one of .mid, "
            ".midi, .abc, .musicxml, .xml, .wav, .ogg, .svg, .png"
        )


def scores_in_report(gallery: Gallery, write: Callable[[Drawn, Path], list[Path]]) -> list[str]:
    """Write scores of the first pieces of each policy; gives paragraphs of Markdown with them.

    Args:
        gallery: of the policies.
        write: writes pieces as SVG files into a folder.
    """
    paragraphs = []
    for policy, drawn in gallery.samples.items():
        folder = gallery.folder / f"scores-{policy}"
        paths = write(replace(drawn, sequences=drawn.sequences[:SHOWN]), folder)
        label = method_style(policy).label
        paragraphs.append(f"**{label}**, the first {len(paths)}\n")
        paragraphs += [
            f"![{label}, {path.stem}]({gallery.folder.name}/{folder.name}/{path.name})\n"
            for path in paths
        ]
    return paragraphs
