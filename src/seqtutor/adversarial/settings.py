"""Settings of discriminators, of their training, and of the game with a generator."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from seqtutor.errors import UserError
from seqtutor.settings import (
    CheckedSettings,
    Count,
    NotNegative,
    Positive,
    Range,
    Share,
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
class DiscriminatorSettings(CheckedSettings):
    """The sizes of a discriminator. `DiscriminatorSettings.of` gives the published ones."""

    embedding_size: Count = 32
    """Size of the embedding of a token."""
    widths: tuple[int, ...] = (1, 2, 3, 5, 8)
    """Number of tokens that each group of filters reads."""
    filters: tuple[int, ...] = (32, 32, 32, 32, 32)
    """Number of filters of each width."""
    dropout: float = 0.25
    """Share of the features before the last layer that an update leaves out."""

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
        super().__post_init__()
        require(
            len(self.widths) > 0 and len(self.widths) == len(self.filters),
            "widths and filters must be lists of one length",
        )
        require(min(*self.widths, *self.filters) > 0, "widths and filters must be above 0")
        require(
            0 <= self.dropout < 1, f"dropout must be at least 0 and below 1, not {self.dropout}"
        )


@dataclass(frozen=True)
class DiscriminationSettings(CheckedSettings):
    """How a discriminator learns to tell real sequences from generated ones."""

    batch: Count = 64
    """Sequences in each update, half of them real."""
    learning_rate: Positive = 1e-3
    """Learning rate of Adam."""
    output_penalty: NotNegative = 0.0
    """λ of (λ/2)·‖w‖² over the last layer's weights and bias."""
    label_smoothing: float = 0.0
    """How far below 1 the label of real sequences is; that of generated ones is 0 (Salimans et al.
    2016)."""
    gradient_penalty: NotNegative = 0.0
    """γ of R1, (γ/2)·E‖∇ logit‖² over real sequences, in their embeddings (Mescheder et al.
    2018, eq. 9)."""
    prefixes: bool = False
    """Train on the logits of every prefix, not on those of whole sequences alone."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.batch % 2 == 0, f"batch must be even, not {self.batch}")
        require(
            0 <= self.label_smoothing < 0.5,
            f"label_smoothing must be at least 0 and below 0.5, not {self.label_smoothing}",
        )


@dataclass(frozen=True)
class GameSettings(CheckedSettings):
    """Rules of the game between a generator and a discriminator.

    A round is some iterations of the generator's tutor, then new samples, then some epochs of the
    discriminator on them.
    """

    rounds: Count = 100
    """Rounds in which the generator learns."""
    first_rounds: Annotated[int, Range(at_least=0)] = 5
    """Rounds before them in which only the discriminator learns."""
    generator_iterations: Count = 1
    """Collections of the tutor in each round, each followed by its updates."""
    discriminator_epochs: Count = 1
    """Passes over the real and the generated sequences in each round."""
    generated: Count = 1024
    """Sequences that are generated for the discriminator in each round."""
    old_share: Share = 0.0
    """Share of the generated sequences of an epoch that are samples of earlier rounds."""
    old_rounds: Count = 10
    """Number of earlier rounds whose samples are kept."""
    train_below: Annotated[float, Range(above=0.5, at_most=1)] = 1.0
    """The discriminator learns only in rounds where its accuracy on held-out sequences and new
    samples is at most this."""
    only_better: bool = False
    """Keep the discriminator's updates of a round only if they lower its cross-entropy on held-out
    sequences and unseen samples. Otherwise it memorises its sequences, and its reward is noise."""
    term: RewardTerm = "logit"
    """The reward as a function of D: D itself, the logit log D − log(1 − D), or log D."""
    shape: RewardShape = "end"
    """At which steps the reward is given:
    - end: at the last token
    - prefix: at each token, the change of the value of the prefix
    - rollouts: the same, the value of a prefix being the mean over completions by the generator as
      it is at the start of the round (Yu et al. 2017); expensive"""
    rollouts: Count = 16
    """Completions of each prefix, for the shape `rollouts`."""
    task_weight: NotNegative = 0.0
    """Weight of the task's own reward, which is added to that of the discriminator; 0 leaves it
    out."""
    source: RewardSource = "discriminator"
    """Where D comes from; all but the first are controls:
    - discriminator: the discriminator, which learns in every round
    - frozen: the discriminator as it is after the first rounds
    - constant: D = ½
    - random: a random number for each sequence, another one in each round"""
    diagnose_every: Annotated[int, Range(at_least=0)] = 0
    """Rounds between measurements of likelihood, BLEU and entropy; 0 for none."""
    discriminator: DiscriminatorSettings = field(default_factory=DiscriminatorSettings)
    """Sizes of the discriminator."""
    discrimination: DiscriminationSettings = field(default_factory=DiscriminationSettings)
    """How the discriminator learns."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.shape == "rollouts" or self.rollouts == GameSettings.rollouts,
            f"rollouts is an option of the shape rollouts, not of {self.shape}",
        )
        require(
            self.old_share > 0 or self.old_rounds == GameSettings.old_rounds,
            "old_rounds does nothing while old_share is 0",
        )

    def generator_steps(self, environments: int, length: int) -> int:
        """Environment steps of the generator in all rounds, with sequences of this length."""
        return self.rounds * self.generator_iterations * environments * length


@dataclass(frozen=True)
class JudgeSettings(CheckedSettings):
    """How a judge, a discriminator for measurements, is trained."""

    epochs: Count = 50
    """Largest number of passes over the sequences."""
    patience: Count = 5
    """Stop after this many passes without a lower validation loss, and keep the best weights."""
    seed: int = 0
    """Seed of the weights and of the order of the sequences."""
    discriminator: DiscriminatorSettings = field(default_factory=DiscriminatorSettings)
    """Sizes of the network."""
    discrimination: DiscriminationSettings = field(default_factory=DiscriminationSettings)
    """How it learns."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_seed("seed", self.seed)
