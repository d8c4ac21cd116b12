"""The exact optimum of tiny problems, by enumerating every sequence.

With V tokens and length T there are V^T sequences (with an end token, those that agree up to it
count once). Up to about 10⁵ of them this module gives the optimal policy π*, log Z, the optimal
values of every method, and any policy's true objective and its gradient: what every learned number
is held against.

States are prefixes. Those of length t are numbered 0 … V^t − 1 in lexicographic order, so that
token a leads from prefix i to prefix i·V + a.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import logsumexp

from seqtutor.errors import UserError
from seqtutor.methods.base import Equations
from seqtutor.models.base import SequenceModel
from seqtutor.rewards import Reward

LARGEST_PROBLEM = 200_000
PerPrefix = list[Float[np.ndarray, "prefixes vocab"]]
_Model = TypeVar("_Model", bound=SequenceModel)


@dataclass(frozen=True)
class Enumeration:
    """A problem small enough to be known whole.

    Level t of `log_prior` and `rewards` holds a row for every prefix of length t and a column for
    every next token. `alive` tells which prefixes have not ended; what follows an end earns and
    costs nothing. `sequences` are all padded sequences in the order of the last level's cells.
    """

    vocabulary_size: int
    length: int
    end: int | None
    sequences: Int[np.ndarray, "sequences time"]
    log_prior: PerPrefix
    rewards: PerPrefix
    alive: list[Bool[np.ndarray, " prefixes"]]


def enumerate_problem(
    model: SequenceModel, reward: Reward, length: int, *, end: int | None = None
) -> Enumeration:
    """Ask a prior and a reward about every sequence of `length` tokens or fewer.

    Raises:
        UserError: if there are more than 200,000 sequences, or the reward is not finite or not
            causal.
    """
    size = model.vocabulary_size
    sequences, alive = _all_sequences(size, length, end)
    mask = np.stack([level[_prefix_of_cell(size, length, t)] for t, level in enumerate(alive)], 1)
    if end is not None:
        sequences = np.where(mask, sequences, np.int32(end))
    with reward.reporting_failures():
        breakdown = jax.jit(reward.__call__)(jnp.asarray(sequences), jnp.asarray(mask))
        per_step = np.asarray(breakdown.total, np.float64)
    if not np.isfinite(per_step).all():
        raise UserError("the reward is not finite for every sequence")
    return Enumeration(
        size,
        length,
        end,
        sequences,
        log_prior=_conditionals(model, sequences, size),
        rewards=_causal_levels(per_step, mask, size),
        alive=alive,
    )


def _all_sequences(
    size: int, length: int, end: int | None
) -> tuple[Int[np.ndarray, "sequences time"], list[Bool[np.ndarray, " prefixes"]]]:
    if size**length > LARGEST_PROBLEM:
        raise UserError(
            f"{size} tokens and length {length} make {size**length:,} sequences; the oracle takes "
            f"up to {LARGEST_PROBLEM:,}: choose a shorter length or a smaller vocabulary"
        )
    cells = np.arange(size**length)
    sequences = np.stack([cells // size ** (length - 1 - t) % size for t in range(length)], axis=1)
    alive = [np.ones(1, bool)]
    for _ in range(length - 1):
        going_on = np.arange(size) != (-1 if end is None else end)
        alive.append((alive[-1][:, None] & going_on).reshape(-1))
    return sequences.astype(np.int32), alive


def _prefix_of_cell(size: int, length: int, time: int) -> Int[np.ndarray, " sequences"]:
    return np.arange(size**length) // size ** (length - time)


def _conditionals(model: SequenceModel, sequences: np.ndarray, size: int) -> PerPrefix:
    """The log p(a|prefix) for every prefix, from teacher forcing over all sequences.

    The model's logits are float32; they are normalised in float64.
    """
    unroll = jax.jit(lambda m, tokens: m.unroll(tokens))
    chunk = max(1, 2**20 // (size * sequences.shape[1]))
    parts = [
        np.asarray(unroll(model, sequences[start : start + chunk]), np.float64)
        for start in range(0, len(sequences), chunk)
    ]
    logits = np.concatenate(parts)
    log_probabilities = logits - logsumexp(logits, axis=-1, keepdims=True)
    return [
        log_probabilities[:: size ** (sequences.shape[1] - t), t] for t in range(sequences.shape[1])
    ]


def _causal_levels(per_step: np.ndarray, mask: np.ndarray, size: int) -> PerPrefix:
    """Rewards by prefix and token, after a check that the future does not change them.

    A term paid at the last token is causal where the last token is known to be the last: at the
    end token, or at full length.
    """
    length = per_step.shape[1]
    levels = []
    for t in range(length):
        grouped = np.where(mask[:, t], per_step[:, t], 0.0).reshape(size ** (t + 1), -1)
        if not np.allclose(grouped, grouped[:, :1], atol=1e-5):
            raise UserError(
                f"the reward is not causal: what step {t} earns depends on later tokens; pay it "
                "at the last token instead"
            )
        levels.append(grouped[:, 0].reshape(-1, size))
    return levels


@dataclass(frozen=True)
class Solution:
    """Action values, state values and the policy of one fixed point, level by level.

    `state_values[t]` has a number for every prefix of length t; `log_policy` is normalised. The
    value of the empty prefix, `log_partition`, is log Z when values are soft and γ = 1.
    """

    action_values: PerPrefix
    state_values: list[Float[np.ndarray, " prefixes"]]
    log_policy: PerPrefix

    @property
    def log_partition(self) -> float:
        """V of the empty prefix."""
        return float(self.state_values[0][0])


def fixed_point(
    problem: Enumeration, equations: Equations, *, c: float, discount: float = 1.0
) -> Solution:
    """Solve a temporal-difference method's Bellman equation backwards from the last token.

    Uses the method's own equations, so it is the exact tabular form of what the tutor learns.
    """
    actions, states, policies = [], [], []
    later = np.zeros(problem.vocabulary_size**problem.length)
    for t in reversed(range(problem.length)):
        with jax.enable_x64(True):  # otherwise the equations round to float32
            log_prior = jnp.asarray(problem.log_prior[t])
            reward = equations.reward(jnp.asarray(problem.rewards[t] / c), log_prior)
            following = later.reshape(log_prior.shape)
            output = reward + discount * following
            value = np.asarray(equations.state_value(output, log_prior))
            logits = np.asarray(equations.policy_logits(output, log_prior))
        later = np.where(problem.alive[t], value, 0.0)
        actions.append(np.asarray(output))
        states.append(later)
        policies.append(logits - logsumexp(logits, axis=-1, keepdims=True))
    return Solution(actions[::-1], states[::-1], policies[::-1])


def optimum(problem: Enumeration, *, c: float) -> Solution:
    """π*(τ) = p(τ)·exp(r(τ)/c)/Z in closed form, computed without any method's functions.

    The partition function of every prefix is a sum over all its completions; `action_values` are
    Ψ*(s, a) = log p(a|s) + r/c + V*(s').
    """
    actions, states, policies = [], [], []
    log_weight = np.zeros((problem.vocabulary_size**problem.length, 1))
    for t in reversed(range(problem.length)):
        rows = np.where(problem.alive[t][:, None], problem.log_prior[t] + problem.rewards[t] / c, 0)
        completed = log_weight[:, 0].reshape(rows.shape) + rows
        partition = np.where(problem.alive[t], logsumexp(completed, axis=1), 0.0)
        actions.append(completed)
        states.append(partition)
        policies.append(completed - logsumexp(completed, axis=1, keepdims=True))
        log_weight = partition[:, None]
    return Solution(actions[::-1], states[::-1], policies[::-1])


def with_prior_weight(problem: Enumeration, weight: float) -> Enumeration:
    """The same problem with log p multiplied by a weight κ; it need not be normalised.

    At κ = 0 every sequence weighs the same, and the optimum at c·α is that of E[r]/c + α·H(π):
    π ∝ exp(r/(cα)).
    """
    return replace(problem, log_prior=[weight * level for level in problem.log_prior])


def greedy(solution: Solution) -> PerPrefix:
    """The policy that always takes the highest action value, the first one of equals.

    Of the fixed point of RL only, at γ = 1, it is the policy of the greatest expected reward.
    """
    with np.errstate(divide="ignore"):
        return [
            np.log(np.eye(values.shape[1])[values.argmax(axis=1)])
            for values in solution.action_values
        ]


@dataclass(frozen=True)
class Evaluation:
    """True expectations under a policy: nats, and reward in the task's own unit.

    `objective` is E[r]/c − KL(π‖p).
    """

    expected_reward: float
    kl_to_prior: float
    entropy: float
    objective: float


def evaluate(problem: Enumeration, log_policy: PerPrefix, *, c: float) -> Evaluation:
    """A policy's expected reward, its KL from the prior and its objective, without sampling."""
    reward = entropy = 0.0
    for t, visits in _visits(problem, log_policy):
        reward += np.sum(visits * problem.rewards[t])
        entropy -= np.sum(visits * np.where(visits > 0, log_policy[t], 0.0))
    kl = kl_divergence(problem, log_policy, problem.log_prior)
    return Evaluation(float(reward), kl, float(entropy), float(reward / c - kl))


def kl_divergence(problem: Enumeration, log_policy: PerPrefix, log_other: PerPrefix) -> float:
    """KL(policy ‖ other) over whole sequences, in nats; tokens of no probability cost nothing."""
    divergence = 0.0
    for t, visits in _visits(problem, log_policy):
        seen = visits > 0
        log_ratio = np.where(seen, log_policy[t], 0.0) - np.where(seen, log_other[t], 0.0)
        divergence += np.sum(visits * log_ratio)
    return float(divergence)


def _visits(
    problem: Enumeration, log_policy: PerPrefix
) -> Iterator[tuple[int, Float[np.ndarray, "prefixes vocab"]]]:
    """For each t, the probability of every living prefix of length t with every next token."""
    reach = np.ones(1)
    for t in range(problem.length):
        visits = (reach * problem.alive[t])[:, None] * np.exp(log_policy[t])
        yield t, visits
        reach = visits.reshape(-1)


def policy_table(problem: Enumeration, model: SequenceModel) -> PerPrefix:
    """The log π(a|prefix) of a model at every prefix."""
    return _conditionals(model, problem.sequences, problem.vocabulary_size)


@dataclass(frozen=True)
class DistinctSequences:
    """Every sequence once, with the prefix that comes before each token.

    Past its end a sequence is padded with the end token and `mask` is false.
    """

    tokens: Int[np.ndarray, "sequences time"]
    mask: Bool[np.ndarray, "sequences time"]
    prefixes: Int[np.ndarray, "sequences time"]

    def along(self, levels: PerPrefix) -> Float[np.ndarray, "sequences time"]:
        """What a table says of the tokens taken, zero past the end."""
        taken = [level[self.prefixes[:, t], self.tokens[:, t]] for t, level in enumerate(levels)]
        return np.where(self.mask, np.stack(taken, axis=1), 0.0)


def distinct_sequences(problem: Enumeration) -> DistinctSequences:
    """The sequences of a problem; those that agree up to the end token count once."""
    tokens, cells = np.unique(problem.sequences, axis=0, return_index=True)
    size, length = problem.vocabulary_size, problem.length
    prefixes = np.stack([cells // size ** (length - t) for t in range(length)], axis=1)
    mask = np.stack([problem.alive[t][prefixes[:, t]] for t in range(length)], axis=1)
    return DistinctSequences(tokens, mask, prefixes)


def objective_gradient(
    problem: Enumeration,
    model: _Model,
    *,
    c: float,
    prior_weight: float = 1.0,
    entropy_weight: float = 1.0,
) -> _Model:
    """The gradient of a model's true objective in its parameters, as a model of float64 numbers.

        J = Σ_τ π(τ)·( r(τ)/c + κ·log p(τ) − α·log π(τ) )

    is summed over every sequence and differentiated as it stands, without the score function's
    identity that policy gradients rest on. With `prior_weight` κ = 1 and `entropy_weight` α = 1 it
    is E[r]/c − KL(π‖p); with κ = 0 it is E[r]/c + α·H(π), and with both zero E[r]/c.
    """
    sequences = distinct_sequences(problem)
    rewards, log_prior = (
        sequences.along(levels).sum(axis=1) for levels in (problem.rewards, problem.log_prior)
    )
    with jax.enable_x64(True):
        gradient = _gradient(
            jax.tree.map(lambda array: jnp.asarray(array, jnp.float64), model),
            jnp.asarray(sequences.tokens),
            jnp.asarray(sequences.mask),
            jnp.asarray(rewards / c + prior_weight * log_prior),
            jnp.asarray(entropy_weight, jnp.float64),
        )
        return jax.tree.map(np.asarray, gradient)


@eqx.filter_jit
@eqx.filter_grad
def _gradient(
    model: SequenceModel,
    tokens: jax.Array,
    mask: jax.Array,
    values: jax.Array,
    entropy_weight: jax.Array,
) -> jax.Array:
    log_probabilities = jax.nn.log_softmax(model.unroll(tokens))
    taken = jnp.take_along_axis(log_probabilities, tokens[..., None], axis=-1)[..., 0]
    log_policy = jnp.sum(jnp.where(mask, taken, 0.0), axis=1)
    return jnp.sum(jnp.exp(log_policy) * (values - entropy_weight * log_policy))
