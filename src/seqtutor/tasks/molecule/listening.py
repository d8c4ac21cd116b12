"""How a SMILES string begins that a person asks for."""

from __future__ import annotations

from pathlib import Path

from seqtutor.controls import Opening
from seqtutor.errors import UserError
from seqtutor.files import read_lines
from seqtutor.tasks.molecule.tokens import tokenise
from seqtutor.vocabulary import Vocabulary


def opening(given: str | Path, vocabulary: Vocabulary) -> Opening:
    """The beginning of a string, or the first string of a text file.

    Raises:
        UserError: if it is not SMILES text of the vocabulary, or the file cannot be read.
    """
    text = given if isinstance(given, str) else _first_line(given)
    return Opening(vocabulary.encode(tokenise(text.strip())))


def _first_line(path: Path) -> str:
    """The string of the first line that has one."""
    for line in read_lines(path):
        if line.strip() and not line.startswith("#"):
            return line.split(maxsplit=1)[0]
    raise UserError(f"{path} has no SMILES string")
