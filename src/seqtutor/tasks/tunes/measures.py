"""Measures of tunes: the rules of form, openings, rhythm, and what no rule looks at."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from seqtutor.measure import Estimate, Estimates, Measure, MeasureGroup
from seqtutor.measures.diversity import commonest_beginning, distinct_estimate
from seqtutor.measures.estimates import mean_estimate, mean_share_estimate, share_estimate
from seqtutor.task_records import PriorRecord
from seqtutor.tasks.scores.copies import RealMelodies
from seqtutor.tasks.tunes.copies import strings_of, training_melodies
from seqtutor.tasks.tunes.layout import SLOTS, UNITS_PER_SLOT, Layout, lay_out
from seqtutor.tasks.tunes.layouts import in_parts, layouts_of
from seqtutor.tasks.tunes.priors import bars_of, source_of
from seqtutor.tasks.tunes.reward import rule_values
from seqtutor.tasks.tunes.rules.arrays import scale_steps
from seqtutor.tasks.tunes.rules.bars import faulty_bars
from seqtutor.tasks.tunes.tokens import TokenTable, table_of
from seqtutor.vocabulary import Vocabulary

FIRST_NOTES = 4
COMPARED = 10_000
"""Tunes at most that are compared with real ones, the first of those that are measured."""
_LEAP = 7

FORM = (
    Measure("whole", "Tunes with all bars whole", unit="share"),
    Measure("phrase_returns", "Bars 5 to 7 as bars 1 to 3", unit="share"),
    Measure("varied_returns", "… varied", unit="share"),
    Measure("bar_returns", "Bars heard before", unit="share"),
    Measure("sequences", "Bars at another pitch again", unit="share"),
    Measure("rhythm_returns", "Bars with the rhythm of an earlier bar", unit="share"),
    Measure("half_cadence", "Dominant or second degree half way", unit="share"),
    Measure("tonic_close", "Last note the tonic", unit="share"),
    Measure("long_close", "Last note long, on a beat", unit="share"),
    Measure("repeatable", "Last bar and upbeat a full bar", unit="share"),
    Measure("usual_range", "Range of 10 to 21 semitones", unit="share"),
    Measure("arch", "Halves that are arches", unit="share"),
    Measure("one_harmony", "Bars whose beats fit one chord", unit="share"),
)
"""The rules of form; `whole` is the share of tunes without a fault."""

OTHERS = (
    Measure("commonest_first_beat", "Tunes with the commonest first beat", unit="share"),
    Measure("commonest_first_four", "Tunes with the commonest four notes", unit="share"),
    Measure("copies", "Copies of a training tune", unit="share"),
    Measure("distinct_rhythms", "Distinct rhythms (fewer in more tunes)", unit="share"),
    Measure("notes_a_beat", "Notes a beat"),
    Measure("steps", "Intervals of a step", unit="share"),
    Measure("leaps", "Leaps of a fifth or more", unit="share"),
    Measure("repeated_notes", "Notes repeated at once", unit="share"),
    Measure("in_the_scale", "Notes of the scale", unit="share"),
    Measure("unique_highest", "Tunes with a unique highest note", unit="share"),
    Measure("major", "Tunes in major", unit="share"),
    Measure("compound", "Tunes in 6/8 or 9/8", unit="share"),
)
"""What no rule rewards."""


def tune_measures(prior: PriorRecord) -> MeasureGroup:
    """The measures of tunes as a prior writes them; copies are those of its training tunes."""
    vocabulary, bars = prior.vocabulary, bars_of(prior)

    def estimate(tokens: np.ndarray, mask: np.ndarray) -> Estimates:
        real = training_melodies(vocabulary, bars, source_of(prior))
        return tune_estimates(tokens, mask, vocabulary, bars, real)

    return MeasureGroup((*FORM, *OTHERS), estimate)


def tune_values(
    tokens: Int[np.ndarray, "tune time"],
    mask: Bool[np.ndarray, "tune time"],
    vocabulary: Vocabulary,
    bars: int,
) -> dict[str, Float[np.ndarray, " tune"]]:
    """What every rule gives for each tune as a whole."""
    return in_parts(partial(_compiled_values, vocabulary=vocabulary, bars=bars), tokens, mask)


@partial(jax.jit, static_argnames=("vocabulary", "bars"))
def _compiled_values(
    tokens: jax.Array, mask: jax.Array, vocabulary: Vocabulary, bars: int
) -> dict[str, jax.Array]:
    return dict(rule_values(tokens, mask, vocabulary, bars))


def whole_tunes(
    tokens: Int[np.ndarray, "tune time"],
    mask: Bool[np.ndarray, "tune time"],
    vocabulary: Vocabulary,
    bars: int,
) -> Bool[np.ndarray, " tune"]:
    """Which tunes have no faulty bar and no token out of place."""
    return in_parts(partial(_are_whole, vocabulary=vocabulary, bars=bars), tokens, mask)


@partial(jax.jit, static_argnames=("vocabulary", "bars"))
def _are_whole(
    tokens: jax.Array, mask: jax.Array, vocabulary: Vocabulary, bars: int
) -> Bool[jax.Array, " tune"]:
    return faulty_bars(lay_out(tokens, mask, table_of(vocabulary), bars)) == 0


def tune_estimates(
    tokens: Int[np.ndarray, "tune time"],
    mask: Bool[np.ndarray, "tune time"],
    vocabulary: Vocabulary,
    bars: int,
    real: RealMelodies | None = None,
) -> Estimates:
    """The estimates of all measures; that of copies if there are real tunes to compare with."""
    values = tune_values(tokens, mask, vocabulary, bars)
    values["whole"] = values["faulty_bars"] == 0
    form = {row.name: mean_share_estimate(values[row.name]) for row in FORM}
    layout = layouts_of(tokens, mask, vocabulary, bars)
    few = jax.tree.map(lambda one: one[:COMPARED], layout)
    copies: Sequence[bool] | np.ndarray = [] if real is None else real.copies(strings_of(few))
    return {
        **form,
        "copies": mean_share_estimate(copies),
        **_openings(layout),
        **_notes(tokens, layout, table_of(vocabulary)),
    }


def _openings(layout: Layout) -> dict[str, Estimate]:
    """How tunes begin, and how many rhythms there are."""
    meter = np.stack([layout.bar_units, layout.beat_units], axis=1)
    first = np.where(layout.begins[:, 0], layout.pitch[:, 0], 0)
    in_beat = np.arange(SLOTS) * UNITS_PER_SLOT < layout.beat_units[:, None]
    first_beat = np.concatenate([meter, np.where(in_beat, first, 0)], axis=1)
    begins = layout.begins.reshape(len(first), -1)
    notes = _left(np.asarray(layout.note_pitch))
    return {
        "commonest_first_beat": commonest_beginning(first_beat, first_beat.shape[1]),
        "commonest_first_four": commonest_beginning(notes, FIRST_NOTES),
        "distinct_rhythms": distinct_estimate(np.concatenate([meter, begins], axis=1)),
    }


def _left(pitch: Int[np.ndarray, "tune time"]) -> Int[np.ndarray, "tune time"]:
    """The notes of each tune one after the other, then zeros."""
    order = np.argsort(pitch == 0, axis=1, kind="stable")
    return np.take_along_axis(pitch, order, axis=1)


def _notes(tokens: np.ndarray, layout: Layout, table: TokenTable) -> dict[str, Estimate]:
    pitch = _left(np.asarray(layout.note_pitch))
    there = pitch > 0
    count = there.sum(axis=1)
    pairs = there[:, 1:]
    moved = np.abs(np.diff(pitch, axis=1)) * pairs
    steps = np.asarray(np.abs(np.diff(scale_steps(jnp.asarray(pitch)), axis=1))) * pairs
    intervals = pairs.sum(axis=1)
    beats = layout.lengths.sum(axis=1) / layout.beat_units
    white = np.isin(pitch % 12, (0, 2, 4, 5, 7, 9, 11)) & there
    highest = (pitch == pitch.max(axis=1, keepdims=True)).sum(axis=1) == 1
    tonic = np.asarray(table.tonic)[tokens[:, 1]]
    return {
        "notes_a_beat": mean_estimate(np.where(beats > 0, count / np.maximum(beats, 1e-9), np.nan)),
        "steps": share_estimate(((steps > 0) & (steps <= 2)).sum(axis=1), intervals),
        "leaps": share_estimate((moved >= _LEAP).sum(axis=1), intervals),
        "repeated_notes": share_estimate(((moved == 0) & pairs).sum(axis=1), intervals),
        "in_the_scale": share_estimate(white.sum(axis=1), count),
        "unique_highest": mean_share_estimate(highest & (count > 0)),
        "major": mean_share_estimate(tonic == 0),
        "compound": mean_share_estimate(layout.beat_units == 36),
    }
