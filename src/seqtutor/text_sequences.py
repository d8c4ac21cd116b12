"""Sequences in text files, one a line."""

from __future__ import annotations

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
