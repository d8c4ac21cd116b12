"""What the commands know of a task: how it is made, and what can be done with its sequences.

A `Task` is one problem: a vocabulary, a length and a reward. A `TaskSpec` makes tasks from settings
and says everything else about them: presets, data, priors, how sequences are read, written and
measured, and the published figures that are set beside the measured ones. All of it has defaults,
so that a bare `Task` is enough: `TaskSpec.of(task)`.

A spec is found by its name, as an entry point of the group `seqtutor.tasks`, or is given as
`FILE.py:ATTRIBUTE` or `module:attribute`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from seqtutor.errors import UserError
from seqtutor.files import atomic_write
from seqtutor.references import entry_points_of, is_reference, load_reference

if TYPE_CHECKING:
    from seqtutor.data import Dataset, Sequences
    from seqtutor.measure import Measure, MeasureGroup, Published
    from seqtutor.task import Task
    from seqtutor.vocabulary import Vocabulary

GROUP = "seqtutor.tasks"
"""The group of entry points by which installed packages offer tasks."""

LARGEST_TEXT = 1 << 30
"""Bytes of a text file of sequences that is read."""


@dataclass(frozen=True)
class NoSettings:
    """The settings of a task that has none."""


Settings = TypeVar("Settings")


@dataclass(frozen=True)
class Preset(Generic[Settings]):
    """Named settings of a tuning run.

    Attributes:
        title: for tables.
        summary: one line for help texts.
        tutor: the settings of the tutor, by their flat names, for a method of the given name.
        settings: the task's own settings for that method.
    """

    title: str
    summary: str
    tutor: Callable[[str], Mapping[str, Any]]
    settings: Callable[[str], Settings]


class PriorRecord(Protocol):
    """What a task reads of a prior: its vocabulary, how it was made, and where it lies."""

    @property
    def vocabulary(self) -> Vocabulary:
        """Of the model."""

    @property
    def origin(self) -> Mapping[str, Any]:
        """How the model was made, as its configuration says."""

    @property
    def folder(self) -> Path | None:
        """Where the model was read from."""


@dataclass(frozen=True)
class TextData:
    """Sequences in a text file, one a line."""

    data: Path | None = None
    """A text file with one sequence a line. A token is a character, or, where tokens have several
    characters, what stands between two spaces."""
    validation_share: float = 0.1
    """Share of the sequences that decide when training stops."""
    test_share: float = 0.1
    """Share of the sequences on which the trained model is measured."""
    split_seed: int = 0
    """Seed of the random split into training, validation and test."""

    def __post_init__(self) -> None:
        shares = (self.validation_share, self.test_share)
        if min(shares) < 0 or sum(shares) >= 1:
            raise UserError("--validation-share and --test-share must be at least 0, together < 1")


@dataclass(frozen=True)
class Numbers:
    """How many sequences the commands generate where the user does not say."""

    samples_of_run: int = 16
    """That `tune` writes into the folder of a run."""
    evaluation_of_run: int = 10_000
    """That `tune` measures at the end."""
    sample: int = 8
    """That `sample` writes."""
    most_samples: int = 1_000_000
    """That `sample` writes at most."""
    evaluate: int = 20_000
    """That `evaluate` measures each policy on."""


@dataclass(frozen=True)
class Profile:
    """How much of an experiment is run.

    Attributes:
        summary: one line for help texts.
        seeds: of each method.
        number: sequences that each policy is measured on.
        steps: environment steps of a run; `None` for those of the preset.
        presets: with which the prior is tuned; empty for the first one alone.
        methods: by which it is tuned.
        c: further weights of the prior, of the first preset and method, for a table of reward
            against divergence.
        share_of_steps: of a run, of the steps of its preset.
        pretrains: whether a prior is trained even if one comes with the package.
        is_trial: whether it only shows that everything works.
    """

    summary: str
    seeds: int
    number: int
    steps: int | None = None
    presets: tuple[str, ...] = ()
    methods: tuple[str, ...] = ("psi",)
    c: tuple[float, ...] = ()
    share_of_steps: float = 1.0
    pretrains: bool = False
    is_trial: bool = False


PROFILES: Mapping[str, Profile] = {
    "smoke": Profile("a minute or two, too short to learn much", 1, 500, 20_000, is_trial=True),
    "default": Profile("one seed", 1, 10_000),
    "full": Profile("three seeds", 3, 100_000),
}


@dataclass(frozen=True)
class Gallery:
    """What a task shows of its policies in the report of an experiment.

    Attributes:
        folder: of the files.
        models: the sequence model of each policy, by "prior" and the names of methods.
        samples: sequences that each of them generated.
        folders: of the files that were written of some samples of each of them.
        prior: the prior, as it was saved.
        settings: the task's own.
        options: by which they were measured, an instance of the task's `evaluate_type`.
    """

    folder: Path
    models: Mapping[str, Any]
    samples: Mapping[str, Drawn]
    folders: Mapping[str, Path]
    prior: PriorRecord
    settings: Any
    options: Any


@dataclass(frozen=True)
class Drawn:
    """Sequences that a policy generated, as a task writes them.

    Attributes:
        sequences: tokens and mask.
        vocabulary: of the tokens.
        origin: of the model that generated them, as its configuration says.
        settings: the task's settings of the run, or its default settings for a mere model.
        seed: of the sampling.
        has_reward: whether the settings are those of a run, so that its reward may be reported.
    """

    sequences: Sequences
    vocabulary: Vocabulary
    origin: Mapping[str, Any]
    settings: Any
    seed: int = 0
    has_reward: bool = False

    def texts(self) -> list[str]:
        """Each sequence as text, without its end token."""
        rows = self.sequences.tokens
        return [self.vocabulary.join(self.vocabulary.decode(row)) for row in rows]


class TaskSpec(Generic[Settings]):
    """A task as the commands see it. Subclasses override what they have more of.

    Attributes:
        name: on the command line and in the folders of runs.
        reference: how a command finds the task again: its name, or FILE.py:ATTRIBUTE.
        one, many: what a sequence is called.
        settings_type: the task's own settings, a frozen dataclass; they are options of the
            commands, and part of a run's configuration.
        presets: named settings of tuning; the first is the default.
        priors: folders of the priors that come with the package; the first is called "prior".
        prior_folder: where `pretrain` writes a model by default.
        data_type: the options of `pretrain` that say which data are read and how.
        sample_type: the options of `sample`, beside number, temperature, seed and output.
        evaluate_type: the options of `evaluate`, beside number, temperature and seed.
        numbers: how many sequences the commands generate by default.
        commands: modules that replace a command, or add one, by the command's name.
        profiles: how much of an experiment `reproduce` runs; "default" is the default.
        prior_title: the heading of the prior's column.
        published: figures of a published table that are set beside the measured ones.
        published_beside_runs: whether they are in the table that ends a tuning, too.
        measures_need_settings: whether the measures depend on the settings of runs. Where they do
            not, runs with different settings are measured side by side, without their rewards.
        shows_terms: whether tables have a row for each term of the reward.
    """

    name: str = "task"
    reference: str = ""
    one: str = "sequence"
    many: str = "sequences"
    settings_type: type[Any] = NoSettings
    presets: Mapping[str, Preset[Settings]] = {}
    priors: Mapping[str, Path] = {}
    prior_folder: str = "prior"
    data_type: type[Any] = TextData
    sample_type: type[Any] = NoSettings
    evaluate_type: type[Any] = NoSettings
    numbers: Numbers = Numbers()
    commands: Mapping[str, str] = {}
    profiles: Mapping[str, Profile] = PROFILES
    prior_title: str = "prior"
    published: Published | None = None
    published_beside_runs: bool = True
    measures_need_settings: bool = True
    shows_terms: bool = True

    @staticmethod
    def of(task: Task) -> TaskSpec[NoSettings]:
        """The spec of a task that has no settings."""
        return _FixedTask(task)

    @property
    def heading(self) -> str:
        """What sequences are called, at the beginning of a line."""
        return self.many[:1].upper() + self.many[1:]

    def require_dependencies(self) -> None:
        """Refuse to go on where an optional package that the task needs is missing.

        Raises:
            UserError: which says how to install it.
        """

    def preset(self, name: str | None = None) -> Preset[Settings]:
        """A preset; the first one without a name.

        Raises:
            UserError: if there is none of that name.
        """
        presets = self.presets or {"default": self._default_preset()}
        chosen = next(iter(presets)) if name is None else name
        if chosen not in presets:
            raise UserError(f"there is no preset {name!r}; choose one of {', '.join(presets)}")
        return presets[chosen]

    def _default_preset(self) -> Preset[Settings]:
        return Preset(
            self.name,
            "the methods' defaults",
            lambda method: {},
            lambda method: self.settings_type(),
        )

    def tutor_settings(self, method: str) -> Mapping[str, Any]:
        """Settings of the tutor, by their flat names, that suit the task whatever the preset.

        With these and otherwise their defaults, `compare` runs the methods.
        """
        return {}

    def task(
        self, settings: Settings, prior: PriorRecord | None = None, workers: int | None = None
    ) -> Task:
        """The task of these settings. Whoever asks for it closes it; see `opened`.

        Args:
            settings: the task's own; `complete` has filled in what depends on the prior.
            prior: the prior whose vocabulary the task has.
            workers: worker processes for a reward that uses them; `None` for one for each core, 0
                for none.

        Raises:
            UserError: if the settings cannot be used, or the prior does not fit them.
        """
        raise NotImplementedError

    def opened(
        self, settings: Settings, prior: PriorRecord | None = None, workers: int | None = None
    ) -> AbstractContextManager[Task]:
        """A context with the task of these settings; what its reward started ends with it.

        Arguments and errors as for `task`.
        """
        return self.task(settings, prior, workers)

    def complete(self, settings: Settings, prior: PriorRecord) -> tuple[Settings, list[str]]:
        """The settings with nothing left open, and warnings about them.

        Raises:
            UserError: if the prior cannot be used with these settings.
        """
        return settings, []

    def describe(self, settings: Settings) -> str | None:
        """A line about what a run with these settings is for."""
        return None

    def has_memory(self, settings: Settings) -> bool:
        """Whether the reward depends on earlier sequences, so that runs cannot share it."""
        return False

    def settings_for_evaluation(self, settings: Settings) -> Settings:
        """The settings of the reward by which policies are measured.

        A reward with a memory of earlier sequences has no expectation of a single sequence: leave
        out the terms that depend on it.
        """
        return settings

    def check_prior(self, prior: PriorRecord) -> None:
        """Refuse a model that does not write sequences of this task.

        Raises:
            UserError: which says how to train one that does.
        """
        own = self.usual_task().vocabulary
        if prior.vocabulary != own:
            raise UserError(
                f"the model in {prior.folder} has another vocabulary than the task {self.name} "
                f"({prior.vocabulary.size} tokens; the task has {own.size}); train one with: "
                f"seqtutor pretrain {self.name}"
            )

    def usual_task(self) -> Task:
        """The task of the default settings, for a task whose vocabulary no prior decides."""
        return self.task(self.settings_type())

    def default_length(self) -> int | None:
        """The length of sequences, for a model that does not say how long its sequences are."""
        return self.usual_task().max_length

    def training_defaults(self, data: Any) -> Mapping[str, Any]:
        """Settings of `pretrain` that suit the data, by their flat names."""
        return {}

    def read_data(self, options: Any, vocabulary: Vocabulary | None = None) -> Dataset:
        """Read and split the sequences on which a prior is trained.

        Args:
            options: an instance of `data_type`.
            vocabulary: of a model whose training goes on with these data.

        Raises:
            UserError: if they cannot be read, or there are too few.
        """
        if options.data is None:
            raise UserError("name a text file of sequences with --data FILE")
        from seqtutor.data import Dataset, split

        task = self.usual_task()
        sequences = _read_text(options.data, task.vocabulary, task.max_length)[1]
        parts = split(
            sequences,
            validation_share=options.validation_share,
            test_share=options.test_share,
            seed=options.split_seed,
        )
        counts = dict(zip(("train", "validation", "test"), map(len, parts), strict=True))
        lines = [
            f"{len(sequences):,} sequences: " + ", ".join(f"{n:,} {p}" for p, n in counts.items())
        ]
        origin = {"source": str(options.data), "sequences": counts}
        return Dataset(task.vocabulary, task.max_length, *parts, origin=origin, summary=lines)

    def describe_model(self, model: Any, data: Dataset) -> tuple[Mapping[str, Any], list[str]]:
        """What a trained model is measured by, for its configuration, and the same as lines."""
        return {}, []

    def write_beside_model(self, data: Dataset, folder: Path) -> None:
        """Write files that belong to a trained model into its folder."""

    def primer(self, options: Any, settings: Settings, number: int, seed: int) -> tuple[Any, Any]:
        """What generated sequences begin with.

        Args:
            options: an instance of `sample_type`.
            settings: of the run whose policy is sampled.
            number: of sequences.
            seed: of the sampling.

        Returns:
            Tokens `Int["number primed"]`, or `None` where sequences begin by themselves; and the
            options, changed by what was read of the primer.
        """
        return None, options

    def write(self, drawn: Drawn, folder: Path, options: Any) -> list[Path]:
        """Write sequences as files for people; by default one text file.

        Args:
            drawn: the sequences.
            folder: made if it is missing.
            options: an instance of `sample_type`.
        """
        return [atomic_write(folder / "samples.txt", "".join(f"{t}\n" for t in drawn.texts()))]

    def read_sequences(
        self,
        path: Path,
        vocabulary: Vocabulary,
        max_length: int,
        prior: PriorRecord | None = None,
    ) -> tuple[list[str], Sequences]:
        """Read sequences from a file of a user's; by default a text file with one a line.

        Args:
            path: of the file.
            vocabulary: of the task.
            max_length: of a sequence, its end token included.
            prior: the prior whose vocabulary that is, if there is one.

        Returns:
            A name for each sequence, and the sequences.

        Raises:
            UserError: if the file cannot be read or a sequence is not one of the task.
        """
        return _read_text(path, vocabulary, max_length, may_be_cut=True)

    @contextmanager
    def measures(
        self,
        settings: Settings,
        options: Any,
        priors: Sequence[PriorRecord],
        number: int,
        workers: int | None = None,
    ) -> Iterator[Sequence[Measure | MeasureGroup]]:
        """What sequences of this task are measured by; what that needs ends with the context.

        Args:
            settings: those that the measured runs share.
            options: an instance of `evaluate_type`.
            priors: of the policies that are measured.
            number: sequences that each policy is measured on.
            workers: worker processes of measures that use them; `None` for one for each core, 0 for
                none.
        """
        yield self.usual_task().measures

    def prepare_measures(self, options: Any, prior: PriorRecord) -> None:
        """Fetch what the measures need, at the start of an experiment that is not a trial.

        Args:
            options: an instance of `evaluate_type`.
            prior: of the experiment.
        """

    def fit_of_prior(self, prior: Any) -> tuple[list[str], str]:
        """How well a shipped prior fits real sequences: lines about the data, and a sentence.

        Raises:
            UserError: if the data cannot be read.
        """
        return [], ""

    def illustrate(self, gallery: Gallery) -> list[str]:
        """Write pictures of the policies and their samples; gives paragraphs of Markdown.

        Links are relative to the folder above that of the gallery.
        """
        return []

    def summarise(self, folders: Sequence[Path], settings: Settings, output: Path) -> list[Any]:
        """Write what the task has to say about finished runs that differ in their seed alone.

        Args:
            folders: of the runs.
            settings: of the runs.
            output: the folder of the one run, or the one that holds all of them.

        Returns:
            Lines, and instances of `seqtutor.report.tables.Table`, to print before the table of the
            measures.
        """
        return []


class _FixedTask(TaskSpec[NoSettings]):
    """A task that is the same in every run."""

    def __init__(self, task: Task) -> None:
        self.name = task.name
        self._task = task

    def task(
        self, settings: NoSettings, prior: PriorRecord | None = None, workers: int | None = None
    ) -> Task:
        return self._task

    def opened(
        self, settings: NoSettings, prior: PriorRecord | None = None, workers: int | None = None
    ) -> AbstractContextManager[Task]:
        # The task is its owner's, who may use it again.
        return nullcontext(self._task)


def _read_text(
    path: Path, vocabulary: Vocabulary, max_length: int, *, may_be_cut: bool = False
) -> tuple[list[str], Sequences]:
    from seqtutor.data import pad

    texts = read_lines(path)
    if not texts:
        raise UserError(f"{path} holds no sequence; write one a line")
    try:
        tokens = map(vocabulary.split, texts)
        return texts, pad(vocabulary, max_length, tokens, may_be_cut=may_be_cut)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def read_lines(path: Path) -> list[str]:
    """The lines of a text file that are not blank, without the space around them.

    Raises:
        UserError: if it cannot be read as text.
    """
    try:
        if path.stat().st_size > LARGEST_TEXT:
            raise UserError(f"{path} is larger than {LARGEST_TEXT >> 30} GiB; split it")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise UserError(f"cannot read {path}: it is not text in UTF-8") from None
    return [line.strip() for line in text.splitlines() if line.strip()]


def task_names() -> list[str]:
    """The names of all tasks that installed packages offer."""
    return list(entry_points_of(GROUP))


def find_spec(name: str) -> TaskSpec[Any]:
    """The spec of that name, or the one that `FILE.py:ATTRIBUTE` or `module:attribute` names.

    Raises:
        UserError: if there is none.
    """
    if is_reference(name):
        found = load_reference(name)
    elif name in entry_points_of(GROUP):
        found = entry_points_of(GROUP)[name].load()
    else:
        raise UserError(
            f"there is no task {name!r}; choose one of {', '.join(task_names())}, or give your own "
            "as FILE.py:ATTRIBUTE"
        )
    if isinstance(found, type) and issubclass(found, TaskSpec):
        found = found()
    elif not isinstance(found, TaskSpec):
        from seqtutor.task import Task

        found = TaskSpec.of(found) if isinstance(found, Task) else found
    if not isinstance(found, TaskSpec):
        raise UserError(f"{name} is {found!r}, not a seqtutor.Task or a seqtutor.TaskSpec")
    found.reference = _absolute(name)
    return found


def _absolute(reference: str) -> str:
    """The reference, which means the same from another folder."""
    file, _, attribute = reference.rpartition(":")
    return f"{Path(file).resolve()}:{attribute}" if file.endswith(".py") else reference
