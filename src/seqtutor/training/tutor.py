"""The tutor: collect, judge, remember, learn, as one compiled program.

A call of `Tutor.advance` runs many iterations on the device. Each iteration generates a batch of
sequences, rewards them, stores them, and makes several updates on replayed sequences. Python only
sees the records in between. While a reward judges elsewhere, such as in worker processes, methods
with a replay make their updates, on what was judged before.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field, replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray

from seqtutor.errors import UserError
from seqtutor.models.action_values import ActionValueNetwork
from seqtutor.models.base import SequenceModel
from seqtutor.models.product import ProductModel
from seqtutor.rewards import Earned, Reward, as_reward
from seqtutor.task import Task
from seqtutor.training.collection_metrics import Metrics, measure, measure_policy
from seqtutor.training.exploration import epsilon, explore
from seqtutor.training.methods import METHODS, Method
from seqtutor.training.replay import (
    Experience,
    Replay,
    add,
    draw,
    draw_prioritised,
    empty_replay,
    new_priorities,
    take,
)
from seqtutor.training.rollout import roll_out
from seqtutor.training.settings import TutorSettings
from seqtutor.training.sharding import copied, everywhere, gathered, placed, require_devices, split
from seqtutor.types import Trajectories

MOST_PRIOR_BYTES = 2**17
"""That the prior's log-probabilities of all tokens may take of the replay for each sequence: those
of 3,216 tokens at 100 steps would take 1.3 MB."""


class TutorState(eqx.Module):
    """All that changes during a run."""

    network: ActionValueNetwork
    target: ActionValueNetwork
    optimiser: Any
    replay: Replay
    key: PRNGKeyArray
    iteration: Int[Array, ""]


@dataclass(frozen=True)
class Tutor:
    """A task, a frozen prior and the settings: everything that does not change during a run.

    `devices` are as many as share the work, which changes nothing but rounding: the environments,
    the replay and the batch of an update are split among them.

    Tutors of one task whose settings differ in the seed, the records or the guards alone share one
    compiled program, whatever their priors' weights and the parameters of a learned reward.
    """

    task: Task
    prior: SequenceModel = field(compare=False)
    settings: TutorSettings
    reward_parameters: Any = field(default=None, compare=False)
    devices: int = 1

    def __post_init__(self) -> None:
        if self.prior.vocabulary_size != self.task.vocabulary.size:
            raise UserError(
                f"the prior knows {self.prior.vocabulary_size} tokens and the task "
                f"{self.task.vocabulary.size}; take a prior of the task's vocabulary"
            )
        sizes = {"environments": self.settings.environments}
        if self.method.learns_from != "collection":
            sizes["batch"] = self.settings.batch
        require_devices(self.devices, **sizes)
        wanted, there = self._bytes_of_sequences(), memory_bytes()
        if wanted > there:
            raise UserError(
                f"{self.replay_capacity:,} sequences of replay and {self.settings.environments:,} "
                f"environments take {wanted / 2**30:,.0f} GiB of the machine's "
                f"{there / 2**30:,.0f}; lower replay_capacity, environments or the length"
            )

    def _bytes_of_sequences(self) -> int:
        """What the replay and a collection take: log-probabilities of all tokens, most of all."""
        whole = 4 * self.task.vocabulary.size
        a_stored_step = 16 + self.keeps_whole_prior * whole
        a_collected_step = 16 + 2 * whole
        return self.task.max_length * (
            self.replay_capacity * a_stored_step + self.settings.environments * a_collected_step
        )

    @property
    def keeps_whole_prior(self) -> bool:
        """Whether the replay holds log p(·|s) of the whole vocabulary.

        Where the method reads it but it would take more than `MOST_PRIOR_BYTES`, the frozen prior
        says it anew whenever a sequence is replayed.
        """
        a_sequence = 4 * self.task.vocabulary.size * self.task.max_length
        return self.method.needs_whole_prior and a_sequence <= MOST_PRIOR_BYTES

    @property
    def learns_meanwhile(self) -> bool:
        """Whether it learns from the replay while the reward judges the newest collection.

        Several devices meet at the reward, and wait there for its answer: they learn before.
        """
        starts = as_reward(self.task.reward).can_start
        return starts and self.method.learns_from == "replay" and self.iterations > 1

    @property
    def method(self) -> Method:
        """The method that the settings name."""
        return METHODS[self.settings.method]

    @property
    def steps_per_iteration(self) -> int:
        """Environment steps of one collection."""
        return self.settings.environments * self.task.max_length

    @property
    def iterations(self) -> int:
        """Collections in the whole run."""
        return max(1, round(self.settings.steps / self.steps_per_iteration))

    @property
    def updates(self) -> int:
        """Gradient updates after each collection."""
        return 1 if self.method.learns_from == "collection" else self.settings.updates

    @property
    def replay_capacity(self) -> int:
        """Sequences that are kept: for on-policy methods the newest collection."""
        settings = self.settings
        return (
            settings.replay_capacity
            if self.method.learns_from == "replay"
            else settings.environments
        )

    def optimiser(self) -> optax.GradientTransformation:
        """Adam with clipped gradients and a cosine decay over the run."""
        settings = self.settings
        rate = optax.cosine_decay_schedule(
            settings.learning_rate,
            self.iterations * self.updates,
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
        network = ActionValueNetwork(model, settings.value_scale, settings.value_body_share)
        network = jax.tree.map(jnp.copy, network)
        return TutorState(
            network=network,
            target=jax.tree.map(jnp.copy, network),
            optimiser=self.optimiser().init(eqx.filter(network, eqx.is_inexact_array)),
            replay=empty_replay(
                self.replay_capacity,
                self.task.max_length,
                self.task.vocabulary.size if self.keeps_whole_prior else None,
            ),
            key=jax.random.key(settings.seed),
            iteration=jnp.zeros((), jnp.int32),
        )

    def whole(self, state: TutorState) -> TutorState:
        """The state with every array where this process can read all of it."""
        if self.devices == 1:
            return state
        stored = gathered(state.replay.stored, self.devices)
        return eqx.tree_at(lambda s: s.replay.stored, state, stored)

    def policy(self, network: ActionValueNetwork) -> SequenceModel:
        """The tuned policy as a sequence model that stands alone, on one device."""
        if self.devices > 1:
            network = copied(network, self.devices)
        if self.method.logits_start == "zero":
            return ProductModel(self.prior, network.model)
        return network.model

    def advance(self, state: TutorState, iterations: int) -> tuple[TutorState, Metrics]:
        """Run some iterations; each metric comes back as one number an iteration.

        The given state's memory is used up.
        """
        fixed = (self.prior, self.reward_parameters)
        if self.devices > 1:
            fixed, state = placed(fixed, self.devices), self.placed(state)
        return _advance(self.compiled_part(), *fixed, state, iterations)

    def look(
        self, network: ActionValueNetwork, key: PRNGKeyArray, iteration: Int[Array, ""]
    ) -> Metrics:
        """What one more collection shows of the policy after so many iterations: see `look`."""
        fixed = self.prior
        if self.devices > 1:
            fixed = placed(fixed, self.devices)
        return _look(self.compiled_part(), fixed, network, key, iteration)

    def placed(self, state: TutorState) -> TutorState:
        """The state with the replay's sequences split among the devices, all else on each."""
        stored = placed(state.replay.stored, self.devices, is_split=True)
        rest = placed(eqx.tree_at(lambda s: s.replay.stored, state, None), self.devices)
        return eqx.tree_at(lambda s: s.replay.stored, rest, stored, is_leaf=lambda x: x is None)

    def compiled_part(self) -> Tutor:
        """The tutor without those settings that its compiled program does not depend on."""
        return replace(
            self,
            reward_parameters=None,
            settings=replace(
                self.settings,
                seed=0,
                log_every=1,
                stop_at_kl=None,
                stop_on_collapse=False,
                collapse_entropy=0.0,
                collapse_distinct=0.0,
            ),
        )


