"""Sequences that were compared two by two, and files of them: one JSON object a line.

    {"left": ["C4", "hold"], "right": ["D4", "D4"], "score": 1}

`left` and `right` are tokens, token ids, or a text that the vocabulary splits; `score` is 1 where
the left side was preferred, 0 where the right one was, 0.5 for no preference. `listener` may name
who answered. Other entries are not read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from seqtutor.data import Sequences, pad
from seqtutor.errors import UserError
from seqtutor.files import parse_json, read_lines
from seqtutor.vocabulary import Vocabulary

SCORES = (0, 0.5, 1)
_EXAMPLE = '{"left": [14, 1], "right": [16, 1], "score": 1}'


@dataclass(frozen=True)
class ComparedSequences:
    """Votes on pairs of sequences, padded to one length.

    Attributes:
        left, right: the sequences of each vote.
        scores: 1 where the left one was preferred, 0 where the right one was, ½ for neither; or
            what is expected of these.
        listeners: who answered, one name a vote; empty where it is not known.
    """

    left: Sequences
    right: Sequences
    scores: Float[np.ndarray, " votes"]
    listeners: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        sizes = {len(self.left), len(self.right), len(self.scores)}
        if len(sizes) != 1 or self.left.tokens.shape != self.right.tokens.shape:
            raise ValueError("each vote needs a left and a right sequence of one shape and a score")

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, rows: Int[np.ndarray, " rows"]) -> ComparedSequences:
        """Some of the votes."""
        names = tuple(self.listeners[row] for row in rows) if self.listeners else ()
        return ComparedSequences(self.left[rows], self.right[rows], self.scores[rows], names)

    @property
    def both(self) -> Sequences:
        """All left sequences and then all right ones."""
        return Sequences(
            np.concatenate([self.left.tokens, self.right.tokens]),
            np.concatenate([self.left.mask, self.right.mask]),
        )


def read_votes(path: Path, vocabulary: Vocabulary, max_length: int) -> ComparedSequences:
    """Read a file of votes.

    Args:
        path: of the file.
        vocabulary: of the tokens.
        max_length: of a sequence, its end token included.

    Raises:
        UserError: if the file cannot be read or holds no vote, or a line is not a vote on two
            sequences of the vocabulary; the message has the number of the line.
    """
    rows = [
        _vote(f"{path}, line {number}", line, vocabulary, max_length)
        for number, line in enumerate(read_lines(path), 1)
        if line.strip()
    ]
    if not rows:
        raise UserError(f"{path} holds no vote; each line must be like {_EXAMPLE}")
    lefts, rights, scores, names = zip(*rows, strict=True)
    return ComparedSequences(
        _together(lefts),
        _together(rights),
        np.array(scores, np.float32),
        listeners=names if all(names) else (),
    )


def _together(sequences: tuple[Sequences, ...]) -> Sequences:
    tokens = np.concatenate([one.tokens for one in sequences])
    return Sequences(tokens, np.concatenate([one.mask for one in sequences]))


def votes_text(votes: ComparedSequences, vocabulary: Vocabulary) -> str:
    """The content of a file of votes, with tokens by name."""
    listeners = votes.listeners or ("",) * len(votes)
    lefts, rights = (token_names(one, vocabulary) for one in (votes.left, votes.right))
    return "".join(
        vote_line(lefts[row], rights[row], float(score), listener)
        for row, (score, listener) in enumerate(zip(votes.scores, listeners, strict=True))
    )


def vote_line(left: Sequence[str], right: Sequence[str], score: float, listener: str = "") -> str:
    """A line of a file of votes; `listener` is the one who answered, or empty."""
    content: dict[str, Any] = {"left": list(left), "right": list(right), "score": score}
    if listener:
        content["listener"] = listener
    return json.dumps(content, ensure_ascii=False) + "\n"


def token_names(sequences: Sequences, vocabulary: Vocabulary) -> list[list[str]]:
    """The tokens of each sequence by name, without its end; of an empty one its end token."""
    rows = (tokens[mask] for tokens, mask in zip(sequences.tokens, sequences.mask, strict=True))
    return [vocabulary.decode(row) or [vocabulary.tokens[index] for index in row] for row in rows]


def file_sha256(path: Path) -> str:
    """SHA-256 of a file of votes, in hexadecimal.

    Raises:
        UserError: if it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None


def _vote(
    place: str, line: str, vocabulary: Vocabulary, max_length: int
) -> tuple[Sequences, Sequences, float, str]:
    try:
        content = parse_json(line)
        given = [content[name] for name in ("left", "right", "score")]
        listener = content.get("listener", "")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UserError(
            f'{place}: not a JSON object with "left", "right" and "score", such as {_EXAMPLE}'
        ) from None
    score = given[2]
    if isinstance(score, bool) or score not in SCORES:
        raise UserError(f"{place}: score must be 1, 0.5 or 0, not {json.dumps(score)[:40]}")
    if not isinstance(listener, str):
        raise UserError(f"{place}: listener must be a text, not {json.dumps(listener)[:40]}")
    sides = [
        _sequence(f"{place}, {name}", side, vocabulary, max_length)
        for name, side in (("left", given[0]), ("right", given[1]))
    ]
    return sides[0], sides[1], float(score), listener


def _sequence(place: str, given: Any, vocabulary: Vocabulary, max_length: int) -> Sequences:
    """One sequence, with its end token where it has one."""
    tokens = vocabulary.split(given) if isinstance(given, str) else given
    if not isinstance(tokens, list) or not tokens:
        raise UserError(f"{place}: must be a text or a list of at least one token")
    names = [_name(place, token, vocabulary) for token in tokens]
    if names[-1] == vocabulary.end_token:
        names.pop()
    try:
        return pad(vocabulary, max_length, [names], may_be_cut=True)
    except UserError as error:
        raise UserError(f"{place}: {str(error).removeprefix('sequence 1: ')}") from None


def _name(place: str, token: Any, vocabulary: Vocabulary) -> str:
    if isinstance(token, str):
        return token
    whole = isinstance(token, int) and not isinstance(token, bool)
    if not whole or not 0 <= token < vocabulary.size:
        raise UserError(
            f"{place}: token {json.dumps(token)[:40]} is neither a text nor a number from 0 to "
            f"{vocabulary.size - 1}"
        )
    return vocabulary.tokens[token]
