"""Tunes that are made as notes once, with the order in which their sections are played."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from fractions import Fraction

from seqtutor.tasks.melody.encoding import Note
from seqtutor.tasks.scores.keys import MODES, Key, key_of_signature

METERS = ((4, 4), (3, 4), (2, 4), (6, 8), (2, 2), (9, 8))


@dataclass
class Written:
    """A note or rest; the length in sixteenths, as it sounds."""

    length: Fraction
    pitch: int | None
    tied: bool = False
    grace: bool = False
    tuplet: int = 0
    """Notes of the tuplet that begins here."""


@dataclass
class Bar:
    """A bar or an upbeat, with the signs around it."""

    notes: list[Written]
    meter: tuple[int, int]
    is_upbeat: bool = False
    forward: bool = False
    back: bool = False
    ending: int = 0
    ends_bracket: bool = False
    marks: tuple[str, ...] = ()
    """At the beginning "segno", "coda"; at the end "fine", "to coda", "D.C. al Fine" and so on."""
    fifths: int | None = None
    """Of a new key signature."""

    @property
    def length(self) -> Fraction:
        return sum((note.length for note in self.notes), Fraction(0))


@dataclass
class Piece:
    """Bars as written, and the order in which they are played."""

    fifths: int
    mode: str
    transposition: int
    """From what is written to what sounds."""
    bars: list[Bar] = field(default_factory=list)
    order: list[int] = field(default_factory=list)

    @property
    def key(self) -> Key:
        return key_of_signature(self.fifths, self.mode)

    @property
    def meter(self) -> tuple[int, int]:
        return self.bars[0].meter


def sixteenths(meter: tuple[int, int]) -> int:
    return 16 * meter[0] // meter[1]


def make(seed: int) -> Piece:
    """A piece of two to four sections, some of them repeated, perhaps with a jump back."""
    draw = random.Random(seed)
    piece = Piece(draw.randint(-4, 4), draw.choice(MODES), draw.choice((0, 0, -2, 3, -12)))
    meter = draw.choice(METERS)
    upbeat = draw.choice((0, 0, 2, 4, 3))
    form = draw.choice(("plain", "plain", "capo", "fine", "segno", "coda"))
    kinds = [draw.choice(("once", "twice", "back", "endings")) for _ in range(draw.randint(2, 4))]
    sections = []
    for number, kind in enumerate(kinds):
        if number and kind == "back":
            kind = "twice"  # without a beginning, a repeat depends on what stood before it
        if number and not upbeat and draw.random() < 0.2:
            meter = draw.choice(METERS)
        bars = draw.randint(2, 3)
        sections.append(_section(draw, piece, kind, meter, upbeat, bars, number > 0))
    _play(piece, sections, form)
    return piece


def make_phrases(seed: int) -> Piece:
    """A piece of two sections of eight bars in one key and metre, with upbeats of one length."""
    draw = random.Random(seed)
    piece = Piece(draw.randint(-4, 4), draw.choice(("major", "minor")), draw.choice((0, -2, 3)))
    meter, upbeat = draw.choice(METERS), draw.choice((0, 2, 4, 3))
    kinds = [draw.choice(("once", "twice", "endings")) for _ in range(2)]
    sections = [_section(draw, piece, kind, meter, upbeat, 8, False) for kind in kinds]
    for played, _ in sections:
        for place in (played[-1], played[len(played) // 2 - 1]):  # No note goes on in a section.
            piece.bars[place].notes[-1].tied = False
    _play(piece, sections, "plain")
    return piece


def _section(draw, piece, kind, meter, upbeat, bars, may_change_key):
    """Add a section's bars; gives the places as played, and as played after a jump."""
    start = len(piece.bars)
    if upbeat:
        piece.bars.append(Bar(_notes(draw, upbeat), meter, is_upbeat=True))
    for _ in range(bars - 1):
        piece.bars.append(Bar(_notes(draw, sixteenths(meter)), meter))
    last = sixteenths(meter) - upbeat
    endings = 2 if kind == "endings" else 1
    for number in range(1, endings + 1):
        bar = Bar(_notes(draw, last), meter)
        if endings == 2:
            bar.ending, bar.ends_bracket = number, True
        piece.bars.append(bar)
    places = list(range(start, len(piece.bars)))
    first = piece.bars[start]
    if may_change_key and draw.random() < 0.2:
        first.fifths = draw.randint(-4, 4)
    if kind == "once":
        return places, places
    first.forward = kind != "back"
    if kind == "endings":
        piece.bars[-2].back = True
        return places[:-1] + places[:-2] + places[-1:], places[:-2] + places[-1:]
    piece.bars[-1].back = True
    return places + places, places


