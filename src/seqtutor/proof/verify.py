"""The proof: every method, trained by the tutor on problems that are solved exactly beside it.

A case is a method on a problem. It is trained as a user would train it; then every number comes
from the enumeration of the problem, none from samples. What a method must reach is its own exact
solution: the optimum π* of E[r]/c − KL(π‖p), where theory says so, and otherwise a policy whose
distance from π* is known and told.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from seqtutor.errors import UserError
from seqtutor.models.action_values import ActionValueNetwork
from seqtutor.models.base import SequenceModel
from seqtutor.objectives.temporal_difference import METHODS as TEMPORAL_DIFFERENCE_METHODS
from seqtutor.objectives.temporal_difference import PSI, RL_ONLY
from seqtutor.proof import exact
from seqtutor.proof.problems import (
    DISCOUNTED_PROBLEMS,
    PROBLEMS,
    Problem,
    enumeration,
)
from seqtutor.training.iteration import collect
from seqtutor.training.methods import METHODS
from seqtutor.training.replay import Experience
from seqtutor.training.settings import ON_POLICY, Exploration, TutorSettings
from seqtutor.training.tutor import Tutor

LARGEST_DIVERGENCE = 0.01
"""KL(policy ‖ target), in nats a sequence, under which a method has reached its target."""
LARGEST_SHORTFALL = 0.02
"""The same for REINFORCE: the share of the greatest possible gain in E[r] that may be missing."""
SMALLEST_COSINE = 0.99
"""Between the estimated and the enumerated gradient."""
GRADIENT_BATCH = 65_536
"""Sequences of one estimate of the gradient."""
DISCOUNT = 0.8
"""The γ of the cases that look less far ahead."""

QUICK_PROBLEMS = ("words", "coins")
"""For a quick look: at γ = 1 the first, at the lower γ the second."""

REINFORCE = ("reinforce", "reinforce-baseline")
SHARE_THE_OPTIMUM = ("psi", "g", "path", "rloo", "ppo")
"""At γ = 1 their fixed point is π*; at any γ it is Ψ's."""


@dataclass(frozen=True)
class Case:
    """One thing to be proved: a method on a problem, at a discount."""

    problem: Problem
    method: str
    discount: float = 1.0
    log_partition: Literal["learned", "batch"] = "learned"

    @property
    def title(self) -> str:
        """The method, and where log Z comes from if that is a choice."""
        return f"path, {self.log_partition} log Z" if self.method == "path" else self.method


def all_cases(
    methods: Sequence[str] | None = None,
    problems: Sequence[str] | None = None,
    *,
    quick: bool = False,
) -> list[Case]:
    """Every method on every problem at γ = 1, and those with a π* on some at a lower γ.

    `quick` leaves one problem for each of the two.

    Raises:
        UserError: if a method or a problem is unknown, or nothing is left to do.
    """
    _require_known("method", methods, METHODS)
    _require_known("problem", problems, PROBLEMS)
    undiscounted = QUICK_PROBLEMS[:1] if quick else tuple(PROBLEMS)
    discounted = QUICK_PROBLEMS[1:] if quick else DISCOUNTED_PROBLEMS
    found = [
        Case(PROBLEMS[name], method, 1.0, log_partition)
        for name in undiscounted
        for method in METHODS
        for log_partition in (("learned", "batch") if method == "path" else ("learned",))
    ] + [
        Case(PROBLEMS[name], method, DISCOUNT)
        for name in discounted
        for method in (("psi", "path") if quick else ("q", *SHARE_THE_OPTIMUM))
    ]
    chosen = [
        case
        for case in found
        if (methods is None or case.method in methods)
        and (problems is None or case.problem.name in problems)
    ]
    if not chosen:
        raise UserError("nothing to verify; name other methods or problems, or leave --quick out")
    return chosen


def _require_known(kind: str, names: Sequence[str] | None, known: dict[str, Any]) -> None:
    for name in names or ():
        if name not in known:
            raise UserError(f"there is no {kind} {name!r}; choose from {', '.join(known)}")


@dataclass(frozen=True)
class Target:
    """The policy that a method must reach, and what it is.

    `is_best` tells whether it is the optimum of an objective; at any other fixed point the method
    stands off from what one would want of it.
    """

    title: str
    log_policy: exact.PerPrefix
    is_best: bool


