"""Melodies on a page: sound, score, piano roll, and what each note earned by which rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
from jaxtyping import Float, Int

from seqtutor.errors import UserError
from seqtutor.exhibits import LISTED, Exhibit, Exhibition, Fact, Listed, Shown
from seqtutor.tasks.melody.encoding import (
    HIGHEST_PITCH,
    HOLD,
    LOWEST_PITCH,
    LOWEST_PITCH_TOKEN,
    NOTE_OFF,
    REST,
    STEPS_PER_QUARTER,
    Note,
    names_for,
    symbols_of_tokens,
    tokens_to_notes,
)
from seqtutor.tasks.melody.marks import Bars, marks_of
from seqtutor.tasks.melody.render import (
    RenderSettings,
    render_abc,
    render_midi,
    render_score,
    tones_of,
)
from seqtutor.tasks.melody.training_melodies import training_melodies
from seqtutor.tasks.scores.abc_writer import abc_file
from seqtutor.tasks.scores.chances import Chances, key_of_shading
from seqtutor.tasks.scores.copies import Nearest
from seqtutor.tasks.scores.exhibiting import Piece, with_media
from seqtutor.tasks.scores.notation import beat_length
from seqtutor.tasks.scores.note_statistics import note_distributions
from seqtutor.tasks.scores.piano_roll import RollNote, piano_roll

NOTES = ("Notes are blue where they earned something and orange where they lost something.",)
SHADED = (
    "Behind the notes of a piano roll is shaded what else the policy might have written at each "
    "sixteenth, after what it had written before: every note, and below them a hold of what "
    "sounds and a rest."
)


def exhibition(policies: Mapping[str, Shown], settings: RenderSettings) -> Exhibition:
    """All that a page shows of melodies, written and heard by these settings."""
    transposition = settings.transposition
    names = np.array(names_for(settings.key, transposition))
    melodies = {
        name: [tokens_to_notes(row, transposition) for row in shown.drawn.sequences.tokens]
        for name, shown in policies.items()
    }
    voices = {
        name: [[(Fraction(n.duration, STEPS_PER_QUARTER), n.pitch) for n in own] for own in each]
        for name, each in melodies.items()
    }
    pieces = {name: _pieces(shown, settings) for name, shown in policies.items()}
    is_shaded = any(shown.probabilities is not None for shown in policies.values())
    exhibits, problems = with_media(pieces, settings.sound)
    return Exhibition(
        exhibits,
        {
            name: [
                Listed(" ".join(names[tokens]), _facts(notes))
                for tokens, notes in zip(
                    shown.drawn.sequences.tokens[:LISTED], melodies[name][:LISTED], strict=True
                )
            ]
            for name, shown in policies.items()
        },
        note_distributions(voices),
        [*NOTES, *([SHADED] if is_shaded else []), *problems],
        keys=[key_of_shading()] if is_shaded else [],
    )


def _pieces(shown: Shown, settings: RenderSettings) -> list[Piece]:
    """The chosen melodies of a policy."""
    tokens = shown.drawn.sequences.tokens[shown.chosen]
    found = None if shown.probabilities is None else shown.probabilities()
    return [
        _piece(
            row,
            {name: term[place] for name, term in shown.terms.items()},
            replace(settings, title=title),
            None if found is None else found[place],
        )
        for place, (row, title) in enumerate(zip(tokens, shown.file_titles, strict=True))
    ]


def _piece(
    tokens: Int[np.ndarray, " time"],
    terms: Mapping[str, np.ndarray],
    settings: RenderSettings,
    probabilities: Float[np.ndarray, "time vocab"] | None,
) -> Piece:
    notes = tokens_to_notes(tokens, settings.transposition)
    meter = settings.meter
    bars = Bars.regular(meter.signature, len(tokens), settings.pickup)
    marks = list(marks_of(notes, len(tokens), terms, settings.key, bars))
    if probabilities is not None:
        marks = [
            mark.with_probability(float(probabilities[mark.first, tokens[mark.first]]))
            for mark in marks
        ]
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
        upbeat=settings.pickup / STEPS_PER_QUARTER,
        chances=_chances(probabilities, settings.transposition),
        key=settings.key,
    )
    score = render_score(tokens, settings)
    exhibit = Exhibit(
        " ".join(mark.label for mark in marks),
        [roll],
        marks=marks,
        facts=_facts(notes) | _nearest(tokens),
        files={
            "mid": render_midi(tokens, settings),
            "abc": abc_file([render_abc(tokens, settings)]).encode("utf-8"),
        },
    )
    return Piece(exhibit, score, tones_of(tokens, settings), of_notes)


def _chances(
    probabilities: Float[np.ndarray, "time vocab"] | None, transposition: int
) -> Chances | None:
    """What a policy might have written at each sixteenth, as pitches that are heard."""
    if probabilities is None:
        return None
    step = 1 / STEPS_PER_QUARTER
    return Chances(
        [(place * step, step) for place in range(len(probabilities))],
        range(LOWEST_PITCH + transposition, HIGHEST_PITCH + transposition + 1),
        probabilities[:, LOWEST_PITCH_TOKEN:],
        {"hold": probabilities[:, HOLD], REST: probabilities[:, NOTE_OFF]},
    )


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
