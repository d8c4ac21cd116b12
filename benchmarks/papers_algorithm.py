"""The papers' own algorithm on the melody task, as the honest baseline.

Jaques et al. 2017 tune with single transitions: one step of one melody, then one update on 32
transitions drawn from the replay, each with the recurrent state that it was seen in; ε-greedy,
γ = 0.5, c = 0.5, target rate 0.01, squared error, Adam. Everything else (the methods' equations,
the rules, the prior, the metrics) is the package's own code. Two liberties: transitions reach the
replay when their melody ends, since the rules are computed for whole melodies, and a melody's last
value is zero, where the published code bootstraps past the end.

    python benchmarks/papers_algorithm.py --method psi --steps 1000000
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
import tyro
from jaxtyping import Array, PRNGKeyArray

from seqtutor.measures.policy import evaluate
from seqtutor.methods.registry import method_named
from seqtutor.methods.settings import Exploration
from seqtutor.models.base import SequenceModel
from seqtutor.models.files import load_model
from seqtutor.models.product import ProductModel
from seqtutor.objectives.temporal_difference import of_action
from seqtutor.tasks.melody.evaluation import melody_measures
from seqtutor.tasks.melody.settings import MelodySettings
from seqtutor.tasks.melody.spec import SHIPPED_PRIOR
from seqtutor.tasks.melody.task import melody_task
from seqtutor.training.rollout import epsilon, explore, roll_out

LENGTH = 32


@dataclass(frozen=True)
class Options:
    """The papers' settings; learning rate and replay size are the published code's."""

    method: Literal["q", "psi", "g", "rl-only"] = "psi"
    steps: int = 1_000_000
    c: float = 0.5
    discount: float = 0.5
    batch: int = 32
    target_rate: float = 0.01
    learning_rate: float = 1e-3
    gradient_norm: float = 10.0
    replay: int = 32_000
    exploration: Exploration = field(
        default_factory=lambda: Exploration("greedy", 1.0, 1.0, 0.01, 0.5)
    )
    number: int = 100_000
    seed: int = 0


class Transitions(eqx.Module):
    """Steps with the network's state before and after reading the token that came before."""

    previous: Array
    token: Array
    reward: Array
    last: Array
    state: Any
    next_state: Any
    log_prior: Array
    next_log_prior: Array


class Learner(eqx.Module):
    """What changes from melody to melody."""

    network: SequenceModel
    target: SequenceModel
    optimiser: Any
    replay: Transitions
    melodies: Array
    key: PRNGKeyArray


def play(options: Options, network: SequenceModel, prior: SequenceModel, key: Array, melody: Array):
    """One melody with the exploring policy, as transitions."""
    equations = method_named(options.method).equations
    share = epsilon(options.exploration, melody * LENGTH / options.steps)

    def step(states: Any, tokens: Array) -> tuple[Any, Any]:
        prior_state, prior_logits = prior.step(states[0], tokens)
        network_state, values = network.step(states[1], tokens)
        log_prior = jax.nn.log_softmax(prior_logits)
        logits = equations.policy_logits(values, log_prior)
        return (prior_state, network_state), (logits, log_prior, tokens, states[1], network_state)

    def choose(outputs: Any, step_key: Array) -> Array:
        return explore(outputs[0], step_key, options.exploration, share)

    start = (prior.initial_state(1, LENGTH), network.initial_state(1, LENGTH))
    # The state holds a scalar position; only its layers differ between steps.
    rollout = roll_out(
        lambda states, tokens: _layers_only(step, states, tokens),
        start,
        choose,
        key,
        batch=1,
        length=LENGTH,
        begin=prior.begin,
    )
    _, log_prior, previous, before, after = jax.tree.map(lambda x: x[0], rollout.outputs)
    reward = (
        melody_task(MelodySettings(length=LENGTH)).reward(rollout.tokens, rollout.mask).total[0]
    )
    return Transitions(
        previous,
        rollout.tokens[0],
        reward,
        jnp.arange(LENGTH) == LENGTH - 1,
        before,
        after,
        log_prior,
        jnp.roll(log_prior, -1, axis=0),
    )


def _layers_only(step: Any, states: Any, tokens: Array) -> tuple[Any, Any]:
    states, (logits, log_prior, read, before, after) = step(states, tokens)
    return states, (logits, log_prior, read, before.layers, after.layers)


