"""Real sequences, split into training, validation and test."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from seqtutor.errors import UserError
from seqtutor.settings import require_shares
from seqtutor.vocabulary import Vocabulary


@dataclass(frozen=True)
class Sequences:
    """Sequences padded to one length; `mask` is true on their tokens."""

    tokens: Int[np.ndarray, "sequences time"]
    mask: Bool[np.ndarray, "sequences time"]

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, rows: slice | Int[np.ndarray, " rows"]) -> Sequences:
        """Some of the sequences."""
        return Sequences(self.tokens[rows], self.mask[rows])


@dataclass(frozen=True)
class Dataset:
    """Sequences of one vocabulary, split for training a prior.

    Attributes:
        vocabulary: of the tokens.
        max_length: of a sequence, its end token included.
        train, validation, test: the parts; only the test part may be empty.
        origin: where the data come from and what was left out, in the types of JSON. It is written
            into the configuration of a model that is trained on them.
        summary: the same as lines for people.
        warnings: lines about what a user may want to change.
    """

    vocabulary: Vocabulary
    max_length: int
    train: Sequences
    validation: Sequences
    test: Sequences
    origin: Mapping[str, Any] = field(default_factory=dict)
    summary: Sequence[str] = ()
    warnings: Sequence[str] = ()

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the vocabulary and the sequences, which tells these data from others."""
        sums = hashlib.sha256("\n".join(self.vocabulary.tokens).encode())
        for part in (self.train, self.validation, self.test):
            sums.update(repr(part.tokens.shape).encode())
            sums.update(np.ascontiguousarray(part.tokens, dtype="<i4").tobytes())
            if not part.mask.all():
                sums.update(np.packbits(part.mask).tobytes())
        return sums.hexdigest()


def pad(
    vocabulary: Vocabulary,
    max_length: int,
    sequences: Iterable[Iterable[str]],
    *,
    may_be_cut: bool = False,
) -> Sequences:
    """Encode sequences and pad them to `max_length`; each gets the end token, where there is one.

    With `may_be_cut` a sequence of `max_length` tokens gets none, as one that a policy generated
    and that was cut there.

    Raises:
        UserError: if a token is unknown, or a sequence is empty or has the wrong length. The
            message has the number of the sequence, counted from 1.
    """
    end = vocabulary.end
    encoded = [_encode(vocabulary, number, one) for number, one in enumerate(sequences, start=1)]
    tokens = np.full((len(encoded), max_length), 0 if end is None else end, np.int32)
    mask = np.zeros(tokens.shape, bool)
    for row, ids in enumerate(encoded):
        is_cut = may_be_cut and len(ids) == max_length
        whole = ids if end is None or is_cut else np.append(ids, end)
        if not 0 < len(whole) <= max_length or (end is None and len(whole) != max_length):
            expected = (
                f"exactly {max_length}" if end is None else f"up to {max_length - 1} and an end"
            )
            raise UserError(f"sequence {row + 1} has {len(ids)} tokens; the task takes {expected}")
        tokens[row, : len(whole)] = whole
        mask[row, : len(whole)] = True
    return Sequences(tokens, mask)


def _encode(vocabulary: Vocabulary, number: int, sequence: Iterable[str]) -> np.ndarray:
    try:
        return vocabulary.encode(sequence)
    except UserError as error:
        raise UserError(f"sequence {number}: {error}") from None


def split(
    sequences: Sequences, *, validation_share: float, test_share: float, seed: int
) -> tuple[Sequences, Sequences, Sequences]:
    """A random split into training, validation and test; validation gets at least one sequence.

    Raises:
        UserError: if the shares are not such, or nothing is left for training.
    """
    require_shares(validation_share, test_share)
    order = np.random.default_rng(seed).permutation(len(sequences))
    validation = max(1, round(validation_share * len(sequences)))
    test = round(test_share * len(sequences))
    if validation + test >= len(sequences):
        # So many leave one for training, whichever way the two parts are rounded.
        enough = math.ceil(2.5 / (1 - validation_share - test_share))
        raise UserError(
            f"{len(sequences)} sequences leave none for training: {validation} would be for "
            f"validation and {test} for the test; {enough:,} are enough, or choose smaller shares"
        )
    return (
        sequences[order[validation + test :]],
        sequences[order[:validation]],
        sequences[order[validation : validation + test]],
    )
