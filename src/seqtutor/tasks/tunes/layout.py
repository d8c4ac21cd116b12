"""Tokens laid out by bars: what the rules of form look at."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from seqtutor.tasks.tunes.phrase import UNITS_PER_QUARTER
from seqtutor.tasks.tunes.tokens import HEADER, TokenTable

UNITS_PER_SLOT = UNITS_PER_QUARTER // 8
"""A slot is a thirty-second, in which at most one note of a triplet begins."""
SLOTS = 36
"""Slots of the longest bar, of 9/8; a shorter bar leaves the last ones unused."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Layout:
    """A batch of phrases by bars.

    Attributes:
        pitch: what sounds in each slot, as a MIDI number; 0 in silence.
        begins: whether a note begins in the slot.
        used: whether the slot lies within a full bar of the metre.
        lengths: units in each bar.
        bars: bars that were begun, which may be more than there is room for.
        upbeat: units before the first bar.
        bar_units, beat_units: of the metre.
        tonic: pitch class of the tonic.
        faults: tokens out of place: no metre first or no mode second, one of them later, a tie
            without a note, a copy of no earlier bar or beside other notes, a bar with
            another number, no end.
        last_pitch, last_units, last_place: of the last note: MIDI number, length with its ties, and
            how many units after the beginning of its bar it begins.
        note_pitch: of the notes of all bars, where they begin, 0 elsewhere.
        token_bar: the bar of each token, 0 before the first one.
    """

    pitch: Int[Array, "batch bars slots"]
    begins: Bool[Array, "batch bars slots"]
    used: Bool[Array, "batch 1 slots"]
    lengths: Int[Array, "batch bars"]
    bars: Int[Array, " batch"]
    upbeat: Int[Array, " batch"]
    bar_units: Int[Array, " batch"]
    beat_units: Int[Array, " batch"]
    tonic: Int[Array, " batch"]
    faults: Int[Array, " batch"]
    last_pitch: Int[Array, " batch"]
    last_units: Int[Array, " batch"]
    last_place: Int[Array, " batch"]
    note_pitch: Int[Array, "batch barsXslots"]
    token_bar: Int[Array, "batch time"]


def lay_out(
    tokens: Int[Array, "batch time"], mask: Bool[Array, "batch time"], table: TokenTable, bars: int
) -> Layout:
    """Lay out phrases of so many bars; a pure JAX function.

    Without a metre, or a mode, bars are of 4/4, and the tonic is C.
    """
    batch = len(tokens)
    rows = jnp.arange(batch)[:, None]

    def of(values: object) -> Array:
        """What each token has, nothing where the mask is false."""
        found = jnp.asarray(values)[tokens]
        return jnp.where(mask, found, jnp.zeros_like(found))

    duration, number, is_note, is_tie = map(
        of, (table.duration, table.bar, table.is_note, table.is_tie)
    )
    is_bar = number > 0
    bar = jnp.cumsum(is_bar, axis=1)
    # Units since the last bar token: those so far less those at the last bar token.
    before = jnp.cumsum(duration, axis=1) - duration
    at_bar = jax.lax.cummax(jnp.where(is_bar, before, 0), axis=1)
    place = before - at_bar
    slot = place // UNITS_PER_SLOT
    own_bar = jnp.where(bar > 0, bar - 1, bars)  # Out of range before the first bar.
    is_event = (duration > 0) & ~is_tie
    inside = is_event & (bar > 0) & (bar <= bars) & (slot < SLOTS)
    cell = jnp.where(inside, own_bar * SLOTS + slot, bars * SLOTS)
    events = jnp.full((batch, bars * SLOTS), -1).at[rows, cell].set(of(table.pitch), mode="drop")
    lengths = jnp.zeros((batch, bars), jnp.int32).at[rows, own_bar].add(duration, mode="drop")
    copied = of(table.copied)
    source = jnp.zeros((batch, bars), jnp.int32).at[rows, own_bar].max(copied, mode="drop")
    grid, lengths = _with_copies(events.reshape(batch, bars, SLOTS), lengths, source)
    pitch = _sounding(grid)
    begins = grid > 0
    note_pitch = jnp.where(begins, grid, 0).reshape(batch, -1)
    steps = jnp.arange(bars * SLOTS)
    last = jnp.where(note_pitch > 0, steps, -1).max(axis=1)
    within = jnp.arange(SLOTS) * UNITS_PER_SLOT < lengths[:, :, None]
    sounds = ((pitch > 0) & within).reshape(batch, -1)
    bar_units = of(table.bar_units).max(axis=1)
    bar_units = jnp.where(bar_units > 0, bar_units, 4 * UNITS_PER_QUARTER)
    beat_units = of(table.beat_units).max(axis=1)
    beat_units = jnp.where(beat_units > 0, beat_units, UNITS_PER_QUARTER)
    faults = _faults(tokens, mask, table, is_tie, is_note, duration)
    # A copy is a fault unless its bar holds nothing else and the copied one comes before.
    filled = (
        jnp.zeros((batch, bars), jnp.int32).at[rows, own_bar].add(duration + copied, mode="drop")
    )
    wrong = (source > 0) & ((filled != source) | (source > jnp.arange(bars)))
    misplaced = ((copied > 0) & (bar == 0)).sum(axis=1) + (is_bar & (number != bar)).sum(axis=1)
    return Layout(
        pitch=pitch,
        begins=begins,
        used=(jnp.arange(SLOTS) * UNITS_PER_SLOT < bar_units[:, None])[:, None],
        lengths=lengths,
        bars=bar[:, -1],
        upbeat=jnp.sum(jnp.where(bar == 0, duration, 0), axis=1),
        bar_units=bar_units,
        beat_units=beat_units,
        tonic=jnp.maximum(jnp.where(mask, jnp.asarray(table.tonic)[tokens], -1).max(axis=1), 0),
        faults=faults + wrong.sum(axis=1) + misplaced,
        last_pitch=jnp.where(last >= 0, _at(note_pitch, jnp.maximum(last, 0)), 0),
        last_units=UNITS_PER_SLOT * (sounds & (steps >= last[:, None])).sum(axis=1) * (last >= 0),
        last_place=UNITS_PER_SLOT * (last % SLOTS),
        note_pitch=note_pitch,
        token_bar=bar,
    )


