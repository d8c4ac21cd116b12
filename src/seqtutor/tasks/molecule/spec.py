"""The molecule task as the commands see it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from seqtutor.errors import UserError
from seqtutor.settings import require, require_workers
from seqtutor.task_records import Drawn, Gallery, Numbers, PriorRecord, Profile
from seqtutor.task_spec import TaskSpec
from seqtutor.tasks.molecule.canonical import require_rdkit
from seqtutor.tasks.molecule.data_settings import MoleculeData
from seqtutor.tasks.molecule.presets import PRESETS, tutor_settings
from seqtutor.tasks.molecule.reward_settings import MoleculeRewardSettings
from seqtutor.tasks.molecule.settings import MoleculeSettings
from seqtutor.tasks.molecule.table_2 import PUBLISHED
from seqtutor.tasks.molecule.tokens import END_TOKEN, find_fault

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Bool

    from seqtutor.controls import How, Opening
    from seqtutor.data import Dataset, Sequences
    from seqtutor.exhibits import Exhibition, Shown
    from seqtutor.measure import Measure, MeasureGroup
    from seqtutor.task import Task
    from seqtutor.vocabulary import Vocabulary

FEW_VALID = 0.2
"""Share of valid molecules among a prior's samples below which a user is warned."""

MEASURED_SAMPLES = 1000
"""Strings of a new prior whose share of valid molecules is measured."""

WITHOUT_DIVERSITY = (
    "Rewards are without the term diversity, which depends on the strings generated before."
)

SMALL_DATA = {"hidden_sizes": (256,), "batch": 64, "learning_rate": 3e-3, "epochs": 40}
"""For some thousands of molecules: many passes, the best of which is kept."""

MOSES_DATA = {
    "hidden_sizes": (256,),
    "batch": 128,
    "learning_rate": 5e-3,
    "weight_decay": 0.0,
    "epochs": 3,
}
"""For 1.6 million molecules: few passes, in which none can be learned by heart."""

BOTH_PRESETS = ("paper", "drug-like")
PROFILES = {
    "smoke": Profile(
        "a minute or two, too short to learn much",
        1,
        1_000,
        30_000,
        presets=("drug-like",),
        is_trial=True,
    ),
    "default": Profile(
        "about ten minutes on two cores, one seed, half of each preset's steps",
        1,
        10_000,
        presets=BOTH_PRESETS,
        c=(2.0,),
        minutes=8,
        share_of_steps=0.5,
    ),
    "full": Profile(
        "three seeds, 100,000 strings a policy",
        3,
        100_000,
        presets=BOTH_PRESETS,
        c=(0.25, 0.5, 2.0, 4.0),
    ),
}


@dataclass(frozen=True)
class MoleculeSamples:
    """How molecules are written."""

    formats: tuple[Literal["csv", "smi", "sdf"], ...] = ("csv", "smi", "sdf")
    """Kinds of files: csv has every string, smi and sdf have the valid molecules."""
    grid: Literal["svg", "png", "none"] = "svg"
    """Format of the picture of the first 40 valid molecules."""
    rewards: bool = True
    """Write the terms of the run's reward for each string, except known and diversity."""
    prime: str | None = None
    """How each string begins, such as c1ccccc1."""
    unique: bool = False
    """Write each molecule once, and each string that is not a molecule."""
    sort: Literal["none", "reward"] = "none"
    """Order: as they were generated, or the highest reward first."""
    run_scorers: bool = False
    """Run the functions and commands of your own that the run's folder names, for its reward. They
    are code: do so only if you trust the folder."""
    workers: int | None = None
    """Processes that score molecules; by default up to one for each core, 0 for none but this
    one."""

    def __post_init__(self) -> None:
        require(
            bool(self.formats) or self.grid != "none",
            "--formats needs at least one of csv, smi, sdf, or --grid a kind of picture",
        )
        require_workers(self.workers)


@dataclass(frozen=True)
class MoleculeMeasuring:
    """Molecules with which generated ones are compared."""

    reference: str = "auto"
    """Set for novelty and similarities: "moses" (see seqtutor data moses), "nci", or a file of
    molecules; "none" for none; auto: moses if the prior is made of it and it has been fetched."""
    run_scorers: bool = False
    """Run the functions and commands of your own that the runs' folders name, for their reward.
    They are code: do so only if you trust the folders."""
    fcd: bool = False
    """Measure the Fréchet ChemNet distance to the reference's test set, too; some minutes."""


