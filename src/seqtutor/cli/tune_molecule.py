"""`seqtutor tune molecule`: a prior of SMILES strings and a reward in, a policy out."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from seqtutor.cli.tune_options import TuneOptions, chosen_tuning
from seqtutor.cli.tuning import TaskTools, run_tuning
from seqtutor.settings import require
from seqtutor.tasks.molecule.goals import GoalName
from seqtutor.tasks.molecule.presets import preset_tuning
from seqtutor.tasks.molecule.reward_settings import MoleculeRewardSettings
from seqtutor.tasks.molecule.settings import MoleculeTuning

if TYPE_CHECKING:
    from seqtutor.models.base import SequenceModel
    from seqtutor.models.files import SavedModel
    from seqtutor.report.tables import Table
    from seqtutor.runs.run_folder import RunFolder
    from seqtutor.task import Task
    from seqtutor.tasks.molecule.oracle import Oracle
    from seqtutor.tasks.molecule.reward import MoleculeReward


GOAL = "goal"
"""The stem of the files of a goal: goal.csv has the calls, goal.svg and goal.png the curves."""


FEW_VALID = 0.2
"""Share of valid molecules among a prior's samples below which there is little to reward."""


@dataclass(frozen=True)
class Options(TuneOptions):
    """Tune a copy of the prior by reinforcement learning, for molecules with wanted properties.

    The policy maximises E[reward]/c − KL(policy ‖ prior). The reward is RDKit's, computed by
    worker processes. The run's folder gets its configuration, a record of every chunk, the policy,
    and molecules as CSV, SMILES, SDF and a picture.

    A run with a goal ends once the calls of its oracle are used: a call is a valid molecule whose
    value was not asked for before. It prints the best molecules, the means of the 10 and the 100
    best and the area under the curve of the 10 best against calls (those of the PMO benchmark), and
    writes goal.csv (all calls), goal.svg, goal.png (the curves), best.csv, best.sdf and best.svg.

    With --seeds, the output folder gets such a folder for each seed. Called again with the same
    --output, it keeps the finished ones and runs the others.
    """

    resumed_with = (*TuneOptions.resumed_with, "reward_workers")

    preset: str = "drug-like"
    """Settings and terms of the reward to start from; options given beside it win:
    - drug-like: logP up by one, easier to make, as drug-like as before, many scaffolds
    - paper: the terms of the paper, towards its tuned column
    - qed: drug-likeness alone
    - penalized-logp: logP − SA − atoms of large rings
    - celecoxib: similarity to celecoxib
    - isomers: the formula C9H10N2O2PF2Cl (needs a prior that knows phosphorus)
    The last four have a goal and 10,000 calls.
    """
    task: tyro.conf.Positional[Literal["molecule"]] = "molecule"
    """What is generated."""
    samples: int = 100
    """Strings to write into the run's folder at the end."""
    evaluate: int = 2_000
    """Strings to sample for the table at the end; 0 for no table."""
    length: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """Tokens of the longest string, the end token included; by default what the prior was trained
    on."""
    reward_workers: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """Processes that score molecules; by default one for each core, shared by seeds that are
    trained at the same time. 0 for none: a molecule that crashes RDKit then ends the run."""
    goal: GoalName | None = None
    """What is reported against the calls of its oracle, whatever the reward; the presets of these
    names have it."""
    calls: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """Calls of the goal's oracle after which the run ends; 0 for no limit."""
    reward: MoleculeRewardSettings = field(default_factory=MoleculeRewardSettings)
    """The terms of the reward."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.reward_workers is None or self.reward_workers >= 0,
            f"--reward-workers must not be negative, not {self.reward_workers}",
        )
        require(
            self.calls is None or self.calls >= 0,
            f"--calls must not be negative, not {self.calls}",
        )

    @property
    def tuning(self) -> MoleculeTuning:
        """What makes the run, without what is only done with it."""
        calls = self.calls or None
        return MoleculeTuning(self.tutor, self.reward, self.length, self.prior, self.goal, calls)


def defaults(arguments: list[str]) -> Options:
    """The preset or configuration that the arguments name, as defaults for all other options."""
    tuning, named = chosen_tuning(arguments, MoleculeTuning, preset_tuning, Options.preset)
    return Options(
        length=tuning.length,
        prior=tuning.prior,
        goal=tuning.goal,
        calls=tuning.calls,
        tutor=tuning.tutor,
        reward=tuning.reward,
        **named,
    )


def run(options: Options) -> None:
    """Tune, write the run's folder or one for each seed, print the table."""
    from seqtutor.tasks.molecule.requirements import require_rdkit

    require_rdkit()
    # A process that follows is never asked for a reward.
    workers = 0 if options.place.follows else options.reward_workers
    run_tuning(options.tuning, options, MoleculeTools(workers))


