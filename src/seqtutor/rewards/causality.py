"""A check that no step of a reward depends on later tokens."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from seqtutor.errors import UserError
from seqtutor.rewards.reward import Reward
from seqtutor.types import SequenceBatch
from seqtutor.vocabulary import Vocabulary

PAIRS = 256
RELATIVE_TOLERANCE, ABSOLUTE_TOLERANCE = 1e-4, 1e-5
"""Sums over different sequences may be rounded differently."""


def require_causal(
    reward: Reward,
    vocabulary: Vocabulary,
    length: int,
    *,
    parameters: Any = None,
    sequences: SequenceBatch | None = None,
    pairs: int = PAIRS,
    seed: int = 0,
) -> None:
    """Compare what pairs of sequences that share a prefix are paid for its steps.

    The pairs are drawn at random, so that a violation may be missed; one that is found is real. A
    term with one number a sequence is paid at its end, and so causal.

    Args:
        reward: its memory, if it has one, is the same afterwards.
        vocabulary: of the tokens.
        length: tokens of the longest sequence.
        parameters: of a learned reward.
        sequences: to take prefixes and continuations from, for a reward that pays nothing for most
            random tokens; random ones if left out.
        pairs: how many to compare.
        seed: of the random choices.

    Raises:
        UserError: at the first pair found that is paid differently.
    """
    rng = np.random.default_rng(seed)
    if sequences is None:
        whole = random_sequences(rng, vocabulary, length, 2 * pairs)
    else:
        rows = rng.integers(len(sequences), size=2 * pairs)
        whole = np.asarray(sequences.tokens)[rows]
    first, second = np.split(whole, 2)
    # The prefix is at least a token, and something follows it.
    lengths = mask_of(first, vocabulary).sum(axis=1)
    first, second, lengths = (part[lengths > 1] for part in (first, second, lengths))
    if not len(first):
        return
    last = rng.integers(0, lengths - 1)
    is_shared = np.arange(first.shape[1]) <= last[:, None]
    tokens = np.concatenate([first, np.where(is_shared, first, second)])
    memory = reward.state()
    # All in one call: a reward may compare the sequences of a batch with each other.
    mask = mask_of(tokens, vocabulary)
    with reward.reporting_failures():
        terms = reward.terms(tokens, mask, parameters)
    reward.restore(memory)
    for name, term in terms.items():
        if term.shape != tokens.shape:
            continue
        paid, otherwise = np.split(np.asarray(term), 2)
        differ = is_shared & ~np.isclose(
            paid, otherwise, RELATIVE_TOLERANCE, ABSOLUTE_TOLERANCE, equal_nan=True
        )
        if differ.any():
            row, step = np.argwhere(differ)[0]
            prefix = vocabulary.join([vocabulary.tokens[i] for i in first[row, : last[row] + 1]])
            raise UserError(
                f"the reward is not causal: after {prefix!r} its term {name!r} is "
                f"{paid[row, step]:g} or {otherwise[row, step]:g} at step {step + 1}, depending on "
                "later tokens; pay what needs the whole sequence as one number a sequence"
            )


def random_sequences(
    rng: np.random.Generator, vocabulary: Vocabulary, length: int, number: int
) -> Int[np.ndarray, "number length"]:
    """Uniform tokens; with an end token, uniform lengths too."""
    end = vocabulary.end
    if end is None:
        return rng.integers(vocabulary.size, size=(number, length), dtype=np.int32)
    others = np.delete(np.arange(vocabulary.size, dtype=np.int32), end)
    tokens = rng.choice(others, size=(number, length))
    ends = rng.integers(0, length + 1, size=(number, 1))
    return np.where(np.arange(length) >= ends, end, tokens).astype(np.int32)


def mask_of(
    tokens: Int[np.ndarray, "number length"], vocabulary: Vocabulary
) -> Bool[np.ndarray, "number length"]:
    """True up to and including the first end token."""
    if vocabulary.end is None:
        return np.ones(tokens.shape, bool)
    has_ended = np.cumsum(tokens == vocabulary.end, axis=1) > 0
    return ~np.concatenate([np.zeros_like(has_ended[:, :1]), has_ended[:, :-1]], axis=1)
