"""What a run is to do: all of it that stays as it is while the run goes on, and its first state."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
from jaxtyping import Array, Int, PRNGKeyArray

from seqtutor.comparisons import ComparedSequences
from seqtutor.errors import UserError
from seqtutor.methods.base import Experience, Method
from seqtutor.methods.registry import method_named
from seqtutor.methods.settings import (
    NO_EXPLORATION,
    BatchSettings,
    Exploration,
    ReplaySettings,
    TargetSettings,
    ValueSettings,
)
from seqtutor.models.action_values import ActionValueNetwork
from seqtutor.models.base import SequenceModel
from seqtutor.models.consistency import require_consistent
from seqtutor.objectives.temporal_difference import of_action
from seqtutor.rewards.targets import FollowingWeights
from seqtutor.task import Task
from seqtutor.training.replay import Replay, empty_replay, filled_replay
from seqtutor.training.settings import TutorSettings
from seqtutor.training.sharding import require_devices

UNREMARKED_SHARE = 0.1
"""By how much of the steps that were asked for a run may have more or fewer without a remark."""

MOST_PRIOR_BYTES = 2**17
"""That the prior's log-probabilities of all tokens may take of the replay for each sequence: those
of 3,216 tokens at 100 steps would take 1.3 MB."""

PRIOR_BATCH = 256
"""Compared sequences of which the prior computes log p at a time."""


class TutorState(eqx.Module):
    """All that changes during a run."""

    network: ActionValueNetwork
    target: ActionValueNetwork
    optimiser: Any
    replay: Replay
    key: PRNGKeyArray
    iteration: Int[Array, ""]
    weights: FollowingWeights  # Of the reward's terms, where they follow targets.


@dataclass(frozen=True)
class TutorPlan:
    """A task, a frozen prior and the settings: everything that does not change during a run.

    `devices` are as many as share the work, which changes nothing but rounding: the environments,
    the replay and the batch of an update are split among them.

    `votes` are what a method learns from that learns from votes; others read none.
    """

    task: Task
    prior: SequenceModel = field(compare=False)
    settings: TutorSettings
    reward_parameters: Any = field(default=None, compare=False)
    devices: int = 1
    votes: ComparedSequences | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.prior.vocabulary_size != self.task.vocabulary.size:
            raise UserError(
                f"the prior knows {self.prior.vocabulary_size} tokens and the task "
                f"{self.task.vocabulary.size}; take a prior of the task's vocabulary"
            )
        if self.settings.network == "task" and self.task.network is None:
            raise UserError(
                f"the task {self.task.name} has no network of its own; leave out --network task"
            )
        self._require_votes()
        sizes = {"environments": self.settings.environments}
        if self.method.learns_from != "collection":
            sizes["batch"] = self.batch
        require_devices(self.devices, **sizes)
        wanted, there = self._bytes_of_sequences(), memory_bytes()
        if wanted > there:
            raise UserError(
                f"{self.replay_capacity:,} sequences of replay and {self.settings.environments:,} "
                f"environments take {wanted / 2**30:,.0f} GiB of the machine's "
                f"{there / 2**30:,.0f}; lower replay_capacity, environments or the length"
            )

    def _require_votes(self) -> None:
        if not self.method.learns_from_votes:
            return
        name = self.method.name
        if self.votes is None:
            raise UserError(f"{name} learns from votes: name a file of them with --votes FILE")
        if self.devices > 1:
            raise UserError(f"{name} learns from a few votes, on one device: leave out --devices")
        shape = self.votes.left.tokens.shape
        if shape[1] != self.task.max_length:
            raise UserError(
                f"the votes are on sequences of {shape[1]} tokens; the task has up to "
                f"{self.task.max_length}"
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
    def is_residual(self) -> bool:
        """Whether the network has only what the policy's logits add to the prior's.

        A copy of the prior has the prior's logits in its own, and a method that begins with zeros
        adds them itself.
        """
        return not self._of_prior and self.method.logits_start == "prior"

    @property
    def needs_whole_prior(self) -> bool:
        """Whether log p(·|s) of the whole vocabulary is read where sequences are learned from."""
        return self.method.needs_whole_prior or self.is_residual

    @property
    def keeps_whole_prior(self) -> bool:
        """Whether the replay holds log p(·|s) of the whole vocabulary.

        Where it is read but would take more than `MOST_PRIOR_BYTES`, or the sequences come with
        votes, the frozen prior computes it again whenever a sequence is replayed.
        """
        a_sequence = 4 * self.task.vocabulary.size * self.task.max_length
        has_room = a_sequence <= MOST_PRIOR_BYTES and not self.method.learns_from_votes
        return self.needs_whole_prior and has_room

    @property
    def learns_meanwhile(self) -> bool:
        """Whether it learns from the replay while the newest collection is rewarded.

        Several devices wait for each other at the reward: they learn before.
        """
        starts = self.task.reward.can_start and self.task.reward.targets is None
        return starts and self.method.learns_from == "replay" and self.iterations > 1

    @property
    def method(self) -> Method:
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

    @property
    def steps(self) -> int:
        """Environment steps of the whole run, in whole collections."""
        return self.iterations * self.steps_per_iteration

    @property
    def remark(self) -> str | None:
        """What a user should know beforehand: that many more or fewer steps are made than asked."""
        asked = self.settings.steps
        if abs(self.steps - asked) <= UNREMARKED_SHARE * asked:
            return None
        return (
            f"{self.steps:,} steps are made where {asked:,} were asked for: a collection has "
            f"{self.steps_per_iteration:,}, {self.settings.environments} sequences of "
            f"{self.task.max_length} tokens; a smaller `environments` makes it smaller"
        )

    @property
    def updates(self) -> int:
        """Gradient updates after each collection."""
        options = self.settings.options
        return options.updates if isinstance(options, BatchSettings) else 1

    @property
    def batch(self) -> int:
        """Sequences in each update."""
        options = self.settings.options
        return options.batch if isinstance(options, BatchSettings) else self.settings.environments

    @property
    def replay_settings(self) -> ReplaySettings | None:
        """The settings of the replay; `None` for on-policy methods."""
        options = self.settings.options
        return options if isinstance(options, ReplaySettings) else None

    @property
    def replay_capacity(self) -> int:
        """Sequences that are kept: for on-policy methods the newest collection."""
        if self.votes is not None and self.method.learns_from_votes:
            return 2 * len(self.votes)
        replay = self.replay_settings
        return self.settings.environments if replay is None else replay.replay_capacity

    @property
    def prioritised(self) -> ReplaySettings | None:
        """The settings of the replay if sequences are drawn from it by priority."""
        replay = self.replay_settings
        return replay if replay is not None and replay.priority_exponent > 0 else None

    @property
    def target_rate(self) -> float:
        """Share of the network that moves into the target network at each update."""
        options = self.settings.options
        return options.target_rate if isinstance(options, TargetSettings) else 0.0

    @property
    def exploration(self) -> Exploration:
        """How tokens are chosen while collecting."""
        replay = self.replay_settings
        return NO_EXPLORATION if replay is None else replay.exploration

    def optimiser(self) -> optax.GradientTransformation:
        """Adam or Muon (Jordan et al. 2024) with clipped gradients, a cosine decay over the run."""
        settings = self.settings
        rate = optax.cosine_decay_schedule(
            settings.learning_rate,
            self.iterations * self.updates,
            settings.learning_rate_final_share,
        )
        step = optax.adam(rate) if settings.optimiser == "adam" else optax.contrib.muon(rate)
        return optax.chain(optax.clip_by_global_norm(settings.gradient_norm), step)

    def require_consistent_model(self) -> None:
        """Compare the two ways in which the policy is computed, as `require_consistent` does."""
        length = self.task.max_length
        policy = self.prior.as_policy_start(length) if self._of_prior else self._first_model()
        require_consistent(policy, length)

    @property
    def _of_prior(self) -> bool:
        return self.settings.network == "prior"

    def _first_model(self) -> SequenceModel:
        """What the network reads its logits from; with them the first policy is the prior.

        Of a network of the task they are zero, whatever the method: `is_residual` says whether the
        prior's are added to them before the method reads them.
        """
        if self._of_prior:
            model = self.prior.as_policy_start(self.task.max_length)
            return model.with_zero_readout() if self.method.logits_start == "zero" else model
        assert self.task.network is not None
        made = self.task.network(self.settings.c)
        assert isinstance(made, SequenceModel)
        return made.as_policy_start(self.task.max_length).with_zero_readout()

    def initial_state(self) -> TutorState:
        """A network whose first policy is the prior, its copy as target, and an empty replay."""
        settings, model = self.settings, self._first_model()
        # Copies throughout: `advance` gives the state's memory away, and the prior's must stay.
        options = settings.options
        value = options if isinstance(options, ValueSettings) else ValueSettings()
        network = ActionValueNetwork(
            model, value.value_scale, value.value_body_share, is_residual=self.is_residual
        )
        network = jax.tree.map(jnp.copy, network)
        return TutorState(
            network=network,
            target=jax.tree.map(jnp.copy, network),
            optimiser=self.optimiser().init(eqx.filter(network, eqx.is_inexact_array)),
            replay=self._first_replay(),
            key=jax.random.key(settings.seed),
            iteration=jnp.zeros((), jnp.int32),
            weights=self.task.reward.first_weights(),
        )

    def _first_replay(self) -> Replay:
        """Nothing yet; of a method that learns from votes all that it ever learns from."""
        if self.votes is not None and self.method.learns_from_votes:
            return filled_replay(experience_of_votes(self.votes, self.prior))
        return empty_replay(
            self.replay_capacity,
            self.task.max_length,
            self.task.vocabulary.size if self.keeps_whole_prior else None,
        )


def experience_of_votes(votes: ComparedSequences, prior: SequenceModel) -> Experience:
    """The left sequences and then the right ones, each of which earned its share of the vote."""
    both = votes.both
    tokens, mask = jnp.asarray(both.tokens), jnp.asarray(both.mask)
    scores = np.asarray(votes.scores, np.float32)
    shares = jnp.asarray(np.concatenate([scores, 1 - scores]))
    is_last = jnp.arange(tokens.shape[1]) == jnp.sum(mask, axis=1, keepdims=True) - 1
    log_prior = jax.lax.map(
        lambda row: of_action(jax.nn.log_softmax(prior.unroll(row[None])), row[None])[0],
        tokens,
        batch_size=PRIOR_BATCH,
    )
    rewards = jnp.where(is_last, shares[:, None], 0.0)
    return Experience(tokens, mask, rewards, log_prior)


def memory_bytes() -> float:
    """The memory of the machine; infinite where it is not known."""
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):
        return math.inf
