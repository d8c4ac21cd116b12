"""Molecules as a task: SMILES tokens of a prior, and a reward that worker processes compute."""

from __future__ import annotations

from dataclasses import replace

from seqtutor.models.files import SavedModel
from seqtutor.rewards import Reward
from seqtutor.settings import require
from seqtutor.task import Task
from seqtutor.tasks.molecule.goals import Goal
from seqtutor.tasks.molecule.known import known_to
from seqtutor.tasks.molecule.model import extremes_of, load_molecule_model
from seqtutor.tasks.molecule.requirements import require_rdkit
from seqtutor.tasks.molecule.reward_settings import KnownTerm, MoleculeRewardSettings
from seqtutor.tasks.molecule.settings import MoleculeTuning
from seqtutor.tasks.molecule.tokens import elements_of
from seqtutor.vocabulary import Vocabulary


def molecule_task(
    prior: SavedModel | None = None,
    reward: MoleculeRewardSettings | None = None,
    length: int | None = None,
    workers: int | None = None,
    goal: Goal | None = None,
    calls: int | None = None,
) -> Task:
    """SMILES strings of a prior's tokens, rewarded for their properties.

    The worker processes start at once and end with `Task.close` or a `with` block; left open, they
    end with Python.

    Args:
        prior: gives the vocabulary and, where they are left open, the length and the extremes of
            its training set; the one that comes with the package if left out.
        reward: the terms; the paper's, each with a weight of one, if left out.
        length: tokens of the longest string, the end token included.
        workers: processes that score, one for each core if left out; 0 for none but this one.
        goal: is recorded for every new molecule, in the reward's `oracle`.
        calls: of the goal's oracle after which a run ends; `None` for no limit.

    Raises:
        UserError: if RDKit is missing, a pattern, a molecule, the formula or the function in the
            reward's settings is none, or the prior cannot write what the goal needs.
    """
    require_rdkit()
    from seqtutor.tasks.molecule.reward import MoleculeReward

    prior = prior or load_molecule_model()
    settings = reward or MoleculeRewardSettings()
    tuning = completed(MoleculeTuning(reward=settings, length=length), prior)
    assert tuning.length is not None
    if goal is not None:
        require_elements(goal.formula, prior.vocabulary)
    known = known_to(prior) if "known" in tuning.reward.weights else None
    function = MoleculeReward.with_workers(
        tuning.reward, prior.vocabulary, workers, goal, calls, known
    )
    weighted = Reward(function, tuning.reward.weights)
    return Task(prior.vocabulary, tuning.length, weighted, MoleculeTuning.task)


def require_elements(formula: str, vocabulary: Vocabulary) -> None:
    """Refuse a molecular formula with an element that no token of the vocabulary writes.

    Raises:
        UserError: that says how to train a prior that can write it.
    """
    from seqtutor.tasks.molecule.measure import element_counts

    known = elements_of(vocabulary.tokens) | {"H"}
    missing = [element for element in element_counts(formula) if element not in known]
    require(
        not missing,
        f"the prior cannot write {' or '.join(missing)}, which {formula} has; train one that "
        "can with: seqtutor pretrain molecule --data nci (or a file of molecules) --output "
        "my_prior, and give it with --prior my_prior",
    )


def completed(tuning: MoleculeTuning, prior: SavedModel) -> MoleculeTuning:
    """The tuning with what it leaves to its prior.

    The term `known` is left out if nothing beside the prior says what it was trained on.
    """
    extremes = extremes_of(prior)
    reward = tuning.reward if extremes is None else tuning.reward.with_extremes(extremes)
    if "known" in reward.weights and known_to(prior) is None:
        reward = replace(reward, known=KnownTerm(weight=0.0))
    length = prior.origin["max_length"] if tuning.length is None else tuning.length
    return replace(tuning, reward=reward, length=length)
