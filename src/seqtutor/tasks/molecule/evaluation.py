"""The measures of molecules as rows of tables: Table 2, MOSES, and the ChemNet distance."""

from __future__ import annotations

from seqtutor.errors import UserError
from seqtutor.measure import Estimate, Estimates, MeasureGroup
from seqtutor.tasks.molecule.frechet import chemnet_statistics, frechet_distance, require_chemnet
from seqtutor.tasks.molecule.metrics import molecule_metrics
from seqtutor.tasks.molecule.references import ReferenceSet
from seqtutor.tasks.molecule.scoring import MoleculeScorer
from seqtutor.tasks.molecule.table_2 import FRECHET, MOSES, TABLE_2
from seqtutor.tasks.molecule.tokens import join_tokens


def molecule_measures(
    scorer: MoleculeScorer, reference: ReferenceSet | None = None, wants_frechet: bool = False
) -> list[MeasureGroup]:
    """The measures of sets of SMILES strings.

    Args:
        scorer: with the `METRICS_MEASURER`.
        reference: for novelty and similarities.
        wants_frechet: whether to measure the Fréchet ChemNet distance to the reference, too.

    Raises:
        UserError: if that distance is wanted and there is no reference or no network.
    """

    def estimate(strings: list[str]) -> Estimates:
        scores = scorer.score(strings)
        return molecule_metrics(scores, None if reference is None else reference.reference)

    note = "" if reference is None else f"Novelty and similarities refer to {reference.name}."
    groups = [MeasureGroup((*TABLE_2, *MOSES), of_strings=estimate, join=join_tokens, note=note)]
    if wants_frechet:
        groups.append(_frechet(scorer, reference))
    return groups


def _frechet(scorer: MoleculeScorer, reference: ReferenceSet | None) -> MeasureGroup:
    require_chemnet()
    if reference is None:
        raise UserError("--fcd needs a set to compare with; name one with --reference")
    theirs = reference.chemnet_statistics()

    def distance(strings: list[str]) -> Estimates:
        valid = [smiles for smiles in scorer.score(strings).smiles if smiles is not None]
        return {FRECHET.name: Estimate(frechet_distance(chemnet_statistics(valid), theirs))}

    return MeasureGroup((FRECHET,), of_strings=distance, join=join_tokens)
