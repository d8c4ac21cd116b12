"""Typed settings of the adversarial family: the discriminator and its game with the generator."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from seqtutor.errors import UserError
from seqtutor.settings import require, require_finite, require_seed

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

    embedding_size: int = 32
    """Numbers that stand for a token."""
    widths: tuple[int, ...] = (1, 2, 3, 5, 8)
    """How many tokens each group of filters reads."""
    filters: tuple[int, ...] = (32, 32, 32, 32, 32)
    """How many filters there are of each width."""
    dropout: float = 0.25
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
        require_finite(self)
        require(self.embedding_size > 0, "embedding_size must be above 0")
        require(
            len(self.widths) > 0 and len(self.widths) == len(self.filters),
            "widths and filters must be lists of one length",
        )
        require(min(*self.widths, *self.filters) > 0, "widths and filters must be above 0")
        require(
            0 <= self.dropout < 1, f"dropout must be at least 0 and below 1, not {self.dropout}"
        )


@dataclass(frozen=True)
class DiscriminationSettings:
    """How a discriminator learns to tell real sequences from generated ones."""

    batch: int = 64
    """Sequences in each update, half of them real."""
    learning_rate: float = 1e-3
    """Of Adam."""
    output_penalty: float = 0.0
    """λ of (λ/2)·‖w‖² over the last layer's weights and bias."""
    label_smoothing: float = 0.0
    """How far below 1 the label of real sequences is; that of generated ones stays 0 (Salimans et
    al. 2016)."""
    gradient_penalty: float = 0.0
    """γ of R1, (γ/2)·E‖∇ logit‖² over real sequences, in their embeddings (Mescheder et al.
    2018, eq. 9)."""
    prefixes: bool = False
    """Learn to judge every prefix, not whole sequences alone."""

    def __post_init__(self) -> None:
        require_finite(self)
        require(self.batch > 1, "batch must be above 1")
        require(self.batch % 2 == 0, f"batch must be even, not {self.batch}")
        require(self.learning_rate > 0, "learning_rate must be above 0")
        for name in ("output_penalty", "gradient_penalty"):
            require(getattr(self, name) >= 0, f"{name} must not be negative")
        require(
            0 <= self.label_smoothing < 0.5,
            f"label_smoothing must be at least 0 and below .5, not {self.label_smoothing}",
        )


@dataclass(frozen=True)
class AdversarySettings:
    """The game of a generator and a discriminator.

    A round is some iterations of the generator's tutor, then fresh samples, then some epochs of
    the discriminator on them.
    """

    rounds: int = 100
    """Rounds in which the generator learns."""
    first_rounds: int = 5
    """Rounds before them in which the discriminator learns alone."""
    generator_iterations: int = 1
    """Collections of the tutor in each round, each with its updates."""
    discriminator_epochs: int = 1
    """Passes over the real and the generated sequences in each round."""
    generated: int = 1024
    """Sequences that the generator makes for the discriminator in each round."""
    old_share: float = 0.0
    """Part of the generated sequences of an epoch that is drawn from earlier rounds."""
    old_rounds: int = 10
    """How many rounds back the old ones come from."""
    train_below: float = 1.0
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
    rollouts: int = 16
    """Completions of each prefix, for the shape `rollouts`."""
    source: RewardSource = "discriminator"
    """Where the reward comes from; all but the first are controls:
    - discriminator: as it learns
    - frozen: as it is after the first rounds
    - constant: D = ½
    - random: D is a random number for each sequence, another in each round"""
    diagnose_every: int = 0
    """Rounds between measures of likelihood, BLEU and entropy; 0 for none."""
    discriminator: DiscriminatorSettings = field(default_factory=DiscriminatorSettings)
    """Its sizes."""
    discrimination: DiscriminationSettings = field(default_factory=DiscriminationSettings)
    """How it learns."""

    def __post_init__(self) -> None:
        require_finite(self)
        positive = "rounds generator_iterations discriminator_epochs generated old_rounds rollouts"
        for name in positive.split():
            require(getattr(self, name) > 0, f"{name} must be above 0, not {getattr(self, name)}")
        for name in ("first_rounds", "diagnose_every"):
            require(getattr(self, name) >= 0, f"{name} must not be negative")
        require(
            0 <= self.old_share <= 1, f"old_share must lie between 0 and 1, not {self.old_share}"
        )
        require(
            0.5 < self.train_below <= 1,
            f"train_below must be above .5 and at most 1, not {self.train_below}",
        )
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

    epochs: int = 50
    """Passes over the sequences at most."""
    patience: int = 5
    """Stop after this many passes without a better validation loss, and keep the best."""
    seed: int = 0
    """Of the weights and of the order of the sequences."""
    discriminator: DiscriminatorSettings = field(default_factory=DiscriminatorSettings)
    """Its sizes."""
    discrimination: DiscriminationSettings = field(default_factory=DiscriminationSettings)
    """How it learns."""

    def __post_init__(self) -> None:
        require_seed("seed", self.seed)
        for name in ("epochs", "patience"):
            require(getattr(self, name) > 0, f"{name} must be above 0, not {getattr(self, name)}")
