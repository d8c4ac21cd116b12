"""Melodies on a page: sound, score, piano roll, and what each note earned by which rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

import numpy as np
from jaxtyping import Int

from seqtutor.errors import UserError
from seqtutor.exhibits import LISTED, Exhibit, Exhibition, Fact, Listed, Mark, Shown
from seqtutor.tasks.melody.copies import Nearest
from seqtutor.tasks.melody.encoding import (
    STEPS_PER_QUARTER,
    Note,
    tokens_to_notes,
)
from seqtutor.tasks.melody.notation import Meter
from seqtutor.tasks.melody.render import RenderSettings, render_midi, render_score, tones_of
from seqtutor.tasks.melody.training_melodies import training_melodies
from seqtutor.tasks.scores.exhibiting import Piece, with_media
from seqtutor.tasks.scores.keys import Key, pitch_name
from seqtutor.tasks.scores.notation import beat_length
from seqtutor.tasks.scores.note_statistics import note_distributions
from seqtutor.tasks.scores.piano_roll import RollNote, piano_roll

NOTES = ("Notes are blue where they earned something and orange where they lost something.",)

_VALUES = {
    1: "a sixteenth",
    2: "an eighth",
    3: "a dotted eighth",
    4: "a quarter",
    6: "a dotted quarter",
    8: "a half note",
    12: "a dotted half note",
    16: "a whole note",
}
_INTERVALS = (
    "the same note again",
    "a minor second",
    "a major second",
    "a minor third",
    "a major third",
    "a fourth",
    "a tritone",
    "a fifth",
    "a minor sixth",
    "a major sixth",
    "a minor seventh",
    "a major seventh",
    "an octave",
)
_REASONS = {
    "penalize_repeating": "repeated too often",
    "penalize_autocorrelation": "too like what came 1 to 3 steps before",
    "motif": "completes a motif",
    "repeated_motif": "completes a motif heard before",
    "high_low_unique": "the highest or lowest note occurs once",
}


def exhibition(policies: Mapping[str, Shown], key: Key) -> Exhibition:
    """All that a page shows of melodies, which are written in a key."""
    settings = RenderSettings(key=key)
    melodies = {
        name: [tokens_to_notes(row) for row in shown.drawn.sequences.tokens]
        for name, shown in policies.items()
    }
    voices = {
        name: [[(Fraction(n.duration, STEPS_PER_QUARTER), n.pitch) for n in own] for own in each]
        for name, each in melodies.items()
    }
    pieces = {
        name: [
            _piece(shown.drawn.sequences.tokens[row], _terms_of(shown, place), settings)
            for place, row in enumerate(shown.chosen)
        ]
        for name, shown in policies.items()
    }
    exhibits, problems = with_media(pieces)
    return Exhibition(
        exhibits,
        {
            name: [
                Listed(text, _facts(notes))
                for text, notes in zip(
                    shown.drawn.texts()[:LISTED], melodies[name][:LISTED], strict=True
                )
            ]
            for name, shown in policies.items()
        },
        note_distributions(voices),
        [*NOTES, *problems],
    )


def _terms_of(shown: Shown, place: int) -> dict[str, np.ndarray]:
    return {name: term[place] for name, term in shown.terms.items()}


def _piece(
    tokens: Int[np.ndarray, " time"], terms: Mapping[str, np.ndarray], settings: RenderSettings
) -> Piece:
    notes = tokens_to_notes(tokens)
    marks = list(_marks(notes, len(tokens), terms, settings))
    meter = settings.meter
    quarter = Fraction(1, STEPS_PER_QUARTER)
    of_notes = [place for place, mark in enumerate(marks) if mark.label != _REST]
    roll = piano_roll(
        [
            RollNote(float(n.onset * quarter), float(n.duration * quarter), n.pitch, place)
            for n, place in zip(notes, of_notes, strict=True)
        ],
        float(len(tokens) * quarter),
        float(meter.bar_length * quarter),
        float(beat_length(meter.signature)),
        seconds=len(tokens) * 60 / settings.tempo / STEPS_PER_QUARTER,
    )
    score = render_score(tokens, settings)
    exhibit = Exhibit(
        " ".join(mark.label for mark in marks),
        [roll],
        marks=marks,
        facts=_facts(notes) | _nearest(tokens),
        files={"mid": render_midi(tokens, settings)},
    )
    return Piece(exhibit, score, tones_of(tokens, settings), of_notes)


def _facts(notes: Sequence[Note]) -> dict[str, Fact]:
    pitches = [note.pitch for note in notes]
    extent = max(pitches) - min(pitches) if pitches else 0
    return {"notes": len(notes), "range in semitones": extent}


def _nearest(tokens: Int[np.ndarray, " time"]) -> dict[str, Fact]:
    """The nearest melody of the training tunes; nothing where there is none to compare with."""
    try:
        found = training_melodies(len(tokens)).nearest(tokens)
    except UserError:
        return {}
    return {"nearest training tune": _described(found)}


def _described(found: Nearest) -> str:
    place = f"{found.place.title or 'without a title'}, bar {found.place.bar}"
    distance = f"a distance of {found.distance} at {found.symbols} notes and rests"
    return f"{place} ({found.place.source}): {distance}{', a copy' if found.is_copy else ''}"


_REST = "rest"


def _marks(
    notes: Sequence[Note], length: int, terms: Mapping[str, np.ndarray], settings: RenderSettings
) -> Iterator[Mark]:
    """The notes and rests in order, each with its reasons."""
    time, previous = 0, None
    for note in notes:
        if note.onset > time:
            yield _rest(time, note.onset, settings.meter)
        words = dict(_REASONS) | _words_of(note, previous, terms, length, settings.key)
        label = pitch_name(note.pitch)
        yield Mark(label, note.onset, note.end, _place(note.onset, note.end, settings.meter), words)
        time, previous = note.end, note
    if time < length:
        yield _rest(time, length, settings.meter)


def _rest(start: int, end: int, meter: Meter) -> Mark:
    words = {**_REASONS, "preferred_intervals": "the rest", "penalize_repeating": "too many rests"}
    return Mark(_REST, start, end, _place(start, end, meter), words)


def _place(start: int, end: int, meter: Meter) -> str:
    bar, step = divmod(start, meter.bar_length)
    value = _VALUES.get(end - start, f"{end - start} sixteenths")
    return f"{value} in bar {bar + 1}, beat {step / _beat(meter) + 1:g}"


def _beat(meter: Meter) -> int:
    """Sixteenths in a beat."""
    return int(STEPS_PER_QUARTER * beat_length(meter.signature))


def _words_of(
    note: Note, previous: Note | None, terms: Mapping[str, np.ndarray], length: int, key: Key
) -> dict[str, str]:
    """The reasons that depend on the note and the one before."""
    leap = terms.get("leap_up_back", np.zeros(length))[note.onset : note.end].sum()
    return {
        "key": f"not in {key}",
        "tonic": "begins with the tonic" if note.onset == 0 else "the tonic at the close",
        "preferred_intervals": _interval(note, previous),
        "leap_up_back": "resolves a leap" if leap > 0 else "a second leap in the same direction",
    }


def _interval(note: Note, previous: Note | None) -> str:
    held = "held" if note.duration > 1 else ""
    if previous is None:
        return held or "the first note"
    size = note.pitch - previous.pitch
    name = _INTERVALS[abs(size)] if abs(size) < len(_INTERVALS) else "more than an octave"
    direction = "" if size == 0 else " up" if size > 0 else " down"
    return ", ".join(filter(None, [name + direction, held]))
