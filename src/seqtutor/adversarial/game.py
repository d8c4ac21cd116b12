"""The game of a generator and a discriminator (Goodfellow et al. 2014; Yu et al. 2017, SeqGAN).

The generator is tuned like any policy, by any method (`seqtutor.training.tutor`), and the
discriminator is its reward, for any task. A round runs the tutor for some iterations with the
discriminator as it stands, draws new samples, measures the discriminator on them, and trains it on
them.

Methods with a replay also learn from sequences of earlier rounds, whose rewards are those of
earlier discriminators. The rewards of all stored sequences are therefore recomputed in each round,
which is cheap beside generating.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from seqtutor.adversarial.discriminator import (
    ConstantDiscriminator,
    Discriminator,
    RandomDiscriminator,
)
from seqtutor.adversarial.reward import RolloutParameters, game_reward
from seqtutor.adversarial.settings import GameSettings
from seqtutor.adversarial.training import (
    Discrimination,
    DiscriminatorState,
    cross_entropy,
    discrimination,
    logits_of,
    new_discriminator_state,
    train_epoch,
)
from seqtutor.measures.likeness import likeness
from seqtutor.methods.base import Experience
from seqtutor.methods.registry import method_named
from seqtutor.models.base import SequenceModel
from seqtutor.rewards import Reward
from seqtutor.rewards.weighted_sum import weighted_sum
from seqtutor.settings import require
from seqtutor.task import Task
from seqtutor.training.plan import TutorState
from seqtutor.training.replay import Replay
from seqtutor.training.rollout import generate
from seqtutor.training.run import (
    DivergedError,
    Guard,
    Record,
    non_finite_message,
    record_of,
)
from seqtutor.training.settings import TutorSettings
from seqtutor.training.tutor import Tutor
from seqtutor.training.watching import watched
from seqtutor.types import SequenceBatch, in_parts, join


class OldSamples(eqx.Module):
    """A ring buffer of samples of earlier rounds."""

    stored: SequenceBatch
    next_slot: Int[Array, ""]
    filled: Int[Array, ""]

    @classmethod
    def empty(cls, capacity: int, length: int) -> OldSamples:
        """A buffer for so many sequences."""
        room, zero = (capacity, length), jnp.zeros((), jnp.int32)
        return cls(SequenceBatch(jnp.zeros(room, jnp.int32), jnp.zeros(room, bool)), zero, zero)

    def extended(self, samples: SequenceBatch) -> OldSamples:
        """The buffer with these samples in place of the oldest."""
        if not len(samples):
            return self
        stored = jax.tree.map(
            lambda ring, new: jax.lax.dynamic_update_slice_in_dim(ring, new, self.next_slot, 0),
            self.stored,
            samples,
        )
        number, capacity = len(samples), len(self.stored)
        filled = jnp.minimum(self.filled + number, capacity)
        return OldSamples(stored, (self.next_slot + number) % capacity, filled)

    def mixed_into(self, samples: SequenceBatch, number: int, key: PRNGKeyArray) -> SequenceBatch:
        """The samples with the first `number` replaced by old ones, as soon as there are any."""
        if not number or not int(self.filled):
            return samples
        rows = jax.random.randint(key, (number,), 0, self.filled)
        return join(samples[number:], self.stored[rows])


class GameState(eqx.Module):
    """All that changes during a game; `round` counts finished rounds, the first ones included."""

    tutor: TutorState
    discriminator: DiscriminatorState
    old: OldSamples
    key: PRNGKeyArray
    round: Int[Array, ""]


@dataclass(frozen=True)
class Game:
    """The players, the data and the settings: everything that does not change during a game.

    Attributes:
        task: its vocabulary and length; its reward is added where the settings give it a weight.
        prior: what the generator starts from and what its KL divergence refers to.
        real: sequences that the discriminator learns to tell from generated ones.
        held_out: real sequences that it never learns from, to measure it on.
        tutoring: settings of the generator; `steps` is replaced by the steps of all rounds.
        settings: the rules.

    Raises:
        UserError: if the sequences have another length than the task, there are none, or the
            method cannot learn by these rules.
    """

    task: Task
    prior: SequenceModel = field(compare=False)
    real: SequenceBatch = field(compare=False)
    held_out: SequenceBatch = field(compare=False)
    tutoring: TutorSettings
    settings: GameSettings

    def __post_init__(self) -> None:
        for name, sequences in (("real", self.real), ("held-out", self.held_out)):
            width = sequences.tokens.shape[1]
            require(
                width == self.task.max_length,
                f"the {name} sequences have {width} columns and the task has {self.task.max_length}"
                " steps; pad them to that length",
            )
        require(
            self.settings.shape != "rollouts" or method_named(self.tutoring.method).is_on_policy,
            f"{self.tutoring.method} recomputes the rewards of its whole replay in each round, for "
            "which rollouts take too long; use the shape prefix, or a method without a replay",
        )
        require(
            not (self.settings.task_weight and self.task.reward.has_memory),
            "the task's reward depends on earlier sequences, so that it cannot be recomputed for "
            "those of earlier rounds; set task_weight to 0",
        )
        require(len(self.real) > 0, "there are no real sequences for the discriminator")
        require(len(self.held_out) > 0, "there are no held-out sequences to measure with")

    @cached_property
    def rewarded_task(self) -> Task:
        """The task with the reward of the game, whose parameters are the discriminator."""
        reward = game_reward(self.settings, self.task.vocabulary.end)
        if self.settings.task_weight:
            reward = weighted_sum([reward, self.task.reward], [1.0, self.settings.task_weight])
        return Task(self.task.vocabulary, self.task.max_length, reward, self.task.name)

    @cached_property
    def tutor(self) -> Tutor:
        """The generator's tutor for the whole game, as yet without parameters of its reward."""
        steps = self.settings.generator_steps(self.tutoring.environments, self.task.max_length)
        return Tutor(self.rewarded_task, self.prior, replace(self.tutoring, steps=steps))

    @property
    def rounds(self) -> int:
        """Number of rounds, the first ones included."""
        return self.settings.first_rounds + self.settings.rounds

    @property
    def _old_in_an_epoch(self) -> int:
        return round(self.settings.old_share * self.settings.generated)

    def initial_state(self) -> GameState:
        """The generator as the prior, an untrained discriminator, no old samples."""
        settings = self.settings
        key, discriminator_key = jax.random.split(
            jax.random.fold_in(jax.random.key(self.tutoring.seed), 1)
        )
        return GameState(
            tutor=self.tutor.initial_state(),
            discriminator=new_discriminator_state(
                self.task.vocabulary.size,
                settings.discriminator,
                settings.discrimination,
                discriminator_key,
            ),
            old=OldSamples.empty(settings.old_rounds * self._old_in_an_epoch, self.task.max_length),
            key=key,
            round=jnp.zeros((), jnp.int32),
        )

    def policy(self, state: GameState) -> SequenceModel:
        """The generator as it stands."""
        return self.tutor.policy(state.tutor.network)

    def generate(self, state: GameState, key: PRNGKeyArray, number: int) -> SequenceBatch:
        """Samples of the generator as it stands."""
        end = self.task.vocabulary.end
        return generate(self.policy(state), key, number, self.task.max_length, end=end)

    def reward_parameters(self, state: GameState, key: PRNGKeyArray) -> Any:
        """The parameters of the generator's reward in this round."""
        discriminator: Discriminator = state.discriminator.discriminator
        if self.settings.source == "constant":
            discriminator = ConstantDiscriminator()
        elif self.settings.source == "random":
            discriminator = RandomDiscriminator(state.round)
        if self.settings.shape == "rollouts":
            # A copy: the tutor donates the memory of its state, which the policy still needs.
            return RolloutParameters(discriminator, jax.tree.map(jnp.copy, self.policy(state)), key)
        return discriminator

    def play_round(self, state: GameState) -> tuple[GameState, dict[str, Any]]:
        """Play one round; the memory of the given state is donated.

        Returns:
            The next state, and metrics: those of the tutor, one number an iteration, in rounds in
            which the generator learns; under `discriminator/` those of `Discrimination` on as many
            held-out sequences as new samples, before the discriminator learns from them, whether it
            `learned` (1 or 0), and its `loss`; under `likeness/` those of `Likeness`, every
            `diagnose_every` rounds.

        Raises:
            UserError: if the reward fails.
        """
        settings = self.settings
        key, reward_key, sample_key, own_key = jax.random.split(state.key, 4)
        state = eqx.tree_at(lambda s: s.key, state, key)
        is_first = int(state.round) < settings.first_rounds
        metrics: dict[str, Any] = {}
        if not is_first:
            state, metrics = self._train_generator(state, reward_key)
        samples = self.generate(state, sample_key, settings.generated)
        found = self.measure(state, samples)
        own: dict[str, float] = asdict(found) | {"learned": 0.0}
        if self._must_learn(found, is_first):
            state, learning = self._train_discriminator(state, samples, own_key)
            own |= learning
        old = state.old.extended(samples[: self._old_in_an_epoch])
        state = eqx.tree_at(lambda s: (s.old, s.round), state, (old, state.round + 1))
        metrics |= {f"discriminator/{name}": np.asarray(value) for name, value in own.items()}
        if settings.diagnose_every and int(state.round) % settings.diagnose_every == 0:
            like = asdict(likeness(self.policy(state), self.held_out, samples))
            metrics |= {f"likeness/{name}": np.asarray(value) for name, value in like.items()}
        return state, metrics

    def _train_generator(
        self, state: GameState, key: PRNGKeyArray
    ) -> tuple[GameState, dict[str, Any]]:
        """The generator's part of a round."""
        tutor = replace(self.tutor, reward_parameters=self.reward_parameters(state, key))
        learner = state.tutor
        if tutor.method.learns_from == "replay":
            learner = eqx.tree_at(
                lambda s: s.replay, learner, recompute_rewards(tutor, learner.replay)
            )
        iterations = self.settings.generator_iterations
        learner, metrics = watched(tutor, partial(tutor.advance, learner, iterations))
        return eqx.tree_at(lambda s: s.tutor, state, learner), metrics

    def measure(self, state: GameState, samples: SequenceBatch) -> Discrimination:
        """The classification measures on held-out sequences and as many samples."""
        number = min(len(self.held_out), len(samples))
        discriminator = state.discriminator.discriminator
        return discrimination(
            logits_of(discriminator, self.held_out[:number]),
            logits_of(discriminator, samples[:number]),
        )

    def _must_learn(self, found: Discrimination, is_first: bool) -> bool:
        if self.settings.source == "frozen" and not is_first:
            return False
        return found.accuracy <= self.settings.train_below

    def _train_discriminator(
        self, state: GameState, samples: SequenceBatch, key: PRNGKeyArray
    ) -> tuple[GameState, dict[str, float]]:
        """The discriminator's part of a round, and its metrics."""
        learner, losses = state.discriminator, []
        for epoch in range(self.settings.discriminator_epochs):
            generated = state.old.mixed_into(
                samples, self._old_in_an_epoch, jax.random.fold_in(key, epoch)
            )
            learner, metrics = train_epoch(
                learner, self.real, generated, self.settings.discrimination
            )
            losses.append(metrics["loss"])
        is_kept = not self.settings.only_better or self._is_better(state, learner, key)
        if not is_kept:
            learner = eqx.tree_at(lambda d: d.key, state.discriminator, learner.key)
        state = eqx.tree_at(lambda s: s.discriminator, state, learner)
        return state, {"learned": float(is_kept), "loss": float(jnp.mean(jnp.stack(losses)))}

    def _is_better(self, state: GameState, learner: DiscriminatorState, key: PRNGKeyArray) -> bool:
        """Whether its cross-entropy on unseen sequences is below that of the state's one."""
        own_key = jax.random.fold_in(key, self.settings.discriminator_epochs)
        unseen = self.generate(state, own_key, len(self.held_out))
        after, before = (
            cross_entropy(*(logits_of(one.discriminator, part) for part in (self.held_out, unseen)))
            for one in (learner, state.discriminator)
        )
        return after < before


