"""What is to be generated, and what is good."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from seqtutor.errors import UserError
from seqtutor.vocabulary import Vocabulary

if TYPE_CHECKING:
    from seqtutor.rewards import Reward, RewardFunction


@dataclass(frozen=True)
class Task:
    """Sequences of a vocabulary up to `max_length`, and the reward that judges them.

    `reward` is a `Reward` or a bare function in its protocol. Without an end token in the
    vocabulary every sequence has exactly `max_length` tokens.

    A reward may have started something, such as worker processes. `close` ends it, as does a `with`
    block around the task's use.

    Raises:
        UserError: if `max_length` is below one, or anything is not of its type.
    """

    vocabulary: Vocabulary
    max_length: int
    reward: Reward | RewardFunction
    name: str = field(default="task")

    def __post_init__(self) -> None:
        from seqtutor.rewards import as_reward

        if not isinstance(self.vocabulary, Vocabulary):
            raise UserError(f"a task needs a seqtutor.Vocabulary, not {self.vocabulary!r}")
        if not isinstance(self.max_length, int) or self.max_length < 1:
            raise UserError(f"a task needs a length of at least one token, not {self.max_length!r}")
        if not callable(self.reward):
            raise UserError(f"a task needs a reward function, not {self.reward!r}")
        object.__setattr__(self, "reward", as_reward(self.reward))

    def close(self) -> None:
        """End what the reward has started."""
        from seqtutor.rewards import as_reward

        as_reward(self.reward).close()

    def __enter__(self) -> Task:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
