"""Sources of molecules: MOSES, RDKit's small set, or a file of the user's."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from seqtutor.errors import UserError
from seqtutor.tasks.molecule.canonical import require_rdkit
from seqtutor.tasks.molecule.import_report import ImportReport
from seqtutor.tasks.molecule.moses import read_strings
from seqtutor.tasks.molecule.moses_wheel import MOSES_RELEASE, require_wheel
from seqtutor.tasks.molecule.smiles_files import read_smiles_file

MOSES = "moses"
NCI = "nci"


class SourceStrings(NamedTuple):
    """The strings of a source; `test` are those that it reserves for testing, if it does."""

    strings: list[str]
    test: list[str] | None
    report: ImportReport


@dataclass(frozen=True)
class MoleculeSource:
    """A source of strings, not read yet.

    Attributes:
        name: for people.
        fingerprint: changes whenever its strings do.
        is_canonical: whether the strings are RDKit's canonical ones already.
        read: returns the strings.
    """

    name: str
    fingerprint: str
    is_canonical: bool
    read: Callable[[], SourceStrings]


def open_source(name: str | Path, column: str = "smiles") -> MoleculeSource:
    """The source of that name: "moses", "nci", or a file.

    Args:
        name: "nci" stands for the 4,999 strings of the National Cancer Institute's open compounds
            that come with RDKit.
        column: of a file with columns.

    Raises:
        UserError: if there is no such source.
    """
    if name == MOSES:
        require_wheel()
        return MoleculeSource(MOSES, MOSES_RELEASE.sha256, True, _read_moses)
    path = nci_path() if name == NCI else Path(name)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(
            f"{path} cannot be read: {error.strerror or error}; "
            f'give a file of SMILES strings, "{MOSES}" or "{NCI}"'
        ) from None
    digest = hashlib.sha256(repr((path.suffixes[-2:], column)).encode() + content).hexdigest()
    return MoleculeSource(str(name), digest, False, partial(_read_file, path, column))


def nci_path() -> Path:
    """The file of 4,999 real molecules that comes with RDKit.

    Raises:
        UserError: if RDKit is not installed.
    """
    require_rdkit()
    from rdkit import RDConfig

    return Path(RDConfig.RDDataDir) / "NCI" / "first_5K.smi"


def _read_moses() -> SourceStrings:
    strings, test = read_strings("train"), read_strings("test")
    return SourceStrings(strings, test, ImportReport(len(strings) + len(test)))


def _read_file(path: Path, column: str) -> SourceStrings:
    strings, report = read_smiles_file(path, column)
    return SourceStrings(strings, None, report)
