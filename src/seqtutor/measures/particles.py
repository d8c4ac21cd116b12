"""Sequential Monte Carlo: sequences of π* ∝ p·exp(r/c) from many at once, without training.

N particles are extended token by token by a proposal q. After every stage each is weighted by how
far the target has run ahead of the proposal, and a group whose weights have become too unequal is
resampled. With the twist V the target of the beginnings s of t tokens is (Del Moral, Doucet & Jasra
2006; Naesseth et al. 2019, "Elements of sequential Monte Carlo"; for language models Zhao et al.
2024, "Probabilistic inference in language models via twisted sequential Monte Carlo")

    γ_t(s) = p(s)·exp( Σ_{k<t} r_k/c + V(s) ),   V = 0 at the end of a sequence,

and a weight grows by γ_t/γ_u over q of the tokens between two stages u < t. Any V is right and any
q that can generate every sequence. The best are the soft values and the policy of the optimum:
with V(s) = log E_p[exp(later r/c) | s] and q = π* no weight ever changes.

The mean of a group's N last weights, times those it was resampled with, is Ẑ with E[Ẑ] = Z for any
N. One particle is drawn by its last weight. Its law π_N tends to π* as N grows, and (Andrieu,
Doucet & Holenstein 2010, whose extended target it is the marginal of)

    KL(π_N‖π*) ≤ log Z − E[log Ẑ].

So E[log Ẑ] is at most the objective E[r]/c − KL(π_N‖p), and E[r/c − log Ẑ] at least its KL.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from seqtutor.measures.proposals import Outlook, Proposal
from seqtutor.measures.sampling import BATCH, Samples, join_samples
from seqtutor.objectives.temporal_difference import of_action
from seqtutor.rewards import Reward
from seqtutor.rewards.protocols import is_compiled
from seqtutor.task import Task
from seqtutor.training.rollout import sample_logits

STAGES = 16
"""How often a group may be resampled while its sequences are generated."""
LEAST_SHARE = 0.5
"""A group is resampled where the effective size of its weights is below this share of it."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Particles:
    """Whole sequences in groups that are independent of each other.

    Attributes:
        tokens: the sequences.
        mask: true up to and including the last token of a sequence.
        log_prior: log p of each, in nats; forced tokens do not count.
        reward: of each.
        log_weights: of each; the mean weight of a group is Ẑ.
    """

    tokens: Int[np.ndarray, "group particle time"]
    mask: Bool[np.ndarray, "group particle time"]
    log_prior: Float[np.ndarray, "group particle"]
    reward: Float[np.ndarray, "group particle"]
    log_weights: Float[np.ndarray, "group particle"]

    @property
    def log_z(self) -> Float[np.ndarray, " group"]:
        """Log Ẑ of each group."""
        number = self.log_weights.shape[1]
        found = jax.scipy.special.logsumexp(self.log_weights, axis=1) - math.log(number)
        return np.asarray(found, np.float64)


class _Sweep(eqx.Module):
    """What changes from token to token. `counted` is log γ/q up to the last stage."""

    state: Any
    previous: Int[Array, " batch"]
    present: Bool[Array, " batch"]
    tokens: Int[Array, "batch time"]
    mask: Bool[Array, "batch time"]
    log_prior: Float[Array, " batch"]
    log_ratio: Float[Array, " batch"]
    counted: Float[Array, " batch"]
    log_weights: Float[Array, " batch"]


