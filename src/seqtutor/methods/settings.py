"""Settings that several methods share. Imports nothing heavy, so that help texts stay quick.

The settings of a method are a frozen dataclass that derives from the classes here, according to
where the method learns from; the training loop reads what these declare.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from seqtutor.settings import CheckedSettings, Count, NotNegative, Positive, Share


@dataclass(frozen=True)
class MethodSettings(CheckedSettings):
    """Settings of a method that has none of its own.

    Raises:
        UserError: if a value is out of its range.
    """


@dataclass(frozen=True)
class BatchSettings(MethodSettings):
    """Settings of methods that make several updates on batches after each collection."""

    updates: Count = 8
    """Gradient updates after each collection."""
    batch: Count = 64
    """Sequences in each update."""


@dataclass(frozen=True)
class Exploration(CheckedSettings):
    """How the policy that collects sequences chooses its tokens."""

    behaviour: Literal["boltzmann", "greedy"] = "boltzmann"
    """Sample from the policy at a temperature, or take its most likely token."""
    temperature: Positive = 1.0
    """Temperature of the Boltzmann behaviour; above 1 it explores more."""
    epsilon_start: Share = 0.05
    """Share of tokens drawn uniformly at the start of the run."""
    epsilon_end: Share = 0.0
    """Share of tokens drawn uniformly once the decay is over."""
    epsilon_decay_share: Share = 0.5
    """Part of the run over which epsilon falls linearly."""


NO_EXPLORATION = Exploration(epsilon_start=0.0)
"""Sample from the policy itself, as methods must that learn from its own samples."""


@dataclass(frozen=True)
class ReplaySettings(BatchSettings):
    """Settings of off-policy methods, which learn from a replay of whole sequences."""

    replay_capacity: Count = 4096
    """Sequences kept in the replay; a multiple of --environments."""
    priority_exponent: NotNegative = 0.0
    """α of prioritised replay: a sequence is drawn in proportion to the power α of the size of its
    error. 0 draws uniformly; 0.6 is usual."""
    importance_exponent: Share = 0.4
    """β of prioritised replay at the start; it rises to 1 by the end of the run, where importance
    weights correct the loss completely."""
    exploration: Exploration = field(default_factory=Exploration)
    """How tokens are chosen while collecting."""


@dataclass(frozen=True)
class VoteSettings(BatchSettings):
    """Settings of methods that learn from votes on pairs of sequences, and from no reward."""

    votes: Path | None = None
    """A file of votes, one {"left": …, "right": …, "score": …} a line, or the folder of a
    preference model that learned from them."""
    updates: Count = 4
    """Gradient updates for each collection, which is generated to measure the policy alone."""
    batch: Count = 32
    """Votes in each update."""


@dataclass(frozen=True)
class TargetSettings(MethodSettings):
    """Settings of methods whose target network follows slowly."""

    target_rate: Share = 0.05
    """Share of the network that moves into the target network at each update."""


@dataclass(frozen=True)
class ValueSettings(MethodSettings):
    """Settings of methods that learn the network's scalar output as a value."""

    huber_threshold: Positive = 10.0
    """Errors beyond it count linearly, so that a rare −200 does not outweigh all others."""
    value_scale: Positive = 20.0
    """Factor on the network's scalar output; about the size of the values."""
    value_body_share: Share = 0.1
    """Share of the value's gradient that reaches the network's body, which the policy's logits read
    too. At 1, noisy returns move the policy by way of the value."""
