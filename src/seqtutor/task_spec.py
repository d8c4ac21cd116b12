"""What the commands know of a task: how it is made, and what can be done with its sequences.

A `Task` is one problem: a vocabulary, a length and a reward. A `TaskSpec` makes tasks from settings
and says everything else about them: presets, data, priors, how sequences are read, written and
measured, and the published figures that are set beside the measured ones. All of it has defaults,
so that a bare `Task` is enough: `TaskSpec.of(task)`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic

from seqtutor.errors import UserError
from seqtutor.files import atomic_write
from seqtutor.settings import require, require_name
from seqtutor.task_records import (
    PROFILES,
    Drawn,
    Gallery,
    NoSettings,
    Numbers,
    Preset,
    PriorRecord,
    Profile,
    SequenceFeatures,
    Settings,
    TextData,
)

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Bool

    from seqtutor.controls import Canvas, Control, How, Opening
    from seqtutor.data import Dataset, Sequences
    from seqtutor.exhibits import Exhibition, Shown
    from seqtutor.measure import Measure, MeasureGroup, Published
    from seqtutor.task import Task
    from seqtutor.vocabulary import Vocabulary

OWN_NAMES = ("task", "prior", "tutor", "made_by", "preference", "outputs")
"""Names in a run's configuration that no task may use for its settings."""


