"""What a reward function may be.

Every reward function takes `tokens` (`Int["batch time"]`) and `mask` (`Bool["batch time"]`, true up
to and including the last token of a sequence) and returns a mapping of at least one named term. A
term has the shape `["batch time"]`, one number a step, or `["batch"]`, one number a sequence, which
is paid at the last token. Terms must be causal: what step t is paid depends on tokens up to t alone
(`seqtutor.rewards.require_causal` looks for violations).

A function is one of three kinds:

- `HostReward`, a plain function of NumPy arrays, which compiled programs call back;
- `CompiledReward`, written in JAX and marked with `compiled`, which is traced into the programs;
- `LearnedReward`, a compiled one with parameters, marked with `learned`.

A host reward may have further methods, each with a protocol of its own: `start`, to compute while
the device goes on; `restart`, `state` and `restore`, if it has a memory; `end`, to end a run;
`write`, to keep files in a run's folder; `record_in` and `remarks`, to record a run there; `cost`,
`use_records` and `unscored`, where values are dear or may fail; `close`, to release what it holds;
`bind`, to be given the task's vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from seqtutor.errors import UserError
from seqtutor.vocabulary import Vocabulary

_Function = TypeVar("_Function", bound=Callable)


@runtime_checkable
class HostReward(Protocol):
    """A function of NumPy arrays, called on the host from compiled programs.

    It must give the same names and shapes for every batch of one shape. To learn them it is called
    once, on sequences of the first token, whenever a program is compiled.
    """

    def __call__(self, tokens: Any, mask: Any, /) -> Mapping[str, Any]:
        """The terms of a batch, as arrays or lists."""


@runtime_checkable
class CompiledReward(Protocol):
    """A pure function of JAX arrays, marked with `compiled`.

    It is traced once for a program: what it reads besides its arguments must not change.
    """

    def __call__(self, tokens: Any, mask: Any, /) -> Mapping[str, Any]:
        """The terms of a batch, as JAX arrays."""


@runtime_checkable
class LearnedReward(Protocol):
    """A pure function of parameters and JAX arrays, marked with `learned`, such as a discriminator.

    The parameters are a pytree. They are an argument of the compiled programs, so that they can
    change between two calls of a program without another compilation.
    """

    def __call__(self, parameters: Any, tokens: Any, mask: Any, /) -> Mapping[str, Any]:
        """The terms of a batch, as JAX arrays."""


RewardFunction = HostReward | CompiledReward | LearnedReward


@runtime_checkable
class PendingTerms(Protocol):
    """Terms that are being computed."""

    def collect(self) -> Mapping[str, Any]:
        """Wait for the terms."""


@runtime_checkable
class AsynchronousReward(HostReward, Protocol):
    """A host reward that computes elsewhere, for instance in worker processes.

    Methods that learn from a replay learn while it computes. Batches are collected in the order in
    which they were started.
    """

    def start(self, tokens: Any, mask: Any, /) -> PendingTerms:
        """Begin to compute the terms of a batch; the arrays are only valid during the call."""


@runtime_checkable
class RewardWithMemory(HostReward, Protocol):
    """A host reward whose terms depend on the batches before, so that runs cannot share it.

    A class some of whose instances have no memory says so by an attribute `has_memory`.
    """

    def restart(self) -> None:
        """Empty the memory; called at the beginning of a run."""

    def state(self) -> Any:
        """The memory in JSON's types, for a checkpoint."""

    def restore(self, state: Any) -> None:
        """Set the memory to what `state` returned; called when a run is resumed."""


@runtime_checkable
class EndingReward(Protocol):
    """A reward that can end a run, for instance when a budget is spent."""

    @property
    def end(self) -> str | None:
        """Why the run ends with the present chunk of iterations; `None` while it goes on."""


@runtime_checkable
class WritingReward(Protocol):
    """A reward that keeps files of its own in the folder of a run."""

    def write(self, folder: Path) -> None:
        """Write the files as they are now, replacing older ones.

        Called after each record and at the end of a run.
        """


@runtime_checkable
class RecordingReward(Protocol):
    """A reward that keeps a record of a run in its folder, as the run goes on.

    While it records it has a memory, so that the record continues where an interrupted run does.
    """

    def record_in(self, folder: Path | None) -> None:
        """Begin in the folder of a run, before `restart` or `restore`; end with `None`."""

    def remarks(self, is_over: bool) -> list[str]:
        """What the user should know by now; asked after each record and when the run is over."""


@runtime_checkable
class CostlyReward(Protocol):
    """A reward whose values may be dear, such as those of a simulation, and are kept with runs."""

    def use_records(self, folders: Sequence[Path]) -> None:
        """Take what runs with this reward found out from their folders, and keep there what is new.

        Called before sequences are measured.
        """

    def cost(self, sequences: int) -> str | None:
        """What it costs at most to measure so many sequences, for the user; `None` if little."""

    def unscored(self, tokens: Any, mask: Any) -> Mapping[str, Mapping[int, str]]:
        """By the name of a term, by row, why it has no value, in whose place a neutral one stands.

        Asked for sequences whose terms were computed before.
        """


@runtime_checkable
class ClosableReward(Protocol):
    """A reward that holds something, such as worker processes."""

    def close(self) -> None:
        """Release it; called by `Task.close`, perhaps more than once."""


@runtime_checkable
class VocabularyReward(Protocol):
    """A reward that needs the vocabulary, which is known once there is a task."""

    def bind(self, vocabulary: Vocabulary) -> HostReward:
        """The reward for this vocabulary; called when a `Task` is made."""


def compiled(function: _Function) -> _Function:
    """Mark a reward function as written in JAX, to be traced into compiled programs."""
    function.is_compiled_reward = True  # type: ignore[attr-defined]
    return function


def learned(function: _Function) -> _Function:
    """Mark a reward function as written in JAX and taking parameters as its first argument."""
    function.is_learned_reward = True  # type: ignore[attr-defined]
    return compiled(function)


def is_compiled(function: RewardFunction) -> bool:
    """Whether the function is marked with `compiled` or `learned`."""
    return getattr(function, "is_compiled_reward", False)


def is_learned(function: RewardFunction) -> bool:
    """Whether the function is marked with `learned`."""
    return getattr(function, "is_learned_reward", False)


def memory_of(function: RewardFunction) -> RewardWithMemory | None:
    """The function, if it has a memory.

    Raises:
        UserError: if it has some of the methods of `RewardWithMemory` and lacks others.
    """
    there = [name for name in ("restart", "restore", "state") if hasattr(function, name)]
    if not getattr(function, "has_memory", True) or there in ([], ["state"]):
        return None
    if not isinstance(function, RewardWithMemory):
        missing = {"restart", "restore", "state"}.difference(there)
        raise UserError(
            f"a reward with a memory needs restart(), state() and restore(); this one lacks "
            f"{', '.join(sorted(missing))}"
        )
    return function
