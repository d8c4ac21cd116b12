"""A reward: a function with a weight for each of its terms."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from numbers import Real
from pathlib import Path
from typing import Any, TypeVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int

from seqtutor.errors import UserError
from seqtutor.rewards.breakdown import RewardBreakdown, break_down, per_step
from seqtutor.rewards.host import HostCalls
from seqtutor.rewards.protocols import (
    AsynchronousReward,
    ClosableReward,
    CostlyReward,
    EndingReward,
    RecordingReward,
    RewardFunction,
    VocabularyReward,
    WritingReward,
    is_compiled,
    is_learned,
    memory_of,
)
from seqtutor.rewards.targets import FollowingWeights, Targets
from seqtutor.rewards.traced import traced_terms
from seqtutor.settings import require
from seqtutor.vocabulary import Vocabulary

_Tree = TypeVar("_Tree")

AnyArray = Array | np.ndarray


@dataclass(frozen=True, eq=False)
class Reward:
    """A reward function with a weight for each of its terms; terms without a weight weigh one.

    What else the function can do, it does through this object; where it cannot, `restart`,
    `restore`, `write` and `close` do nothing. Rewards are compared by identity, as compiled
    programs hold them.

    Attributes:
        function: in one of the protocols of `seqtutor.rewards.protocols`.
        weights: by the name of a term.
        targets: means of terms that their weights follow while a policy is tuned, if any; a call
            knows only the first weights.
        host: its calls from compiled programs, if it is not a compiled function.

    Raises:
        UserError: if the function has only a part of the methods of a memory, or a weight is not a
            finite number.
    """

    function: RewardFunction
    weights: Mapping[str, float] = field(default_factory=dict)
    targets: Targets | None = None
    host: HostCalls = field(init=False, repr=False)

    def __post_init__(self) -> None:
        memory_of(self.function)
        require(
            isinstance(self.weights, Mapping),
            f"the weights of a reward must be numbers by the names of terms, not {self.weights!r}",
        )
        for name, weight in self.weights.items():
            require(
                isinstance(weight, Real) and math.isfinite(weight),
                f"the weight of the reward term {name!r} must be a finite number, not {weight!r}",
            )
        object.__setattr__(self, "host", HostCalls(self.function))

    def __call__(
        self,
        tokens: Int[AnyArray, "batch time"],
        mask: Bool[AnyArray, "batch time"],
        parameters: Any = None,
    ) -> RewardBreakdown:
        """The weighted terms of a batch per step and their sum, zero past the end of a sequence.

        `parameters` are those of a learned reward; others have none.

        Raises:
            UserError: if the function fails or returns no named terms, a weight names none of them,
                a term has another shape than one number a step or a sequence, or a learned reward
                has no parameters.
        """
        terms = self.terms(tokens, mask, parameters)
        return break_down(terms, self.weights, jnp.asarray(mask))

    def first_weights(self) -> FollowingWeights:
        """The weights that follow targets, as they are before the first batch; none without."""
        names = () if self.targets is None else self.targets.means
        return FollowingWeights.first({name: self.weights.get(name, 1.0) for name in names})

    def followed(
        self,
        tokens: Int[Array, "batch time"],
        mask: Bool[Array, "batch time"],
        parameters: Any,
        weights: FollowingWeights,
    ) -> tuple[RewardBreakdown, FollowingWeights]:
        """What a batch earns with these weights, and the weights of the next batch.

        Without targets it is what a call gives, and there are no weights.
        """
        if self.targets is None:
            return self(tokens, mask, parameters), weights
        terms = self.terms(tokens, mask, parameters)
        breakdown = break_down(terms, {**self.weights, **weights.paid}, mask)
        means = {
            name: jnp.mean(jnp.sum(per_step(name, terms[name], mask), axis=1))
            for name in self.targets.means
        }
        return breakdown, self.targets.next_weights(weights, means)

    def terms(
        self,
        tokens: Int[AnyArray, "batch time"],
        mask: Bool[AnyArray, "batch time"],
        parameters: Any = None,
    ) -> dict[str, Array]:
        """The terms of a batch as the function returns them, in single precision."""
        tokens, mask = jnp.asarray(tokens), jnp.asarray(mask)
        if not is_compiled(self.function):
            return self.host.call(tokens, mask)
        if not self.is_learned:
            return traced_terms(self.function, tokens, mask)
        if parameters is None:
            raise UserError(
                "the reward is learned and has no parameters yet; give the tutor its "
                "reward_parameters"
            )
        return traced_terms(self.function, parameters, tokens, mask)

    @property
    def is_learned(self) -> bool:
        """Whether the function takes parameters."""
        return is_learned(self.function)

    def bound_to(self, vocabulary: Vocabulary) -> Reward:
        """The reward for a vocabulary; itself if it does not depend on one, or has this one."""
        if not isinstance(self.function, VocabularyReward):
            return self
        bound = self.function.bind(vocabulary)
        return self if bound is self.function else replace(self, function=bound)

    @property
    def can_start(self) -> bool:
        """Whether the function can begin to compute before its terms are needed."""
        return isinstance(self.function, AsynchronousReward)

    def start(
        self, tokens: Int[Array, "batch time"], mask: Bool[Array, "batch time"], before: _Tree
    ) -> tuple[Int[Array, ""], _Tree]:
        """Begin to compute the terms of a batch.

        Returns:
            A ticket for `collect`, and `before`: what is computed from it comes after the start.
        """
        return self.host.start(tokens, mask, before)

    def collect(
        self, ticket: Int[Array, ""], mask: Bool[Array, "batch time"], after: Any
    ) -> RewardBreakdown:
        """What a call would return for the batch of a ticket; waits until `after` is computed.

        Raises:
            UserError: as a call does.
        """
        return break_down(self.host.collect(ticket, mask.shape, after), self.weights, mask)

    def reporting_failures(self) -> AbstractContextManager[None]:
        """A context within which a function that fails in a compiled program raises a `UserError`.

        The program has to be waited for within the context.
        """
        return self.host.reporting_failures()

    @property
    def has_memory(self) -> bool:
        """Whether terms depend on the batches before, so that runs cannot share the reward."""
        return memory_of(self.function) is not None

    def restart(self) -> None:
        """Empty the memory; for the beginning of a run."""
        memory = memory_of(self.function)
        if memory is not None:
            memory.restart()

    def state(self) -> Any:
        """The memory in JSON's types; `None` without one."""
        memory = memory_of(self.function)
        return None if memory is None else memory.state()

    def restore(self, state: Any) -> None:
        """Set the memory to what `state` returned."""
        memory = memory_of(self.function)
        if memory is not None:
            memory.restore(state)

    @property
    def end(self) -> str | None:
        """Why a run ends with the present chunk of iterations, if it does."""
        return self.function.end if isinstance(self.function, EndingReward) else None

    def write(self, folder: Path) -> None:
        """Have the function write its files into the folder of a run."""
        if isinstance(self.function, WritingReward):
            self.function.write(folder)

    def record_in(self, folder: Path | None) -> None:
        """Have the function begin its record in the folder of a run, or end it."""
        if isinstance(self.function, RecordingReward):
            self.function.record_in(folder)

    def remarks(self, is_over: bool = False) -> list[str]:
        """What the function has to say about a run that it records."""
        function = self.function
        return function.remarks(is_over) if isinstance(function, RecordingReward) else []

    def use_records(self, folders: Sequence[Path]) -> None:
        """Have the function use what runs found out, and keep there what is new."""
        if isinstance(self.function, CostlyReward):
            self.function.use_records(folders)

    def cost(self, sequences: int) -> list[str]:
        """What it costs at most to measure so many sequences, in words; none if little."""
        if not isinstance(self.function, CostlyReward):
            return []
        return list(filter(None, [self.function.cost(sequences)]))

    def unscored(
        self, tokens: Int[AnyArray, "batch time"], mask: Bool[AnyArray, "batch time"]
    ) -> dict[str, dict[int, str]]:
        """By the name of a term, by row, why it has only a neutral value."""
        if not isinstance(self.function, CostlyReward):
            return {}
        found = self.function.unscored(np.asarray(tokens), np.asarray(mask))
        return {name: dict(rows) for name, rows in found.items()}

    def close(self) -> None:
        """Release what the function holds, such as worker processes."""
        if isinstance(self.function, ClosableReward):
            self.function.close()
