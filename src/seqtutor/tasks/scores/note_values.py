"""Note values for notes of any length: those that show the metre, ties and tuplets."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

from seqtutor.tasks.scores.notation import Group, Meter, Symbol, is_binary, odd_part
from seqtutor.tasks.scores.values import pieces_of

_DOTTED = (7, 3, 1)
"""What the numerators of lengths are that a note value has: twice dotted, dotted, plain."""
_IN_TIME_OF = {3: 2, 5: 4, 7: 4, 9: 8}
"""How many notes' time the notes of a tuplet take."""


def note_values(
    notes: Sequence[Symbol], meter: Meter, offset: Fraction = Fraction(0)
) -> list[Group]:
    """The notes of a bar in groups, one for each tuplet and for what is between tuplets.

    A tuplet lasts until notes begin on the binary grid again. Notes that leave the grid or reach it
    are cut where a beat begins, if they are longer than one. A length that no tuplet of up to nine
    explains stays as it is.

    Args:
        notes: of the bar.
        meter: which lengths outside tuplets show.
        offset: quarters that are missing before the first note of an upbeat; if they are no place
            on the binary grid, the notes are cut as at the beginning of a bar.
    """
    if not is_binary(offset):
        offset = Fraction(0)
    groups: list[Group] = []
    run: list[Symbol] = []
    for piece in (piece for note in notes for piece in _cut_at_beats(note)):
        run.append(piece)
        if is_binary(piece.start + piece.duration):
            groups.append(_group(run, meter, offset))
            run = []
    if run:
        groups.append(_group(run, meter, offset))
    return _joined(groups)


def _cut_at_beats(note: Symbol) -> Iterator[Symbol]:
    """A note longer than a beat apart from what of it lies off the binary grid."""
    end = note.start + note.duration
    cuts = set()
    if note.duration > 1 and not is_binary(note.start):
        cuts.add(Fraction(math.ceil(note.start)))
    if note.duration > 1 and not is_binary(end):
        cuts.add(Fraction(math.floor(end)))
    edges = [note.start, *sorted(cut for cut in cuts if note.start < cut < end), end]
    yield from _tied(note, [later - sooner for sooner, later in pairwise(edges)])


def _tied(note: Symbol, durations: Sequence[Fraction]) -> Iterator[Symbol]:
    """The note as several of these durations, tied unless it is a rest."""
    sounds = note.pitch is not None
    start = note.start
    for index, duration in enumerate(durations):
        is_last = index == len(durations) - 1
        yield replace(
            note,
            start=start,
            duration=duration,
            tied_from=note.tied_from if index == 0 else sounds,
            tied_to=note.tied_to if is_last else sounds,
        )
        start += duration


def _group(run: Sequence[Symbol], meter: Meter, offset: Fraction) -> Group:
    """Notes from one place on the binary grid to the next."""
    odd = math.lcm(*(odd_part(note.duration.denominator) for note in run))
    if odd == 1:
        return Group(tuple(piece for note in run for piece in _in_meter(note, meter, offset)))
    if odd not in _IN_TIME_OF:
        return Group(tuple(run))
    tuplet = (odd, _IN_TIME_OF[odd])
    return Group(tuple(_representable(run, Fraction(*tuplet))), tuplet)


def _in_meter(note: Symbol, meter: Meter, offset: Fraction) -> Iterator[Symbol]:
    """A note as note values tied together that show the metre."""
    start = offset + note.start
    pieces = pieces_of(start, start + note.duration, meter, rests=note.pitch is None)
    return _tied(note, [duration for _, duration in pieces])


def _representable(run: Sequence[Symbol], stretch: Fraction) -> Iterator[Symbol]:
    """The notes with their lengths stretched, each as note values tied together."""
    for note in run:
        for piece in _tied(note, list(_parts(note.duration * stretch))):
            yield replace(piece, start=note.start + (piece.start - note.start) / stretch)


def _parts(duration: Fraction) -> Iterator[Fraction]:
    """Note values that add up to a duration, the largest that fits first.

    The duration's denominator must be a power of two.
    """
    unit = Fraction(1, duration.denominator)
    left = duration.numerator
    while left:
        largest = max(
            numerator << shift
            for numerator in _DOTTED
            if (shift := (left // numerator).bit_length() - 1) >= 0
        )
        yield largest * unit
        left -= largest


def _joined(groups: Sequence[Group]) -> list[Group]:
    """Neighbouring groups without a tuplet as one."""
    joined: list[Group] = []
    for group in groups:
        if joined and joined[-1].tuplet is None and group.tuplet is None:
            joined[-1] = Group((*joined[-1].symbols, *group.symbols))
        else:
            joined.append(group)
    return joined
