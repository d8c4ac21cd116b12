"""Sets with which generated molecules are compared: a training set, and the test set beside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seqtutor.errors import UserError
from seqtutor.task_records import PriorRecord
from seqtutor.tasks.molecule.dataset import OnProgress, load_molecules
from seqtutor.tasks.molecule.frechet import ChemNetStatistics, chemnet_statistics
from seqtutor.tasks.molecule.metrics import Reference, reference_of
from seqtutor.tasks.molecule.moses import read_statistics, read_strings
from seqtutor.tasks.molecule.moses_wheel import wheel_path
from seqtutor.tasks.molecule.scoring import MoleculeScorer
from seqtutor.tasks.molecule.sources import MOSES
from seqtutor.tasks.molecule.task import source_of

NONE, AUTO = "none", "auto"


@dataclass(frozen=True, eq=False)
class ReferenceSet:
    """A named set to compare with.

    Attributes:
        name: of the source.
        reference: its training set, and the fingerprints and scaffolds of its test set.
        chemnet: statistics of its test set, where they are known already.
        test: the molecules of its test set, where `chemnet` has to be computed from them.
    """

    name: str
    reference: Reference
    chemnet: ChemNetStatistics | None = None
    test: tuple[str, ...] = ()

    def chemnet_statistics(self) -> ChemNetStatistics:
        """The statistics from which the Fréchet ChemNet distance is measured.

        Raises:
            UserError: if the network that computes them is not installed.
        """
        return self.chemnet or chemnet_statistics(self.test)


def resolve_reference(name: str, prior: PriorRecord | None) -> str:
    """The source that is meant: "auto" is MOSES for a prior of MOSES once it has been fetched."""
    if name != AUTO:
        return name
    is_moses = prior is not None and source_of(prior) == MOSES
    return MOSES if is_moses and wheel_path().is_file() else NONE


def training_strings(name: str, number: int) -> list[str]:
    """About so many strings of the training set of a source, evenly spaced; none for "none".

    Raises:
        UserError: as `load_reference` does.
    """
    if name == NONE:
        return []
    if name == MOSES:
        strings = read_strings("train")
        return strings[:: max(1, len(strings) // number)][:number]
    dataset = load_molecules(name)
    step = max(1, len(dataset.train) // number)
    return dataset.strings(dataset.train[::step])[:number]


def load_reference(
    name: str,
    scorer: MoleculeScorer,
    on_progress: OnProgress = lambda done, of: None,
) -> ReferenceSet | None:
    """Read a reference.

    Args:
        name: "moses", with the statistics that its authors computed of its test set; "nci" or a
            file of molecules, a tenth of which is its test set; or "none".
        scorer: with the `METRICS_MEASURER`.
        on_progress: called while RDKit rewrites the molecules of a file.

    Raises:
        UserError: if there is no such source, or MOSES has not been fetched yet.
    """
    if name == NONE:
        return None
    if name == MOSES:
        statistics = read_statistics()
        reference = Reference(
            frozenset(read_strings("train")),
            np.packbits(statistics.fingerprints, axis=1),
            statistics.scaffolds,
        )
        chemnet = ChemNetStatistics(statistics.chemnet_mean, statistics.chemnet_covariance)
        return ReferenceSet(name, reference, chemnet)
    dataset = load_molecules(name, on_progress=on_progress)
    test = dataset.strings(dataset.test)
    if not test:
        raise UserError(f"{name} has too few molecules to compare with")
    reference = reference_of(dataset.strings(dataset.train), scorer.score(test))
    return ReferenceSet(name, reference, test=tuple(test))
