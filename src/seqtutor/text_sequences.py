"""Sequences in text files, one a line."""

from __future__ import annotations

from pathlib import Path

from seqtutor.data import Sequences, pad
from seqtutor.errors import UserError
from seqtutor.vocabulary import Vocabulary

LARGEST_TEXT = 1 << 30
"""Bytes of a text file of sequences that is read."""


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
    texts = read_lines(path)
    if not texts:
        raise UserError(f"{path} holds no sequence; write one a line")
    try:
        tokens = map(vocabulary.split, texts)
        return texts, pad(vocabulary, max_length, tokens, may_be_cut=may_be_cut)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def read_lines(path: Path) -> list[str]:
    """The lines of a text file that are not blank, without the space around them.

    Raises:
        UserError: if it cannot be read as text.
    """
    try:
        if path.stat().st_size > LARGEST_TEXT:
            raise UserError(f"{path} is larger than {LARGEST_TEXT >> 30} GiB; split it")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise UserError(f"cannot read {path}: it is not text in UTF-8") from None
    return [line.strip() for line in text.splitlines() if line.strip()]
