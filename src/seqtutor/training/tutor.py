"""The tutor: collect, judge, remember, learn, as one compiled program.

A call of `Tutor.advance` runs many iterations on the device. Each iteration generates a batch of
sequences, rewards them, stores them, and makes several updates on replayed sequences. Python only
sees the records in between.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from seqtutor.errors import UserError
from seqtutor.models.action_values import ActionValueNetwork, ValuedLogits
from seqtutor.models.base import SequenceModel
from seqtutor.models.product import ProductModel
from seqtutor.objectives.temporal_difference import (
    TemporalDifferenceMethod,
    double_q_value,
    huber,
    lambda_returns,
    method_named,
    of_action,
)
from seqtutor.rewards import Earned, as_reward
from seqtutor.task import Task
from seqtutor.training.exploration import epsilon, explore
from seqtutor.training.replay import Experience, Replay, add, draw, empty_replay
from seqtutor.training.rollout import roll_out
from seqtutor.training.settings import TutorSettings
from seqtutor.types import Trajectories

Metrics = dict[str, Float[Array, "..."]]


class TutorState(eqx.Module):
    """All that changes during a run."""

    network: ActionValueNetwork
    target: ActionValueNetwork
    optimiser: Any
    replay: Replay
    key: PRNGKeyArray
    iteration: Int[Array, ""]


@dataclass(frozen=True, eq=False)  # one compiled program for each tutor
class Tutor:
    """A task, a frozen prior and the settings: everything that does not change during a run."""

    task: Task
    prior: SequenceModel
    settings: TutorSettings

    def __post_init__(self) -> None:
        if self.prior.vocabulary_size != self.task.vocabulary.size:
            raise UserError(
                f"the prior knows {self.prior.vocabulary_size} tokens and the task "
                f"{self.task.vocabulary.size}; take a prior of the task's vocabulary"
            )

    @property
    def method(self) -> TemporalDifferenceMethod:
        """The method that the settings name."""
        return method_named(self.settings.method)

    @property
    def steps_per_iteration(self) -> int:
        """Environment steps of one collection."""
        return self.settings.environments * self.task.max_length

    @property
    def iterations(self) -> int:
        """Collections in the whole run."""
        return max(1, round(self.settings.steps / self.steps_per_iteration))

    def optimiser(self) -> optax.GradientTransformation:
        """Adam with clipped gradients and a cosine decay over the run."""
        settings = self.settings
        rate = optax.cosine_decay_schedule(
            settings.learning_rate,
            self.iterations * settings.updates,
            settings.learning_rate_final_share,
        )
        return optax.chain(optax.clip_by_global_norm(settings.gradient_norm), optax.adam(rate))

    def initial_state(self) -> TutorState:
        """A network whose first policy is the prior, its copy as target, and an empty replay."""
        settings = self.settings
        model = self.prior.as_policy_start(self.task.max_length)
        if self.method.logits_start == "zero":
            model = model.with_zero_readout()
        # Copies throughout: `advance` gives the state's memory away, and the prior's must stay.
        network = jax.tree.map(jnp.copy, ActionValueNetwork(model, settings.value_scale))
        return TutorState(
            network=network,
            target=jax.tree.map(jnp.copy, network),
            optimiser=self.optimiser().init(eqx.filter(network, eqx.is_inexact_array)),
            replay=empty_replay(
                settings.replay_capacity, self.task.max_length, self.task.vocabulary.size
            ),
            key=jax.random.key(settings.seed),
            iteration=jnp.zeros((), jnp.int32),
        )

    def policy(self, network: ActionValueNetwork) -> SequenceModel:
        """The tuned policy as a sequence model that stands alone."""
        if self.method.logits_start == "zero":
            return ProductModel(self.prior, network.model)
        return network.model

    def advance(self, state: TutorState, iterations: int) -> tuple[TutorState, Metrics]:
        """Run some iterations; each metric comes back as one number an iteration.

        The given state's memory is used up.
        """
        return _advance(self, self.prior, state, iterations)


@partial(jax.jit, static_argnums=(0, 3), donate_argnums=2)
def _advance(
    tutor: Tutor, prior: SequenceModel, state: TutorState, iterations: int
) -> tuple[TutorState, Metrics]:
    def iterate(state: TutorState, _: None) -> tuple[TutorState, Metrics]:
        key, collect_key, learn_key = jax.random.split(state.key, 3)
        progress = state.iteration / tutor.iterations
        trajectories = collect(tutor, prior, state.network, collect_key, progress)
        earned = as_reward(tutor.task.reward)(trajectories.tokens, trajectories.mask)
        experience = Experience(
            trajectories.tokens, trajectories.mask, earned.total, trajectories.log_prior
        )
        replay = add(state.replay, experience)
        state = eqx.tree_at(
            lambda s: (s.replay, s.key, s.iteration), state, (replay, key, state.iteration + 1)
        )
        state, losses = learn(tutor, state, learn_key)
        return state, measure(trajectories, earned) | losses

    return jax.lax.scan(iterate, state, None, length=iterations)


def collect(
    tutor: Tutor,
    prior: SequenceModel,
    network: ActionValueNetwork,
    key: PRNGKeyArray,
    progress: Float[Array, ""],
) -> Trajectories:
    """Generate sequences with the exploring policy, the prior beside it in lock step."""
    settings, method = tutor.settings, tutor.method
    epsilon_now = epsilon(settings.exploration, progress)

    def step(states: tuple[Any, Any], tokens: Array) -> tuple[tuple[Any, Any], tuple[Array, Array]]:
        prior_state, prior_logits = prior.step(states[0], tokens)
        network_state, output = network.step(states[1], tokens)
        log_prior = jax.nn.log_softmax(prior_logits)
        values = method.action_values(output.logits, output.value)
        log_policy = jax.nn.log_softmax(method.policy_logits(values, log_prior))
        return (prior_state, network_state), (log_policy, log_prior)

    def choose(outputs: tuple[Array, Array], step_key: PRNGKeyArray) -> Array:
        return explore(outputs[0], step_key, settings.exploration, epsilon_now)

    batch = settings.environments
    rollout = roll_out(
        step,
        (prior.initial_state(batch), network.model.initial_state(batch)),
        choose,
        key,
        batch=batch,
        length=tutor.task.max_length,
        begin=prior.begin,
        end=tutor.task.vocabulary.end,
    )
    return Trajectories(rollout.tokens, rollout.mask, *rollout.outputs)


def learn(tutor: Tutor, state: TutorState, key: PRNGKeyArray) -> tuple[TutorState, Metrics]:
    """Update the network on replayed sequences; the target follows as a moving average."""
    optimiser = tutor.optimiser()
    rate = tutor.settings.target_rate

    def update(
        carry: tuple[ActionValueNetwork, ActionValueNetwork, Any], update_key: PRNGKeyArray
    ) -> tuple[tuple[ActionValueNetwork, ActionValueNetwork, Any], Metrics]:
        network, target, optimiser_state = carry
        experience = draw(state.replay, update_key, tutor.settings.batch)
        loss, gradient = eqx.filter_value_and_grad(temporal_difference_loss)(
            network, target, experience, tutor.method, tutor.settings
        )
        step, optimiser_state = optimiser.update(gradient, optimiser_state)
        network = eqx.apply_updates(network, step)
        target = jax.tree.map(lambda old, new: old + rate * (new - old), target, network)
        return (network, target, optimiser_state), {
            "loss": loss,
            "gradient_norm": optax.tree.norm(gradient),
        }

    carry = (state.network, state.target, state.optimiser)
    keys = jax.random.split(key, tutor.settings.updates)
    (network, target, optimiser_state), metrics = jax.lax.scan(update, carry, keys)
    state = eqx.tree_at(
        lambda s: (s.network, s.target, s.optimiser), state, (network, target, optimiser_state)
    )
    return state, jax.tree.map(jnp.mean, metrics)


def temporal_difference_loss(
    network: ActionValueNetwork,
    target: ActionValueNetwork,
    experience: Experience,
    method: TemporalDifferenceMethod,
    settings: TutorSettings,
) -> Float[Array, ""]:
    """Mean Huber loss of the taken actions' values from their λ-return targets."""

    def values_of(output: ValuedLogits) -> Float[Array, "batch time vocab"]:
        return method.action_values(output.logits, output.value)

    online_values = values_of(network.unroll(experience.tokens))
    target_values = jax.lax.stop_gradient(values_of(target.unroll(experience.tokens)))
    if settings.double_q:
        state_values = double_q_value(target_values, jax.lax.stop_gradient(online_values))
    else:
        state_values = method.state_value(target_values, experience.log_prior)
    targets = lambda_returns(
        method.reward(
            experience.rewards / settings.c, of_action(experience.log_prior, experience.tokens)
        ),
        state_values,
        of_action(target_values, experience.tokens),
        experience.mask,
        discount=settings.discount,
        trace=settings.trace,
    )
    errors = of_action(online_values, experience.tokens) - targets
    return masked_mean(huber(errors, settings.huber_threshold), experience.mask)