def _with_copies(
    grid: Int[Array, "batch bars slots"],
    lengths: Int[Array, "batch bars"],
    source: Int[Array, "batch bars"],
) -> tuple[Int[Array, "batch bars slots"], Int[Array, "batch bars"]]:
    """Bars that copy an earlier one, filled in; `source` is its number from 1, else 0."""
    for bar in range(1, grid.shape[1]):
        number = source[:, bar]
        is_copy = (number > 0) & (number <= bar)
        place = jnp.clip(number - 1, 0, bar - 1)[:, None]
        events = jnp.take_along_axis(grid, place[:, :, None], axis=1)[:, 0]
        length = jnp.take_along_axis(lengths, place, axis=1)[:, 0]
        grid = grid.at[:, bar].set(jnp.where(is_copy[:, None], events, grid[:, bar]))
        lengths = lengths.at[:, bar].set(jnp.where(is_copy, length, lengths[:, bar]))
    return grid, lengths


def _sounding(grid: Int[Array, "batch bars slots"]) -> Int[Array, "batch bars slots"]:
    """Each slot with the value of the last slot in which an event begins, 0 before the first."""
    flat = grid.reshape(len(grid), -1)
    latest = jax.lax.cummax(jnp.where(flat >= 0, jnp.arange(flat.shape[1]), -1), axis=1)
    filled = jnp.take_along_axis(flat, jnp.maximum(latest, 0), axis=1)
    return jnp.where(latest >= 0, filled, 0).reshape(grid.shape)


def _at(values: Int[Array, "batch time"], steps: Int[Array, " batch"]) -> Int[Array, " batch"]:
    return jnp.take_along_axis(values, steps[:, None], axis=1)[:, 0]


def _faults(
    tokens: Array, mask: Array, table: TokenTable, is_tie: Array, is_note: Array, duration: Array
) -> Int[Array, " batch"]:
    is_meter = (jnp.asarray(table.bar_units)[tokens] > 0) & mask
    is_mode = (jnp.asarray(table.tonic)[tokens] >= 0) & mask
    headed = is_meter[:, 0] & is_mode[:, 1]
    surplus = (is_meter | is_mode)[:, HEADER:].sum(axis=1)
    # Whether a note sounds after each token: the last event that is no tie is a note.
    steps = jnp.arange(tokens.shape[1])
    last_event = jax.lax.cummax(jnp.where((duration > 0) & ~is_tie, steps, -1), axis=1)
    sounds = jnp.take_along_axis(is_note, jnp.maximum(last_event, 0), axis=1) & (last_event >= 0)
    ties = (is_tie & ~sounds).sum(axis=1)
    over = ((tokens == table.end) & mask).any(axis=1)
    return (~headed).astype(jnp.int32) + surplus + ties + ~over
