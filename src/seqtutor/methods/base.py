"""What a method is: one record of everything that the rest of the package needs to know of it.

The training loop reads how the method learns; tables, figures, `seqtutor verify` and the
documentation read its title, its reference, its style and its proof. A method is one file of this
package, or of another one (see `seqtutor.methods.registry`), whose `METHOD` is such a record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

import equinox as eqx
import jax
from jaxtyping import Array, Bool, Float, Int

from seqtutor.methods.settings import (
    BatchSettings,
    MethodSettings,
    ReplaySettings,
    TargetSettings,
    VoteSettings,
)
from seqtutor.models.action_values import ValuedLogits
from seqtutor.objectives.temporal_difference import PerAction, PerState, of_action
from seqtutor.types import Trajectories

Scalar = Float[Array, ""]
PerStep = Float[Array, "batch time"]
PerSequence = Float[Array, " batch"]


class Experience(eqx.Module):
    """Sequences to learn from.

    Attributes:
        tokens: a_t.
        mask: true up to and with a sequence's last token.
        rewards: r_t, in the task's unit, not divided by c. Of a method that learns from votes the
            batch is the left sequences and then the right ones, and a sequence earns its share of
            the vote at its last token: 1, ½ or 0.
        log_prior: log p(a_t|s_t) of the sequences' own tokens, in nats.
        whole_log_prior: log p(·|s_t) over the vocabulary, for methods that read it.
        weights: importance weights of the sequences' losses; `None` if all are 1.
    """

    tokens: Int[Array, "batch time"]
    mask: Bool[Array, "batch time"]
    rewards: Float[Array, "batch time"]
    log_prior: Float[Array, "batch time"]
    whole_log_prior: Float[Array, "batch time vocab"] | None = None
    weights: Float[Array, " batch"] | None = None

    @classmethod
    def of(
        cls,
        trajectories: Trajectories,
        rewards: Float[Array, "batch time"],
        *,
        keeps_whole_prior: bool,
    ) -> Experience:
        """Generated sequences with their rewards, and log p(·|s) of the vocabulary if asked for."""
        whole = trajectories.log_prior
        own = of_action(whole, trajectories.tokens)
        kept = whole if keeps_whole_prior else None
        return cls(trajectories.tokens, trajectories.mask, rewards, own, kept)


Options = TypeVar("Options", covariant=True)


@runtime_checkable
class LossSettings(Protocol[Options]):
    """What a loss reads of a run's settings (`seqtutor.training.settings.TutorSettings`)."""

    @property
    def c(self) -> float:
        """The weight of the prior: rewards are divided by it."""

    @property
    def discount(self) -> float:
        """γ."""

    @property
    def options(self) -> Options:
        """The method's own settings."""


Loss = Callable[[ValuedLogits, ValuedLogits, Experience, LossSettings[Any]], Scalar]
ErrorSizes = Callable[[ValuedLogits, ValuedLogits, Experience, LossSettings[Any]], PerSequence]


@dataclass(frozen=True)
class Equations:
    """The equations of a temporal-difference method, each a pure function of a state's numbers.

    Attributes:
        action_values: Q, Ψ or G of every token, from the network's logits and scalar.
        reward: what a step earns, from r/c and log p(a|s).
        state_value: V(s), from the action values and log p(·|s); the latter may be `None` unless
            the method needs the whole prior.
        policy_logits: log π(·|s) up to a constant, from the action values and log p(·|s).
        bootstrap_value: the target network's V(s) where it also depends on the online network,
            from the action values of the target and of the online network and the method's
            settings; `None` for `state_value` of the target network.
    """

    action_values: Callable[[PerAction, PerState], PerAction]
    reward: Callable[[PerState, PerState], PerState]
    state_value: Callable[[PerAction, Any], PerState]
    policy_logits: Callable[[PerAction, PerAction], PerAction]
    bootstrap_value: Callable[[PerAction, PerAction, Any], PerState] | None = None


@dataclass(frozen=True)
class Objective:
    """E[r]/c + κ·E[log p] + α·H(π), which a method maximises over whole sequences at γ = 1.

    κ = α = 1 is E[r]/c − KL(π‖p), the objective that the methods with a prior share.
    """

    prior_weight: float = 1.0
    entropy_weight: float = 1.0


def shared_objective(options: MethodSettings) -> Objective:
    """E[r]/c − KL(π‖p), whatever the method's settings."""
    del options
    return Objective()


def no_objective(options: MethodSettings) -> None:
    """Of a method whose fixed point is the optimum of no objective."""
    del options


