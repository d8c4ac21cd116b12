"""Molecules as a task: SMILES tokens of a prior, and a reward that worker processes compute."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import dacite

from seqtutor.errors import UserError
from seqtutor.models.files import load_model
from seqtutor.rewards import Reward
from seqtutor.settings import require
from seqtutor.task import Task
from seqtutor.task_records import PriorRecord
from seqtutor.tasks.molecule.canonical import require_rdkit
from seqtutor.tasks.molecule.known import known_in
from seqtutor.tasks.molecule.reward_settings import MOSES_EXTREMES, KnownTerm, TrainingExtremes
from seqtutor.tasks.molecule.settings import MoleculeSettings
from seqtutor.tasks.molecule.tokens import elements_of
from seqtutor.vocabulary import Vocabulary

SHIPPED_PRIOR = Path(__file__).parent / "prior"
"""The prior that comes with the package; its `config.json` says how it was made."""


def molecule_task(
    settings: MoleculeSettings | None = None,
    prior: PriorRecord | None = None,
    workers: int | None = None,
) -> Task:
    """SMILES strings of a prior's tokens, rewarded for their properties.

    The worker processes start at once and end with `Task.close` or a `with` block; left open, they
    end with Python.

    Args:
        settings: reward, length and goal; by default the paper's terms, each with a weight of one.
        prior: has the vocabulary and, where the settings leave them open, the length and the
            extremes of its training set; by default the one that comes with the package.
        workers: processes that score; by default one for each core, 0 for none but this one.

    Raises:
        UserError: if RDKit is missing, or a pattern, a molecule, the formula or the function of the
            settings cannot be used.
    """
    require_rdkit()
    from seqtutor.tasks.molecule.reward import MoleculeReward
    from seqtutor.tasks.molecule.scoring import MoleculeScorer
    from seqtutor.tasks.molecule.terms import recording_measurer

    prior = load_model(SHIPPED_PRIOR) if prior is None else prior
    settings = completed(settings or MoleculeSettings(), prior)
    assert settings.length is not None
    reward, goal = settings.reward, settings.chosen_goal
    measurer = recording_measurer(reward, goal)
    function = MoleculeReward(
        reward,
        prior.vocabulary,
        MoleculeScorer.with_workers(measurer, workers, scorers=reward.own_scorers),
        goal,
        settings.calls,
        known_in(prior.folder) if "known" in reward.weights else None,
    )
    return Task(prior.vocabulary, settings.length, Reward(function, reward.weights), "molecule")


def completed(settings: MoleculeSettings, prior: PriorRecord) -> MoleculeSettings:
    """The settings with the length and the extremes of the prior's training set where open.

    The term `known` is left out if the prior's folder has no record of its training set.
    """
    extremes = extremes_of(prior)
    reward = settings.reward if extremes is None else settings.reward.with_extremes(extremes)
    if "known" in reward.weights and known_in(prior.folder) is None:
        reward = replace(reward, known=KnownTerm(weight=0.0))
    length = prior.origin["max_length"] if settings.length is None else settings.length
    return replace(settings, reward=reward, length=length)


def require_elements(settings: MoleculeSettings, vocabulary: Vocabulary) -> None:
    """Refuse molecular formulas with an element that no token of the vocabulary writes.

    Raises:
        UserError: which says how to train a prior that can write it.
    """
    from seqtutor.tasks.molecule.measurer import element_counts

    goal, isomer = settings.chosen_goal, settings.reward.isomer
    wanted = [goal.formula if goal else "", isomer.formula if isomer.is_active else ""]
    known = elements_of(vocabulary.tokens) | {"H"}
    for formula in wanted:
        missing = [element for element in element_counts(formula) if element not in known]
        require(
            not missing,
            f"the prior cannot write {' or '.join(missing)}, which {formula} has; train one that "
            "can with: seqtutor pretrain molecule --data nci (or a file of molecules) --output "
            "my_prior, and give it with --prior my_prior",
        )


def extremes_of(prior: PriorRecord) -> TrainingExtremes | None:
    """The bounds that no string of the prior's training set exceeds; `None` if not known.

    Raises:
        UserError: if the model's record cannot be used.
    """
    extremes = prior.origin.get("extremes")
    if isinstance(extremes, dict):
        try:
            return dacite.from_dict(TrainingExtremes, extremes, dacite.Config(strict=True))
        except dacite.DaciteError as error:
            raise UserError(f"the extremes of the model in {prior.folder}: {error}") from None
    return MOSES_EXTREMES if source_of(prior) == "moses" else None


def source_of(prior: PriorRecord) -> str | None:
    """The name of the data that the prior was trained on; `None` if not known."""
    data = prior.origin.get("data")
    return data.get("source") if isinstance(data, dict) else None
