"""Melodies on a page: sound, score, piano roll, and what each note earned by which rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
from jaxtyping import Float, Int

from seqtutor.errors import UserError
from seqtutor.exhibits import (
    LISTED,
    Exhibition,
    Fact,
    Listed,
    Shown,
    with_probabilities,
)
from seqtutor.tasks.melody.encoding import (
    HIGHEST_PITCH,
    LOWEST_PITCH,
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
from seqtutor.tasks.scores.chances import Chances, chances_of
from seqtutor.tasks.scores.copies import Nearest
from seqtutor.tasks.scores.exhibiting import Piece, exhibition_of, piece_with
from seqtutor.tasks.scores.notation import beat_length
from seqtutor.tasks.scores.note_statistics import facts_of_pitches
from seqtutor.tasks.scores.piano_roll import RollNote, piano_roll

NOTES = ("Notes are blue where they earned something and orange where they lost something.",)


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
    listed = {
        name: [
            Listed(" ".join(names[tokens]), _facts(notes))
            for tokens, notes in zip(
                shown.drawn.sequences.tokens[:LISTED], melodies[name][:LISTED], strict=True
            )
        ]
        for name, shown in policies.items()
    }
    return exhibition_of(policies, pieces, listed, voices, settings.sound, NOTES)


def _pieces(shown: Shown, settings: RenderSettings) -> Iterator[Piece]:
    """The chosen melodies of a policy."""
    tokens = shown.drawn.sequences.tokens[shown.chosen]
    titles, found = shown.file_titles, shown.asked()
    for place, row in enumerate(tokens):
        terms = {name: term[place] for name, term in shown.terms.items()}
        yield _piece(row, terms, replace(settings, title=titles[place]), found[place])


def _piece(
    tokens: Int[np.ndarray, " time"],
    terms: Mapping[str, np.ndarray],
    settings: RenderSettings,
    probabilities: Float[np.ndarray, "time vocab"] | None,
) -> Piece:
    notes = tokens_to_notes(tokens, settings.transposition)
    meter = settings.meter
    bars = Bars.regular(meter.signature, len(tokens), settings.downbeats)
    own = list(marks_of(notes, len(tokens), terms, settings.key, bars))
    marks = with_probabilities(own, tokens, probabilities)
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
    return piece_with(
        marks,
        of_notes,
        roll,
        _facts(notes) | _nearest(tokens),
        midi=render_midi(tokens, settings),
        abc=render_abc(tokens, settings),
        musicxml=render_score(tokens, settings),
        tones=tones_of(tokens, settings),
    )


def _chances(
    probabilities: Float[np.ndarray, "time vocab"] | None, transposition: int
) -> Chances | None:
    """What a policy might have written at each sixteenth, as pitches that are heard."""
    if probabilities is None:
        return None
    step = 1 / STEPS_PER_QUARTER
    pitches = range(LOWEST_PITCH + transposition, HIGHEST_PITCH + transposition + 1)
    spans = [(place * step, step) for place in range(len(probabilities))]
    # Tokens 0 and 1 are a note-off and a hold.
    return chances_of(probabilities, spans, [REST, "hold", *pitches])


def _facts(notes: Sequence[Note]) -> dict[str, Fact]:
    return facts_of_pitches([note.pitch for note in notes])


def _nearest(tokens: Int[np.ndarray, " time"]) -> dict[str, Fact]:
    """The nearest melody of the training tunes; nothing where there is none to compare with."""
    try:
        found = training_melodies(len(tokens)).nearest(*symbols_of_tokens(tokens[None]))
    except UserError:
        return {}
    return {"nearest training tune": _described(found)}


def _described(found: Nearest) -> str:
    place = f"{found.place.title or 'without a title'}, bar {found.place.bar}"
    distance = f"a distance of {found.distance} at {found.symbols} notes and rests"
    return f"{place} ({found.place.source}): {distance}{', a copy' if found.is_copy else ''}"