@dataclass(frozen=True)
class Proof:
    """How `seqtutor verify` trains and checks a method.

    Attributes:
        settings: settings, of the run and of the method alike, with which the method comes near its
            exact solution on the tiny problems.
        iterations: collections of such a run.
        variants: settings to prove one by one besides, by title; a single one without a title for a
            method without such a choice.
        at_discount: whether to prove it at γ < 1 as well.
        follows_gradient: whether a step on the policy's own samples follows the gradient of the
            objective, so that both are compared.
        gradient_settings: settings for that comparison, without which the step is biased.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    iterations: int = 2000
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"": {}})
    at_discount: bool = True
    follows_gradient: bool = True
    gradient_settings: Mapping[str, Any] = field(default_factory=dict)


def network_logits(output: ValuedLogits, log_prior: PerAction) -> PerAction:
    """Log π(·|s) up to a constant, of a method whose policy is the network's own softmax."""
    del log_prior
    return output.logits


@dataclass(frozen=True)
class Method:
    """A way to learn.

    Attributes:
        name: on the command line and in files.
        symbol: in tables and figures.
        summary: one sentence on what it does.
        reference: the paper it comes from.
        year: of its first publication; `None` for a control.
        family: `temporal difference`, `path consistency`, `policy gradient` or another.
        loss: of a batch, from the outputs of the network and of the target network.
        learns_from: `replay`: sequences of earlier policies, drawn at random · `collection`: all of
            the newest sequences, in one update · `collection batches`: parts of the newest
            sequences in turn · `votes`: pairs of given sequences that were compared; collections
            are generated to measure the policy alone.
        settings: the class of the method's own settings. It derives from `ReplaySettings` if the
            method learns from a replay, from `BatchSettings` if it learns from collection batches,
            from `VoteSettings` if it learns from votes, and from `TargetSettings` if its target is
            an average.
        target: the second network that the loss reads. `average`: one that follows slowly, at the
            setting `target_rate` · `collector`: the network as it was when it generated the newest
            sequences · `None`: none, and the loss must not read it.
        policy_logits: log π(·|s) up to a constant, from the network's output and log p(·|s).
        soft_value: V(s) at γ = 1, the network's estimate of log E_p[exp(later r/c) | s], from its
            output and log p(·|s); `None` where it learns none.
        logits_start: the network's first logits, with which the first policy is the prior.
        error_sizes: of each sequence, by which prioritised replay draws it; of methods that learn
            from a replay.
        needs_whole_prior: whether the loss reads log p(·|s) of the whole vocabulary.
        discount: the default γ.
        equations: of a temporal-difference method; with them its fixed point is solved exactly.
        objective: what it maximises, from its settings; `None` if its fixed point is the optimum of
            no objective.
        proof: what `seqtutor verify` needs to know.
        color: in figures; `None` for any that is free.
        line: matplotlib's line style in figures.
    """

    name: str
    symbol: str
    summary: str
    loss: Loss
    learns_from: Literal["replay", "collection", "collection batches", "votes"]
    reference: str = ""
    year: int | None = None
    family: str = "policy gradient"
    settings: type[MethodSettings] = MethodSettings
    target: Literal["average", "collector"] | None = None
    policy_logits: Callable[[ValuedLogits, PerAction], PerAction] = network_logits
    soft_value: Callable[[ValuedLogits, PerAction], PerState] | None = None
    logits_start: Literal["prior", "zero"] = "prior"
    error_sizes: ErrorSizes | None = None
    needs_whole_prior: bool = False
    discount: float = 1.0
    equations: Equations | None = None
    objective: Callable[[Any], Objective | None] = shared_objective
    proof: Proof = field(default_factory=Proof)
    color: str | None = None
    line: Any = "-"

    def __post_init__(self) -> None:
        bases = {
            "replay": ReplaySettings,
            "collection batches": BatchSettings,
            "votes": VoteSettings,
            "average": TargetSettings,
        }
        for what in (self.learns_from, self.target):
            base = bases.get(what or "", MethodSettings)
            if not issubclass(self.settings, base):
                raise TypeError(f"{self.name} ({what}) needs settings of {base.__name__}")
        if (self.error_sizes is None) == (self.learns_from == "replay"):
            raise TypeError(f"{self.name} needs error_sizes if, and only if, it has a replay")

    @property
    def is_on_policy(self) -> bool:
        """Whether it learns only from what the policy has just generated."""
        return self.learns_from in ("collection", "collection batches")

    @property
    def learns_from_votes(self) -> bool:
        """Whether it learns from given comparisons of sequences and needs no reward."""
        return self.learns_from == "votes"


def log_policy(output: ValuedLogits, experience: Experience) -> PerStep:
    """Log π(a_t|s_t) of the sequences' tokens, where the policy is the network's softmax."""
    return of_action(jax.nn.log_softmax(output.logits), experience.tokens)
