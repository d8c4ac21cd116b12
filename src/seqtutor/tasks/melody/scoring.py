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
from seqtutor.tasks.melody.encoding import NOTE_OFF, VOCABULARY_SIZE
from seqtutor.tasks.melody.rule_settings import RULE_NAMES, MelodyRuleSettings
from seqtutor.tasks.melody.rules import rule_rewards

_SHORTEST_PADDING = 32
_MELODIES_PER_CHUNK = 2048


@dataclass(frozen=True)
class Scores:
    """What melodies earn step by step: each rule, weighted, and their sum in the rules' order."""

    rules: dict[str, Float[np.ndarray, "*batch time"]]
    total: Float[np.ndarray, "*batch time"]


@partial(jax.jit, static_argnames="settings")
def _rewards(
    tokens: jax.Array, settings: MelodyRuleSettings, lengths: jax.Array
) -> dict[str, jax.Array]:
    return rule_rewards(tokens, settings, lengths)


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
        UserError: if a token is none of the 38, a melody is empty, or a weight names no rule.
    """
    tokens = checked_tokens(tokens)
    settings, factors = settings or MelodyRuleSettings(), _factors(weights)
    lengths = np.full(len(tokens), settings.melody_length or tokens.shape[1])
    chunks = [
        _score_chunk(tokens[chunk], lengths[chunk], settings, factors)
        for chunk in chunks_of(len(tokens), _MELODIES_PER_CHUNK)
    ]
    rules = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in RULE_NAMES}
    return Scores(rules, _left_to_right_sum(rules))


def score_melodies(
    melodies: Sequence[Sequence[int]],
    settings: MelodyRuleSettings | None = None,
    weights: Mapping[str, float] | None = None,
) -> list[Scores]:
    """Score melodies of any lengths, in order; arguments and errors as for `score`.

    Melodies are padded to a few common lengths, so that the rules are compiled a few times only
    and not once for every length.
    """
    checked = [checked_tokens(np.asarray([melody]))[0] for melody in melodies]
    settings, factors = settings or MelodyRuleSettings(), _factors(weights)
    groups: dict[int, list[int]] = {}
    for index, melody in enumerate(checked):
        groups.setdefault(_padded_length(len(melody)), []).append(index)
    scores: dict[int, Scores] = {}
    for padded, indices in groups.items():
        for chunk in chunks_of(len(indices), _MELODIES_PER_CHUNK):
            members = indices[chunk]
            tokens = np.full((len(members), padded), NOTE_OFF, np.int32)
            for row, index in enumerate(members):
                tokens[row, : len(checked[index])] = checked[index]
            lengths = np.array([settings.melody_length or len(checked[i]) for i in members])
            rules = _score_chunk(tokens, lengths, settings, factors)
            for row, index in enumerate(members):
                own = {name: rules[name][row, : len(checked[index])] for name in RULE_NAMES}
                scores[index] = Scores(own, _left_to_right_sum(own))
    return [scores[index] for index in range(len(checked))]


def checked_tokens(tokens: np.ndarray) -> Int[np.ndarray, "batch time"]:
    """The same tokens as int32.

    Raises:
        UserError: if they are not whole numbers from 0 to 37, or a melody is empty.
    """
    if tokens.ndim != 2 or tokens.size == 0:
        raise UserError("there is no melody, or one is empty or no list of tokens; give at least one token each")
    if not np.issubdtype(tokens.dtype, np.integer):
        raise UserError("a melody holds something other than whole numbers; use tokens 0 to 37")
    wrong = (tokens < 0) | (tokens >= VOCABULARY_SIZE)
    if wrong.any():
        melody, step = np.argwhere(wrong)[0]
        raise UserError(
            f"token {tokens[melody, step]} at step {step} of a melody is not a melody token; "
            f"use 0 (note off), 1 (hold) or 2 to {VOCABULARY_SIZE - 1} (pitches)"
        )
    return tokens.astype(np.int32)


def chunks_of(total: int, size: int) -> Iterator[slice]:
    """Slices of at most `size` that cover `total` items."""
    return (slice(start, min(start + size, total)) for start in range(0, total, size))


def padded_rows(array: np.ndarray, size: int) -> np.ndarray:
    """Repeat the last row up to `size` rows, so that few array shapes need compiling."""
    missing = ((0, size - len(array)), *((0, 0),) * (array.ndim - 1))
    return np.pad(array, missing, mode="edge")


def _padded_length(length: int) -> int:
    return max(_SHORTEST_PADDING, 1 << (length - 1).bit_length())


def _factors(weights: Mapping[str, float] | None) -> dict[str, float]:
    weights = weights or {}
    unknown = sorted(set(weights) - set(RULE_NAMES))
    if unknown:
        raise UserError(f"there is no rule {unknown[0]!r}; the rules are {', '.join(RULE_NAMES)}")
    return {name: weights.get(name, 1.0) for name in RULE_NAMES}


def _score_chunk(
    tokens: Int[np.ndarray, "batch time"],
    lengths: Int[np.ndarray, " batch"],
    settings: MelodyRuleSettings,
    factors: Mapping[str, float],
) -> dict[str, Float[np.ndarray, "batch time"]]:
    rows = 1 << (len(tokens) - 1).bit_length()
    with jax.enable_x64(True):
        rewards = _rewards(
            jnp.asarray(padded_rows(tokens, rows)),
            settings,
            jnp.asarray(padded_rows(lengths, rows)),
        )
        return {
            name: factors[name] * np.asarray(rewards[name])[: len(tokens)] for name in RULE_NAMES
        }


def _left_to_right_sum(rules: Mapping[str, np.ndarray]) -> np.ndarray:
    return sum((rules[name] for name in RULE_NAMES[1:]), start=rules[RULE_NAMES[0]])