class MoleculeTools(TaskTools[MoleculeTuning]):
    """What molecules bring to the loop; with so many worker processes."""

    one, many = "molecule", "molecules"

    def __init__(self, workers: int | None) -> None:
        self.workers = workers

    def completed(self, tuning: MoleculeTuning) -> MoleculeTuning:
        """With the length and the extremes of the prior's training set."""
        from seqtutor.runs.progress import console
        from seqtutor.tasks.molecule.task import completed, require_elements
        from seqtutor.tasks.molecule.terms import measurer_for

        prior, goal = self.load_prior(tuning), tuning.chosen_goal
        measurer_for(tuning.reward, goal)  # What is no pattern or formula is refused now.
        if goal is not None:
            require_elements(goal.formula, prior.vocabulary)
        if tuning.reward.isomer.is_active:
            require_elements(tuning.reward.isomer.formula, prior.vocabulary)
        whole = completed(tuning, prior)
        if tuning.reward.known.is_active and not whole.reward.known.is_active:
            console.print(
                f"Nothing in {tuning.prior} says what the prior was trained on: the term known is "
                "left out",
                style="yellow",
            )
        samples = prior.origin.get("samples")
        valid = samples.get("valid") if isinstance(samples, dict) else None
        if isinstance(valid, float) and valid < FEW_VALID:
            console.print(
                f"Only {valid:.1%} of the prior's samples are valid molecules, so that hardly any "
                "is rewarded: train it for more epochs, or on more molecules",
                style="yellow",
            )
        return whole

    def described(self, tuning: MoleculeTuning) -> str:
        """The reward."""
        return f"Reward: {tuning.reward.in_words()}"

    def written(self, tuning: MoleculeTuning) -> tuple[str, ...]:
        """The files of a goal."""
        if tuning.goal is None:
            return ()
        return (
            "the best molecules in best.csv, best.sdf and best.svg",
            f"their course in {GOAL}.png",
        )

    def job_options(self, jobs_at_a_time: int) -> tuple[str, ...]:
        """Each job's share of the workers."""
        from seqtutor.machine import usable_cores

        own = self.workers
        if own is None:
            own = max(1, usable_cores() // jobs_at_a_time)
        return ("--reward-workers", str(own))

    def load_prior(self, tuning: MoleculeTuning) -> SavedModel:
        """A model of SMILES strings."""
        from seqtutor.tasks.molecule.model import load_molecule_model

        return load_molecule_model(tuning.prior)

    def task(self, tuning: MoleculeTuning, prior: SavedModel) -> Task:
        """The reward, whose workers start now."""
        from seqtutor.tasks.molecule.task import molecule_task

        return molecule_task(
            prior, tuning.reward, tuning.length, self.workers, tuning.chosen_goal, tuning.calls
        )

    def on_record(self, task: Task, folder: Path) -> None:
        """The calls of the goal's oracle."""
        oracle = _oracle(task)
        if oracle is not None:
            oracle.write(folder / f"{GOAL}.csv")

    def finish(self, task: Task, tuning: MoleculeTuning, folder: Path) -> None:
        """The calls of the goal's oracle, and the best molecules; what could not be measured."""
        from seqtutor.runs.progress import console
        from seqtutor.tasks.molecule.best import write_best

        lost = _reward(task).lost_in_words()
        if lost is not None:
            console.print(lost, style="yellow", highlight=False)
        oracle = _oracle(task)
        if oracle is not None:
            oracle.write(folder / f"{GOAL}.csv")
            write_best(oracle, folder, self.workers)

    def print_results(self, runs: list[tuple[MoleculeTuning, RunFolder]], output: Path) -> None:
        """The best molecules against calls, if there is a goal, and their curves as figures."""
        from seqtutor.cli.output import print_table
        from seqtutor.report.style import save_for_page_and_print
        from seqtutor.tasks.molecule.goal_report import goal_curves, goal_table
        from seqtutor.tasks.molecule.oracle import Oracle

        tuning = runs[0][0]
        goal, calls = tuning.chosen_goal, tuning.calls
        if goal is None:
            return
        seeds = [Oracle.read(run.path / f"{GOAL}.csv").values for _, run in runs]
        if all(map(len, seeds)):
            save_for_page_and_print(goal_curves(goal, seeds, calls), output / GOAL)
        print_table(goal_table(goal, tuning.tutor.method, seeds, calls))

    def write_samples(
        self, policy: SequenceModel, tuning: MoleculeTuning, number: int, folder: Path
    ) -> None:
        """CSV, SMILES, SDF and a picture."""
        from seqtutor.tasks.molecule.model import sample_smiles
        from seqtutor.tasks.molecule.samples import describing_measurer, write_samples
        from seqtutor.tasks.molecule.scoring import MoleculeScorer

        assert tuning.length is not None
        vocabulary = self.load_prior(tuning).vocabulary
        seed = tuning.tutor.seed
        strings = sample_smiles(policy, vocabulary, number, tuning.length, seed=seed)
        measurer = describing_measurer(tuning.reward)
        with MoleculeScorer.with_workers(measurer, self.workers) as scorer:
            write_samples(scorer.score(strings), folder, tuning.reward)

    def table(self, runs: list[tuple[MoleculeTuning, RunFolder]], number: int) -> Table:
        """Table 2 and the run's own terms; each run's seed is also that of its sampling."""
        from seqtutor.cli.evaluate_molecule import Evaluator
        from seqtutor.cli.molecules import find_policy
        from seqtutor.tasks.molecule.mean_terms import mean_terms
        from seqtutor.tasks.molecule.table import Measured, molecule_table

        policies = [(find_policy(str(run.path)), tuning.tutor.seed) for tuning, run in runs]
        first = policies[0][0]
        with Evaluator(number, workers=self.workers) as evaluator:
            prior = evaluator.measure_prior_of(first, policies[0][1])
            measured = [evaluator.measure(policy, seed) for policy, seed in policies]
        strings = {index: one.scores.strings for index, one in enumerate([prior, *measured])}
        earned = list(mean_terms(runs[0][0].reward, strings, self.workers).values())
        columns = [
            Measured(name, evaluations, is_beside_paper=False)
            for name, evaluations in (("prior", [prior]), (first.name, measured))
        ]
        return molecule_table(columns, earned=[earned[:1], earned[1:]])


def _oracle(task: Task) -> Oracle | None:
    """The record of the goal's oracle, if there is a goal."""
    return _reward(task).oracle


def _reward(task: Task) -> MoleculeReward:
    from seqtutor.rewards import as_reward
    from seqtutor.tasks.molecule.reward import MoleculeReward

    function = as_reward(task.reward).function
    assert isinstance(function, MoleculeReward)
    return function
