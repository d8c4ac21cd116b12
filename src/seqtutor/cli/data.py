"""`seqtutor data`: bring a set of molecules, and tell what it holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from seqtutor.errors import UserError
from seqtutor.tasks.molecule.data_settings import MoleculeDataSettings


@dataclass(frozen=True)
class Options:
    """Bring the MOSES molecules into the cache, or look into any set of molecules.

    "moses" is fetched with pip, once (52 MB), checked by its hash, and kept in the user's cache
    folder or in $SEQTUTOR_CACHE. It is safe to interrupt and to repeat.
    """

    source: tyro.conf.Positional[Annotated[str | None, tyro.conf.arg(metavar="[SOURCE]")]] = None
    """"moses"; "nci": the 4,999 molecules that come with RDKit; or a file of your own: SMILES lines
    (.smi), or a table with column names (.csv, .tsv); each may be gzipped."""
    wheel: Path | None = None
    """For moses, on a machine without a network: a copy of molsets-0.3.1-py3-none-any.whl."""
    settings: Annotated[MoleculeDataSettings, tyro.conf.arg(name="")] = field(
        default_factory=MoleculeDataSettings
    )


def run(options: Options) -> None:
    """Bring, read, tell."""
    from seqtutor.cli.molecules import describe, load_with_bar
    from seqtutor.tasks.molecule.sources import MOSES

    if options.source is None:
        raise UserError("name the molecules, such as: seqtutor data moses")
    is_moses = options.source == MOSES
    if options.wheel is not None and not is_moses:
        raise UserError("--wheel goes with moses only")
    if is_moses:
        _bring(options.wheel)
    dataset = load_with_bar(options.source, options.settings)
    print("\n".join(describe(dataset)))
    print(f"Strings of {dataset.max_length} tokens at most, the end token included.")
    if is_moses:
        _describe_tests()


def _bring(wheel: Path | None) -> None:
    from seqtutor.tasks.molecule.moses_wheel import MOSES_RELEASE, bring_wheel

    path = bring_wheel(source=wheel)
    print(f"{path}: {MOSES_RELEASE.name} {MOSES_RELEASE.version}, SHA-256 as it should be")


def _describe_tests() -> None:
    from seqtutor.tasks.molecule.moses import read_strings

    scaffolds = read_strings("test_scaffolds")
    print(
        f"Besides, {len(scaffolds):,} molecules with scaffolds that training does not have, and "
        "the statistics of both test sets."
    )
