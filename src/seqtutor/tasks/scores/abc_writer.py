"""Scores as ABC, http://abcnotation.com/wiki/abc:standard:v2.1."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from seqtutor.tasks.scores.notation import (
    ACCIDENTAL_SIGNS,
    Accidentals,
    Bar,
    Score,
    SpelledPitch,
    spell,
    spell_tonic,
    tempo_mark,
)
from seqtutor.tasks.scores.values import beam_places

_BARS_PER_LINE = 4
_MODES = {
    "major": "",
    "minor": "m",
    "lydian": "lyd",
    "mixolydian": "mix",
    "dorian": "dor",
    "phrygian": "phr",
    "locrian": "loc",
}
_ACCIDENTALS = {-2: "__", -1: "_", 0: "=", 1: "^", 2: "^^"}


def abc_tune(score: Score, number: int, unit: Fraction, width: int | None = None) -> str:
    """A tune, up to four bars a line.

    Args:
        score: its chord symbols must begin with a symbol of their bar.
        number: its X: field.
        unit: quarters of the unit in which lengths are counted.
        width: largest number of characters of a line of several bars.
    """
    letter, alteration = spell_tonic(score.key)
    beats, beat_type = score.meter
    # In ABC a per cent sign begins a comment.
    title = " ".join(score.title.split()).replace("%", r"\%")
    beat, tempo = tempo_mark(score)
    lines = [
        f"X:{number}",
        f"T:{title}",
        f"M:{beats}/{beat_type}",
        f"L:{unit / 4}",
        f"Q:{beat / 4}={tempo}",
        f"K:{letter}{ACCIDENTAL_SIGNS[alteration]}{_MODES[score.key.mode]}",
    ]
    bars = [_bar(bar, score, unit) for bar in score.bars]
    lines += [" | ".join(row) + " |" for row in _rows(bars, width)]
    return "\n".join(lines) + ("]\n" if bars else "\n")


def abc_file(tunes: Iterable[str]) -> str:
    """Join tunes to the text of an ABC file.

    The first line names the version of the standard: since 2.0 an accidental holds to the end of
    its bar, and some readers need to be told.
    """
    return "\n".join(["%abc-2.1\n", *tunes])


def _rows(bars: Sequence[str], width: int | None) -> list[list[str]]:
    """Bars by line, fewer than usual where they would exceed the width."""
    rows: list[list[str]] = []
    for bar in bars:
        is_full = not rows or len(rows[-1]) == _BARS_PER_LINE
        if is_full or (width and len(" | ".join([*rows[-1], bar]) + " |]") > width):
            rows.append([])
        rows[-1].append(bar)
    return rows


def _bar(bar: Bar, score: Score, unit: Fraction) -> str:
    accidentals = Accidentals(score.key)
    chords = {chord.start: chord.text for chord in bar.chords}
    text, beam = "", Fraction(-1)
    places = iter(beam_places(bar.symbols, score.meter, score.offset(bar)))
    for group in bar.groups:
        tuplet = "" if group.tuplet is None else _tuplet(*group.tuplet, len(group.symbols))
        for symbol in group.symbols:
            # Notes without a space between them are beamed together.
            own_beam = next(places)
            if text and own_beam != beam:
                text += " "
            beam = own_beam
            text += tuplet
            tuplet = ""
            if symbol.start in chords:
                text += f'"{chords[symbol.start]}"'
            if symbol.pitch is None:
                text += "z"
            else:
                spelled = spell(symbol.pitch, score.key)
                # Unlike on paper, the accidental is repeated after a tie over the bar line: readers
                # of ABC do not agree whether the tie carries it.
                sign = _ACCIDENTALS[spelled.alteration]
                text += (sign if accidentals.needed(spelled) else "") + _pitch(spelled)
            length = symbol.duration / unit
            text += ("" if length == 1 else str(length)) + ("-" if symbol.tied_to else "")
    return text


def _tuplet(count: int, in_time_of: int, notes: int) -> str:
    return "(3 " if (count, notes) == (3, 3) else f"({count}:{in_time_of}:{notes} "


def _pitch(pitch: SpelledPitch) -> str:
    """A pitch without its accidental."""
    if pitch.octave >= 5:
        return pitch.letter.lower() + "'" * (pitch.octave - 5)
    return pitch.letter + "," * (4 - pitch.octave)
