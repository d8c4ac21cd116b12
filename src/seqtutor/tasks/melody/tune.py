"""A tune: a melody on the grid of sixteenths with its key, metre and bar lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from seqtutor.tasks.melody.encoding import HIGHEST_PITCH, LOWEST_PITCH, Note
from seqtutor.tasks.scores.keys import Key
from seqtutor.tasks.scores.parts import Parts

CENTRE = (LOWEST_PITCH + HIGHEST_PITCH) / 2
"""Where a tune's mean pitch should lie: the middle of the range, MIDI 65.5."""


@dataclass(frozen=True)
class Tune:
    """One voice of a piece, from its first sixteenth to its last.

    Attributes:
        title: the piece's name, may be empty.
        source: the file (or book) it comes from.
        index: its place in that file; for ABC, its position among the file's tunes, from 0.
        notes: in order of time, never overlapping; the gaps between them are rests.
        length: in sixteenths, rests at the end included.
        key: tonic and mode.
        meter: numerator and denominator, or `None` for free metre.
        downbeats: where the bars begin, in sixteenths, ascending. A pickup is what lies before the
            first of them. They come from the bar lines of the source, so that a tune with an
            irregular bar or a pickup in the middle still has its bars in the right places.
        parts: those of the file, of which one was read.
    """

    title: str
    source: str
    index: int
    notes: tuple[Note, ...]
    length: int
    key: Key
    meter: tuple[int, int] | None
    downbeats: tuple[int, ...]
    parts: Parts = field(default_factory=Parts, compare=False)

    @property
    def pickup(self) -> int:
        """The length of the upbeat before the first full bar, in sixteenths."""
        return self.downbeats[0] if self.downbeats else 0

    @property
    def bar_length(self) -> int | None:
        """The length of a full bar in sixteenths, or `None` for free metre."""
        if self.meter is None:
            return None
        numerator, denominator = self.meter
        return max(1, numerator * 16 // denominator)

    def beginning(self, bars: int) -> Tune:
        """The upbeat and the first bars; the whole tune if it has no more."""
        if bars >= len(self.downbeats):
            return self
        end = self.downbeats[bars]
        notes = tuple(
            replace(note, duration=min(note.duration, end - note.onset))
            for note in self.notes
            if note.onset < end
        )
        return replace(self, notes=notes, length=end, downbeats=self.downbeats[:bars])

    def transposed(self, semitones: int) -> Tune:
        """Shift every note, and the key with them."""
        notes = tuple(
            Note(note.onset, note.duration, note.pitch + semitones) for note in self.notes
        )
        return replace(self, notes=notes, key=self.key.transposed(semitones))


def downbeats_from(given: Sequence[int], length: int, bar_length: int) -> tuple[int, ...]:
    """Where bars begin: the given ones, then bars of equal length, all in sixteenths.

    Args:
        given: the first downbeats, ascending, one at least.
        length: of the melody.
        bar_length: from the last of them on.
    """
    every = (*given, *range(given[-1] + bar_length, length, bar_length))
    return tuple(downbeat for downbeat in every if downbeat < length)


def mean_pitch(tune: Tune) -> float:
    """The mean MIDI pitch, each note weighted by its duration."""
    total = sum(note.duration for note in tune.notes)
    return sum(note.duration * note.pitch for note in tune.notes) / total


def to_white_keys(tune: Tune) -> Tune | None:
    """Transpose a tune to the signature without sharps and flats, in the best octave.

    Major tunes go to C, minor ones to A, Dorian ones to D and so on. With the tonic always on C,
    the third, sixth and seventh of a minor or modal tune would lie on black keys, and the rules for
    the key of C major would call its own scale wrong. Of the octaves in which the whole tune lies
    within the tokens' range, the one whose mean pitch is nearest to `CENTRE` is taken. Returns
    `None` if the tune fits in no octave.
    """
    pitches = [note.pitch for note in tune.notes]
    low, high, mean = min(pitches), max(pitches), mean_pitch(tune)
    smallest = -tune.key.relative_major
    first = smallest + 12 * -((low + smallest - LOWEST_PITCH) // 12)
    shifts = range(first, HIGHEST_PITCH - high + 1, 12)
    if not shifts:
        return None
    return tune.transposed(min(shifts, key=lambda shift: (abs(mean + shift - CENTRE), shift)))