def loss(
    network: SequenceModel, target: SequenceModel, drawn: Transitions, options: Options
) -> Array:
    """Mean squared one-step error (Jaques et al. 2017, eq. 4, 14 and 15)."""
    equations = method_named(options.method).equations

    def values(model: SequenceModel, layers: Any, tokens: Array) -> Array:
        state = eqx.tree_at(lambda s: s.layers, model.initial_state(options.batch, 1), layers)
        return model.step(state, tokens)[1]

    following = equations.state_value(
        values(target, drawn.next_state, drawn.token), drawn.next_log_prior
    )
    reward = equations.reward(drawn.reward / options.c, of_action(drawn.log_prior, drawn.token))
    goal = reward + options.discount * jnp.where(drawn.last, 0.0, following)
    taken = of_action(values(network, drawn.state, drawn.previous), drawn.token)
    return jnp.mean((taken - jax.lax.stop_gradient(goal)) ** 2)


@partial(jax.jit, static_argnums=(0, 3, 4))
def advance(options: Options, prior: Any, learner: Learner, optimiser: Any, melodies: int):
    """Play and learn for a number of melodies; gives the mean reward of each."""

    def melody(learner: Learner, _: None) -> tuple[Learner, Array]:
        key, play_key, draw_key = jax.random.split(learner.key, 3)
        fresh = play(options, learner.network, prior, play_key, learner.melodies)
        slot = learner.melodies * LENGTH % options.replay
        replay = jax.tree.map(
            lambda ring, new: jax.lax.dynamic_update_slice_in_dim(ring, new, slot, 0),
            learner.replay,
            fresh,
        )
        filled = jnp.minimum((learner.melodies + 1) * LENGTH, options.replay)

        def update(carry: Any, update_key: Array) -> tuple[Any, None]:
            network, target, state = carry
            rows = jax.random.randint(update_key, (options.batch,), 0, filled)
            drawn = jax.tree.map(lambda ring: ring[rows], replay)
            gradient = eqx.filter_grad(loss)(network, target, drawn, options)
            change, state = optimiser.update(gradient, state)
            network = eqx.apply_updates(network, change)
            target = jax.tree.map(
                lambda old, new: old + options.target_rate * (new - old), target, network
            )
            return (network, target, state), None

        carry = (learner.network, learner.target, learner.optimiser)
        carry, _ = jax.lax.scan(update, carry, jax.random.split(draw_key, LENGTH))
        return Learner(*carry, replay, learner.melodies + 1, key), jnp.mean(fresh.reward)

    return jax.lax.scan(melody, learner, None, length=melodies)


def optimiser_of(options: Options) -> optax.GradientTransformation:
    """Adam with clipped gradients."""
    return optax.chain(
        optax.clip_by_global_norm(options.gradient_norm), optax.adam(options.learning_rate)
    )


def first_learner(options: Options, prior: SequenceModel) -> Learner:
    """The prior as network and target, and an empty replay."""
    example = jax.eval_shape(lambda: play(options, prior, prior, jax.random.key(0), jnp.array(0)))
    ring = jax.tree.map(
        lambda leaf: jnp.zeros((options.replay, *leaf.shape[1:]), leaf.dtype), example
    )
    state = optimiser_of(options).init(prior)
    return Learner(prior, prior, state, ring, jnp.array(0), jax.random.key(options.seed))


def policy_of(options: Options, prior: SequenceModel, learner: Learner) -> SequenceModel:
    """What a learner has learned, as a model that stands alone."""
    is_product = method_named(options.method).logits_start == "zero"
    return ProductModel(prior, learner.network) if is_product else learner.network


def main(options: Options) -> None:
    """Tune, measure, print one JSON object."""
    prior = load_model(SHIPPED_PRIOR).model
    optimiser, learner = optimiser_of(options), first_learner(options, prior)
    start, chunk = time.perf_counter(), 500
    for done in range(0, options.steps // LENGTH, chunk):
        learner, rewards = jax.block_until_ready(advance(options, prior, learner, optimiser, chunk))
        speed = (done + chunk) * LENGTH / (time.perf_counter() - start)
        if done % (10 * chunk) == 0:
            steps = (done + chunk) * LENGTH
            print(
                f"{steps:>9,} steps  reward {float(jnp.mean(rewards)):7.3f}  {speed:,.0f} steps/s"
            )
    task = melody_task()
    measured = evaluate(
        policy_of(options, prior, learner),
        prior,
        task.vocabulary,
        [melody_measures()],
        number=options.number,
        length=task.max_length,
    )
    print(
        json.dumps(
            {
                "options": asdict(options),
                "seconds": time.perf_counter() - start,
                **{name: one.value for name, one in measured.estimates.items()},
            }
        )
    )


if __name__ == "__main__":
    main(tyro.cli(Options))