def particles(
    proposal: Proposal,
    task: Task,
    c: float,
    *,
    groups: int,
    size: int,
    key: PRNGKeyArray,
    length: int | None = None,
    stages: int | None = None,
    forced: Int[np.ndarray, "group forced"] | None = None,
) -> Particles:
    """One sweep of sequential Monte Carlo, all groups beside each other.

    Args:
        proposal: extends the particles.
        task: gives the reward, the length and the end token.
        c: divides the reward.
        groups: how many, each with its own Ẑ.
        size: particles in each.
        key: random state.
        length: tokens of the longest sequence; by default the task's.
        stages: after which a group may be resampled, the last one at the end; by default `STAGES`,
            and 1 for a reward that is not a compiled function, which is asked for whole sequences
            alone.
        forced: tokens that all sequences of a group start with.
    """
    length = task.max_length if length is None else length
    if stages is None:
        stages = STAGES if is_compiled(task.reward.function) else 1
    ends = {length * stage // stages for stage in range(1, stages)} - {0}
    start = None if forced is None else jnp.asarray(np.repeat(forced, size, axis=0), jnp.int32)
    with task.reward.reporting_failures():
        found = _swept(
            proposal,
            task.reward,
            jnp.asarray(c, jnp.float32),
            key,
            start,
            (groups, size),
            length,
            task.vocabulary.end,
            tuple(sorted(ends)),
        )
        return Particles(**jax.tree.map(np.asarray, found))


@eqx.filter_jit
def _swept(
    proposal: Proposal,
    reward: Reward,
    c: Float[Array, ""],
    key: PRNGKeyArray,
    forced: Int[Array, "batch forced"] | None,
    shape: tuple[int, int],
    length: int,
    end: int | None,
    stages: tuple[int, ...],
) -> dict[str, Array]:
    """The fields of `Particles`."""
    batch = math.prod(shape)
    rewarding = _Rewarding(reward, c, end, length)
    axes = _batch_axes(proposal, length)

    def one(sweep: _Sweep, at: tuple[Array, Array, Array]) -> tuple[_Sweep, None]:
        position, is_stage, step_key = at
        choose_key, resample_key = jax.random.split(step_key)
        state, outlook = proposal.step(sweep.state, sweep.previous)
        both = (replace(sweep, state=state), outlook)

        def stage(both: tuple[_Sweep, Outlook]) -> tuple[_Sweep, Outlook]:
            weighed = _weighed(both[0], both[1].value, rewarding, position)
            return _resampled(weighed, both[1], resample_key, shape, axes)

        if stages:
            both = jax.lax.cond(is_stage, stage, lambda same: same, both)
        sweep, outlook = both
        return _extended(sweep, outlook, position, choose_key, end, forced), None

    begin = proposal.prior.begin
    zeros = jnp.zeros(batch)
    first = _Sweep(
        proposal.initial_state(batch, length),
        jnp.full(batch, begin, jnp.int32),
        jnp.ones(batch, bool),
        jnp.full((batch, length), rewarding.filler, jnp.int32),
        jnp.zeros((batch, length), bool),
        zeros,
        zeros,
        zeros,
        zeros,
    )
    positions = jnp.arange(length)
    is_stage = jnp.isin(positions, jnp.asarray(stages, jnp.int32))
    last, _ = jax.lax.scan(one, first, (positions, is_stage, jax.random.split(key, length)))
    last = _weighed(last, zeros, rewarding, jnp.asarray(length))
    per_sequence = rewarding.of_beginnings(last, jnp.asarray(length))
    return {
        "tokens": last.tokens.reshape(*shape, length),
        "mask": last.mask.reshape(*shape, length),
        "log_prior": last.log_prior.reshape(shape),
        "reward": per_sequence.reshape(shape),
        "log_weights": last.log_weights.reshape(shape),
    }


@dataclass(frozen=True)
class _Rewarding:
    """The reward of sequences that may not be whole yet."""

    reward: Reward
    c: Float[Array, ""]
    end: int | None
    length: int

    @property
    def filler(self) -> int:
        """A token that ends no sequence, for the places that are not generated yet."""
        return 1 if self.end == 0 else 0

    def of_beginnings(self, sweep: _Sweep, position: Int[Array, ""]) -> Float[Array, " batch"]:
        """What the first `position` tokens have earned.

        A reward is causal, so that what stands in the place of later tokens does not matter. What
        is paid at the end of a sequence counts once it has ended.
        """
        is_before = jnp.arange(self.length) < position
        mask = jnp.where(is_before, sweep.mask, sweep.present[:, None])
        earned = self.reward(sweep.tokens, mask).total
        return jnp.sum(jnp.where(is_before, earned, 0.0), axis=1)


def _weighed(
    sweep: _Sweep, value: Float[Array, " batch"], rewarding: _Rewarding, position: Int[Array, ""]
) -> _Sweep:
    """The weights with what has happened since the last stage."""
    twist = jnp.where(sweep.present, value, 0.0)
    reward = rewarding.of_beginnings(sweep, position)
    now = sweep.log_ratio + reward / rewarding.c + twist
    return replace(sweep, log_weights=sweep.log_weights + now - sweep.counted, counted=now)


def _resampled(
    sweep: _Sweep,
    outlook: Outlook,
    key: PRNGKeyArray,
    shape: tuple[int, int],
    axes: list[int | None],
) -> tuple[_Sweep, Outlook]:
    """Groups whose weights are too unequal, drawn anew; their weights are then their mean."""
    weights = sweep.log_weights.reshape(shape)
    drawn, is_uneven = systematic(weights, key)
    index = (drawn + shape[1] * jnp.arange(shape[0])[:, None]).reshape(-1)
    mean = jax.scipy.special.logsumexp(weights, axis=1, keepdims=True) - math.log(shape[1])
    equal = jnp.where(is_uneven[:, None], mean, weights).reshape(-1)
    leaves, structure = jax.tree.flatten(sweep.state)
    pairs = zip(leaves, axes, strict=True)
    leaves = [leaf if axis is None else jnp.take(leaf, index, axis) for leaf, axis in pairs]
    state = jax.tree.unflatten(structure, leaves)
    rest = jax.tree.map(lambda array: array[index], (replace(sweep, state=None), outlook))
    return replace(rest[0], state=state, log_weights=equal), rest[1]


def systematic(
    log_weights: Float[Array, "group particle"], key: PRNGKeyArray, share: float = LEAST_SHARE
) -> tuple[Int[Array, "group particle"], Bool[Array, " group"]]:
    """Systematic resampling (Kitagawa 1996) of the groups with too small an effective size.

    Returns:
        Which particle takes each place, in the other groups its own; and which groups these are.
    """
    number = log_weights.shape[1]
    weights = jax.nn.softmax(log_weights, axis=1)
    is_uneven = 1 / jnp.sum(jnp.square(weights), axis=1) < share * number
    start = jax.random.uniform(key, (len(weights), 1))
    places = (start + jnp.arange(number)) / number
    cumulative = jnp.cumsum(weights, axis=1)
    cumulative = cumulative / cumulative[:, -1:]
    drawn = jax.vmap(jnp.searchsorted)(cumulative, places)
    own = jnp.arange(number)
    chosen = jnp.where(is_uneven[:, None], jnp.minimum(drawn, number - 1), own)
    return chosen.astype(jnp.int32), is_uneven


def _extended(
    sweep: _Sweep,
    outlook: Outlook,
    position: Int[Array, ""],
    key: PRNGKeyArray,
    end: int | None,
    forced: Int[Array, "batch forced"] | None,
) -> _Sweep:
    """One more token of every particle that has not ended."""
    token = sample_logits(outlook.log_proposal, key)
    is_chosen = sweep.present
    if forced is not None and forced.shape[1]:
        is_forced = position < forced.shape[1]
        column = forced[:, jnp.minimum(position, forced.shape[1] - 1)]
        token = jnp.where(is_forced, column, token)
        is_chosen = is_chosen & ~is_forced
    if end is not None:
        token = jnp.where(sweep.present, token, end)
    token = token.astype(jnp.int32)
    log_prior, log_proposal = (
        jnp.where(is_chosen, of_action(one, token), 0.0)
        for one in (outlook.log_prior, outlook.log_proposal)
    )
    return replace(
        sweep,
        previous=token,
        present=sweep.present if end is None else sweep.present & (token != end),
        tokens=sweep.tokens.at[:, position].set(token),
        mask=sweep.mask.at[:, position].set(sweep.present),
        log_prior=sweep.log_prior + log_prior,
        log_ratio=sweep.log_ratio + log_prior - log_proposal,
    )


def _batch_axes(proposal: Proposal, length: int) -> list[int | None]:
    """For each array of a state the axis of the sequences, `None` for an array that has none."""

    def shapes(batch: int) -> list[tuple[int, ...]]:
        of_leaves = jax.eval_shape(lambda: jax.tree.leaves(proposal.initial_state(batch, length)))
        return [leaf.shape for leaf in of_leaves]

    return [
        next((axis for axis, (a, b) in enumerate(zip(*pair, strict=True)) if a != b), None)
        for pair in zip(shapes(2), shapes(3), strict=True)
    ]


def draw_by_particles(
    proposal: Proposal,
    task: Task,
    c: float,
    *,
    number: int,
    size: int,
    seed: int = 0,
    length: int | None = None,
    forced: Int[np.ndarray, "#number forced"] | None = None,
    on_sequences: Callable[[int], None] = lambda done: None,
) -> Samples:
    """Independent sequences, each drawn by its weight from a group of so many particles.

    What the policy does at a single step is not known: `entropy` and `log_policy` are NaN and
    `expected_log_prior` is that of the chosen tokens. `kl` is r/c − log Ẑ, whose mean is an upper
    bound on the divergence from the prior, so that the mean of r/c − `kl` = log Ẑ is a lower bound
    on the objective.

    Args:
        proposal: extends the particles.
        task: gives the reward, the length and the end token.
        c: divides the reward.
        number: of sequences.
        size: particles in each group.
        seed: of the sampling.
        length: tokens of the longest sequence; by default the task's.
        forced: tokens that each sequence starts with.
        on_sequences: called with the number of sequences so far.
    """
    groups = max(1, min(number, BATCH // size))
    start = None
    if forced is not None:
        start = np.broadcast_to(forced, (number, forced.shape[1]))
    parts: list[Samples] = []
    for index, done in enumerate(range(0, number, groups)):
        rows = np.minimum(np.arange(done, done + groups), number - 1)
        own = None if start is None else start[rows]
        key = jax.random.fold_in(jax.random.key(seed), index)
        swept = particles(
            proposal, task, c, groups=groups, size=size, key=key, length=length, forced=own
        )
        generator = np.random.default_rng((seed, index))
        parts.append(one_of_each(swept, c, generator)[: number - done])
        on_sequences(min(number, done + groups))
    return join_samples(parts)


def one_of_each(swept: Particles, c: float, generator: np.random.Generator) -> Samples:
    """A particle of each group, drawn by its weight."""
    weights = np.asarray(jax.nn.softmax(swept.log_weights, axis=1), np.float64)
    cumulative = np.cumsum(weights, axis=1)
    thresholds = generator.random(len(weights)) * cumulative[:, -1]
    chosen = np.minimum((cumulative <= thresholds[:, None]).sum(axis=1), weights.shape[1] - 1)
    rows = np.arange(len(weights)), chosen
    tokens, mask = swept.tokens[rows], swept.mask[rows]
    log_prior, reward = swept.log_prior[rows], swept.reward[rows]
    unknown = np.full(len(rows[0]), np.nan, np.float32)
    return Samples(
        tokens=tokens,
        mask=mask,
        steps=mask.sum(axis=1),
        log_policy=unknown,
        log_prior=log_prior,
        expected_log_prior=log_prior,
        kl=(reward / c - swept.log_z).astype(np.float32),
        entropy=unknown,
        reward=reward,
    )
