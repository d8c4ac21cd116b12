"""Bring every tune to the same key signature and into the range of the tokens.

A tune is moved by its key signature to the white keys: major tunes to C, minor ones to A, Dorian
ones to D, Mixolydian ones to G and so on. The alternative, the tonic always on C, would put the
third, sixth and seventh of a minor or modal tune on black keys, and the rules for the key of
C major would then call its own scale wrong.
"""

from __future__ import annotations

from seqtutor.tasks.melody.encoding import HIGHEST_PITCH, LOWEST_PITCH
from seqtutor.tasks.melody.tune import Tune

CENTRE = (LOWEST_PITCH + HIGHEST_PITCH) / 2
"""Where a tune's mean pitch should lie: the middle of the range, MIDI 65.5."""


def mean_pitch(tune: Tune) -> float:
    """The mean MIDI pitch, each note weighted by its duration."""
    total = sum(note.duration for note in tune.notes)
    return sum(note.duration * note.pitch for note in tune.notes) / total


def to_white_keys(tune: Tune, centre: float = CENTRE) -> Tune | None:
    """Transpose a tune to the signature without sharps and flats, in the best octave.

    Of the octaves in which the whole tune lies within the tokens' range, the one whose mean pitch
    is nearest to `centre` is taken. Returns `None` if the tune fits in no octave.
    """
    pitches = [note.pitch for note in tune.notes]
    low, high, mean = min(pitches), max(pitches), mean_pitch(tune)
    smallest = -tune.key.relative_major
    first = smallest + 12 * -((low + smallest - LOWEST_PITCH) // 12)
    shifts = range(first, HIGHEST_PITCH - high + 1, 12)
    if not shifts:
        return None
    return tune.transposed(min(shifts, key=lambda shift: (abs(mean + shift - centre), shift)))
