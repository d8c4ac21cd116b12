"""Scores of given melodies, in double precision."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from seqtutor.errors import UserError
from seqtutor.tasks.melody.batches import Batch, Melodies, batches, intended_lengths
from seqtutor.tasks.melody.rule_settings import RULE_NAMES, MelodyRuleSettings
from seqtutor.tasks.melody.rules import rule_rewards

_MELODIES_PER_BATCH = 2048


@dataclass(frozen=True)
class Scores:
    """What melodies earn step by step: each rule, weighted, and their sum in the rules' order."""

    rules: dict[str, Float[np.ndarray, "*batch time"]]
    total: Float[np.ndarray, "*batch time"]


def score(
    tokens: Int[np.ndarray, "batch time"],
    settings: MelodyRuleSettings | None = None,
    weights: Mapping[str, float] | None = None,
) -> Scores:
    """Score melodies of one length, in float64 whatever JAX's own precision is.

    Args:
        tokens: melodies.
        settings: key, lengths and rewards; the defaults if left out.
        weights: a factor for each rule; rules not named have one.

    Raises:
        UserError: if there is no melody, one is empty, a token is not one of the 38, or a weight
            names no rule.
    """
    parts = [rules for _, rules in _scored(tokens, settings, weights)]
    return _with_total(
        {name: np.concatenate([part[name] for part in parts]) for name in RULE_NAMES}
    )


def score_melodies(
    melodies: Sequence[Sequence[int]],
    settings: MelodyRuleSettings | None = None,
    weights: Mapping[str, float] | None = None,
) -> list[Scores]:
    """Score melodies of any lengths, in order; arguments and errors as for `score`."""
    scores: dict[int, Scores] = {}
    for batch, rules in _scored(melodies, settings, weights):
        for row, index in enumerate(batch.indices.tolist()):
            own = {name: rules[name][row, : batch.lengths[row]] for name in RULE_NAMES}
            scores[index] = _with_total(own)
    return [scores[index] for index in range(len(melodies))]


@partial(jax.jit, static_argnames="settings")
def _compiled_rewards(
    tokens: jax.Array, settings: MelodyRuleSettings, lengths: jax.Array
) -> dict[str, jax.Array]:
    return rule_rewards(tokens, settings, lengths)


def _scored(
    melodies: Melodies,
    settings: MelodyRuleSettings | None,
    weights: Mapping[str, float] | None,
) -> Iterator[tuple[Batch, dict[str, Float[np.ndarray, "batch time"]]]]:
    """Each batch with the weighted rewards of its melodies, without the rows that pad it."""
    settings, weights = settings or MelodyRuleSettings(), weights or {}
    unknown = sorted(set(weights) - set(RULE_NAMES))
    if unknown:
        raise UserError(f"there is no rule {unknown[0]!r}; the rules are {', '.join(RULE_NAMES)}")
    for batch in batches(melodies, _MELODIES_PER_BATCH):
        lengths = intended_lengths(batch, settings)
        with jax.enable_x64(True):
            rewards = _compiled_rewards(jnp.asarray(batch.tokens), settings, jnp.asarray(lengths))
        yield (
            batch,
            {
                name: weights.get(name, 1.0) * np.asarray(rewards[name])[: len(batch.indices)]
                for name in RULE_NAMES
            },
        )


def _with_total(rules: dict[str, Float[np.ndarray, "*batch time"]]) -> Scores:
    first, *others = (rules[name] for name in RULE_NAMES)
    return Scores(rules, sum(others, start=first))
