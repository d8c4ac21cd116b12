"""How a SMILES string begins that a person asks for."""

from __future__ import annotations

from pathlib import Path

from seqtutor.controls import Opening
from seqtutor.errors import UserError
from seqtutor.tasks.molecule.smiles_files import read_entries
from seqtutor.tasks.molecule.tokens import tokenise
from seqtutor.vocabulary import Vocabulary


def opening(given: str | Path, vocabulary: Vocabulary) -> Opening:
    """The beginning of a string, or the first string of a file: .smi, .txt, .csv, .tsv or .sdf.

    Raises:
        UserError: if it is not SMILES text of the vocabulary, or the file cannot be read.
    """
    text = given if isinstance(given, str) else _first_string(given)
    return Opening(vocabulary.encode(tokenise(text.strip())))


def _first_string(path: Path) -> str:
    first = read_entries(path)[0]
    if first.fault:
        raise UserError(f"{path}: {first.fault}")
    return first.smiles
