"""What is to be generated, and the reward for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from seqtutor.errors import UserError
from seqtutor.measure import Measure, MeasureGroup, checked_measures
from seqtutor.rewards import Reward, RewardFunction
from seqtutor.settings import require_name
from seqtutor.vocabulary import Vocabulary


@dataclass(frozen=True)
class Task:
    """Sequences of a vocabulary up to `max_length`, and their reward.

    `reward` may be given as a function in one of the protocols of `seqtutor.rewards.protocols`; the
    task holds a `Reward`. Without an end token in the vocabulary every sequence has exactly
    `max_length` tokens.

    `measures` are what sequences are measured by beside the reward: rows of the task's tables.

    `network` makes a network that is given the state of the reward, for the c that divides it: a
    `SequenceModel` whose logits are zero, which tuning begins with where its setting `network` says
    so. See `seqtutor.models.informed`.

    A reward may hold something, such as worker processes. `close` releases it, as does a `with`
    block around the use of the task.

    Raises:
        UserError: if `max_length` is below one, anything is not of its type, the name cannot be one
            of a folder, or two measures have the same name.
    """

    vocabulary: Vocabulary
    max_length: int
    reward: Reward
    name: str = field(default="task")
    measures: tuple[Measure | MeasureGroup, ...] = field(default=(), compare=False)
    network: Callable[[float], Any] | None = field(default=None, compare=False)

    if TYPE_CHECKING:

        def __init__(
            self,
            vocabulary: Vocabulary,
            max_length: int,
            reward: Reward | RewardFunction,
            name: str = ...,
            measures: Sequence[Measure | MeasureGroup] = ...,
            network: Callable[[float], Any] | None = ...,
        ) -> None: ...

    def __post_init__(self) -> None:
        if not isinstance(self.vocabulary, Vocabulary):
            raise UserError(f"a task needs a seqtutor.Vocabulary, not {self.vocabulary!r}")
        if not isinstance(self.max_length, int) or self.max_length < 1:
            raise UserError(f"a task needs a length of at least one token, not {self.max_length!r}")
        if not callable(self.reward):
            raise UserError(f"a task needs a reward function, not {self.reward!r}")
        require_name(self.name)
        object.__setattr__(self, "measures", checked_measures(self.measures))
        reward = self.reward if isinstance(self.reward, Reward) else Reward(self.reward)
        object.__setattr__(self, "reward", reward.bound_to(self.vocabulary))

    def close(self) -> None:
        """Release what the reward holds."""
        self.reward.close()

    def __enter__(self) -> Task:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
