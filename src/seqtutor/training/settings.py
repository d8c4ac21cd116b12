"""Typed settings of training; they are the command line's options and every run's config."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

from seqtutor.settings import require, require_finite, require_seed, require_types

MethodName = Literal[
    "q",
    "psi",
    "g",
    "path",
    "rloo",
    "ppo",
    "merl",
    "reinforce",
    "reinforce-baseline",
    "rl-only",
]

SYMBOLS: dict[str, str] = {
    "q": "Q",
    "psi": "Ψ",
    "g": "G",
    "path": "Path",
    "rloo": "RLOO",
    "ppo": "PPO",
    "merl": "MERL",
    "reinforce": "REINFORCE",
    "reinforce-baseline": "REINFORCE with baseline",
    "rl-only": "RL only",
}
"""What tables and figures call the methods."""

ON_POLICY = ("rloo", "ppo", "merl", "reinforce", "reinforce-baseline")
"""Methods that learn from what the policy itself has just generated, and forget it then."""


MOST_STEPS = 10**10
"""Of a run: two weeks at ten thousand a second, and no counter overflows before."""

SMALLEST_C = 1e-6
"""Below it, rewards drown every log-probability in single precision."""

TEMPORAL_DIFFERENCE = ("q", "psi", "g", "rl-only")
"""Methods that learn values from one step to the next."""

_ONLY_FOR: dict[str, tuple[str, ...]] = {
    "trace": (*TEMPORAL_DIFFERENCE, "ppo"),
    "target_rate": TEMPORAL_DIFFERENCE,
    "priority_exponent": (*TEMPORAL_DIFFERENCE, "path"),
    "importance_exponent": (*TEMPORAL_DIFFERENCE, "path"),
    "double_q": ("q", "rl-only"),
    "entropy_weight": ("merl",),
    "log_partition": ("path",),
    "clip": ("ppo",),
    "value_weight": ("ppo",),
    "value_body_share": (*TEMPORAL_DIFFERENCE, "ppo", "path"),
}


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
        require_types(self)
        require(self.temperature > 0, "the exploration temperature must be above 0")
        for name in ("epsilon_start", "epsilon_end", "epsilon_decay_share"):
            value = getattr(self, name)
            require(0 <= value <= 1, f"{name} must lie between 0 and 1, not {value}")


@dataclass(frozen=True)
class TutorSettings:
    """How a prior is tuned. `TutorSettings.of` gives the defaults of each method."""

    method: MethodName = "psi"
    """Off-policy methods learn from replayed sequences:
    - q: Q-learning, with the prior's log-probability as a reward
    - psi: generalized Ψ-learning
    - g: G-learning
    - path: path consistency over whole sequences
    - rl-only: Q-learning without a prior, the control

    On-policy methods learn from what the policy has just generated:
    - rloo: REINFORCE with KL in the reward and a leave-one-out baseline
    - ppo: clipped ratios and generalised advantages, with KL in the reward
    - merl: maximum-entropy REINFORCE, without a prior
    - reinforce, reinforce-baseline: the reward alone
    """
    c: float = 0.5
    """Weight of the prior: the policy maximises E[r]/c − KL(π‖p); smaller obeys the reward more."""
    discount: float = 0.8
    """γ: how much a later reward counts a step earlier."""
    trace: float = 0.8
    """λ of the returns of q, psi, g and rl-only and of ppo's advantages: 0 looks one step ahead as
    the papers do, 1 to the end of the sequence."""
    steps: int = 3_000_000
    """Environment steps (tokens generated) in all, to the nearest whole collection."""
    environments: int = 128
    """Sequences collected at a time."""
    updates: int = 8
    """Gradient updates after each collection. On-policy methods but ppo make one, on all of it."""
    batch: int = 64
    """Sequences in each update, drawn from the replay, or by ppo from the collection."""
    replay_capacity: int = 4096
    """Sequences kept for replay by the off-policy methods."""
    priority_exponent: float = 0.0
    """α of prioritised replay: sequences are drawn by the power α of their error's size; 0 draws
    all alike, .6 is usual."""
    importance_exponent: float = 0.4
    """β of prioritised replay at the start; it rises to 1 by the end of the run, where weights of
    the losses make up for the unequal chances."""
    learning_rate: float = 3e-3
    """Of Adam, at the start."""
    learning_rate_final_share: float = 0.02
    """What is left of the learning rate at the end of its cosine decay."""
    gradient_norm: float = 10.0
    """Gradients are scaled down to this norm."""
    huber_threshold: float = 10.0
    """Errors beyond it count linearly, so that a rare −200 does not drown the rest."""
    target_rate: float = 0.05
    """Share of the network that moves into the target network at each update (q, psi, g and
    rl-only)."""
    value_scale: float = 20.0
    """Factor on the network's scalar output; see the model's documentation."""
    value_body_share: float = 0.1
    """Share of the value's gradient that reaches the network's body, which the policy's logits read
    too; at 1 a noisy return moves the policy by way of the value."""
    double_q: bool = False
    """For q: the online network picks the action whose target value counts."""
    entropy_weight: float = 1.0
    """For merl: α, the weight of the policy's entropy beside r/c."""
    log_partition: Literal["learned", "batch"] = "learned"
    """For path: log Z is the network's value of the empty sequence, or estimated on each batch."""
    clip: float = 0.2
    """For ppo: how far the ratio of new to old probability counts on either side of 1."""
    value_weight: float = 0.5
    """For ppo: weight of the value's loss beside the policy's."""
    exploration: Exploration = field(default_factory=Exploration)
    """How tokens are chosen while collecting."""
    seed: int = 0
    """Of every random number of the run."""
    log_every: int = 20_000
    """Environment steps between two records, about: the run is cut into records of one length, but
    for a collection more or less."""
    stop_at_kl: float | None = None
    """End the run at the first record whose KL divergence from the prior, in nats a step, reaches
    this; `log_every` says how often there is one."""
    stop_on_collapse: bool = False
    """End the run when the policy has collapsed; otherwise there is only a warning."""
    collapse_entropy: float = 0.1
    """Entropy, in nats a step, under which a policy counts as collapsed."""
    collapse_distinct: float = 0.5
    """Share of its first distinct sequences in a batch under which it does so too."""

    @classmethod
    def of(cls, method: str, **changes: Any) -> TutorSettings:
        """The defaults of a method, changed where asked.

        On-policy methods do not explore beyond their policy and look to the end of the sequence.

        Raises:
            UserError: if there is no such method or setting, or a setting is out of its range.
        """
        names = [one.name for one in fields(cls)]
        for name in changes:
            require(name in names, f"there is no setting {name!r}; there are {', '.join(names)}")
        defaults: dict[str, Any] = {"method": method}
        if method in ON_POLICY:
            defaults["exploration"] = Exploration(epsilon_start=0.0)
            defaults["discount"] = 1.0
        if method == "path":
            defaults["discount"] = 1.0
        if method == "ppo":
            defaults["trace"] = 0.95
        return cls(**{**defaults, **changes})

    def __post_init__(self) -> None:
        methods = get_args(MethodName)
        require(
            self.method in methods,
            f"there is no method {self.method!r}; choose one of {', '.join(methods)}",
        )
        require_types(self)
        require_finite(self)
        require_seed("seed", self.seed)
        positive = (
            "c steps environments updates batch replay_capacity learning_rate gradient_norm "
            "huber_threshold value_scale log_every clip"
        )
        for name in positive.split():
            value = getattr(self, name)
            require(math.isfinite(value) and value > 0, f"{name} must be above 0, not {value}")
        require(
            self.c >= SMALLEST_C,
            f"c must be at least {SMALLEST_C:g}, not {self.c}: rewards are divided by it",
        )
        require(self.steps <= MOST_STEPS, f"steps must be at most {MOST_STEPS:,}, not {self.steps}")
        shares = (
            "discount trace target_rate learning_rate_final_share importance_exponent "
            "value_body_share"
        )
        for name in shares.split():
            value = getattr(self, name)
            require(0 <= value <= 1, f"{name} must lie between 0 and 1, not {value}")
        require(
            self.method in ON_POLICY or self.replay_capacity % self.environments == 0,
            f"replay_capacity ({self.replay_capacity}) must be a multiple of environments "
            f"({self.environments})",
        )
        not_negative = (
            "entropy_weight value_weight collapse_entropy collapse_distinct priority_exponent"
        )
        for name in not_negative.split():
            require(getattr(self, name) >= 0, f"{name} must not be negative")
        require(
            self.stop_at_kl is None or self.stop_at_kl > 0,
            f"stop_at_kl must be above 0, not {self.stop_at_kl}",
        )
        self._require_options_of_the_method()
        if self.method in ON_POLICY:
            self._require_on_policy()

    def _require_options_of_the_method(self) -> None:
        """An option of another method would do nothing, and nobody would notice."""
        defaults = {one.name: one.default for one in fields(self)}
        for name, methods in _ONLY_FOR.items():
            require(
                self.method in methods or getattr(self, name) == defaults[name],
                f"{name} is an option of {', '.join(methods)}, not of {self.method}",
            )

    def _require_on_policy(self) -> None:
        behaviour = self.exploration
        require(
            behaviour.behaviour == "boltzmann"
            and behaviour.temperature == 1.0
            and behaviour.epsilon_start == behaviour.epsilon_end == 0.0,
            f"{self.method} learns from its own policy's samples: its exploration must be "
            "boltzmann at temperature 1 with an epsilon of 0",
        )
        require(
            self.environments > 1,
            f"{self.method} compares the sequences of a collection: environments must be above 1",
        )
        require(
            self.method != "ppo" or self.batch <= self.environments,
            f"ppo draws batches from the collection: batch ({self.batch}) must not be above "
            f"environments ({self.environments})",
        )
