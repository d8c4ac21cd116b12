"""How much the sequences of a set differ from each other."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Bool, Int
from scipy.sparse import csr_array

from seqtutor.measure import Estimate

NGRAM = 4


def distinct_share(tokens: Int[np.ndarray, "sequence time"]) -> float:
    """The number of different sequences divided by the number of sequences.

    It falls as more are drawn from the same policy: compare equal numbers only.
    """
    return len(np.unique(tokens, axis=0)) / len(tokens)


def distinct_estimate(tokens: Int[np.ndarray, "sequence time"]) -> Estimate:
    """`distinct_share` with its uncertainty: how it varies among draws of so many sequences.

    Without one of the N sequences the number of different ones falls by one if nothing else equals
    it, else not at all. With s the share of such sequences, the jackknife's standard error of the
    distinct share is √(s (1 − s)/N); on average it is not below the true one (Efron & Stein 1981).
    """
    number = len(tokens)
    _, counts = np.unique(tokens, axis=0, return_counts=True)
    share = len(counts) / number
    alone = float(np.count_nonzero(counts == 1)) / number
    spread, variance = share * (1 - share), alone * (1 - alone)
    trials = number * spread / variance if spread > 0 and variance > 0 else number
    return Estimate(share, math.sqrt(variance / number), number, trials)


def commonest_beginning(tokens: Int[np.ndarray, "sequence time"], steps: int) -> Estimate:
    """The share of the sequences whose first `steps` tokens are the most frequent ones.

    All sequences of a policy can be different and still begin alike. The interval is that of the
    share of this beginning. Where many are about equally frequent, the most frequent one is by
    chance a little above them.
    """
    _, counts = np.unique(tokens[:, :steps], axis=0, return_counts=True)
    number = len(tokens)
    share = float(counts.max()) / number
    return Estimate(share, math.sqrt(share * (1 - share) / number), number, number)


def self_similarity(
    tokens: Int[np.ndarray, "sequence time"],
    mask: Bool[np.ndarray, "sequence time"],
    ngram: int = NGRAM,
) -> Estimate:
    """Mean over all pairs of sequences of the cosine of their n-gram counts, from 0 to 1.

    Each sequence, with n − 1 begin tokens in front, is represented by the vector of its n-gram
    counts, scaled to length one. The product of two such vectors is the normalised spectrum kernel
    (Leslie, Eskin & Noble 2002). A policy with a single sequence has the value 1; one that draws
    uniformly from k sequences without a common n-gram has about 1/k. Unlike self-BLEU (Zhu et al.
    2018) it needs no choice of references, and the mean over all pairs costs no more than one sum:

        mean_{i≠j} u_i·u_j = (|Σ_i u_i|² − N) / (N (N − 1))

    The standard error is that of the first projection of a U-statistic (Hoeffding 1948): twice that
    of the mean over sequences of their mean similarity to all others.

    Raises:
        ValueError: if there are fewer than two sequences.
    """
    number = len(tokens)
    if number < 2:
        raise ValueError(f"similarity needs at least two sequences, not {number}")
    rows = np.nonzero(mask)[0]
    columns = _ngram_ids(tokens, ngram)[mask]
    _, columns = np.unique(columns, return_inverse=True)
    # Repeated entries of a sparse matrix add up to counts.
    counts = csr_array((np.ones(len(rows)), (rows, columns)))
    counts.sum_duplicates()
    lengths = np.sqrt(counts.multiply(counts).sum(axis=1))
    whole = counts.T @ (1 / lengths)
    to_others = (counts @ whole / lengths - 1) / (number - 1)
    error = 2 * to_others.std(ddof=1) / math.sqrt(number)
    return Estimate(float(to_others.mean()), float(error), number)


def _ngram_ids(
    tokens: Int[np.ndarray, "sequence time"], ngram: int
) -> Int[np.ndarray, "sequence time"]:
    """An id for the n-gram that ends at each step; equal n-grams have equal ids."""
    begin = 0
    tokens = np.asarray(tokens, np.int64) + 1
    size = tokens.max() + 1
    ids = np.zeros_like(tokens)
    for back in reversed(range(ngram)):
        earlier = np.full_like(tokens, begin)
        earlier[:, back:] = tokens[:, : tokens.shape[1] - back]
        # Ids are renumbered at each step, so that they do not overflow for a large vocabulary.
        _, numbered = np.unique(ids * size + earlier, return_inverse=True)
        ids = numbered.reshape(tokens.shape)
    return ids
