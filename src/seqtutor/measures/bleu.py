"""BLEU (Papineni et al. 2002): the share of a sample's n-grams that occur in reference sequences.

All measures here use 1- to 4-grams with equal weights. When samples are compared with the whole
reference set, the highest count of each n-gram in any one reference is the same for all samples and
is computed once.

Sentence BLEU measures quality, not diversity: a generator that repeats one good sequence has a high
value. Self-BLEU (Zhu et al. 2018), of each sample against all others, measures diversity.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

ORDERS = (1, 2, 3, 4)
SMOOTHING = 5.0
"""K of smoothing method 4 of Chen & Cherry (2014)."""

Tokens = Int[np.ndarray, "sequence time"]
Mask = Bool[np.ndarray, "sequence time"]
References = Int[np.ndarray, "reference width"]
ReferenceMask = Bool[np.ndarray, "reference width"]


@dataclass(frozen=True)
class _Matches:
    """For each sample and n: clipped matches, number of n-grams; and lengths in tokens."""

    found: Int[np.ndarray, "sequence orders"]
    possible: Int[np.ndarray, "sequence orders"]
    lengths: Int[np.ndarray, " sequence"]
    reference_lengths: Int[np.ndarray, " sequence"]


def sentence_bleu(
    samples: Tokens, mask: Mask, references: References, reference_mask: ReferenceMask
) -> Float[np.ndarray, " sequence"]:
    """BLEU-4 of each sample against all references, with smoothing method 4.

    Precisions of zero are replaced as in NLTK's `SmoothingFunction.method4` (version 3.5 and
    later): the i-th of them, i = 1, 2, …, by (ln L)/(K·2^i) divided by the number of n-grams, where
    L is the sample's length. The value of a sample without any matching token is 0.
    """
    return _smoothed(_matches(samples, mask, references, reference_mask))


def corpus_bleu(
    samples: Tokens, mask: Mask, references: References, reference_mask: ReferenceMask
) -> float:
    """BLEU-4 of all samples together: precisions of summed counts, without smoothing."""
    matches = _matches(samples, mask, references, reference_mask)
    found, possible = matches.found.sum(axis=0), matches.possible.sum(axis=0)
    if not found.all():
        return 0.0
    penalty = _brevity_penalty(matches.lengths.sum(), matches.reference_lengths.sum())
    return float(penalty * math.exp(np.log(found / possible).mean()))


def self_bleu(samples: Tokens, mask: Mask) -> float:
    """Mean sentence BLEU of each sample against all others; 1 if all are the same.

    Raises:
        ValueError: if there are fewer than two samples.
    """
    if len(samples) < 2:
        raise ValueError(f"self-BLEU needs at least two samples, not {len(samples)}")
    return float(_smoothed(_matches_of_others(samples, mask)).mean())


def _smoothed(matches: _Matches) -> Float[np.ndarray, " sequence"]:
    lengths = matches.lengths[:, None]
    is_zero = matches.found == 0
    with np.errstate(divide="ignore"):
        replacement = np.log(lengths) / (SMOOTHING * 2.0 ** np.cumsum(is_zero, axis=1))
        found = np.where(is_zero, replacement, matches.found)
        logarithms = np.log(found / matches.possible)
    # For a single token ln L = 0: the n-grams that it cannot have add nothing to the sum.
    logarithms = np.where(found > 0, logarithms, 0.0)
    penalty = _brevity_penalty(matches.lengths, matches.reference_lengths)
    score = penalty * np.exp(logarithms.mean(axis=1))
    return np.where(matches.found[:, 0] > 0, score, 0.0)


def _brevity_penalty(
    length: np.ndarray | np.integer, reference: np.ndarray | np.integer
) -> np.ndarray | np.floating:
    return np.exp(np.minimum(0.0, 1.0 - reference / length))


@dataclass(frozen=True)
class _Counts:
    """The `number` of occurrences of an n-gram (`gram`) in a `sequence`; every pair once."""

    sequence: Int[np.ndarray, " pairs"]
    gram: Int[np.ndarray, " pairs"]
    number: Int[np.ndarray, " pairs"]
    grams: int


def _counts(tokens: Tokens, mask: Mask) -> list[_Counts]:
    """The n-gram counts of every sequence, by n; n-grams have the same ids in all sequences."""
    found = []
    unigrams = _numbered(tokens)
    ids = np.zeros_like(unigrams)
    for n in ORDERS:
        width = max(0, tokens.shape[1] - n + 1)
        pairs = ids[:, :width] * (unigrams.max(initial=-1) + 1) + unigrams[:, n - 1 :]
        ids = _numbered(pairs)
        grams = int(ids.max(initial=-1)) + 1
        rows, columns = np.nonzero(mask[:, n - 1 :])
        cells, numbers = np.unique(rows * grams + ids[rows, columns], return_counts=True)
        found.append(_Counts(cells // max(1, grams), cells % max(1, grams), numbers, grams))
    return found


def _numbered(values: Int[np.ndarray, "sequence time"]) -> Int[np.ndarray, "sequence time"]:
    """Replace values by consecutive ids from 0, so that ids of pairs do not overflow."""
    _, numbers = np.unique(values, return_inverse=True)
    return numbers.reshape(values.shape).astype(np.int64)


def _matches(
    samples: Tokens, mask: Mask, references: References, reference_mask: ReferenceMask
) -> _Matches:
    number = len(samples)
    counts = _counts(*_side_by_side(samples, mask, references, reference_mask))
    found = []
    for one in counts:
        of_sample = one.sequence < number
        highest = np.zeros(one.grams, np.int64)
        np.maximum.at(highest, one.gram[~of_sample], one.number[~of_sample])
        clipped = np.minimum(one.number, highest[one.gram])[of_sample]
        found.append(np.bincount(one.sequence[of_sample], clipped, minlength=number))
    lengths, reference_lengths = mask.sum(axis=1), reference_mask.sum(axis=1)
    closest = _closest(np.tile(np.unique(reference_lengths), (number, 1)), lengths)
    return _Matches(np.stack(found, axis=1).astype(np.int64), _possible(lengths), lengths, closest)


def _matches_of_others(samples: Tokens, mask: Mask) -> _Matches:
    found = []
    for one in _counts(samples, mask):
        # The highest count of an n-gram in another sequence is the second highest of all for the
        # sequence that has the highest, and the highest for the rest.
        order = np.lexsort((-one.number, one.gram))
        gram, numbers = one.gram[order], one.number[order]
        is_highest = np.diff(gram, prepend=-1) > 0
        highest = numbers[is_highest][np.cumsum(is_highest) - 1]
        is_followed = np.diff(gram, append=one.grams) == 0
        of_others = np.where(is_highest, np.roll(numbers, -1) * is_followed, highest)
        clipped = np.minimum(numbers, of_others)
        found.append(np.bincount(one.sequence[order], clipped, minlength=len(samples)))
    lengths = mask.sum(axis=1)
    different, number = np.unique(lengths, return_counts=True)
    left = number - (lengths[:, None] == different)
    closest = _closest(np.where(left > 0, different, np.iinfo(np.int64).max // 2), lengths)
    return _Matches(np.stack(found, axis=1).astype(np.int64), _possible(lengths), lengths, closest)


def _possible(lengths: Int[np.ndarray, " sequence"]) -> Int[np.ndarray, "sequence orders"]:
    """The number of n-grams in a sequence of each length; at least one, as a denominator."""
    return np.maximum(1, lengths[:, None] - np.array(ORDERS) + 1)


def _closest(
    candidates: Int[np.ndarray, "sequence lengths"], lengths: Int[np.ndarray, " sequence"]
) -> Int[np.ndarray, " sequence"]:
    """Of ascending candidates the one nearest to each length; of two, the shorter."""
    nearest = np.argmin(np.abs(candidates - lengths[:, None]), axis=1)
    return np.take_along_axis(candidates, nearest[:, None], axis=1)[:, 0]


def _side_by_side(
    first: Tokens, first_mask: Mask, second: References, second_mask: ReferenceMask
) -> tuple[np.ndarray, np.ndarray]:
    """Both sets in one array, padded to one width."""
    width = max(first.shape[1], second.shape[1])

    def padded(array: np.ndarray) -> np.ndarray:
        return np.pad(array, ((0, 0), (0, width - array.shape[1])))

    return (
        np.concatenate([padded(first), padded(second)]),
        np.concatenate([padded(first_mask), padded(second_mask)]),
    )