def memory_bytes() -> float:
    """The machine's memory, as far as it can be told."""
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):
        return math.inf


def iterate(
    tutor: Tutor, prior: SequenceModel, reward_parameters: Any, state: TutorState, iterations: int
) -> tuple[TutorState, Metrics]:
    """Collect and learn again and again; a pure function."""
    reward = as_reward(tutor.task.reward)

    def once(state: TutorState, _: None) -> tuple[TutorState, Metrics]:
        key, collect_key, learn_key = jax.random.split(state.key, 3)
        progress = state.iteration / tutor.iterations
        state = eqx.tree_at(lambda s: (s.key, s.iteration), state, (key, state.iteration + 1))
        trajectories = collect(tutor, prior, state.network, collect_key, progress)
        if tutor.learns_meanwhile:
            state, losses, earned = learn_while_judged(
                tutor, prior, reward, state, trajectories, learn_key
            )
            state = remember(tutor, state, trajectories, earned)
        else:
            earned = reward(trajectories.tokens, trajectories.mask, reward_parameters)
            state = remember(tutor, state, trajectories, earned)
            state, losses = learn(tutor, prior, state, learn_key)
        metrics = measure(trajectories, earned, tutor.devices) | losses
        return state, everywhere(metrics, tutor.devices)

    return jax.lax.scan(once, state, None, length=iterations)