class MoleculeSpec(TaskSpec[MoleculeSettings]):
    """SMILES strings of drug-like molecules, rewarded by RDKit."""

    name = "molecule"
    one, many = "SMILES string", "SMILES strings"
    valid = "valid"
    settings_type = MoleculeSettings
    presets = PRESETS
    priors: Mapping[str, Path] = {"moses-lstm": Path(__file__).parent / "prior"}
    data_type = MoleculeData
    sample_type = MoleculeSamples
    evaluate_type = MoleculeMeasuring
    numbers = Numbers(
        samples_of_run=100,
        evaluation_of_run=2_000,
        sample=100,
        most_samples=1_000_000,
        evaluate=20_000,
    )
    commands: Mapping[str, str] = {"score": "seqtutor.tasks.molecule.score"}
    profiles: Mapping[str, Profile] = PROFILES
    published = PUBLISHED
    published_beside_runs = False
    measures_need_settings = False

    @property
    def heading(self) -> str:
        """Of the strings, molecules are what matters."""
        return "Molecules"

    def require_dependencies(self) -> None:
        """RDKit is optional."""
        require_rdkit()

    def tutor_settings(self, method: str) -> Mapping[str, Any]:
        """Returns to the end of a string, and no random tokens, which spoil most strings."""
        return tutor_settings(method)

    def task(
        self,
        settings: MoleculeSettings,
        prior: PriorRecord | None = None,
        workers: int | None = None,
    ) -> Task:
        """A reward by RDKit, whose worker processes start now."""
        from seqtutor.tasks.molecule.task import molecule_task

        return molecule_task(settings, prior, workers)

    def usual_task(self) -> Task:
        """The shipped prior's vocabulary, and no worker processes."""
        return self.task(MoleculeSettings(), workers=0)

    def default_length(self) -> None:
        """Every prior has its own; `check_prior` refuses one without."""

    def check_prior(self, prior: PriorRecord) -> None:
        """Refuse a model whose tokens are not those of SMILES."""
        tokens = [token for token in prior.vocabulary.tokens if token != END_TOKEN]
        if prior.vocabulary.end_token != END_TOKEN or any(map(find_fault, tokens)):
            raise UserError(
                f"the model in {prior.folder} does not write SMILES strings; train one with: "
                "seqtutor pretrain molecule"
            )
        if not isinstance(prior.origin.get("max_length"), int):
            raise UserError(f"the model in {prior.folder} does not say how long its strings are")

    def complete(
        self, settings: MoleculeSettings, prior: PriorRecord
    ) -> tuple[MoleculeSettings, list[str]]:
        """The length and the extremes of the prior's training set; its elements are checked."""
        from seqtutor.tasks.molecule.scorers import require_usable
        from seqtutor.tasks.molecule.task import completed, require_elements
        from seqtutor.tasks.molecule.terms import measurer_for

        measurer_for(settings.reward, settings.chosen_goal)  # Refuses unusable patterns now.
        require_usable(settings.reward)
        require_elements(settings, prior.vocabulary)
        whole, warnings = completed(settings, prior), []
        if "known" in settings.reward.weights and "known" not in whole.reward.weights:
            warnings.append(
                f"{prior.folder} has no record of what the prior was trained on: the term known is "
                "left out"
            )
        samples = prior.origin.get("samples")
        valid = samples.get("valid") if isinstance(samples, dict) else None
        if isinstance(valid, float) and valid < FEW_VALID:
            warnings.append(
                f"Only {valid:.1%} of the prior's samples are valid molecules, so that hardly any "
                "is rewarded: train it for more epochs, or on more molecules"
            )
        return whole, warnings

    def describe(self, settings: MoleculeSettings) -> str:
        """The terms of the reward with their weights."""
        return f"Reward: {settings.reward.in_words()}."

    def is_published(self, settings: MoleculeSettings) -> bool:
        """Where the reward has the terms that the preset `paper` has, no goal and no own scorer."""
        reward = settings.reward
        has_own = bool(reward.own_scorers) or settings.chosen_goal is not None
        return not has_own and {"logp", "sa", "ring"} <= reward.weights.keys()

    def has_memory(self, settings: MoleculeSettings) -> bool:
        """It keeps a record of what a run scored."""
        return True

    def settings_for_evaluation(self, settings: MoleculeSettings) -> MoleculeSettings:
        """Without the `diversity` term and the goal."""
        return settings.without_memory()

    def without_code(
        self, settings: MoleculeSettings, options: MoleculeMeasuring
    ) -> tuple[MoleculeSettings, str | None]:
        """Without the user's own scorers, unless the options say that they may run."""
        own = settings.reward.own_scorers
        if not own or options.run_scorers:
            return settings, None
        note = f"Rewards are without {code_of(settings.reward)}."
        return replace(settings, reward=settings.reward.without(*own)), note

    def training_defaults(self, data: Any) -> Mapping[str, Any]:
        """The passes and the batch for MOSES, or for a small set."""
        return MOSES_DATA if data == "moses" else SMALL_DATA

    def read_data(self, options: MoleculeData, vocabulary: Vocabulary | None = None) -> Dataset:
        """Molecules, with the extremes of the training set and the form of the strings."""
        from seqtutor.tasks.molecule.dataset import load_with_bar
        from seqtutor.tasks.molecule.terms import training_extremes

        data = load_with_bar(options.data, options.form, vocabulary)
        extremes = asdict(training_extremes(data.strings(data.train)))
        return replace(
            data, origin={"extremes": extremes, **data.origin, "form": vars(options.form)}
        )

    def describe_model(self, model: Any, data: Dataset) -> tuple[Mapping[str, Any], list[str]]:
        """The share of valid molecules among samples, and of distinct ones among these."""
        from seqtutor.measures.sampling import draw
        from seqtutor.tasks.molecule.canonical import canonicalise
        from seqtutor.tasks.molecule.encoding import decode

        number, end = MEASURED_SAMPLES, data.vocabulary.end
        drawn = draw(model, model, number=number, length=data.max_length, end=end)
        found = canonicalise(decode(drawn.tokens, data.vocabulary))
        valid = [one for one in found if isinstance(one, str)]
        share, distinct = len(valid) / number, len(set(valid)) / max(1, len(valid))
        return {"samples": {"number": number, "valid": share, "distinct": distinct}}, [
            f"Of {number:,} samples {100 * share:.1f} % are valid molecules, and "
            f"{100 * distinct:.1f} % of these are distinct"
        ]

    def write_beside_model(self, data: Dataset, folder: Path) -> None:
        """The filter of the molecules that the model was trained on."""
        from seqtutor.tasks.molecule.encoding import decode
        from seqtutor.tasks.molecule.known import KnownMolecules

        parts = (data.train, data.validation)
        strings = [one for part in parts for one in decode(part.tokens, data.vocabulary)]
        KnownMolecules.of(strings).save(folder)

    def primer(
        self,
        options: MoleculeSamples,
        settings: MoleculeSettings,
        number: int,
        seed: int,
        vocabulary: Vocabulary,
    ) -> tuple[np.ndarray | None, MoleculeSamples]:
        """The beginning of a SMILES string, the same for all."""
        if options.prime is None:
            return None, options
        import numpy as np

        from seqtutor.tasks.molecule.smiles_files import opening

        tokens = np.asarray(opening(options.prime, vocabulary).tokens, np.int32)
        return np.tile(tokens, (number, 1)), options

    def is_valid(self, sequences: Sequences, prior: PriorRecord) -> Bool[np.ndarray, " sequence"]:
        """Strings that RDKit reads as molecules."""
        import numpy as np

        from seqtutor.tasks.molecule.canonical import are_valid
        from seqtutor.tasks.molecule.encoding import decode

        return np.array(are_valid(decode(sequences.tokens, prior.vocabulary)), bool)

    def write(self, drawn: Drawn, folder: Path, options: MoleculeSamples) -> list[Path]:
        """`molecules` in each format, and a picture of the first valid ones."""
        from seqtutor.runs.progress import console
        from seqtutor.tasks.molecule.encoding import decode
        from seqtutor.tasks.molecule.writers import write_samples

        reward, why_none = _reward_to_write(drawn, options)
        if why_none:
            require(options.sort == "none", f"cannot sort by reward: {why_none}")
            if drawn.has_reward and options.rewards:
                console.print(f"Rewards are left out: {why_none}")
        return write_samples(
            decode(drawn.sequences.tokens, drawn.vocabulary),
            folder,
            reward,
            options.formats,
            None if options.grid == "none" else options.grid,
            options.workers,
            is_unique=options.unique,
            is_sorted=options.sort == "reward",
            run=drawn.run,
        )

    @contextmanager
    def measures(
        self,
        settings: MoleculeSettings,
        options: MoleculeMeasuring,
        priors: Sequence[PriorRecord],
        number: int,
        workers: int | None = None,
    ) -> Iterator[Sequence[Measure | MeasureGroup]]:
        """Table 2 and the measures of MOSES, by worker processes of their own."""
        from seqtutor.measure import MeasureGroup
        from seqtutor.runs.progress import console
        from seqtutor.tasks.molecule.evaluation import molecule_measures
        from seqtutor.tasks.molecule.metrics import METRICS_MEASURER
        from seqtutor.tasks.molecule.references import NONE, load_reference, resolve_reference
        from seqtutor.tasks.molecule.scoring import MoleculeScorer

        source = resolve_reference(options.reference, priors[0] if priors else None)
        if source != NONE:
            console.print(f"Reading {source} to compare with")
        with MoleculeScorer.with_workers(METRICS_MEASURER, workers) as scorer:
            measures = molecule_measures(scorer, load_reference(source, scorer), options.fcd)
            if "diversity" in settings.reward.weights:
                measures.append(MeasureGroup((), note=WITHOUT_DIVERSITY))
            yield measures

    def prepare_measures(self, options: MoleculeMeasuring, prior: PriorRecord) -> None:
        """Fetch MOSES if it is the reference, or the prior is made of it and it can be fetched."""
        from seqtutor.runs.progress import console
        from seqtutor.tasks.molecule.moses_wheel import fetch_wheel
        from seqtutor.tasks.molecule.references import AUTO
        from seqtutor.tasks.molecule.sources import MOSES
        from seqtutor.tasks.molecule.task import source_of

        if options.reference == MOSES:
            fetch_wheel()
        elif options.reference == AUTO and source_of(prior) == MOSES:
            try:
                fetch_wheel()
            except UserError as error:
                console.print(f"{error}; continuing without novelty and similarities")

    def fit_of_prior(self, prior: Any) -> tuple[list[str], str]:
        """The fit to its test part, as it was measured after training."""
        from seqtutor.tasks.molecule.task import source_of

        test = prior.origin.get("test")
        if not isinstance(test, dict):
            return [], ""
        return [f"The prior was trained on {source_of(prior)}"], (
            f"On {test['sequences']:,} molecules of its test part the prior's log-perplexity is "
            f"{test['log_perplexity']:.4f} nats a token, its accuracy {100 * test['accuracy']:.2f} "
            "%."
        )

    def opening(
        self, given: str | Path, prior: PriorRecord, settings: MoleculeSettings, how: How
    ) -> Opening:
        """The beginning of a SMILES string, or the first one of a file."""
        from seqtutor.tasks.molecule.smiles_files import opening

        return opening(given, prior.vocabulary)

    def exhibits(self, policies: Mapping[str, Shown]) -> Exhibition:
        """Drawings, distributions of properties, and structures to download."""
        from seqtutor.tasks.molecule.exhibits import exhibition

        return exhibition(policies)

    def illustrate(self, gallery: Gallery) -> list[str]:
        """Distributions of properties, and the pictures of molecules beside the samples."""
        from seqtutor.tasks.molecule.plots import illustrate

        return illustrate(gallery)

    def summarise(
        self, folders: Sequence[Path], settings: MoleculeSettings, output: Path
    ) -> list[Any]:
        """The best molecules by reward, and the goal's table and files."""
        from seqtutor.runs.config import read_config
        from seqtutor.tasks.molecule.goal_report import report_best, report_goal

        lines: list[Any] = [*report_best(folders)]
        if settings.chosen_goal is not None:
            method = read_config(self, folders[0]).tutor.method
            lines += report_goal(settings.chosen_goal, method, folders, output, settings.calls)
        return lines


def code_of(reward: MoleculeRewardSettings) -> str:
    """The user's own scorers of a reward that a folder names, and how to have them run."""
    names = ", ".join(f"{name} ({term.code})" for name, term in reward.own_scorers.items())
    return f"{names}, code that the folder names; if you trust it, give --run-scorers"


def _reward_to_write(
    drawn: Drawn, options: MoleculeSamples
) -> tuple[MoleculeRewardSettings | None, str]:
    """The reward of generated molecules, or why there is none."""
    reward = drawn.settings.reward
    if not drawn.has_reward:
        return None, "the model is not that of a run, which has one"
    if not options.rewards:
        return None, "--no-rewards leaves it out"
    if reward.own_scorers and not (drawn.may_run_code or options.run_scorers):
        return None, f"the run's has {code_of(reward)}"
    return reward, ""


spec = MoleculeSpec()
