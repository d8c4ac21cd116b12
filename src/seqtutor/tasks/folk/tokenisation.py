"""What a tokenisation of lead sheets is, and what all of them share."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Protocol, TypeVar

from seqtutor.tasks.scores.lead_sheet import ZERO, Chord, LeadSheet, MelodyNote

LONGEST_REST = Fraction(4)
"""A longer rest is written as several, so that a long silence needs no token of its own."""
CENTRE = 71
"""Where a tune's mean pitch should lie once it is in the common key: B4, as in fiddle tunes."""

# Weights of a token's features: a rest never stands in for a note while there is another way, and a
# wrong duration, which shifts everything after it, is worse than a wrong pitch.
STATUS_WEIGHT = 1000.0
DURATION_WEIGHT = 100.0
PITCH_CLASS_WEIGHT = 2.0
REGISTER_WEIGHT = 0.1

Token = TypeVar("Token", bound=Hashable)
Event = TypeVar("Event", MelodyNote, Chord)
Span = tuple[Fraction, Fraction]
"""Onset and duration, in quarters."""


class Tokenisation(Protocol[Token]):
    """A way to write lead sheets as sequences of tokens.

    `decode(encode(sheet))` has the music of `prepare(sheet)`, and `encode(decode(tokens))` gives
    the tokens back for all that `encode` writes. `decode` makes sense of any other sequence too,
    since a model may write one. `parse(str(token))` is the token.
    """

    @property
    def name(self) -> str:
        """How it is chosen on the command line."""

    def prepare(self, sheet: LeadSheet) -> LeadSheet:
        """What of a lead sheet the tokens represent: the sheet itself, or transposed."""

    def encode(self, sheet: LeadSheet) -> tuple[Token, ...]:
        """Write a lead sheet, prepared or not."""

    def decode(self, tokens: Sequence[Token]) -> LeadSheet:
        """Read any sequence of tokens."""

    def spans(self, tokens: Sequence[Token]) -> list[Span | None]:
        """What `decode` makes of each token, as onset and duration; `None` if it takes no time."""

    def melody(self, token: Token) -> int | str | None:
        """The pitch of the note that a token begins, or "rest" or "hold"; `None` of a chord."""

    def parse(self, text: str) -> Token:
        """Read one token's name.

        Raises:
            UserError: if it is not a name that this tokenisation writes.
        """

    def features(self, token: Token) -> tuple[float, ...]:
        """Coordinates of a token; the distance of two is the sum of their absolute differences."""


def spans_between(times: Sequence[Fraction]) -> list[Span | None]:
    """The spans of tokens that begin at these times; the last time is the end of the last one."""
    return [(one, then - one) if then > one else None for one, then in pairwise(times)]


def with_rests(
    events: Sequence[Event], length: Fraction
) -> Iterator[tuple[Fraction, Fraction, Event | None]]:
    """Events and rests (`None`) as (onset, duration, event), without a gap from 0 to `length`.

    Of a long rest the first pieces are `LONGEST_REST` long.
    """
    time = ZERO
    for event in events:
        for onset, duration in rest_pieces(time, event.onset):
            yield onset, duration, None
        yield event.onset, event.duration, event
        time = event.end
    for onset, duration in rest_pieces(time, length):
        yield onset, duration, None


def rest_pieces(start: Fraction, end: Fraction) -> Iterator[tuple[Fraction, Fraction]]:
    """A stretch of silence as (onset, duration) of the rests that are written for it."""
    while start < end:
        duration = min(LONGEST_REST, end - start)
        yield start, duration
        start += duration


def to_one_key(sheet: LeadSheet) -> LeadSheet:
    """Transpose to the signature without sharps and flats, in the octave that suits best.

    Major tunes go to C, minor ones to A, the other modes to where their signature is empty. Of the
    octaves that MIDI has room for, the one whose mean pitch, weighted by duration, is nearest to
    `CENTRE` is taken.
    """
    smallest = -sheet.key.relative_major
    if not sheet.notes:
        return sheet.transposed((smallest + 6) % 12 - 6)
    pitches = [note.pitch for note in sheet.notes]
    weight = math.fsum(float(note.duration) for note in sheet.notes)
    # Rounded, so that a tie stays a tie and a tune that has been transposed stays where it is.
    mean = round(math.fsum(float(n.duration) * n.pitch for n in sheet.notes) / weight, 6)
    fitting = [
        shift
        for shift in range(smallest - 132, 133, 12)
        if min(pitches) + shift >= 0 and max(pitches) + shift <= 127
    ]
    # A melody that leaves no octave free within MIDI's range stays where it is.
    shift = min(fitting, key=lambda s: (abs(mean + s - CENTRE), s), default=0)
    return sheet.transposed(shift)