_advance = jax.jit(iterate, static_argnums=(0, 4), donate_argnums=3)


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
        tokens = split(tokens, tutor.devices)
        prior_state, prior_logits = prior.step(states[0], tokens)
        network_state, output = network.step(states[1], tokens)
        log_prior = jax.nn.log_softmax(prior_logits)
        log_policy = jax.nn.log_softmax(method.policy_logits(output, log_prior))
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
    return split(Trajectories(rollout.tokens, rollout.mask, *rollout.outputs), tutor.devices)


def look(
    tutor: Tutor,
    prior: SequenceModel,
    network: ActionValueNetwork,
    key: PRNGKeyArray,
    iteration: Int[Array, ""],
) -> Metrics:
    """Collect once to measure the policy alone: nothing is judged, remembered or learned.

    Beside what `measure_policy` gives there is the largest `weight` of the network, by its absolute
    value: it is finite only if all of them are.
    """
    own_key = jax.random.fold_in(key, 0)
    trajectories = collect(tutor, prior, network, own_key, iteration / tutor.iterations)
    weights = jax.tree.leaves(eqx.filter(network, eqx.is_inexact_array))
    largest = jnp.stack([jnp.max(jnp.abs(array), initial=0.0) for array in weights]).max()
    metrics = measure_policy(trajectories, tutor.devices) | {"weight": largest}
    return everywhere(metrics, tutor.devices)


_look = jax.jit(look, static_argnums=0)


def remember(
    tutor: Tutor, state: TutorState, trajectories: Trajectories, earned: Earned
) -> TutorState:
    """Store a collection in the replay."""
    kept = tutor.keeps_whole_prior
    experience = Experience.of(trajectories, earned.total, keeps_whole_prior=kept)
    replay = add(state.replay, experience)
    replay = replace(replay, stored=split(replay.stored, tutor.devices))
    return eqx.tree_at(lambda s: s.replay, state, replay)


def learn_while_judged(
    tutor: Tutor,
    prior: SequenceModel,
    reward: Reward,
    state: TutorState,
    trajectories: Trajectories,
    key: PRNGKeyArray,
) -> tuple[TutorState, Metrics, Earned]:
    """Learn from the replay as it is, while the reward judges what is to be stored next.

    Several devices learn before it judges.
    """
    tokens, mask = trajectories.tokens, trajectories.mask
    if tutor.devices > 1:
        state, losses = learn_if_filled(tutor, prior, state, key)
        return state, losses, reward(tokens, mask)
    ticket, words = reward.start(tokens, mask, before=jax.random.key_data(key))
    state, losses = learn_if_filled(tutor, prior, state, jax.random.wrap_key_data(words))
    return state, losses, reward.collect(ticket, mask, after=losses)