@dataclass(frozen=True)
class RoundProgress:
    """The state and record after a round; `remark` is that of `seqtutor.training.run.Progress`."""

    state: GameState
    record: Record
    remark: str | None = None


def play_rounds(
    game: Game, state: GameState | None = None, records: Sequence[Record] = ()
) -> Iterator[RoundProgress]:
    """Play a game to its end; gives the state and a record after each round.

    A record has the `round`, the generator's environment steps as `step`, the `seconds`, and the
    metrics of `Game.play_round`. An interrupted game continues from a `state` with the `records` up
    to it. The next round donates the memory of the state: copy what is to be kept of it. The guards
    in the tutor's settings can end the game early.

    Raises:
        DivergedError: if a loss, a reward or a measure is not finite; it has the generator before
            that round.
        UserError: if the reward fails, or the model is inconsistent.
    """
    game.tutor.require_consistent_model()
    state = game.initial_state() if state is None else state
    guard = Guard(game.tutor.settings)
    for record in records:
        _check(guard, record)
    start = time.perf_counter() - (records[-1]["seconds"] if records else 0.0)
    for _ in range(int(state.round), game.rounds):
        if guard.stops:
            return
        last_good = jax.tree.map(jnp.copy, state.tutor.network)
        state, metrics = game.play_round(state)
        steps = int(state.tutor.iteration) * game.tutor.steps_per_iteration
        record = {"round": int(state.round)} | record_of(metrics, steps, start)
        fault = non_finite_message(record)
        if fault is not None:
            raise DivergedError(fault, game.tutor.policy(last_good), game.tutoring.seed)
        yield RoundProgress(state, record, _check(guard, record))


def _check(guard: Guard, record: Record) -> str | None:
    """The guard's remark on a round in which the generator has learned."""
    return guard.check(record) if "entropy" in record else None


def recompute_rewards(tutor: Tutor, replay: Replay) -> Replay:
    """The replay with the rewards that the tutor's reward gives to the stored sequences now."""
    chunk = tutor.settings.environments
    with tutor.task.reward.reporting_failures():
        rewards = _rewards(tutor.task.reward, tutor.reward_parameters, replay.stored, chunk)
        rewards.block_until_ready()
    return eqx.tree_at(lambda r: r.stored.rewards, replay, rewards)


@partial(jax.jit, static_argnums=(0, 3))
def _rewards(
    reward: Reward, parameters: Any, stored: Experience, chunk: int
) -> Float[Array, "capacity time"]:
    def some(at: tuple[Array, Array]) -> Array:
        return reward(*at, parameters).total

    parts = in_parts(SequenceBatch(stored.tokens, stored.mask), chunk)
    return jax.lax.map(some, parts).reshape(stored.rewards.shape)
