"""Typed settings of training; they are the command line's options and every run's config."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, get_args

from seqtutor.errors import UserError

MethodName = Literal["q", "psi", "g", "rl-only"]


LARGEST_SEED = 2**63 - 1


def require_seed(name: str, seed: int) -> None:
    """Raise a `UserError` unless a random generator can take the seed."""
    require(0 <= seed <= LARGEST_SEED, f"{name} must lie between 0 and 2^63 − 1, not {seed}")


def require_finite(settings: object) -> None:
    """Raise a `UserError` at the first field of a dataclass that is NaN or infinite."""
    for name, value in vars(settings).items():
        numbers = value if isinstance(value, tuple) else (value,)
        for number in numbers:
            if isinstance(number, float):
                require(math.isfinite(number), f"{name} must be a finite number, not {number}")


def require(condition: bool, message: str) -> None:
    """Raise a `UserError` with the message unless the condition holds."""
    if not condition:
        raise UserError(message)


@dataclass(frozen=True)
class Exploration:
    """Which tokens the collecting policy tries."""

    behaviour: Literal["boltzmann", "greedy"] = "boltzmann"
    """Sample from the policy at a temperature, or take its most likely token."""
    temperature: float = 1.0
    """Of the Boltzmann behaviour; above 1 it tries more."""
    epsilon_start: float = 0.05
    """Share of tokens drawn uniformly at the start of the run."""
    epsilon_end: float = 0.0
    """Share of tokens drawn uniformly once the decay is over."""
    epsilon_decay_share: float = 0.5
    """The part of the run over which epsilon falls linearly."""

    def __post_init__(self) -> None:
        require(
            self.behaviour in ("boltzmann", "greedy"),
            f"there is no behaviour {self.behaviour!r}; choose boltzmann or greedy",
        )
        require(self.temperature > 0, "the exploration temperature must be above 0")
        for name in ("epsilon_start", "epsilon_end", "epsilon_decay_share"):
            value = getattr(self, name)
            require(0 <= value <= 1, f"{name} must lie between 0 and 1, not {value}")


@dataclass(frozen=True)
class TutorSettings:
    """How a prior is tuned by an off-policy temporal-difference method."""

    method: MethodName = "psi"
    """q: Q-learning with the prior's log-probability as a reward · psi: generalized Ψ-learning ·
    g: G-learning · rl-only: the control without a prior."""
    c: float = 0.5
    """Weight of the prior: the policy maximises E[r]/c − KL(π‖p); smaller obeys the reward more."""
    discount: float = 0.8
    """γ: how much a later reward counts a step earlier."""
    trace: float = 0.8
    """λ of the returns: 0 looks one step ahead as the papers do, 1 to the end of the sequence."""
    steps: int = 3_000_000
    """Environment steps (tokens generated) in all."""
    environments: int = 128
    """Sequences collected at a time."""
    updates: int = 8
    """Gradient updates after each collection."""
    batch: int = 64
    """Sequences replayed in each update."""
    replay_capacity: int = 4096
    """Sequences kept for replay."""
    learning_rate: float = 3e-3
    """Of Adam, at the start."""
    learning_rate_final_share: float = 0.02
    """What is left of the learning rate at the end of its cosine decay."""
    gradient_norm: float = 10.0
    """Gradients are scaled down to this norm."""
    huber_threshold: float = 10.0
    """Errors beyond it count linearly, so that a rare −200 does not drown the rest."""
    target_rate: float = 0.05
    """Share of the network that moves into the target network at each update."""
    value_scale: float = 20.0
    """Factor on the network's scalar output; see the model's documentation."""
    double_q: bool = False
    """For q: the online network picks the action whose target value counts."""
    exploration: Exploration = field(default_factory=Exploration)
    """How tokens are chosen while collecting."""
    seed: int = 0
    """Of every random number of the run."""
    log_every: int = 20_000
    """Environment steps between two records (rounded to whole collections)."""

    def __post_init__(self) -> None:
        methods = get_args(MethodName)
        require(
            self.method in methods,
            f"there is no method {self.method!r}; choose one of {', '.join(methods)}",
        )
        require_finite(self)
        require_seed("seed", self.seed)
        positive = (
            "c steps environments updates batch replay_capacity learning_rate gradient_norm "
            "huber_threshold value_scale log_every"
        )
        for name in positive.split():
            value = getattr(self, name)
            require(math.isfinite(value) and value > 0, f"{name} must be above 0, not {value}")
        for name in ("discount", "trace", "target_rate", "learning_rate_final_share"):
            value = getattr(self, name)
            require(0 <= value <= 1, f"{name} must lie between 0 and 1, not {value}")
        require(
            self.replay_capacity % self.environments == 0,
            f"replay_capacity ({self.replay_capacity}) must be a multiple of environments "
            f"({self.environments})",
        )
        require(
            not self.double_q or self.method in ("q", "rl-only"),
            f"double_q is an option of q and rl-only; {self.method} has no maximum to correct",
        )


@dataclass(frozen=True)
class PretrainSettings:
    """How a prior is trained by maximum likelihood."""

    hidden_sizes: tuple[int, ...] = (100,)
    """Cells in each LSTM layer; the papers' Note RNN has one layer of 100."""
    batch: int = 128
    """Sequences in each update."""
    learning_rate: float = 3e-3
    """Of Adam, at the start; it falls along a cosine to a hundredth."""
    weight_decay: float = 2.5e-5
    """L2 penalty on the weights."""
    gradient_norm: float = 5.0
    """Gradients are scaled down to this norm."""
    epochs: int = 50
    """Passes over the training sequences at most."""
    patience: int = 5
    """Stop after this many epochs without a better validation loss, and keep the best."""
    seed: int = 0
    """Of the weights and of the order of the sequences."""

    def __post_init__(self) -> None:
        require_finite(self)
        require_seed("seed", self.seed)
        for name in ("batch", "learning_rate", "gradient_norm", "epochs", "patience"):
            value = getattr(self, name)
            require(math.isfinite(value) and value > 0, f"{name} must be above 0, not {value}")
        require(self.weight_decay >= 0, "weight_decay must not be negative")
        require(
            len(self.hidden_sizes) > 0 and min(self.hidden_sizes) > 0,
            "hidden_sizes needs at least one layer, each of at least one cell",
        )