def learn_if_filled(
    tutor: Tutor, prior: SequenceModel, state: TutorState, key: PRNGKeyArray
) -> tuple[TutorState, Metrics]:
    """Learn, unless there is nothing in the replay yet; the metrics are zero then."""

    def wait(state: TutorState) -> tuple[TutorState, Metrics]:
        return state, {"loss": jnp.zeros(()), "gradient_norm": jnp.zeros(())}

    return jax.lax.cond(
        state.replay.filled > 0, lambda state: learn(tutor, prior, state, key), wait, state
    )


def learn(
    tutor: Tutor, prior: SequenceModel, state: TutorState, key: PRNGKeyArray
) -> tuple[TutorState, Metrics]:
    """Update the network on sequences of the replay.

    For on-policy methods it holds the newest collection alone. The target follows the network as a
    moving average, or stays what collected.
    """
    settings, method, optimiser = tutor.settings, tutor.method, tutor.optimiser()
    rate = settings.target_rate if method.target == "average" else 0.0
    first_target = state.target if method.target == "average" else state.network
    is_prioritised = settings.priority_exponent > 0

    def loss_on(
        network: ActionValueNetwork, target: ActionValueNetwork, experience: Experience
    ) -> tuple[Float[Array, ""], Float[Array, " batch"] | None]:
        online, slow = (model.unroll(experience.tokens) for model in (network, target))
        loss = method.loss(online, slow, experience, settings)
        if not is_prioritised:
            return loss, None
        assert method.error_sizes is not None
        return loss, method.error_sizes(online, slow, experience, settings)

    def update(carry: _Learning, rows_or_key: Array) -> tuple[_Learning, Metrics]:
        if is_prioritised:
            progress = state.iteration / tutor.iterations
            replay = replace(state.replay, priorities=carry.priorities)
            rows, experience = draw_prioritised(replay, rows_or_key, settings, progress)
        else:
            rows, experience = rows_or_key, take(state.replay, rows_or_key)
        experience = split(experience, tutor.devices)
        if method.needs_whole_prior and not tutor.keeps_whole_prior:
            experience = with_whole_prior(experience, prior)
        value_and_gradient = eqx.filter_value_and_grad(loss_on, has_aux=True)
        (loss, sizes), gradient = value_and_gradient(carry.network, carry.target, experience)
        gradient = everywhere(gradient, tutor.devices)
        step, optimiser_state = optimiser.update(gradient, carry.optimiser)
        network = eqx.apply_updates(carry.network, step)
        target = jax.tree.map(lambda old, new: old + rate * (new - old), carry.target, network)
        priorities = carry.priorities
        if sizes is not None:
            priorities = new_priorities(priorities, rows, sizes)
        metrics = {"loss": loss, "gradient_norm": optax.tree.norm(gradient)}
        return _Learning(network, target, optimiser_state, priorities), metrics

    if is_prioritised:
        batches = jax.random.split(key, settings.updates)
    else:
        batches = rows_to_learn(tutor, state.replay, key)
    first = _Learning(state.network, first_target, state.optimiser, state.replay.priorities)
    learnt, metrics = jax.lax.scan(update, first, batches)
    state = eqx.tree_at(
        lambda s: (s.network, s.target, s.optimiser, s.replay.priorities),
        state,
        (learnt.network, learnt.target, learnt.optimiser, learnt.priorities),
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


def rows_to_learn(tutor: Tutor, replay: Replay, key: PRNGKeyArray) -> Int[Array, "updates batch"]:
    """Which of the replay's sequences each update learns from."""
    settings = tutor.settings
    if tutor.method.learns_from == "collection":
        return jnp.arange(settings.environments)[None]
    if tutor.method.learns_from == "replay":
        keys = jax.random.split(key, settings.updates)
        return jax.vmap(lambda one: draw(replay, one, settings.batch))(keys)
    # Each pass through the collection has an order of its own.
    wanted = settings.updates * settings.batch
    passes = -(-wanted // settings.environments)
    orders = jax.vmap(lambda one: jax.random.permutation(one, settings.environments))(
        jax.random.split(key, passes)
    )
    return orders.reshape(-1)[:wanted].reshape(settings.updates, settings.batch)
