"""The game of a generator and a discriminator (Goodfellow et al. 2014; Yu et al. 2017, SeqGAN).

The generator is a tutor like any other: its method, loop and replay are those of
`seqtutor.training.tutor`, and the discriminator is its reward. A round runs the tutor for some
iterations with the discriminator as it stands, draws fresh samples, measures the discriminator on
them, and lets it learn from them.

Off-policy methods learn from sequences of earlier rounds. What these earned was the judgement of an
older discriminator, so that after each change all stored sequences are judged anew: their tokens
are as good as ever, only the reward is stale, and judging is cheap beside generating. On-policy
methods keep nothing.
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

from seqtutor.adversarial.discriminating import (
    Discrimination,
    DiscriminatorState,
    cross_entropy,
    discrimination,
    logits_of,
    new_discriminator_state,
    train_epoch,
)
from seqtutor.adversarial.reward import Completing, discriminator_reward
from seqtutor.adversarial.settings import AdversarySettings
from seqtutor.measures.likeness import likeness
from seqtutor.methods.base import Experience
from seqtutor.methods.registry import method_named
from seqtutor.models.base import SequenceModel
from seqtutor.models.discriminator import (
    ConstantDiscriminator,
    Discriminator,
    RandomDiscriminator,
)
from seqtutor.rewards import Reward, as_reward
from seqtutor.settings import require
from seqtutor.task import Task
from seqtutor.training.plan import TutorState
from seqtutor.training.replay import Replay
from seqtutor.training.rollout import generate
from seqtutor.training.run import (
    DivergedError,
    Guard,
    Record,
    record_of,
    what_is_not_finite,
)
from seqtutor.training.settings import TutorSettings
from seqtutor.training.tutor import Tutor
from seqtutor.training.watching import watched
from seqtutor.types import SequenceBatch, in_parts, join
from seqtutor.vocabulary import Vocabulary


class OldSamples(eqx.Module):
    """A ring of samples of earlier rounds."""

    stored: SequenceBatch
    next_slot: Int[Array, ""]
    filled: Int[Array, ""]


class AdversaryState(eqx.Module):
    """All that changes during a game; `round` counts those that are over, the first ones too."""

    tutor: TutorState
    discriminator: DiscriminatorState
    old: OldSamples
    key: PRNGKeyArray
    round: Int[Array, ""]


@dataclass(frozen=True)
class Adversary:
    """The players, the data and the settings: everything that does not change during a game.

    Attributes:
        vocabulary: of the prior and the data.
        prior: what the generator starts from and, where its method has one, is held by.
        real: sequences that the discriminator learns to tell from generated ones.
        held_out: real sequences that it never learns from, to measure it on.
        tutoring: of the generator; its `steps` are replaced by those of the rounds.
        settings: of the game.
    """

    vocabulary: Vocabulary
    prior: SequenceModel = field(compare=False)
    real: SequenceBatch = field(compare=False)
    held_out: SequenceBatch = field(compare=False)
    tutoring: TutorSettings
    settings: AdversarySettings

    def __post_init__(self) -> None:
        length = self.real.tokens.shape[1]
        require(
            self.held_out.tokens.shape[1] == length,
            f"the held-out sequences have {self.held_out.tokens.shape[1]} columns and the real "
            f"ones {length}; pad them to one length",
        )
        require(
            self.settings.shape != "rollouts" or method_named(self.tutoring.method).is_on_policy,
            f"{self.tutoring.method} recomputes the rewards of its whole replay in each round, for "
            "which rollouts take too long; use the shape prefix, or a method without a replay",
        )
        require(len(self.real) > 0, "there are no real sequences for the discriminator")
        require(len(self.held_out) > 0, "there are no held-out sequences to measure with")

    @cached_property
    def task(self) -> Task:
        """Sequences as long as the real ones, judged by the discriminator."""
        reward = discriminator_reward(self.settings, self.vocabulary.end)
        return Task(self.vocabulary, self.real.tokens.shape[1], reward, "adversary")

    @cached_property
    def tutor(self) -> Tutor:
        """The generator's tutor for the whole game; it has no parameters of its reward yet."""
        length = self.task.max_length
        steps = self.settings.generator_steps(self.tutoring.environments, length)
        return Tutor(self.task, self.prior, replace(self.tutoring, steps=steps))

    @property
    def rounds(self) -> int:
        """Rounds in all, the first ones included."""
        return self.settings.first_rounds + self.settings.rounds

    @property
    def _old_in_an_epoch(self) -> int:
        return round(self.settings.old_share * self.settings.generated)

    def initial_state(self) -> AdversaryState:
        """The generator as the prior, a discriminator that knows nothing, no old samples."""
        settings = self.settings
        key, discriminator_key = jax.random.split(
            jax.random.fold_in(jax.random.key(self.tutoring.seed), 1)
        )
        room = (settings.old_rounds * self._old_in_an_epoch, self.task.max_length)
        return AdversaryState(
            tutor=self.tutor.initial_state(),
            discriminator=new_discriminator_state(
                self.vocabulary.size,
                settings.discriminator,
                settings.discrimination,
                discriminator_key,
            ),
            old=OldSamples(
                SequenceBatch(jnp.zeros(room, jnp.int32), jnp.zeros(room, bool)),
                jnp.zeros((), jnp.int32),
                jnp.zeros((), jnp.int32),
            ),
            key=key,
            round=jnp.zeros((), jnp.int32),
        )

    def policy(self, state: AdversaryState) -> SequenceModel:
        """The generator as it stands."""
        return self.tutor.policy(state.tutor.network)

    def generate(self, state: AdversaryState, key: PRNGKeyArray, number: int) -> SequenceBatch:
        """Samples of the generator as it stands."""
        end = self.vocabulary.end
        return generate(self.policy(state), key, number, self.task.max_length, end=end)

    def reward_parameters(self, state: AdversaryState, key: PRNGKeyArray) -> Any:
        """Who pays the generator in this round."""
        discriminator: Discriminator = state.discriminator.discriminator
        if self.settings.source == "constant":
            discriminator = ConstantDiscriminator()
        elif self.settings.source == "random":
            discriminator = RandomDiscriminator(state.round)
        if self.settings.shape == "rollouts":
            # A copy: the tutor gives its state's memory away while the policy still completes.
            return Completing(discriminator, jax.tree.map(jnp.copy, self.policy(state)), key)
        return discriminator

    def play(self, state: AdversaryState) -> tuple[AdversaryState, dict[str, Any]]:
        """One round; the given state's memory is used up.

        The metrics are what the tutor measures, one number an iteration, where it has learned, and
        under `discriminator/` what `Discrimination` has on as many held-out sequences as fresh
        samples, before it learns from them; whether it `learned` (1 or 0), and its `loss`. Under
        `likeness/` they are those of `Likeness`, in the rounds that `diagnose_every` names.

        Raises:
            UserError: if the reward fails.
        """
        settings = self.settings
        key, reward_key, sample_key, own_key = jax.random.split(state.key, 4)
        state = eqx.tree_at(lambda s: s.key, state, key)
        is_first = int(state.round) < settings.first_rounds
        metrics: dict[str, Any] = {}
        if not is_first:
            state, metrics = self._teach(state, reward_key)
        samples = self.generate(state, sample_key, settings.generated)
        found = self.measure(state, samples)
        own: dict[str, float] = asdict(found) | {"learned": 0.0}
        if self._must_learn(found, is_first):
            state, learning = self._discriminate(state, samples, own_key)
            own |= learning
        old = remember(state.old, samples[: self._old_in_an_epoch])
        state = eqx.tree_at(lambda s: (s.old, s.round), state, (old, state.round + 1))
        metrics |= {f"discriminator/{name}": np.asarray(value) for name, value in own.items()}
        if settings.diagnose_every and int(state.round) % settings.diagnose_every == 0:
            like = asdict(likeness(self.policy(state), self.held_out, samples))
            metrics |= {f"likeness/{name}": np.asarray(value) for name, value in like.items()}
        return state, metrics

    def _teach(
        self, state: AdversaryState, key: PRNGKeyArray
    ) -> tuple[AdversaryState, dict[str, Any]]:
        """The generator's part of a round."""
        tutor = replace(self.tutor, reward_parameters=self.reward_parameters(state, key))
        learner = state.tutor
        if tutor.method.learns_from == "replay":
            learner = eqx.tree_at(lambda s: s.replay, learner, judge_again(tutor, learner.replay))
        iterations = self.settings.generator_iterations
        learner, metrics = watched(tutor, partial(tutor.advance, learner, iterations))
        return eqx.tree_at(lambda s: s.tutor, state, learner), metrics

    def measure(self, state: AdversaryState, samples: SequenceBatch) -> Discrimination:
        """How well the discriminator tells held-out sequences from as many samples."""
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

    def _discriminate(
        self, state: AdversaryState, samples: SequenceBatch, key: PRNGKeyArray
    ) -> tuple[AdversaryState, dict[str, float]]:
        """The discriminator's part of a round, with what `play` says of it."""
        learner, losses = state.discriminator, []
        for epoch in range(self.settings.discriminator_epochs):
            generated = with_old(
                samples, state.old, self._old_in_an_epoch, jax.random.fold_in(key, epoch)
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

    def _is_better(
        self, state: AdversaryState, learner: DiscriminatorState, key: PRNGKeyArray
    ) -> bool:
        """Whether it tells apart what neither has seen better than the state's discriminator."""
        own_key = jax.random.fold_in(key, self.settings.discriminator_epochs)
        unseen = self.generate(state, own_key, len(self.held_out))
        after, before = (
            cross_entropy(*(logits_of(one.discriminator, part) for part in (self.held_out, unseen)))
            for one in (learner, state.discriminator)
        )
        return after < before


@dataclass(frozen=True)
class RoundProgress:
    """Where a game stands after a round; `remark` is that of `seqtutor.training.run.Progress`."""

    state: AdversaryState
    record: Record
    remark: str | None = None


def rounds(
    adversary: Adversary, state: AdversaryState | None = None, records: Sequence[Record] = ()
) -> Iterator[RoundProgress]:
    """Play to the end, giving the state and a record after each round.

    A record has the `round`, the generator's environment steps as `step`, the `seconds`, and what
    `Adversary.play` measures. A game that was interrupted goes on from a `state` with the `records`
    made until then. The next round uses up a given state's memory: copy what is to be kept of it
    before going on. The guards of the tutor's settings can end the game early.

    Raises:
        DivergedError: if a loss, a reward or a measure is not finite; it has the generator before
            that round.
        UserError: if the reward fails.
    """
    state = adversary.initial_state() if state is None else state
    guard = Guard(adversary.tutor.settings)
    for record in records:
        _look(guard, record)
    start = time.perf_counter() - (records[-1]["seconds"] if records else 0.0)
    for _ in range(int(state.round), adversary.rounds):
        if guard.stops:
            return
        last_good = jax.tree.map(jnp.copy, state.tutor.network)
        state, metrics = adversary.play(state)
        steps = int(state.tutor.iteration) * adversary.tutor.steps_per_iteration
        record = {"round": int(state.round)} | record_of(metrics, steps, start)
        spoilt = what_is_not_finite(record)
        if spoilt is not None:
            good = adversary.tutor.policy(last_good)
            raise DivergedError(spoilt, good, adversary.tutoring.seed)
        yield RoundProgress(state, record, _look(guard, record))


def _look(guard: Guard, record: Record) -> str | None:
    """What the guard says of a round in which the generator has learned."""
    return guard.look(record) if "entropy" in record else None


def judge_again(tutor: Tutor, replay: Replay) -> Replay:
    """The replay with the rewards that the tutor's reward pays now for all stored sequences."""
    task = tutor.task
    chunk = tutor.settings.environments
    rewards = _rewards(as_reward(task.reward), tutor.reward_parameters, replay.stored, chunk)
    return eqx.tree_at(lambda r: r.stored.rewards, replay, rewards)


@partial(jax.jit, static_argnums=(0, 3))
def _rewards(
    reward: Reward, parameters: Any, stored: Experience, chunk: int
) -> Float[Array, "capacity time"]:
    def some(at: tuple[Array, Array]) -> Array:
        return reward(*at, parameters).total

    parts = in_parts(SequenceBatch(stored.tokens, stored.mask), chunk)
    return jax.lax.map(some, parts).reshape(stored.rewards.shape)


def with_old(
    samples: SequenceBatch, old: OldSamples, number: int, key: PRNGKeyArray
) -> SequenceBatch:
    """The samples, `number` of them replaced by earlier rounds' as soon as there are any."""
    if not number or not int(old.filled):
        return samples
    rows = jax.random.randint(key, (number,), 0, old.filled)
    return join(samples[number:], old.stored[rows])


def remember(old: OldSamples, samples: SequenceBatch) -> OldSamples:
    """The ring with these samples in place of the oldest."""
    if not len(samples):
        return old
    stored = jax.tree.map(
        lambda ring, new: jax.lax.dynamic_update_slice_in_dim(ring, new, old.next_slot, axis=0),
        old.stored,
        samples,
    )
    number, room = len(samples), len(old.stored)
    return OldSamples(
        stored, (old.next_slot + number) % room, jnp.minimum(old.filled + number, room)
    )