def target_of(case: Case) -> Target:
    """A method's own exact solution.

    At γ < 1 the policy-gradient methods and path consistency share that of Ψ: where every state's
    advantages vanish, π(a|s) ∝ p(a|s)·exp(r/c + γ·V(s')).
    """
    whole, c, discount = enumeration(case.problem), case.problem.c, case.discount
    undiscounted = discount == 1.0
    if case.method in REINFORCE:
        solution = exact.fixed_point(whole, RL_ONLY, c=c, discount=discount)
        return Target("greatest E[r]", exact.greedy(solution), undiscounted)
    if case.method == "merl":
        alpha = settings_of(case).entropy_weight
        solution = exact.fixed_point(
            exact.without_prior(whole), PSI, c=c * alpha, discount=discount
        )
        return Target("own optimum", solution.log_policy, undiscounted)
    if case.method in SHARE_THE_OPTIMUM:
        if undiscounted:
            return Target("π*", exact.optimum(whole, c=c).log_policy, True)
        solution = exact.fixed_point(whole, PSI, c=c, discount=discount)
        return Target("discounted π*", solution.log_policy, False)
    method = TEMPORAL_DIFFERENCE_METHODS[case.method]
    solution = exact.fixed_point(whole, method, c=c, discount=discount)
    return Target("own fixed point", solution.log_policy, False)


def settings_of(case: Case, seed: int = 0) -> TutorSettings:
    """Settings that bring a method near its solution; on-policy gradients need larger batches."""
    method = case.method
    iterations = {"rloo": 3000, "ppo": 3000, "merl": 4000}.get(method, 2000)
    changes: dict[str, Any] = {"environments": 64, "replay_capacity": 1024, "updates": 2}
    if method in TEMPORAL_DIFFERENCE_METHODS:
        changes |= {"updates": 4, "trace": 0.9, "target_rate": 0.1}
    if method in ON_POLICY:
        changes |= {"environments": 256, "updates": 4}
    if method in REINFORCE:
        # Faster, it settles on a sequence before it has seen what the others earn.
        changes |= {"learning_rate": 3e-3}
    if method == "merl":
        # It has no baseline: its noise does not vanish at the optimum.
        changes |= {"environments": 512, "learning_rate": 2e-2}
    return TutorSettings.of(
        method,
        **{
            "c": case.problem.c,
            "discount": case.discount,
            "log_partition": case.log_partition,
            "batch": 64,
            "value_scale": 5.0,
            "learning_rate": 1e-2,
            "learning_rate_final_share": 0.0,
            "seed": seed,
            **changes,
            "steps": iterations * changes["environments"] * case.problem.length,
        },
    )


@dataclass(frozen=True)
class Outcome:
    """What became of a case; in nats a sequence unless said otherwise.

    Attributes:
        case: what was to be proved.
        target: what had to be reached.
        target_is_best: whether it is the optimum of an objective.
        distance: KL(policy ‖ target); for REINFORCE the share of the possible gain in E[r] that is
            missing.
        objective: E[r]/c − KL(policy ‖ prior).
        greatest_objective: its optimum, log Z.
        expected_gap: KL(target ‖ π*).
        measured_gap: KL(policy ‖ π*).
        cosine: between the estimated and the enumerated gradient, where there is one.
        seconds: wall time.
    """

    case: Case
    target: str
    target_is_best: bool
    distance: float
    objective: float
    greatest_objective: float
    expected_gap: float
    measured_gap: float
    cosine: float | None
    seconds: float

    @property
    def faults(self) -> list[str]:
        """What is wrong, in words; empty if nothing is."""
        found = []
        is_share = self.case.method in REINFORCE
        limit = LARGEST_SHORTFALL if is_share else LARGEST_DIVERGENCE
        if not self.distance < limit:
            what = "the share of reward it misses" if is_share else f"KL(policy ‖ {self.target})"
            found.append(f"{what} is {self.distance:.4f} and not below {limit}")
        if self.cosine is not None and not self.cosine > SMALLEST_COSINE:
            found.append(
                f"the cosine to the exact gradient is {self.cosine:.4f} and not above "
                f"{SMALLEST_COSINE}"
            )
        return found

    @property
    def verdict(self) -> Literal["pass", "expected gap", "FAIL"]:
        """`expected gap`: the method has reached its own fixed point, which is no optimum."""
        if self.faults:
            return "FAIL"
        return "pass" if self.target_is_best else "expected gap"