class TaskSpec(Generic[Settings]):
    """A task as the commands see it. Subclasses override what they have more of.

    Attributes:
        name: on the command line and in the folders of runs.
        reference: how a command finds the task again: its name, or FILE.py:ATTRIBUTE.
        source_sha256: hash of that FILE.py and the modules beside it that it imports, as they were
            when it was imported; `None` for a task without a file of the user's.
        one, many: what a sequence is called.
        settings_type: the task's own settings, a frozen dataclass; they are options of the
            commands, and part of a run's configuration.
        main_options: names of the settings that the short help of a command shows, such as "key" or
            "rules.key"; `None` for all of them.
        presets: named settings of tuning; the first is the default.
        priors: folders of the priors that come with the package; the first is called "prior".
        prior_folder: where `pretrain` writes a model by default.
        data_type: the options of `pretrain` that say which data are read and how.
        sample_type: the options of `sample`, beside number, temperature, seed and output.
        evaluate_type: the options of `evaluate`, beside number, temperature and seed.
        numbers: how many sequences the commands generate by default.
        commands: modules that replace a command, by the command's name. A new command is an entry
            point of the group `seqtutor.commands`.
        profiles: how much of an experiment `reproduce` runs; "default" is the default.
        model_kinds: references of the classes of models that only this task has, by their kinds.
        model_settings: references of the settings of such models, where they load without JAX, so
            that the help of `pretrain` is quick.
        prior_title: the heading of the prior's column.
        published: figures of a published table that are set beside the measured ones.
        published_beside_runs: whether they are in the table that ends a tuning, too.
        measures_need_settings: whether the measures depend on the settings of runs. Where they do
            not, runs with different settings are measured side by side, without their rewards.
        drift: what becomes of sequences that are longer than those of the training.
        shorter_primer: how `sample` is told to take less of a primer that is too long, if it can.
        shows_terms: whether tables have a row for each term of the reward.
        file_kinds: what `score` reads, in words.
        valid: what sequences are called that `is_valid` takes, such as "whole"; empty if all are.
    """

    name: str = "task"
    reference: str = ""
    source_sha256: str | None = None
    one: str = "sequence"
    many: str = "sequences"
    settings_type: type[Any] = NoSettings
    main_options: tuple[str, ...] | None = None
    presets: Mapping[str, Preset[Settings]] = {}
    priors: Mapping[str, Path] = {}
    prior_folder: str = "prior"
    data_type: type[Any] = TextData
    sample_type: type[Any] = NoSettings
    evaluate_type: type[Any] = NoSettings
    numbers: Numbers = Numbers()
    commands: Mapping[str, str] = {}
    profiles: Mapping[str, Profile] = PROFILES
    model_kinds: Mapping[str, str] = {}
    model_settings: Mapping[str, str] = {}
    prior_title: str = "prior"
    published: Published | None = None
    published_beside_runs: bool = True
    measures_need_settings: bool = True
    drift: str = "what comes after them is less like the data"
    shorter_primer: str = ""
    shows_terms: bool = True
    file_kinds: str = "text with one sequence a line"
    valid: str = ""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if isinstance(own := vars(cls).get("name"), str):
            require_name(own)

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
        preset = presets[chosen]
        if not isinstance(preset, Preset):
            raise UserError(
                f"the preset {chosen!r} of the task {self.name} must be a seqtutor.Preset, not "
                f"{preset!r}; its `settings` is a function of the method's name"
            )
        return preset

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
        raise UserError(
            f"the task {self.name} lacks the method task(settings, prior, workers), which returns "
            "a seqtutor.Task"
        )

    def opened(
        self, settings: Settings, prior: PriorRecord | None = None, workers: int | None = None
    ) -> AbstractContextManager[Task]:
        """A context with the task of these settings; what its reward started ends with it.

        Arguments and errors as for `task`.
        """
        return self._made(self.task(settings, prior, workers))

    def _made(self, task: Any) -> Task:
        from seqtutor.task import Task

        if not isinstance(task, Task):
            raise UserError(
                f"the method `task` of {self.name} must return a seqtutor.Task, not {task!r}"
            )
        return task

    def complete(self, settings: Settings, prior: PriorRecord) -> tuple[Settings, list[str]]:
        """The settings with nothing left open, and warnings about them.

        Raises:
            UserError: if the prior cannot be used with these settings.
        """
        return settings, []

    def describe(self, settings: Settings) -> str | None:
        """A line about what a run with these settings is for."""
        return None

    def is_published(self, settings: Settings) -> bool:
        """Whether the published figures are of policies with the reward of these settings."""
        return True

    def has_memory(self, settings: Settings) -> bool:
        """Whether the reward depends on earlier sequences, so that runs cannot share it."""
        return False

    def settings_for_evaluation(self, settings: Settings) -> Settings:
        """The settings of the reward by which policies are measured.

        A reward with a memory of earlier sequences has no expectation of a single sequence: leave
        out the terms that depend on it.
        """
        return settings

    def without_code(self, settings: Settings, options: Any) -> tuple[Settings, str | None]:
        """The settings of a folder without what would run code that they name, and a note about it.

        Args:
            settings: of a run, which may be a stranger's.
            options: an instance of `evaluate_type`, by which a user may allow it.
        """
        return settings, None

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
                f"seqtutor pretrain {self.reference or self.name}"
            )

    def usual_task(self) -> Task:
        """The task of the default settings, for a task whose vocabulary no prior decides."""
        return self._made(self.task(self.settings_type()))

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
        from seqtutor.text_sequences import read_text

        task = self.usual_task()
        sequences = read_text(options.data, task.vocabulary, task.max_length)[1]
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

    def primer(
        self, options: Any, settings: Settings, number: int, seed: int, vocabulary: Vocabulary
    ) -> tuple[Any, Any]:
        """What generated sequences begin with.

        Args:
            options: an instance of `sample_type`.
            settings: of the run whose policy is sampled.
            number: of sequences.
            seed: of the sampling.
            vocabulary: of the policy.

        Returns:
            Tokens `Int["number primed"]`, or `None` where sequences begin by themselves; and the
            options, changed by what was read of the primer.
        """
        return None, options

    def is_valid(self, sequences: Sequences, prior: PriorRecord) -> Bool[np.ndarray, " sequence"]:
        """Which sequences are what `valid` says; `sample --valid-only` writes no others.

        Args:
            sequences: of the prior's vocabulary.
            prior: of the policy that generated them.
        """
        raise UserError(f"the task {self.name} says of no sequence that it is not valid")

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
        from seqtutor.text_sequences import read_text

        return read_text(path, vocabulary, max_length, may_be_cut=True)

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

    def features(self) -> SequenceFeatures | None:
        """Numbers that describe a sequence in the terms of the task, for models of preference.

        Without them such a model reads how often each token occurs.
        """
        return None

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

    def controls(self, settings: Settings) -> Sequence[Control]:
        """What a person may choose of how sequences are shown; `exhibits` gets it in `Shown.how`.

        Args:
            settings: of the run whose sequences are shown.
        """
        return ()

    def opening_controls(self, settings: Settings) -> Sequence[Control]:
        """What a person may choose of how a file that is a beginning is read.

        Args:
            settings: of the run that goes on with it.
        """
        return ()

    def token_names(self, vocabulary: Vocabulary, settings: Settings, how: How) -> Sequence[str]:
        """How people call each token in sequences shown in that way; by default as the model does.

        `opening` reads what they type of these.

        Args:
            vocabulary: of the model.
            settings: of its run.
            how: values of `controls`.
        """
        return vocabulary.tokens

    def canvas(self, settings: Settings, how: How) -> Canvas | None:
        """The grid on which a beginning is drawn, as sequences shown in that way are; or none.

        Arguments as for `opening`.
        """
        return None

    def opening(
        self, given: str | Path, prior: PriorRecord, settings: Settings, how: How
    ) -> Opening:
        """Read how a sequence is to begin; by default from text, or the first line of a text file.

        Args:
            given: what a person typed, or a file of theirs, which may be a stranger's.
            prior: the model that goes on with it.
            settings: of its run.
            how: values of `controls` and of `opening_controls`.

        Raises:
            UserError: if it cannot be read or is not one of the task.
        """
        from seqtutor.controls import Opening

        vocabulary = prior.vocabulary
        if isinstance(given, str):
            return Opening(vocabulary.encode(vocabulary.split(given)))
        known = prior.origin.get("max_length")
        length = known if isinstance(known, int) else self.default_length()
        require(length is not None, f"the model in {prior.folder} does not say how long it writes")
        _, found = self.read_sequences(given, vocabulary, length or 0, prior)
        row = found.tokens[0][found.mask[0]]
        return Opening(row[row != vocabulary.end] if vocabulary.end is not None else row)

    def prepare_exhibits(self) -> None:
        """Start what `exhibits` needs and takes long to start, such as other processes.

        It is called before sequences are sampled.
        """

    def exhibits(self, policies: Mapping[str, Shown]) -> Exhibition:
        """What the page of runs shows of sequences; by default their text and their lengths.

        Args:
            policies: by title, the prior first.
        """
        from seqtutor.exhibits import plain_exhibition

        return plain_exhibition(policies)

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
