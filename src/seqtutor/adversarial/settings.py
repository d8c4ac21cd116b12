"""Typed settings of the adversarial family: the discriminator and its game with the generator."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from seqtutor.errors import UserError
from seqtutor.settings import (
    Count,
    NotNegative,
    Positive,
    Range,
    Share,
    check_settings,
    require,
    require_seed,
)

RewardTerm = Literal["probability", "logit", "log-probability"]
RewardShape = Literal["end", "prefix", "rollouts"]
RewardSource = Literal["discriminator", "frozen", "constant", "random"]

_SIZES: dict[str, dict[str, Any]] = {
    "small": {},
    "yu": {
        "widths": (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20),
        "filters": (100, 200, 200, 200, 200, 100, 100, 100, 100, 100, 160, 160),
    },
    "lee": {"widths": (5, 10, 15, 20), "filters": (400, 400, 400, 400)},
    "bjare": {"widths": (20,), "filters": (2000,)},
}


@dataclass(frozen=True)
class DiscriminatorSettings:
    """The sizes of a discriminator. `DiscriminatorSettings.of` gives the published ones."""

    embedding_size: Count = 32
    """Numbers that stand for a token."""
    widths: tuple[int, ...] = (1, 2, 3, 5, 8)
    """How many tokens each group of filters reads."""
    filters: tuple[int, ...] = (32, 32, 32, 32, 32)
    """How many filters there are of each width."""
    dropout: Annotated[float, Range(at_least=0, below=1)] = 0.25
    """Share of features that training leaves out before the last layer."""

    @classmethod
    def of(cls, name: str) -> DiscriminatorSettings:
        """Sizes by name.

        - small: for two cores
        - yu: Yu et al. 2017
        - lee: Lee et al. 2017
        - bjare: Bjare & Meredith 2020; their five groups of 400 filters, all of width 20, are one

        Raises:
            UserError: if there is no such name.
        """
        if name not in _SIZES:
            raise UserError(
                f"there is no discriminator {name!r}; choose one of {', '.join(_SIZES)}"
            )
        return cls(**_SIZES[name])

    def __post_init__(self) -> None:
        check_settings(self)
        require(
            len(self.widths) > 0 and len(self.widths) == len(self.filters),
            "widths and filters must be lists of one length",
        )
        require(min(*self.widths, *self.filters) > 0, "widths and filters must be above 0")


@dataclass(frozen=True)
class DiscriminationSettings:
    """How a discriminator learns to tell real sequences from generated ones."""

    batch: Annotated[int, Range(above=1)] = 64
    """Sequences in each update, half of them real."""
    learning_rate: Positive = 1e-3
    """Learning rate of Adam."""
    output_penalty: NotNegative = 0.0
    """λ of (λ/2)·‖w‖² over the last layer's weights and bias."""
    label_smoothing: Annotated[float, Range(at_least=0, below=0.5)] = 0.0
    """How far below 1 the label of real sequences is; that of generated ones stays 0 (Salimans et
    al. 2016)."""
    gradient_penalty: NotNegative = 0.0
    """γ of R1, (γ/2)·E‖∇ logit‖² over real sequences, in their embeddings (Mescheder et al.
    2018, eq. 9)."""
    prefixes: bool = False
    """Learn to judge every prefix, not whole sequences alone."""

    def __post_init__(self) -> None:
        check_settings(self)
        require(self.batch % 2 == 0, f"batch must be even, not {self.batch}")


@dataclass(frozen=True)
class AdversarySettings:
    """The game of a generator and a discriminator.

    A round is some iterations of the generator's tutor, then fresh samples, then some epochs of
    the discriminator on them.
    """

    rounds: Count = 100
    """Rounds in which the generator learns."""
    first_rounds: Annotated[int, Range(at_least=0)] = 5
    """Rounds before them in which the discriminator learns alone."""
    generator_iterations: Count = 1
    """Collections of the tutor in each round, each with its updates."""
    discriminator_epochs: Count = 1
    """Passes over the real and the generated sequences in each round."""
    generated: Count = 1024
    """Sequences that the generator makes for the discriminator in each round."""
    old_share: Share = 0.0
    """Part of the generated sequences of an epoch that is drawn from earlier rounds."""
    old_rounds: Count = 10
    """How many rounds back the old ones come from."""
    train_below: Annotated[float, Range(above=0.5, at_most=1)] = 1.0
    """The discriminator learns only in rounds that find its accuracy on held-out sequences and
    fresh samples at most this high."""
    only_better: bool = False
    """Take back what the discriminator learned in a round, unless its cross-entropy on held-out
    sequences and on samples that it has not seen became lower: it then learns its sequences by
    heart, and its reward is noise."""
    term: RewardTerm = "logit"
    """What the reward is of D: itself, log D − log(1 − D), or log D."""
    shape: RewardShape = "end"
    """When it is paid:
    - end: at the last token
    - prefix: each token earns what it adds to the discriminator's judgement of the prefix
    - rollouts: the same, a prefix being worth the mean of its completions by the generator as it
      is at the start of the round (Yu et al. 2017); expensive"""
    rollouts: Count = 16
    """Completions of each prefix, for the shape `rollouts`."""
    source: RewardSource = "discriminator"
    """Where the reward comes from; all but the first are controls:
    - discriminator: as it learns
    - frozen: as it is after the first rounds
    - constant: D = ½
    - random: D is a random number for each sequence, another in each round"""
    diagnose_every: Annotated[int, Range(at_least=0)] = 0
    """Rounds between measures of likelihood, BLEU and entropy; 0 for none."""
    discriminator: DiscriminatorSettings = field(default_factory=DiscriminatorSettings)
    """Its sizes."""
    discrimination: DiscriminationSettings = field(default_factory=DiscriminationSettings)
    """How it learns."""

    def __post_init__(self) -> None:
        check_settings(self)
        require(
            self.shape == "rollouts" or self.rollouts == AdversarySettings.rollouts,
            f"rollouts is an option of the shape rollouts, not of {self.shape}",
        )
        require(
            self.old_share > 0 or self.old_rounds == AdversarySettings.old_rounds,
            "old_rounds does nothing while old_share is 0",
        )

    def generator_steps(self, environments: int, length: int) -> int:
        """Environment steps of the generator in all rounds, of sequences of that length."""
        return self.rounds * self.generator_iterations * environments * length


@dataclass(frozen=True)
class JudgeSettings:
    """How a judge of samples is trained."""

    epochs: Count = 50
    """Passes over the sequences at most."""
    patience: Count = 5
    """Stop after this many passes without a better validation loss, and keep the best."""
    seed: int = 0
    """Of the weights and of the order of the sequences."""
    discriminator: DiscriminatorSettings = field(default_factory=DiscriminatorSettings)
    """Its sizes."""
    discrimination: DiscriminationSettings = field(default_factory=DiscriminationSettings)
    """How it learns."""

    def __post_init__(self) -> None:
        check_settings(self)
        require_seed("seed", self.seed)
