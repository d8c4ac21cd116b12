"""Where a tune stands after each token, and what earlier bars have at the same place.

Pure functions of one sequence's tokens, one token at a time, so that a model can look at them while
it writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int

from seqtutor.tasks.tunes.layout import SLOTS, UNITS_PER_SLOT
from seqtutor.tasks.tunes.phrase import UNITS_PER_QUARTER
from seqtutor.tasks.tunes.rules.arrays import scale_steps
from seqtutor.tasks.tunes.tokens import END, TokenTable, table_of
from seqtutor.vocabulary import Vocabulary

NO_BAR, FULL, SOUNDING = range(3)
"""What an earlier bar has at a place where no token of it begins: there is no such bar, it is over,
or what began before goes on. They come after the tokens of the vocabulary."""
STATES = 3
OVERFULL = 2
"""Slots by which a bar can be too long, as far as they are told apart."""
REMAINING = SLOTS + OVERFULL + 1
"""Numbers of slots that may be left of a bar, from −OVERFULL on."""
USUAL_BAR = 4 * UNITS_PER_QUARTER
"""Units in a bar until there is a metre: of 4/4."""
FARTHEST = 14
"""Half steps of the scale by which a bar is looked for at another pitch: an octave up or down."""
COUNTED = 3
"""Notes of a bar that goes with an earlier one, as far as they are told apart."""
AGREEMENTS = 2 * COUNTED + 1


class Place(eqx.Module):
    """Where a tune stands.

    Attributes:
        tokens: by bar and slot the token that begins there, plus one; 0 where none does. Row 0 is
            the upbeat, the last slot takes what lies beyond a bar.
        lengths: units in each bar so far.
        bar: the present one; 0 in the upbeat.
        units: since its beginning.
        bar_units: in a full bar of the metre.
    """

    tokens: Int[Array, "rows slots"]
    lengths: Int[Array, " rows"]
    bar: Int[Array, ""]
    units: Int[Array, ""]
    bar_units: Int[Array, ""]


@dataclass(frozen=True)
class PlaceTable:
    """What each token does to a place; the begin token, which comes last, does nothing.

    Attributes:
        duration, copied, bar_units: as in `TokenTable`.
        begins_bar: whether it does.
        is_note: whether it begins a note.
        steps: of a note, half steps of the scale (`rules.arrays.scale_steps`).
        moved: the token that has the same length and lies so many half steps higher, from
            −FARTHEST on, which is the token itself where it is no note; −1 if there is none.
        bars: of a whole tune.
    """

    duration: Int[np.ndarray, " token"]
    begins_bar: Int[np.ndarray, " token"]
    copied: Int[np.ndarray, " token"]
    bar_units: Int[np.ndarray, " token"]
    is_note: Bool[np.ndarray, " token"]
    steps: Int[np.ndarray, " token"]
    moved: Int[np.ndarray, "token moves"]
    bars: int


@lru_cache(maxsize=8)
def place_table(tokens: tuple[str, ...]) -> PlaceTable:
    """The table of a vocabulary of these tokens.

    Raises:
        UserError: if a token is none of a tune.
    """
    table = table_of(Vocabulary(tokens, END))

    def with_begin(column: np.ndarray) -> Int[np.ndarray, " token"]:
        return np.append(column, 0).astype(np.int32)

    with jax.ensure_compile_time_eval():  # A model may be made while it is traced.
        steps = np.where(table.is_note, np.asarray(scale_steps(jnp.asarray(table.pitch))), 0)
    return PlaceTable(
        duration=with_begin(table.duration),
        begins_bar=with_begin(table.bar > 0),
        copied=with_begin(table.copied),
        bar_units=with_begin(table.bar_units),
        is_note=with_begin(table.is_note) > 0,
        steps=with_begin(steps),
        moved=_moved(steps, table),
        bars=int(table.bar.max()),
    )


def _moved(steps: Int[np.ndarray, " token"], table: TokenTable) -> Int[np.ndarray, "token moves"]:
    """The column `moved` of a `PlaceTable`."""
    notes = [
        (int(step), int(duration)) if is_note else None
        for step, duration, is_note in zip(steps, table.duration, table.is_note, strict=True)
    ]
    ids = {note: token for token, note in enumerate(notes) if note}
    moves = range(-FARTHEST, FARTHEST + 1)
    rows = [
        [ids.get((note[0] + move, note[1]), -1) if note else token for move in moves]
        for token, note in enumerate(notes)
    ]
    return np.array([*rows, [-1] * len(moves)], np.int32)


def first_place(table: PlaceTable) -> Place:
    """Before the first token."""
    rows, zero = table.bars + 1, jnp.zeros((), jnp.int32)
    grid = jnp.zeros((rows, SLOTS + 1), jnp.int32)
    return Place(grid, jnp.zeros(rows, jnp.int32), zero, zero, jnp.full((), USUAL_BAR, jnp.int32))


def next_place(place: Place, token: Int[Array, ""], table: PlaceTable) -> Place:
    """The place after one more token."""
    duration, begins, copied, bar_units = (
        jnp.asarray(column)[token]
        for column in (table.duration, table.begins_bar, table.copied, table.bar_units)
    )
    bar = jnp.minimum(place.bar + begins, table.bars)
    units = jnp.where(begins > 0, 0, place.units)
    slot = jnp.minimum(units // UNITS_PER_SLOT, SLOTS)
    written = (
        place.tokens[bar].at[slot].set(jnp.where(duration > 0, token + 1, place.tokens[bar, slot]))
    )
    is_copy = (copied > 0) & (copied < bar)
    row = jnp.where(is_copy, place.tokens[copied], written)
    units = jnp.where(is_copy, place.lengths[copied], units + duration)
    return Place(
        place.tokens.at[bar].set(row),
        place.lengths.at[bar].set(units),
        bar,
        units,
        jnp.where(bar_units > 0, bar_units, place.bar_units),
    )


def remaining_slots(place: Place) -> Int[Array, ""]:
    """Slots that are left of the bar, from 0 for −OVERFULL on.

    The last bar leaves out what the upbeat takes, so that the tune can be repeated.
    """
    is_last = place.bar == len(place.lengths) - 1
    full = place.bar_units - jnp.where(is_last, place.lengths[0], 0)
    left = (full - place.units) // UNITS_PER_SLOT
    return jnp.clip(left + OVERFULL, 0, REMAINING - 1)


def earlier_token(place: Place, bars_back: int, tokens: int) -> Int[Array, ""]:
    """What the bar so many bars earlier has at this place.

    Args:
        place: of the tune.
        bars_back: 1 is the bar before.
        tokens: in the vocabulary.

    Returns:
        The token that begins there, or `tokens` plus NO_BAR, FULL or SOUNDING.
    """
    bar = place.bar - bars_back
    row = jnp.maximum(bar, 0)
    found = place.tokens[row, jnp.minimum(place.units // UNITS_PER_SLOT, SLOTS)]
    inside = jnp.where(found > 0, found - 1, tokens + SOUNDING)
    found = jnp.where(place.units < place.lengths[row], inside, tokens + FULL)
    return jnp.where(bar >= 1, found, tokens + NO_BAR)


class Agreement(eqx.Module):
    """How the present bar goes with an earlier one so far.

    Attributes:
        notes: of the bar so far, if all of them and its rests have the rhythm of the earlier bar
            and lie as far above it; else 0.
        offset: how far, in half steps of the scale.
    """

    notes: Int[Array, ""]
    offset: Int[Array, ""]

    @property
    def index(self) -> Int[Array, ""]:
        """0 for none; 1 … COUNTED by the notes at the same pitch; the rest at another pitch."""
        counted = jnp.minimum(self.notes, COUNTED)
        return counted + jnp.where((counted > 0) & (self.offset != 0), COUNTED, 0)


def agreement(place: Place, bars_back: int, table: PlaceTable) -> Agreement:
    """How the present bar goes with the one so many bars earlier."""
    earlier = place.bar - bars_back
    # Where no token begins a row has 0, which becomes −1, the begin token: it has no length.
    here, there = place.tokens[place.bar] - 1, place.tokens[jnp.maximum(earlier, 0)] - 1
    duration, is_note, steps = map(jnp.asarray, (table.duration, table.is_note, table.steps))
    slots = jnp.arange(SLOTS + 1)
    written = slots < place.units // UNITS_PER_SLOT
    both = is_note[here] & is_note[there] & written
    above = steps[here] - steps[there]
    offset = above[jnp.max(jnp.where(both, slots, 0))]
    alike = (duration[here] == duration[there]) & (is_note[here] == is_note[there])
    alike = alike & (~both | (above == offset))
    goes_along = (alike | ~written).all() & (earlier >= 1)
    notes = jnp.where(goes_along, both.sum(), 0)
    return Agreement(notes, jnp.where(notes > 0, offset, 0))


def parallel_token(
    place: Place, bars_back: int, found: Agreement, table: PlaceTable
) -> Int[Array, ""]:
    """What comes next if the bar goes on as an earlier one, as far above it as so far.

    Args:
        place: of the tune.
        bars_back: which earlier bar.
        found: the agreement with it.
        table: of the vocabulary.

    Returns:
        The token; the number of tokens plus NO_BAR if the bars do not go together, if no token
        begins here in the earlier one, or if the vocabulary has no such note.
    """
    row = place.tokens[jnp.maximum(place.bar - bars_back, 0)]
    token = row[jnp.minimum(place.units // UNITS_PER_SLOT, SLOTS)] - 1
    within = (found.notes > 0) & (jnp.abs(found.offset) <= FARTHEST)
    moved = jnp.asarray(table.moved)[token, jnp.clip(found.offset, -FARTHEST, FARTHEST) + FARTHEST]
    return jnp.where(within & (moved >= 0), moved, len(table.duration) - 1 + NO_BAR)
