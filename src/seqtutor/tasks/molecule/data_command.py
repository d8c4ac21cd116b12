"""`seqtutor data`: fetch a set of molecules, and describe what it holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from seqtutor.settings import require
from seqtutor.tasks.molecule.data_settings import MoleculeDataSettings

if TYPE_CHECKING:
    from seqtutor.tasks.molecule.spec import MoleculeSpec

TASK = "molecule"
"""The task that brings this command."""


@dataclass(frozen=True)
class Options:
    """Fetch the MOSES molecules into the cache, or describe any set of molecules.

    "moses" is fetched with pip, once (52 MB), checked by its hash, and kept in the user's cache
    folder or in $SEQTUTOR_CACHE. The command can be interrupted and repeated.
    """

    source: tyro.conf.Positional[Annotated[str | None, tyro.conf.arg(metavar="[SOURCE]")]] = None
    """"moses"; "nci": the 4,999 molecules that come with RDKit; or a file of your own: SMILES lines
    (.smi), or a table with column names (.csv, .tsv), gzipped or not."""
    wheel: Path | None = None
    """For moses, on a machine without a network: a copy of molsets-0.3.1-py3-none-any.whl."""
    form: Annotated[MoleculeDataSettings, tyro.conf.arg(name="")] = field(
        default_factory=MoleculeDataSettings
    )


def run(spec: MoleculeSpec, options: Options) -> None:
    """Fetch, read, describe."""
    from seqtutor.tasks.molecule.dataset import load_with_bar
    from seqtutor.tasks.molecule.moses import read_strings
    from seqtutor.tasks.molecule.moses_wheel import MOSES_RELEASE, fetch_wheel
    from seqtutor.tasks.molecule.sources import MOSES

    spec.require_dependencies()
    require(options.source is not None, "name the molecules, such as: seqtutor data moses")
    is_moses = options.source == MOSES
    require(options.wheel is None or is_moses, "--wheel goes with moses only")
    if is_moses:
        path = fetch_wheel(source=options.wheel)
        print(f"{path}: {MOSES_RELEASE.name} {MOSES_RELEASE.version}, SHA-256 checked")
    dataset = load_with_bar(str(options.source), options.form)
    print("\n".join(dataset.summary))
    print(f"Strings of {dataset.max_length} tokens at most, the end token included.")
    if is_moses:
        scaffolds = read_strings("test_scaffolds")
        print(
            f"Further, {len(scaffolds):,} molecules with scaffolds that training does not have, "
            "and the statistics of both test sets."
        )
