"""Lead sheets as interleaved tokens: notes, rests and chords one after the other, in one key.

Notes, rests and holds take time; chords take none and sound until the next chord token. Every tune
is first brought to C major or A minor. The tokens:

- `note 72 1/2`: a note of MIDI pitch 72 and half a quarter begins;
- `rest 1/2`: the melody rests for half a quarter, at most four quarters at once;
- `hold 1/2`: the note before goes on; written only after a chord that changes during a note;
- `chord 48.52.55`: a chord of these MIDI pitches begins, or is struck again;
- `no-chord`: the harmony rests from here on; not written before the first chord.

A joint token needs a type for every pair of a melody event and a chord event, these one for each,
so the vocabulary is far smaller and the sequences are about a quarter longer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from typing import Literal

from seqtutor.errors import UserError
from seqtutor.tasks.folk.joint import chord_features, part_features
from seqtutor.tasks.folk.tokenisation import (
    STATUS_WEIGHT,
    Span,
    rest_pieces,
    spans_between,
    to_one_key,
)
from seqtutor.tasks.folk.voice import Voice
from seqtutor.tasks.scores.lead_sheet import C_MAJOR, ZERO, Chord, LeadSheet, MelodyNote

Kind = Literal["note", "rest", "hold", "chord", "no-chord"]
KINDS: tuple[Kind, ...] = ("note", "rest", "hold", "chord", "no-chord")


@dataclass(frozen=True, slots=True)
class InterleavedToken:
    """One event; `pitches` is the note's pitch or the chord's pitches, `duration` 0 for chords."""

    kind: Kind
    duration: Fraction = ZERO
    pitches: tuple[int, ...] = ()

    def __str__(self) -> str:
        words: list[str] = [self.kind]
        if self.pitches:
            words.append(".".join(map(str, self.pitches)))
        if self.duration:
            words.append(str(self.duration))
        return " ".join(words)


@dataclass(frozen=True)
class InterleavedTokenisation:
    """Melody and chord events as tokens of their own."""

    @property
    def name(self) -> str:
        """`interleaved`."""
        return "interleaved"

    def prepare(self, sheet: LeadSheet) -> LeadSheet:
        """The lead sheet in the common key."""
        return to_one_key(sheet)

    def encode(self, sheet: LeadSheet) -> tuple[InterleavedToken, ...]:
        """Write a lead sheet."""
        sheet = self.prepare(sheet)
        changes = dict(_changes(sheet.chords, sheet.length))
        cuts = sorted(changes)
        tokens: list[InterleavedToken] = []
        place = 0
        for start, end, note in _spans(sheet.notes, sheet.length):
            time = start
            while time < end:
                if place < len(cuts) and cuts[place] == time:
                    tokens.append(changes[time])
                    place += 1
                stop = min(end, cuts[place]) if place < len(cuts) else end
                if note is None:
                    tokens += [InterleavedToken("rest", d) for _, d in rest_pieces(time, stop)]
                elif time == start:
                    tokens.append(InterleavedToken("note", stop - time, (note.pitch,)))
                else:
                    tokens.append(InterleavedToken("hold", stop - time))
                time = stop
        return tuple(tokens)

    def decode(self, tokens: Sequence[InterleavedToken]) -> LeadSheet:
        """Read tokens, any at all.

        A hold with nothing to go on from is silence. Of two chords at one moment the later counts.
        """
        melody: Voice[int] = Voice()
        struck: list[tuple[Fraction, tuple[int, ...]]] = []
        for token in tokens:
            time = melody.end
            if token.kind in ("chord", "no-chord"):
                if struck and struck[-1][0] == time:
                    struck.pop()
                struck.append((time, token.pitches))
            elif token.kind == "hold":
                melody.prolong(time, token.duration)
            else:
                melody.begin(time, token.duration, token.pitches[0] if token.pitches else None)
        ends = [*(onset for onset, _ in struck), melody.end][1:]
        chords = (
            Chord(onset, end - onset, pitches)
            for (onset, pitches), end in zip(struck, ends, strict=True)
            if pitches and end > onset
        )
        notes = (MelodyNote(*event) for event in melody.events())
        return LeadSheet(tuple(notes), tuple(chords), melody.end, C_MAJOR)

    def spans(self, tokens: Sequence[InterleavedToken]) -> list[Span | None]:
        """Notes, rests and holds last; chords take no time."""
        return spans_between([ZERO, *accumulate(token.duration for token in tokens)])

    def melody(self, token: InterleavedToken) -> int | str | None:
        """What a token writes in the melody."""
        if token.kind == "note":
            return token.pitches[0]
        return token.kind if token.duration else None

    def parse(self, text: str) -> InterleavedToken:
        """Read what `str` of a token writes.

        Raises:
            UserError: if it is not the name of an interleaved token.
        """
        kind, *words = text.split(" ")
        try:
            if kind not in KINDS:
                raise ValueError(kind)
            timed = kind in ("note", "rest", "hold")
            duration = Fraction(words.pop()) if timed else ZERO
            pitched = kind in ("note", "chord")
            pitches = tuple(map(int, words.pop().split("."))) if pitched else ()
            in_range = all(0 <= pitch <= 127 for pitch in pitches)
            if words or (timed and duration <= 0) or not in_range:
                raise ValueError(text)
        except (ValueError, IndexError, ZeroDivisionError):
            raise UserError(f"{text!r} is not a token of the {self.name} tokenisation") from None
        return InterleavedToken(kind, duration, pitches)

    def features(self, token: InterleavedToken) -> tuple[float, ...]:
        """What distances between tokens are measured by.

        The kind (weight 1000), the binary logarithm of the duration (100), a note's pitch in
        semitones, a chord's pitch classes (2) and its lowest note in semitones (0.1).
        """
        is_chord = token.kind == "chord"
        return (
            *(STATUS_WEIGHT * (token.kind == kind) for kind in KINDS),
            *part_features(token.duration, bool(token.pitches)),
            float(token.pitches[0]) if token.kind == "note" else 0.0,
            *chord_features(token.pitches if is_chord else ()),
        )


def _spans(
    notes: Sequence[MelodyNote], length: Fraction
) -> Iterator[tuple[Fraction, Fraction, MelodyNote | None]]:
    """Start and end of every note and of the silences between them."""
    time = ZERO
    for note in notes:
        if note.onset > time:
            yield time, note.onset, None
        yield note.onset, note.end, note
        time = note.end
    if time < length:
        yield time, length, None


def _changes(
    chords: Sequence[Chord], length: Fraction
) -> Iterator[tuple[Fraction, InterleavedToken]]:
    """When the harmony changes, and to what."""
    following = [*(chord.onset for chord in chords[1:]), length]
    for chord, onset in zip(chords, following, strict=False):
        yield chord.onset, InterleavedToken("chord", ZERO, chord.pitches)
        if chord.end < onset:
            yield chord.end, InterleavedToken("no-chord")
