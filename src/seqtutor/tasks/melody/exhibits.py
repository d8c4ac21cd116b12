"""Melodies on a page: sound, score, piano roll, and what each note earned by which rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np
from jaxtyping import Int

from seqtutor.errors import UserError
from seqtutor.exhibits import LISTED, Exhibit, Exhibition, Fact, Listed, Shown
from seqtutor.tasks.melody.encoding import (
    STEPS_PER_QUARTER,
    Note,
    melody_vocabulary,
    symbols_of_tokens,
    tokens_to_notes,
)
from seqtutor.tasks.melody.marks import REST, Bars, marks_of
from seqtutor.tasks.melody.render import RenderSettings, render_midi, render_score, tones_of
from seqtutor.tasks.melody.training_melodies import training_melodies
from seqtutor.tasks.scores.copies import Nearest
from seqtutor.tasks.scores.exhibiting import Piece, with_media
from seqtutor.tasks.scores.notation import beat_length
from seqtutor.tasks.scores.note_statistics import note_distributions
from seqtutor.tasks.scores.piano_roll import RollNote, piano_roll

NOTES = ("Notes are blue where they earned something and orange where they lost something.",)


def exhibition(policies: Mapping[str, Shown], settings: RenderSettings) -> Exhibition:
    """All that a page shows of melodies, written and heard by these settings."""
    transposition = settings.transposition
    vocabulary = melody_vocabulary(transposition)
    melodies = {
        name: [tokens_to_notes(row, transposition) for row in shown.drawn.sequences.tokens]
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
    exhibits, problems = with_media(pieces, settings.sound)
    return Exhibition(
        exhibits,
        {
            name: [
                Listed(text, _facts(notes))
                for text, notes in zip(
                    vocabulary.texts(
                        shown.drawn.sequences.tokens[:LISTED], shown.drawn.sequences.mask[:LISTED]
                    ),
                    melodies[name][:LISTED],
                    strict=True,
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
    notes = tokens_to_notes(tokens, settings.transposition)
    meter = settings.meter
    bars = Bars.regular(meter.signature, len(tokens))
    marks = list(marks_of(notes, len(tokens), terms, settings.key, bars))
    quarter = Fraction(1, STEPS_PER_QUARTER)
    of_notes = [place for place, mark in enumerate(marks) if mark.label != REST]
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
        found = training_melodies(len(tokens)).nearest(symbols_of_tokens(tokens))
    except UserError:
        return {}
    return {"nearest training tune": _described(found)}


def _described(found: Nearest) -> str:
    place = f"{found.place.title or 'without a title'}, bar {found.place.bar}"
    distance = f"a distance of {found.distance} at {found.symbols} notes and rests"
    return f"{place} ({found.place.source}): {distance}{', a copy' if found.is_copy else ''}"
