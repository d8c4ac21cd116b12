"""The rules of form as a reward, compiled into the loop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from seqtutor.rewards import compiled
from seqtutor.tasks.tunes.layout import Layout, lay_out
from seqtutor.tasks.tunes.rules import RULES
from seqtutor.tasks.tunes.rules.headers import HEADERS, headers
from seqtutor.tasks.tunes.tokens import TokenTable, table_of
from seqtutor.vocabulary import Vocabulary

TERMS = (*RULES, *HEADERS)
Term = Float[Array, " batch"] | Float[Array, "batch time"]


@compiled
@dataclass(frozen=True)
class FormReward:
    """One term a rule, not yet weighted.

    Attributes:
        vocabulary: of the tokens.
        bars: of a phrase.
        rules: names of those that are computed.
    """

    vocabulary: Vocabulary
    bars: int
    rules: tuple[str, ...] = TERMS

    def __call__(
        self, tokens: Int[Array, "batch time"], mask: Bool[Array, "batch time"]
    ) -> dict[str, Term]:
        """What every rule gives: for a phrase at its end, for a bar at the end of the bar."""
        table = table_of(self.vocabulary)
        layout = lay_out(tokens, mask, table, self.bars)
        found = {name: RULES[name](layout) for name in self.rules if name in RULES}
        ended = _ended_bar(tokens, mask, layout, table, self.bars)
        paid = {
            name: _paid(values, ended) if values.ndim == 2 else values
            for name, values in found.items()
        }
        return paid | {n: v for n, v in headers(tokens, mask, table).items() if n in self.rules}


def rule_values(
    tokens: Int[Array, "batch time"],
    mask: Bool[Array, "batch time"],
    vocabulary: Vocabulary,
    bars: int,
) -> Mapping[str, Float[Array, " batch"]]:
    """What every rule gives for each phrase as a whole; a pure JAX function."""
    layout = lay_out(tokens, mask, table_of(vocabulary), bars)
    found = {name: rule(layout) for name, rule in RULES.items()}
    found |= headers(tokens, mask, table_of(vocabulary))
    return {name: v.sum(axis=1) if v.ndim == 2 else v for name, v in found.items()}


def _ended_bar(
    tokens: Array, mask: Array, layout: Layout, table: TokenTable, bars: int
) -> Int[Array, "batch time"]:
    """The bar that ends with each token, the number of bars where none does."""
    is_bar = (jnp.asarray(table.bar)[tokens] > 0) & mask
    ended = jnp.where(is_bar, layout.token_bar - 2, bars)
    ended = jnp.where((tokens == table.end) & mask, layout.token_bar - 1, ended)
    return jnp.where((ended >= 0) & (ended < bars), ended, bars)


def _paid(
    values: Float[Array, "batch bars"], ended: Int[Array, "batch time"]
) -> Float[Array, "batch time"]:
    with_none = jnp.pad(values, ((0, 0), (0, 1)))
    return jnp.take_along_axis(with_none, ended, axis=1)
