"""What generated molecules are compared with: a training set, and the test set beside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seqtutor.errors import UserError
from seqtutor.models.files import SavedModel
from seqtutor.tasks.molecule.dataset import OnProgress, load_molecules
from seqtutor.tasks.molecule.frechet import ChemNetStatistics, chemnet_statistics
from seqtutor.tasks.molecule.metrics import Reference, reference_of
from seqtutor.tasks.molecule.moses import read_statistics, read_strings
from seqtutor.tasks.molecule.moses_wheel import wheel_path
from seqtutor.tasks.molecule.scoring import MoleculeScorer
from seqtutor.tasks.molecule.sources import MOSES

NONE, AUTO = "none", "auto"


@dataclass(frozen=True, eq=False)
class ReferenceSet:
    """A named set to compare with.

    Attributes:
        name: of the source.
        reference: its training set, and the fingerprints and scaffolds of its test set.
        chemnet: of its test set, where that is known already.
        test: the molecules of its test set, where `chemnet` has yet to be computed from them.
    """

    name: str
    reference: Reference
    chemnet: ChemNetStatistics | None = None
    test: tuple[str, ...] = ()

    def chemnet_statistics(self) -> ChemNetStatistics:
        """What the Fréchet ChemNet distance is measured from.

        Raises:
            UserError: if the network that computes it is not installed.
        """
        return self.chemnet or chemnet_statistics(self.test)


def resolve_reference(name: str, prior: SavedModel) -> str:
    """The source that is meant: "auto" is MOSES for a prior of MOSES where it has been brought."""
    if name != AUTO:
        return name
    data = prior.origin.get("data")
    is_moses = isinstance(data, dict) and data.get("source") == MOSES
    return MOSES if is_moses and wheel_path().is_file() else NONE


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
        on_progress: told of a file's molecules that RDKit has rewritten.

    Raises:
        UserError: if there is no such source, or MOSES has not been brought yet.
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
