"""What the rules share: shifting, walking along, the previous note, the length of a melody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Shaped

from seqtutor.tasks.melody.encoding import LOWEST_PITCH_TOKEN
from seqtutor.tasks.melody.rule_settings import MelodyRuleSettings

State = TypeVar("State")


def shifted(values: Shaped[Array, "batch time"], steps: int) -> Shaped[Array, "batch time"]:
    """Delay along time by `steps`, with zeros at the beginning."""
    time = values.shape[1]
    if steps >= time:
        return jnp.zeros_like(values)
    return jnp.pad(values[:, : time - steps], ((0, 0), (steps, 0)))


def is_note(tokens: Int[Array, "*shape"]) -> Bool[Array, "*shape"]:
    """True where a pitch starts, false for note-offs and holds."""
    return tokens >= LOWEST_PITCH_TOKEN


def walk(
    step: Callable[[State, Int[Array, " batch"]], tuple[State, Any]],
    start: State,
    values: Int[Array, "batch time"],
) -> Any:
    """Step through all melodies at once, and give what each step puts out, batch first.

    Some rules need a state that is carried along. A scan also ends the compiler's fusion: left to
    itself it recomputes such running values for each of their uses, which costs far more.
    """
    _, outputs = jax.lax.scan(step, start, values.T)
    return jax.tree.map(jnp.transpose, outputs)


def running_sum(values: Int[Array, "batch time"]) -> Int[Array, "batch time"]:
    """The sum so far, the step itself included."""
    return walk(_add, jnp.zeros_like(values[:, 0]), values)


def _add(total: Array, value: Array) -> tuple[Array, Array]:
    return total + value, total + value


def previous_note(tokens: Int[Array, "batch time"]) -> Int[Array, "batch time"]:
    """The token of the last pitch before each step, 0 where there is none yet."""
    return walk(_remember_note, jnp.zeros_like(tokens[:, 0]), tokens)


def _remember_note(last: Array, token: Array) -> tuple[Array, Array]:
    return jnp.where(is_note(token), token, last), last


def melody_lengths(
    tokens: Int[Array, "batch time"],
    settings: MelodyRuleSettings,
    lengths: Int[Array, " batch"] | None,
) -> Int[Array, "batch_or_1 1"]:
    """The length of each melody: as given, else as set, else that of the array."""
    if lengths is None:
        lengths = jnp.asarray([settings.melody_length or tokens.shape[1]])
    return lengths[:, None]
