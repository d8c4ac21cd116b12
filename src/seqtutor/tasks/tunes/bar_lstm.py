"""An LSTM that is told where it stands in a bar, and what earlier bars have at this place.

What comes back in a tune comes back at the same place of a bar, four bars later or two, and often
varied; or in the next bar, at another pitch. A plain LSTM has to keep whole bars in its cells to
know what stood there, and has to add up the lengths of notes to know when a bar is full. Both are
functions of the tokens so far; here they are inputs of the first layer, and what the earlier bars
have is one of the readout, too.
"""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from seqtutor.models.base import SequenceModel
from seqtutor.models.lstm import LSTM, StackState
from seqtutor.models.settings import ModelSettings
from seqtutor.tasks.tunes.bar_lstm_settings import BarLSTMSettings
from seqtutor.tasks.tunes.places import (
    AGREEMENTS,
    REMAINING,
    STATES,
    Place,
    PlaceTable,
    agreement,
    earlier_token,
    first_place,
    next_place,
    parallel_token,
    place_table,
    remaining_slots,
)

BOUND = 0.3
"""Weights of the places are drawn within ± this."""
AT_A_TIME = 512
"""Sequences whose steps are all in memory at the same time."""


class Seen(eqx.Module):
    """What the model is shown of a place, beside the token before.

    Attributes:
        earlier: what each of the earlier bars has here (`places.earlier_token`), and what it would
            have at another pitch (`places.parallel_token`).
        agreement: how the bar goes with each of them so far (`places.Agreement`).
        remaining: slots left of the bar (`places.remaining_slots`).
        bar: the number of the bar.
    """

    earlier: Int[Array, "*shape references"]
    agreement: Int[Array, "*shape references"]
    remaining: Int[Array, "*shape"]
    bar: Int[Array, "*shape"]