def masked_mean(
    numbers: Float[Array, "batch time"], mask: Bool[Array, "batch time"]
) -> Float[Array, ""]:
    """Mean over the steps that are real."""
    return jnp.sum(jnp.where(mask, numbers, 0.0)) / jnp.maximum(jnp.sum(mask), 1)


def measure(trajectories: Trajectories, earned: Earned) -> Metrics:
    """What is logged of every collection: means over its steps, in nats and in reward.

    `kl` and `entropy` are exact sums over the vocabulary at the visited states. `distinct` is the
    share of sequences that differ from all others of the batch.
    """
    probability = jnp.exp(trajectories.log_policy)
    log_ratio = trajectories.log_policy - trajectories.log_prior
    mean = partial(masked_mean, mask=trajectories.mask)
    return {
        "reward": mean(earned.total),
        "log_prior": mean(of_action(trajectories.log_prior, trajectories.tokens)),
        "kl": mean(jnp.sum(probability * log_ratio, axis=-1)),
        "entropy": mean(-jnp.sum(probability * trajectories.log_policy, axis=-1)),
        "distinct": distinct_share(trajectories.tokens),
    } | {f"reward/{name}": mean(term) for name, term in earned.terms.items()}


def distinct_share(tokens: Int[Array, "batch time"]) -> Float[Array, ""]:
    """The number of different sequences over the number of sequences."""
    order = jnp.lexsort(tokens.T)
    ordered = tokens[order]
    new = jnp.any(ordered[1:] != ordered[:-1], axis=1)
    return (1 + jnp.sum(new)) / tokens.shape[0]
