"""One iteration: collect, reward, store, learn; pure functions of the plan and the state.

Each iteration generates a batch of sequences, rewards them, stores them, and makes several updates
on replayed sequences. While a reward is computed elsewhere, such as in worker processes, methods
with a replay make their updates, on sequences that have their rewards already.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray

from seqtutor.methods.base import Experience
from seqtutor.models.action_values import ActionValueNetwork
from seqtutor.models.base import SequenceModel
from seqtutor.rewards import Reward, RewardBreakdown
from seqtutor.training.metrics import Metrics, measure, measure_policy
from seqtutor.training.plan import TutorPlan, TutorState
from seqtutor.training.replay import (
    Replay,
    add,
    draw,
    draw_prioritised,
    new_priorities,
    take,
)
from seqtutor.training.rollout import epsilon, explore, roll_out
from seqtutor.training.sharding import everywhere, split
from seqtutor.types import Trajectories

MOST_AT_ONCE = 1024
"""Iterations of one call at most: the metrics of so many have room in the program."""


def iterate(
    plan: TutorPlan,
    prior: SequenceModel,
    reward_parameters: Any,
    state: TutorState,
    iterations: Int[Array, ""],
) -> tuple[TutorState, Metrics]:
    """Collect and learn again and again; a pure function.

    One program serves any number of iterations up to `MOST_AT_ONCE`; there must not be more. Each
    metric has so many rows, and those beyond the iterations made are zero.
    """
    reward = plan.task.reward

    # Compiled by itself, it is traced once for its shapes and for the loop.
    @jax.jit
    def once(state: TutorState) -> tuple[TutorState, Metrics]:
        key, collect_key, learn_key = jax.random.split(state.key, 3)
        progress = state.iteration / plan.iterations
        state = eqx.tree_at(lambda s: (s.key, s.iteration), state, (key, state.iteration + 1))
        trajectories = collect(plan, prior, state.network, collect_key, progress)
        if plan.learns_meanwhile:
            state, losses, breakdown = learn_while_scoring(
                plan, prior, reward, state, trajectories, learn_key
            )
            state = store(plan, state, trajectories, breakdown)
        else:
            breakdown, weights = reward.followed(
                trajectories.tokens, trajectories.mask, reward_parameters, state.weights
            )
            state = replace(state, weights=everywhere(weights, plan.devices))
            state = store(plan, state, trajectories, breakdown)
            state, losses = learn(plan, prior, state, learn_key)
        metrics = measure(trajectories, breakdown, plan.devices) | losses
        metrics |= {f"weight/{name}": weight for name, weight in state.weights.settled.items()}
        return state, everywhere(metrics, plan.devices)

    def measured(
        row: Int[Array, ""], carry: tuple[TutorState, Metrics]
    ) -> tuple[TutorState, Metrics]:
        state, metrics = once(carry[0])
        update = partial(jax.lax.dynamic_update_index_in_dim, index=row, axis=0)
        return state, jax.tree.map(update, carry[1], metrics)

    _, of_one = jax.eval_shape(once, state)
    rows = jax.tree.map(lambda one: jnp.zeros((MOST_AT_ONCE, *one.shape), one.dtype), of_one)
    return jax.lax.fori_loop(0, iterations, measured, (state, everywhere(rows, plan.devices)))


def collect(
    plan: TutorPlan,
    prior: SequenceModel,
    network: ActionValueNetwork,
    key: PRNGKeyArray,
    progress: Float[Array, ""],
) -> Trajectories:
    """Generate sequences with the exploring policy, the prior beside it in lock step."""
    settings, method = plan.settings, plan.method
    epsilon_now = epsilon(plan.exploration, progress)

    def step(states: tuple[Any, Any], tokens: Array) -> tuple[tuple[Any, Any], tuple[Array, Array]]:
        tokens = split(tokens, plan.devices)
        prior_state, prior_logits = prior.step(states[0], tokens)
        log_prior = jax.nn.log_softmax(prior_logits)
        network_state, output = network.step(states[1], tokens, log_prior)
        log_policy = jax.nn.log_softmax(method.policy_logits(output, log_prior))
        return (prior_state, network_state), (log_policy, log_prior)

    def choose(outputs: tuple[Array, Array], step_key: PRNGKeyArray) -> Array:
        return explore(outputs[0], step_key, plan.exploration, epsilon_now)

    batch, length = settings.environments, plan.task.max_length
    rollout = roll_out(
        step,
        (prior.initial_state(batch, length), network.model.initial_state(batch, length)),
        choose,
        key,
        batch=batch,
        length=length,
        begin=prior.begin,
        end=plan.task.vocabulary.end,
    )
    return split(Trajectories(rollout.tokens, rollout.mask, *rollout.outputs), plan.devices)


def evaluate_policy(
    plan: TutorPlan,
    prior: SequenceModel,
    network: ActionValueNetwork,
    key: PRNGKeyArray,
    iteration: Int[Array, ""],
) -> Metrics:
    """Collect once to measure the current policy; nothing is rewarded, stored or learned.

    Beside what `measure_policy` gives there is the largest `weight` of the network, by its absolute
    value: it is finite only if all of them are.
    """
    own_key = jax.random.fold_in(key, 0)
    trajectories = collect(plan, prior, network, own_key, iteration / plan.iterations)
    weights = jax.tree.leaves(eqx.filter(network, eqx.is_inexact_array))
    largest = jnp.stack([jnp.max(jnp.abs(array), initial=0.0) for array in weights]).max()
    metrics = measure_policy(trajectories, plan.devices) | {"weight": largest}
    return everywhere(metrics, plan.devices)


def store(
    plan: TutorPlan, state: TutorState, trajectories: Trajectories, breakdown: RewardBreakdown
) -> TutorState:
    """Store a collection in the replay, unless the method learns from votes, which are there."""
    if plan.method.learns_from_votes:
        return state
    kept = plan.keeps_whole_prior
    experience = Experience.of(trajectories, breakdown.total, keeps_whole_prior=kept)
    replay = add(state.replay, experience)
    replay = replace(replay, stored=split(replay.stored, plan.devices))
    return eqx.tree_at(lambda s: s.replay, state, replay)


def learn_while_scoring(
    plan: TutorPlan,
    prior: SequenceModel,
    reward: Reward,
    state: TutorState,
    trajectories: Trajectories,
    key: PRNGKeyArray,
) -> tuple[TutorState, Metrics, RewardBreakdown]:
    """Learn from the replay as it is, while the newest collection is rewarded.

    Several devices learn before that.
    """
    tokens, mask = trajectories.tokens, trajectories.mask
    if plan.devices > 1:
        state, losses = learn_if_filled(plan, prior, state, key)
        return state, losses, reward(tokens, mask)
    ticket, words = reward.start(tokens, mask, before=jax.random.key_data(key))
    state, losses = learn_if_filled(plan, prior, state, jax.random.wrap_key_data(words))
    return state, losses, reward.collect(ticket, mask, after=losses)


def learn_if_filled(
    plan: TutorPlan, prior: SequenceModel, state: TutorState, key: PRNGKeyArray
) -> tuple[TutorState, Metrics]:
    """Learn, unless there is nothing in the replay yet; the metrics are zero then."""

    def wait(state: TutorState) -> tuple[TutorState, Metrics]:
        return state, {"loss": jnp.zeros(()), "gradient_norm": jnp.zeros(())}

    return jax.lax.cond(
        state.replay.filled > 0, lambda state: learn(plan, prior, state, key), wait, state
    )


def learn(
    plan: TutorPlan, prior: SequenceModel, state: TutorState, key: PRNGKeyArray
) -> tuple[TutorState, Metrics]:
    """Update the network on sequences of the replay.

    For on-policy methods it holds the newest collection alone. The target follows the network as a
    moving average, or stays what collected.
    """
    settings, method, optimiser = plan.settings, plan.method, plan.optimiser()
    rate, prioritised = plan.target_rate, plan.prioritised
    first_target = state.target if method.target == "average" else state.network

    def loss_on(
        network: ActionValueNetwork, target: ActionValueNetwork, experience: Experience
    ) -> tuple[Float[Array, ""], Float[Array, " batch"] | None]:
        given = experience.tokens, experience.whole_log_prior
        online, slow = (model.unroll(*given) for model in (network, target))
        loss = method.loss(online, slow, experience, settings)
        if prioritised is None:
            return loss, None
        assert method.error_sizes is not None
        return loss, method.error_sizes(online, slow, experience, settings)

    def update(carry: _Learning, rows_or_key: Array) -> tuple[_Learning, Metrics]:
        if prioritised is not None:
            progress = state.iteration / plan.iterations
            replay = replace(state.replay, priorities=carry.priorities)
            rows, experience = draw_prioritised(replay, rows_or_key, prioritised, progress)
        else:
            rows, experience = rows_or_key, take(state.replay, rows_or_key)
        experience = split(experience, plan.devices)
        if plan.needs_whole_prior and not plan.keeps_whole_prior:
            experience = with_whole_prior(experience, prior)
        value_and_gradient = eqx.filter_value_and_grad(loss_on, has_aux=True)
        (loss, sizes), gradient = value_and_gradient(carry.network, carry.target, experience)
        gradient = everywhere(gradient, plan.devices)
        step, optimiser_state = optimiser.update(gradient, carry.optimiser, carry.network)
        network = eqx.apply_updates(carry.network, step)
        target = jax.tree.map(lambda old, new: old + rate * (new - old), carry.target, network)
        priorities = carry.priorities
        if sizes is not None:
            priorities = new_priorities(priorities, rows, sizes)
        metrics = {"loss": loss, "gradient_norm": optax.tree.norm(gradient)}
        return _Learning(network, target, optimiser_state, priorities), metrics

    if prioritised is not None:
        batches = jax.random.split(key, plan.updates)
    else:
        batches = rows_to_learn(plan, state.replay, key)
    first = _Learning(state.network, first_target, state.optimiser, state.replay.priorities)
    learned, metrics = jax.lax.scan(update, first, batches)
    state = eqx.tree_at(
        lambda s: (s.network, s.target, s.optimiser, s.replay.priorities),
        state,
        (learned.network, learned.target, learned.optimiser, learned.priorities),
    )
    return state, jax.tree.map(jnp.mean, metrics)


class _Learning(eqx.Module):
    """What changes from one update to the next."""

    network: ActionValueNetwork
    target: ActionValueNetwork
    optimiser: Any
    priorities: Float[Array, " capacity"]


def with_whole_prior(experience: Experience, prior: SequenceModel) -> Experience:
    """The same sequences with the prior's log-probabilities of all tokens at each step."""
    log_prior = jax.nn.log_softmax(prior.unroll(experience.tokens))
    return replace(experience, whole_log_prior=log_prior)


def rows_to_learn(plan: TutorPlan, replay: Replay, key: PRNGKeyArray) -> Int[Array, "updates rows"]:
    """Which of the replay's sequences each update learns from.

    Of a method that learns from votes: the left sequences of some votes, then their right ones.
    """
    collected, updates, batch = plan.settings.environments, plan.updates, plan.batch
    if plan.method.learns_from_votes:
        votes = replay.capacity // 2
        left = _in_passes(key, votes, updates * batch).reshape(updates, batch)
        return jnp.concatenate([left, votes + left], axis=1)
    if plan.method.learns_from == "collection":
        return jnp.arange(collected)[None]
    if plan.method.learns_from == "replay":
        keys = jax.random.split(key, updates)
        return jax.vmap(lambda one: draw(replay, one, batch))(keys)
    return _in_passes(key, collected, updates * batch).reshape(updates, batch)


def _in_passes(key: PRNGKeyArray, number: int, wanted: int) -> Int[Array, " wanted"]:
    """Row numbers; each pass through all of them has an order of its own."""
    keys = jax.random.split(key, -(-wanted // number))
    orders = jax.vmap(lambda one: jax.random.permutation(one, number))(keys)
    return orders.reshape(-1)[:wanted]