class BarLSTM(SequenceModel):
    """Token, place and earlier bars → LSTM layers → logits."""

    kind: ClassVar[str] = "bar-lstm"
    Settings: ClassVar[type[ModelSettings]] = BarLSTMSettings

    lstm: LSTM
    earlier_embedding: Float[Array, "references states inputs"]
    agreement_scale: Float[Array, "references agreements inputs"]
    earlier_rows: Float[Array, "references inputs gates"]
    remaining_rows: Float[Array, "remaining gates"]
    bar_rows: Float[Array, "bars gates"]
    earlier_readout: Float[Array, "referencesXinputs vocab"]
    settings: BarLSTMSettings = eqx.field(static=True)

    def __init__(self, vocabulary_size: int, settings: BarLSTMSettings, key: PRNGKeyArray) -> None:
        """Draw weights uniformly.

        Raises:
            UserError: if the tokens of the settings are none of tunes.
            ValueError: if they are not as many as the vocabulary has.
        """
        if len(settings.tokens) != vocabulary_size:
            raise ValueError(f"{len(settings.tokens)} tokens, {vocabulary_size} in the vocabulary")
        size, many = settings.embedding_size, len(settings.bars_back) + len(settings.parallel_back)
        gates = 4 * settings.hidden_sizes[0]
        keys = iter(jax.random.split(key, 6))

        def uniform(bound: float, *shape: int) -> jax.Array:
            return jax.random.uniform(next(keys), shape, minval=-bound, maxval=bound)

        self.lstm = LSTM(
            vocabulary_size, settings.hidden_sizes, embedding_size=size, key=next(keys)
        )
        self.earlier_embedding = uniform(1.0, many, vocabulary_size + STATES, size)
        self.agreement_scale = jnp.ones((many, AGREEMENTS, size))
        self.earlier_rows = uniform(0.5 * size**-0.5, many, size, gates)
        self.remaining_rows = uniform(BOUND, REMAINING, gates)
        self.bar_rows = uniform(BOUND, place_table(settings.tokens).bars + 1, gates)
        self.earlier_readout = jnp.zeros((many * size, vocabulary_size))
        self.settings = settings
        self.vocabulary_size = vocabulary_size
        self.feature_size = self.lstm.feature_size + many * size

    @property
    def _table(self) -> PlaceTable:
        return place_table(self.settings.tokens)

    def _see(self, place: Place) -> Seen:
        same, parallel = self.settings.bars_back, self.settings.parallel_back
        found = {n: agreement(place, n, self._table) for n in (*same, *parallel)}
        earlier = [earlier_token(place, n, self.vocabulary_size) for n in same]
        earlier += [parallel_token(place, n, found[n], self._table) for n in parallel]
        agreements = [found[n].index for n in (*same, *parallel)]
        return Seen(jnp.stack(earlier), jnp.stack(agreements), remaining_slots(place), place.bar)

    def _look(
        self, seen: Seen
    ) -> tuple[Float[Array, "*shape gates"], Float[Array, "*shape embedded"]]:
        """What the places add to the input of the first layer, and the earlier bars' embeddings."""
        many = range(len(self.earlier_embedding))
        embedded = [
            self.earlier_embedding[i][seen.earlier[..., i]]
            * self.agreement_scale[i][seen.agreement[..., i]]
            for i in many
        ]
        projected = self.remaining_rows[seen.remaining] + self.bar_rows[seen.bar]
        projected = projected + sum(embedded[i] @ self.earlier_rows[i] for i in many)
        return projected, jnp.concatenate(embedded, axis=-1)

    def initial_state(self, batch: int, length: int) -> tuple[StackState, Place]:
        """Zeros in every layer, and the place before the first token."""
        places = jax.tree.map(
            lambda one: jnp.broadcast_to(one, (batch, *one.shape)), first_place(self._table)
        )
        return self.lstm.initial_state(batch, length), places

    def advance(
        self, state: tuple[StackState, Place], tokens: Int[Array, " batch"]
    ) -> tuple[tuple[StackState, Place], Float[Array, "batch features"]]:
        """Read one token of each sequence."""
        layers, places = state
        table = self._table
        places = jax.vmap(lambda place, token: next_place(place, token, table))(places, tokens)
        projected, embedded = self._look(jax.vmap(self._see)(places))
        layers, hidden = self.lstm.advance(layers, tokens, projected)
        return (layers, places), jnp.concatenate([hidden, embedded], axis=-1)

    def features(self, tokens: Int[Array, "batch time"]) -> Float[Array, "batch time features"]:
        """The places one after the other, and then all steps at once."""
        if len(tokens) <= AT_A_TIME:
            return self._features(tokens)
        return jax.lax.map(lambda one: self._features(one[None])[0], tokens, batch_size=AT_A_TIME)

    def _features(self, tokens: Int[Array, "batch time"]) -> Float[Array, "batch time features"]:
        table = self._table

        def of_one(tokens: Int[Array, " time"]) -> Seen:
            def step(place: Place, token: Int[Array, ""]) -> tuple[Place, Seen]:
                return next_place(place, token, table), self._see(place)

            return jax.lax.scan(step, first_place(table), tokens)[1]

        projected, embedded = self._look(jax.vmap(of_one)(tokens))
        return jnp.concatenate([self.lstm.features(tokens, projected), embedded], axis=-1)

    def readout(self, features: Float[Array, "*shape features"]) -> Float[Array, "*shape vocab"]:
        """Logits over the next token, from the last layer and what the earlier bars have."""
        hidden, embedded = jnp.split(features, [self.lstm.feature_size], axis=-1)
        return self.lstm.readout(hidden) + embedded @ self.earlier_readout

    def as_policy_start(self, length: int) -> BarLSTM:
        """The model itself, which knows places."""
        del length
        return self

    @property
    def matrices(self) -> list[Float[Array, "inner columns"]]:
        """All but those from which tokens and places choose rows."""
        return [*self.lstm.matrices, *self.earlier_rows, self.earlier_readout]
