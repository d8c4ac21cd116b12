"""The proof: every method, trained by the tutor on problems that are also solved exactly.

A case is a method on a problem. It is trained as a user would train it; then every number comes
from the enumeration of the problem, none from samples. What a method must reach follows from the
objective in its record: the optimum π* of E[r]/c − KL(π‖p), or another policy, whose distance from
π* is known and reported.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from seqtutor.errors import UserError
from seqtutor.methods import psi, rl_only
from seqtutor.methods.base import Experience, Method, Objective
from seqtutor.methods.registry import method_named, method_names, require_method
from seqtutor.methods.settings import NO_EXPLORATION
from seqtutor.models.action_values import ActionValueNetwork
from seqtutor.models.base import SequenceModel
from seqtutor.proof import exact
from seqtutor.proof.problems import (
    DISCOUNTED_PROBLEMS,
    PROBLEMS,
    Problem,
    enumeration,
    votes_on,
)
from seqtutor.training.iteration import collect
from seqtutor.training.settings import TutorSettings, applicable_settings
from seqtutor.training.tutor import Tutor

LARGEST_DIVERGENCE = 0.01
"""KL(policy ‖ target), in nats a sequence, under which a method has reached its target."""
LARGEST_SHORTFALL = 0.02
"""The same of a method that maximises E[r]: the share of the possible gain that may be missing."""
SMALLEST_COSINE = 0.99
"""Between the estimated and the enumerated gradient."""
GRADIENT_BATCH = 65_536
"""Sequences of one estimate of the gradient."""
DISCOUNT = 0.8
"""The γ of the cases that look less far ahead."""

QUICK_PROBLEMS = ("words", "coins")
"""For a quick look: at γ = 1 the first, at the lower γ the second."""

QUICK_DISCOUNTED_METHODS = ("psi", "path")
"""For a quick look at the lower γ."""


@dataclass(frozen=True)
class Case:
    """One thing to be proved: a method on a problem, at a discount.

    `variant` is one of those that the method's `Proof` names.
    """

    problem: Problem
    method: str
    discount: float = 1.0
    variant: str = ""

    @property
    def title(self) -> str:
        """The method, and its variant where it has several."""
        return f"{self.method}, {self.variant}" if self.variant else self.method

    @property
    def record(self) -> Method:
        """The method's record."""
        return method_named(self.method)

    @property
    def objective(self) -> Objective | None:
        """What the method maximises at γ = 1."""
        return self.record.objective(settings_of(self).options)

    @property
    def is_of_reward_alone(self) -> bool:
        """Whether it maximises E[r], so that its optimum has no entropy."""
        return self.objective is not None and self.objective.entropy_weight == 0