def _play(piece, sections, form):
    order = [place for played, _ in sections for place in played]
    bars, again = piece.bars, [once for _, once in sections]
    last = len(bars) - 1
    if form == "capo":
        bars[last].marks += ("D.C.",)
        order += [place for once in again for place in once]
    elif form == "fine":
        bars[again[0][-1]].marks += ("fine",)
        bars[last].marks += ("D.C. al Fine",)
        order += again[0]
    elif form == "segno":
        bars[again[1][0]].marks += ("segno",)
        bars[last].marks += ("D.S.",)
        order += [place for once in again[1:] for place in once]
    elif form == "coda" and len(sections) > 2:
        bars[again[0][-1]].marks += ("to coda",)
        bars[again[-2][-1]].marks += ("D.C. al Coda",)
        bars[again[-1][0]].marks += ("coda",)
        order = [place for played, _ in sections[:-1] for place in played]
        order += again[0] + sections[-1][0]
    piece.order = order


def _notes(draw, length):
    """Notes that fill so many sixteenths; none is off the grid at its end but within pairs."""
    notes: list[Written] = []
    left = length
    while left:
        kind = draw.random()
        # Of two rests side by side, times alone cannot tell that they are two.
        may_rest = notes and notes[-1].pitch is not None
        pitch = draw.choice((None, *range(55, 77))) if may_rest else draw.randint(55, 76)
        if kind < 0.1:
            notes += [Written(Fraction(1, 2), draw.randint(55, 76)) for _ in range(2)]
            left -= 1
        elif kind < 0.2 and left >= 4:
            notes += [Written(Fraction(4, 3), draw.randint(55, 76)) for _ in range(3)]
            notes[-3].tuplet = 3
            left -= 4
        elif kind < 0.25 and left >= 2:
            notes += [Written(Fraction(2, 3), draw.randint(55, 76)) for _ in range(3)]
            notes[-3].tuplet = 3
            left -= 2
        else:
            size = min(left, draw.choice((1, 2, 2, 3, 4, 4, 6, 8)))
            grace = pitch is not None and draw.random() < 0.1
            notes.append(Written(Fraction(size), pitch, grace=grace))
            left -= size
    last = notes[-1]
    last.tied = last.pitch is not None and last.length >= 1 and draw.random() < 0.2
    return notes


def sounding(piece: Piece) -> list[tuple[Fraction, Fraction, int, bool]]:
    """Onset, end, pitch and grace of what is heard, ties resolved."""
    heard: list[tuple[Fraction, Fraction, int, bool]] = []
    time, tied = Fraction(0), False
    for place in piece.order:
        for note in piece.bars[place].notes:
            end = time + note.length
            if note.pitch is not None:
                if tied and heard[-1][2] == note.pitch:
                    heard[-1] = (heard[-1][0], end, note.pitch, heard[-1][3])
                else:
                    heard.append((time, end, note.pitch, note.grace))
            tied, time = note.tied and note.pitch is not None, end
    return heard


def expected_notes(piece: Piece) -> list[Note]:
    """The notes on the grid: nearest sixteenth, the longest of those that meet."""
    groups: dict[int, list[tuple[Fraction, Fraction, int, bool]]] = {}
    for heard in sounding(piece):
        groups.setdefault(_nearest(heard[0]), []).append(heard)
    notes = []
    for onset, group in groups.items():
        longest = max(group, key=lambda one: one[1] - one[0])
        end = max(_nearest(one[1]) for one in group)
        notes.append(Note(onset, max(1, end - onset), longest[2]))
    return notes


def expected_downbeats(piece: Piece) -> tuple[int, ...]:
    """Where the bars begin that are not upbeats."""
    starts, time = [], Fraction(0)
    for place in piece.order:
        bar = piece.bars[place]
        if not bar.is_upbeat:
            starts.append(int(time))
        time += bar.length
    return tuple(starts)


def _nearest(time: Fraction) -> int:
    return -int((Fraction(1, 2) - time) // 1)