def check(case: Case, seed: int = 0) -> Outcome:
    """Train a method on a problem and hold the policy against the exact solution."""
    start = time.perf_counter()
    whole, c = enumeration(case.problem), case.problem.c
    target, best = target_of(case), exact.optimum(whole, c=c)
    policy = exact.policy_table(whole, train(case, seed))
    reached = exact.evaluate(whole, policy, c=c)
    if case.method in REINFORCE:
        least, most = (
            exact.evaluate(whole, table, c=c).expected_reward
            for table in (whole.log_prior, target.log_policy)
        )
        distance = (most - reached.expected_reward) / (most - least)
    else:
        distance = exact.kl_divergence(whole, policy, target.log_policy)
    return Outcome(
        case=case,
        target=target.title,
        target_is_best=target.is_best,
        distance=distance,
        objective=reached.objective,
        greatest_objective=best.log_partition,
        expected_gap=exact.kl_divergence(whole, target.log_policy, best.log_policy),
        measured_gap=exact.kl_divergence(whole, policy, best.log_policy),
        cosine=gradient_cosine(case, seed),
        seconds=time.perf_counter() - start,
    )


def train(case: Case, seed: int) -> SequenceModel:
    """The policy at the end of a whole run of the tutor."""
    tutor = Tutor(case.problem.task, case.problem.prior, settings_of(case, seed))
    state, _ = tutor.advance(tutor.initial_state(), tutor.iterations)
    return tutor.policy(state.network)


def gradient_cosine(case: Case, seed: int = 0) -> float | None:
    """The cosine between a method's step and the true gradient of what it maximises.

    Both are taken in the parameters of a policy away from the prior, where reward, prior and
    entropy pull in directions that differ, and before any value is learned. `None` where a step is
    not meant to follow a gradient: for values learned from targets, and for returns that are
    discounted from each step on.
    """
    if case.discount != 1.0 or case.method not in (*ON_POLICY, "path"):
        return None
    problem = case.problem
    model = policy_elsewhere(problem)
    estimate = estimated_gradient(case, model, jax.random.key(seed))
    truth = exact.objective_gradient(
        enumeration(problem), model, c=problem.c, **_weights_of_objective(case)
    )
    a, b = (
        np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(gradient)]).astype(np.float64)
        for gradient in (estimate, truth)
    )
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def policy_elsewhere(problem: Problem) -> SequenceModel:
    """Where the gradients are compared: so chosen that no term can be missing unseen."""
    return problem.random_model(3).as_policy_start(problem.length)


def _weights_of_objective(case: Case) -> dict[str, float]:
    if case.method in REINFORCE:
        return {"prior_weight": 0.0, "entropy_weight": 0.0}
    if case.method == "merl":
        return {"prior_weight": 0.0, "entropy_weight": settings_of(case).entropy_weight}
    return {}


def estimated_gradient(case: Case, model: SequenceModel, key: PRNGKeyArray) -> SequenceModel:
    """Minus the gradient of a method's loss on a large collection, in a model's parameters.

    PPO's advantages look to the end of the sequence and path consistency's errors are squared
    however large, since the gradient is biased otherwise.
    """
    changes: dict[str, Any] = {
        "environments": GRADIENT_BATCH,
        "replay_capacity": GRADIENT_BATCH,
        "exploration": Exploration(epsilon_start=0.0),
        "huber_threshold": 1e6,
    }
    if case.method == "ppo":
        changes["trace"] = 1.0
    tutor = Tutor(case.problem.task, case.problem.prior, replace(settings_of(case), **changes))
    network = ActionValueNetwork(model, tutor.settings.value_scale)
    gradient = _loss_gradient(tutor, tutor.prior, network, key)
    return jax.tree.map(jnp.negative, gradient.model)


@eqx.filter_jit
def _loss_gradient(
    tutor: Tutor, prior: SequenceModel, network: ActionValueNetwork, key: PRNGKeyArray
) -> ActionValueNetwork:
    found = collect(tutor, prior, network, key, jnp.zeros(()))
    earned = tutor.task.reward(found.tokens, found.mask)
    experience = Experience.of(found, earned.total, keeps_whole_prior=True)

    def loss(online: ActionValueNetwork) -> Array:
        outputs = [one.unroll(experience.tokens) for one in (online, network)]
        return tutor.method.loss(outputs[0], outputs[1], experience, tutor.settings)

    return eqx.filter_grad(loss)(network)
