"""The proof itself: it passes what is right and fails what is wrong."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqtutor.errors import UserError
from seqtutor.methods import merl, psi, q, rloo, score_function, temporal_difference
from seqtutor.objectives.policy_gradient import returns
from seqtutor.proof import exact
from seqtutor.proof.problems import PROBLEMS, enumeration
from seqtutor.proof.verify import (
    DISCOUNT,
    LARGEST_DIVERGENCE,
    SMALLEST_COSINE,
    Case,
    Outcome,
    all_cases,
    check,
    gradient_cosine,
    policy_elsewhere,
    target_of,
)
from tiny_problems import METHODS

WORDS = PROBLEMS["words"]


def divergence(problem, one, other):
    return exact.kl_divergence(enumeration(problem), one, other)


def test_the_problems_are_as_different_as_they_are_said_to_be():
    problems = PROBLEMS.values()
    assert {problem.vocabulary_size for problem in problems} >= {2, 3, 4, 5}
    assert {problem.length for problem in problems} >= {3, 7}
    assert {problem.c for problem in problems} >= {0.2, 3.0}
    assert {problem.has_end for problem in problems} == {True, False}
    assert {problem.pays for problem in problems} == {"each step", "at the end", "both"}
    for problem in problems:
        going_on = slice(None, -1 if problem.has_end else None)
        early = enumeration(problem).rewards[0][:, going_on]
        assert early.any() == (problem.pays != "at the end")


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=lambda p: p.name)
def test_no_target_is_passed_by_another_policy(problem):
    """Neither by the prior nor by the solution of any other method."""
    prior = enumeration(problem).log_prior
    targets = {
        target_of(case).title + case.method * (target_of(case).title == "own fixed point"): (
            target_of(case).log_policy
        )
        for case in all_cases(problems=[problem.name])
        if case.method not in ("reinforce", "reinforce-baseline")
    }
    assert len(targets) >= 4
    for name, target in targets.items():
        others = [prior] + [other for key, other in targets.items() if key != name]
        for other in others:
            assert divergence(problem, other, target) > 2 * LARGEST_DIVERGENCE, name


def test_merls_target_is_the_exponential_of_the_reward():
    whole = enumeration(WORDS)
    sequences = exact.distinct_sequences(whole)
    target = target_of(Case(WORDS, "merl")).log_policy
    difference = sequences.along(target).sum(1) - sequences.along(whole.rewards).sum(1) / WORDS.c
    assert np.ptp(difference) < 1e-4


def test_reinforces_target_has_the_greatest_reward():
    whole = enumeration(WORDS)
    target = target_of(Case(WORDS, "reinforce"))
    rewards = exact.distinct_sequences(whole).along(whole.rewards).sum(axis=1)
    reached = exact.evaluate(whole, target.log_policy, c=WORDS.c).expected_reward
    assert reached == pytest.approx(rewards.max())
    assert target.is_best


def test_cases_cover_every_method_on_every_problem_and_a_discount():
    cases = all_cases()
    undiscounted = [case for case in cases if case.discount == 1.0]
    assert {(case.problem.name, case.method) for case in undiscounted} == {
        (problem, method) for problem in PROBLEMS for method in METHODS
    }
    variants = {case.title for case in cases if case.method == "path"}
    assert variants == {"path, learned log Z", "path, batch log Z"}
    discounted = {case.method for case in cases if case.discount == DISCOUNT}
    assert discounted == {"q", "psi", "g", "path", "rloo", "ppo", "grpo"}
    quick = all_cases(quick=True)
    assert {case.method for case in quick} == set(METHODS)
    assert set(quick) < set(cases)
    assert len(quick) < len(cases) / 4
    assert {case.method for case in all_cases(["g"], ["soft"])} == {"g"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"methods": ["sarsa"]}, "no method 'sarsa'"),
        ({"problems": ["hard"]}, "no problem 'hard'"),
        ({"problems": ["soft"], "quick": True}, "nothing to verify"),
    ],
)
def test_unknown_names_are_the_users_error(arguments, message):
    with pytest.raises(UserError, match=message):
        all_cases(**arguments)


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=lambda p: p.name)
def test_gradients_are_compared_where_a_missing_term_would_show(problem):
    """E[r]/c − KL without its prior, its entropy or both goes elsewhere; so does E[r]/c + H."""
    model = policy_elsewhere(problem)

    def direction(prior_weight, entropy_weight):
        gradient = exact.objective_gradient(
            enumeration(problem),
            model,
            c=problem.c,
            prior_weight=prior_weight,
            entropy_weight=entropy_weight,
        )
        flat = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(gradient)])
        return flat / np.linalg.norm(flat)

    whole, with_entropy, with_prior, alone = (
        direction(kappa, alpha) for kappa, alpha in ((1, 1), (0, 1), (1, 0), (0, 0))
    )
    for lacking in (with_entropy, with_prior, alone):
        assert whole @ lacking < SMALLEST_COSINE
    assert with_entropy @ alone < SMALLEST_COSINE


@pytest.mark.parametrize("method", ["reinforce-baseline", "merl", "ppo"])
def test_sampled_gradients_follow_the_enumerated_one(method):
    assert gradient_cosine(Case(WORDS, method)) > SMALLEST_COSINE


def entropy_of_the_batch(generated, options):
    """MERL with the log-probabilities summed over the batch in place of time."""
    surplus = jnp.sum(jnp.where(generated.mask, generated.log_policy, 0.0), axis=0)
    alone = returns(generated.scaled_rewards, generated.mask, generated.discount)
    return alone - surplus / generated.mask.shape[0] - 1.0


def without_its_prior(generated, options):
    return rloo.weights(replace(generated, log_prior=0.0 * generated.log_prior), options)


@pytest.mark.parametrize(
    ("method", "weights"),
    [
        (merl, entropy_of_the_batch),
        (rloo, without_its_prior),
    ],
    ids=lambda value: value.__name__,
)
def test_a_wrong_gradient_is_found_out(method, weights, monkeypatch):
    broken = replace(method.METHOD, loss=partial(score_function.loss, weights))
    monkeypatch.setattr(method, "METHOD", broken)
    assert gradient_cosine(Case(WORDS, broken.name)) < SMALLEST_COSINE


def test_a_right_method_passes():
    outcome = check(Case(WORDS, "path", variant="learned log Z"))
    assert outcome.verdict == "pass", outcome.faults
    assert outcome.target == "π*"
    assert outcome.distance == pytest.approx(outcome.measured_gap)
    assert outcome.greatest_objective - outcome.objective == pytest.approx(outcome.distance)
    assert outcome.cosine > SMALLEST_COSINE


def test_a_method_with_a_wrong_value_fails(monkeypatch):
    """Ψ with the maximum in place of the soft maximum: Q's fixed point under Ψ's name."""
    wrong = replace(psi.EQUATIONS, state_value=q.state_value)
    loss = partial(temporal_difference.loss, wrong)
    monkeypatch.setattr(psi, "METHOD", replace(psi.METHOD, loss=loss))
    outcome = check(Case(WORDS, "psi"))
    assert outcome.verdict == "FAIL"
    assert "KL(policy ‖ π*)" in outcome.faults[0]


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "pass"),
        ({"target_is_best": False}, "expected gap"),
        ({"distance": 0.011}, "FAIL"),
        ({"distance": float("nan")}, "FAIL"),
        ({"cosine": 0.98}, "FAIL"),
        ({"cosine": float("nan")}, "FAIL"),
        ({"cosine": None}, "pass"),
        ({"distance": 0.011, "case": Case(WORDS, "reinforce")}, "pass"),
        ({"distance": 0.03, "case": Case(WORDS, "reinforce")}, "FAIL"),
    ],
    ids=str,
)
def test_verdicts(changes, verdict):
    passing = Outcome(
        case=Case(WORDS, "rloo"),
        target="π*",
        target_is_best=True,
        distance=0.009,
        objective=1.0,
        greatest_objective=1.009,
        expected_gap=0.0,
        measured_gap=0.009,
        cosine=0.995,
        seconds=1.0,
    )
    outcome = replace(passing, **changes)
    assert outcome.verdict == verdict
    assert bool(outcome.faults) == (verdict == "FAIL")
