"""Files of sequences: text with one a line, or one JSON object `{"tokens": [...]}` a line."""

from __future__ import annotations

import json
from pathlib import Path

from seqtutor.data import Sequences, pad
from seqtutor.errors import UserError
from seqtutor.files import read_lines
from seqtutor.vocabulary import Vocabulary


def read_text(
    path: Path, vocabulary: Vocabulary, max_length: int, *, may_be_cut: bool = False
) -> tuple[list[str], Sequences]:
    """Read the sequences of a text file.

    Args:
        path: of the file.
        vocabulary: splits each line into tokens.
        max_length: of a sequence, its end token included.
        may_be_cut: whether a sequence of `max_length` tokens may stand without an end token.

    Returns:
        The lines, and the sequences.

    Raises:
        UserError: if the file cannot be read, or a line is not a sequence of the vocabulary.
    """
    # What surrounds a line does not count, unless it is a token.
    space = "".join(one for one in " \t\r" if one not in vocabulary.tokens)
    texts = [text for line in read_lines(path) if (text := line.strip(space)).strip(" \t\r")]
    if not texts:
        raise UserError(f"{path} holds no sequence; write one a line")
    try:
        tokens = map(vocabulary.split, texts)
        return texts, pad(vocabulary, max_length, tokens, may_be_cut=may_be_cut)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def read_token_file(path: Path, vocabulary_size: int) -> list[list[int]]:
    """Read every sequence of a file.

    Raises:
        UserError: if the file cannot be read, is empty, or a line is not a sequence; the message
            has the number of the line.
    """
    found = [
        _sequence(path, number, line, vocabulary_size)
        for number, line in enumerate(read_lines(path), 1)
        if line.strip()
    ]
    if not found:
        raise UserError(f'{path} holds no sequence; each line must be like {{"tokens": [14, 1]}}')
    return found


def _sequence(path: Path, number: int, line: str, size: int) -> list[int]:
    try:
        tokens = json.loads(line)["tokens"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UserError(
            f'{path}, line {number}: not a JSON object with "tokens", such as {{"tokens": [14, 1]}}'
        ) from None
    if not isinstance(tokens, list) or not tokens:
        raise UserError(
            f"{path}, line {number}: tokens must be a list of at least one number from 0 to "
            f"{size - 1}"
        )
    for position, token in enumerate(tokens, 1):
        whole = isinstance(token, int) and not isinstance(token, bool)
        if not whole or not 0 <= token < size:
            raise UserError(
                f"{path}, line {number}: token {json.dumps(token)[:40]} at position {position} is "
                f"not a number from 0 to {size - 1}"
            )
    return tokens