def all_cases(
    methods: Sequence[str] | None = None,
    problems: Sequence[str] | None = None,
    *,
    quick: bool = False,
) -> list[Case]:
    """Every method on every problem at γ = 1, and some on some problems at a lower γ.

    `quick` leaves one problem for each of the two.

    Raises:
        UserError: if a method or a problem is unknown, or nothing is left to do.
    """
    for name in methods or ():
        require_method(name)
    for name in problems or ():
        if name not in PROBLEMS:
            raise UserError(f"there is no problem {name!r}; choose from {', '.join(PROBLEMS)}")
    records = [method_named(name) for name in method_names()]
    undiscounted = QUICK_PROBLEMS[:1] if quick else tuple(PROBLEMS)
    discounted = QUICK_PROBLEMS[1:] if quick else DISCOUNTED_PROBLEMS
    found = [
        Case(PROBLEMS[name], method.name, 1.0, variant)
        for name in undiscounted
        for method in records
        for variant in method.proof.variants
    ] + [
        Case(PROBLEMS[name], method.name, DISCOUNT, next(iter(method.proof.variants)))
        for name in discounted
        for method in records
        if method.proof.at_discount and (not quick or method.name in QUICK_DISCOUNTED_METHODS)
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

    Raises:
        ValueError: if the method has neither an objective that is solved here nor equations.
    """
    whole, c, discount = enumeration(case.problem), case.problem.c, case.discount
    undiscounted, objective = discount == 1.0, case.objective
    if objective is None:
        if case.record.equations is None:
            raise ValueError(f"{case.method} has neither an objective nor equations")
        solution = exact.fixed_point(whole, case.record.equations, c=c, discount=discount)
        return Target("own fixed point", solution.log_policy, False)
    if case.is_of_reward_alone:
        solution = exact.fixed_point(whole, rl_only.EQUATIONS, c=c, discount=discount)
        return Target("greatest E[r]", exact.greedy(solution), undiscounted)
    if objective == Objective():
        if undiscounted:
            return Target("π*", exact.optimum(whole, c=c).log_policy, True)
        solution = exact.fixed_point(whole, psi.EQUATIONS, c=c, discount=discount)
        return Target("discounted π*", solution.log_policy, False)
    # κ·log p − α·log π: the same with p^(κ/α) for the prior and c·α for c.
    weighted = exact.with_prior_weight(whole, objective.prior_weight / objective.entropy_weight)
    c *= objective.entropy_weight
    solution = exact.fixed_point(weighted, psi.EQUATIONS, c=c, discount=discount)
    return Target("own optimum", solution.log_policy, undiscounted)


def settings_of(case: Case, seed: int = 0) -> TutorSettings:
    """Settings that bring a method near its solution; most are in its record."""
    proof = case.record.proof
    changes = {
        "c": case.problem.c,
        "discount": case.discount,
        "learning_rate": 1e-2,
        "learning_rate_final_share": 0.0,
        "seed": seed,
        **proof.settings,
        **proof.variants[case.variant],
    }
    settings = TutorSettings.of(case.method, **changes)
    steps = proof.iterations * settings.environments * case.problem.length
    return settings.with_changes(steps=steps)


@dataclass(frozen=True)
class Outcome:
    """What became of a case; in nats a sequence unless said otherwise.

    Attributes:
        case: what was to be proved.
        target: what had to be reached.
        target_is_best: whether it is the optimum of an objective.
        distance: KL(policy ‖ target); of a method that maximises E[r] the share of the possible
            gain in E[r] that is missing.
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
        is_share = self.case.is_of_reward_alone
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
        """`expected gap`: the method has reached its own fixed point, which is not the optimum."""
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
    if case.is_of_reward_alone:
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
    settings, votes = settings_of(case, seed), None
    if case.record.learns_from_votes:
        options: Any = settings.options
        votes = votes_on(case.problem, options.tie or 0.0, options.side_bias or 0.0)
    tutor = Tutor(case.problem.task, case.problem.prior, settings, votes=votes)
    state, _ = tutor.advance(tutor.initial_state(), tutor.iterations)
    return tutor.policy(state.network)


def gradient_cosine(case: Case, seed: int = 0) -> float | None:
    """The cosine between a method's step and the true gradient of what it maximises.

    Both are taken in the parameters of a policy away from the prior, where reward, prior and
    entropy pull in directions that differ, and before any value is learned. `None` where a step is
    not meant to follow a gradient: for values learned from targets, and for returns that are
    discounted from each step on.
    """
    objective, problem = case.objective, case.problem
    if case.discount != 1.0 or objective is None or not case.record.proof.follows_gradient:
        return None
    model = policy_elsewhere(problem)
    estimate = estimated_gradient(case, model, jax.random.key(seed))
    truth = exact.objective_gradient(
        enumeration(problem),
        model,
        c=problem.c,
        prior_weight=objective.prior_weight,
        entropy_weight=objective.entropy_weight,
    )
    a, b = (
        np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(gradient)]).astype(np.float64)
        for gradient in (estimate, truth)
    )
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def policy_elsewhere(problem: Problem) -> SequenceModel:
    """Where the gradients are compared: so chosen that no term can be missing unseen."""
    return problem.random_model(3).as_policy_start(problem.length)


def estimated_gradient(case: Case, model: SequenceModel, key: PRNGKeyArray) -> SequenceModel:
    """Minus the gradient of a method's loss on a large collection, in a model's parameters.

    Errors are squared however large, since the gradient is biased otherwise.
    """
    own = applicable_settings(
        case.method,
        replay_capacity=GRADIENT_BATCH,
        exploration=NO_EXPLORATION,
        huber_threshold=1e6,
    )
    settings = settings_of(case).with_changes(
        environments=GRADIENT_BATCH, **{**own, **case.record.proof.gradient_settings}
    )
    tutor = Tutor(case.problem.task, case.problem.prior, settings)
    # The value starts at zero, whatever its scale.
    network = ActionValueNetwork(model, value_scale=1.0)
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
