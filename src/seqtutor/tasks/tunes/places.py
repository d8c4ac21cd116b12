"""Where a tune stands after each token, and what earlier bars have at the same place.

Pure functions of one sequence's tokens, one token at a time, so that a model can look at them while
it writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from seqtutor.tasks.tunes.layout import SLOTS, UNITS_PER_SLOT
from seqtutor.tasks.tunes.phrase import UNITS_PER_QUARTER
from seqtutor.tasks.tunes.tokens import END, table_of
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
    """What each token does to a place; the begin token, which comes last, does nothing."""

    duration: Int[np.ndarray, " token"]
    begins_bar: Int[np.ndarray, " token"]
    copied: Int[np.ndarray, " token"]
    bar_units: Int[np.ndarray, " token"]
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

    return PlaceTable(
        duration=with_begin(table.duration),
        begins_bar=with_begin(table.bar > 0),
        copied=with_begin(table.copied),
        bar_units=with_begin(table.bar_units),
        bars=int(table.bar.max()),
    )


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
    """Slots that are left of the bar, from 0 for −OVERFULL on."""
    left = (place.bar_units - place.units) // UNITS_PER_SLOT
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
