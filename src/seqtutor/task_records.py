"""Records of what a task is made of and what it is given: presets, profiles, samples to write."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from seqtutor.settings import require, require_seed, require_shares

if TYPE_CHECKING:
    from jaxtyping import Array, Bool, Float, Int

    from seqtutor.data import Sequences
    from seqtutor.vocabulary import Vocabulary


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

    def __post_init__(self) -> None:
        for name in ("tutor", "settings"):
            given = getattr(self, name)
            require(
                callable(given),
                f"`{name}` of the preset {self.title!r} must be a function of the method's name, "
                f"not {given!r}",
            )


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
class SequenceFeatures:
    """Numbers that describe a sequence, from which a model of preferences may learn.

    Attributes:
        names: of the features.
        of_prefixes: a pure JAX function of tokens and mask that gives the features of each prefix:
            those at a step depend on the tokens up to it alone. Those of the sequence are the last.
    """

    names: tuple[str, ...]
    of_prefixes: Callable[
        [Int[Array, "batch time"], Bool[Array, "batch time"]],
        Float[Array, "batch time features"],
    ]


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
        require_shares(self.validation_share, self.test_share)
        require_seed("--split-seed", self.split_seed)


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
        minutes: that it takes on the machine of `seqtutor.runs.expectation`, if that is known.
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
    minutes: float | None = None

    @property
    def runs(self) -> int:
        """How many policies are tuned."""
        return self.seeds * len(self.methods) * max(1, len(self.presets)) + len(self.c)

    def changed(self, **values: Any) -> Profile:
        """The profile with other values, and the minutes that go with them."""
        new = replace(self, **values)
        if self.minutes is None or (self.steps is None) != (new.steps is None):
            return replace(new, minutes=None)
        share = new.runs * (new.steps or 1) / (self.runs * (self.steps or 1))
        return replace(new, minutes=self.minutes * share)


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
        may_run_code: whether functions and commands that the settings name may run: the settings
            of a folder may be a stranger's, unless the user has just had it made.
        run: the folder of the run whose reward it is, with what that found out.
    """

    sequences: Sequences
    vocabulary: Vocabulary
    origin: Mapping[str, Any]
    settings: Any
    seed: int = 0
    has_reward: bool = False
    may_run_code: bool = False
    run: Path | None = None

    def texts(self) -> list[str]:
        """Each sequence as text, without its end token."""
        return self.vocabulary.texts(self.sequences.tokens, self.sequences.mask)
