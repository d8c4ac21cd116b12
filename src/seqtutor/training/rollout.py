"""Sampling sequences, one compiled scan for every policy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from seqtutor.methods.settings import Exploration
from seqtutor.models.base import SequenceModel
from seqtutor.types import SequenceBatch

Step = Callable[[Any, Int[Array, " batch"]], tuple[Any, Any]]
Choose = Callable[[Any, PRNGKeyArray], Int[Array, " batch"]]


class Rollout(NamedTuple):
    """Generated tokens, which of them are real, and what the policy put out before each."""

    tokens: Int[Array, "batch time"]
    mask: Bool[Array, "batch time"]
    outputs: Any


def roll_out(
    step: Step,
    initial_state: Any,
    choose: Choose,
    key: PRNGKeyArray,
    *,
    batch: int,
    length: int,
    begin: int,
    end: int | None = None,
    forced: Int[Array, "batch forced"] | None = None,
    given: Int[Array, ""] | None = None,
) -> Rollout:
    """Generate `batch` sequences of up to `length` tokens.

    Args:
        step: reads a token of each sequence and gives the next state and any outputs.
        initial_state: the state before the begin token is read.
        choose: picks the next tokens from the outputs.
        key: random state.
        batch: number of sequences.
        length: number of steps.
        begin: the id read first.
        end: the token that ends a sequence; after it come more of it, masked out.
        forced: tokens that every sequence starts with, in place of chosen ones.
        given: how many of them count, if not all, so that one program serves any number.
    """

    def one(
        carry: tuple[Any, Array, Array], at: tuple[Array, Array]
    ) -> tuple[tuple[Any, Array, Array], tuple[Array, Array, Any]]:
        state, previous, present = carry
        position, step_key = at
        state, outputs = step(state, previous)
        token = choose(outputs, step_key).astype(jnp.int32)
        if forced is not None and forced.shape[1]:
            column = jnp.minimum(position, forced.shape[1] - 1)
            count = forced.shape[1] if given is None else given
            token = jnp.where(position < count, forced[:, column], token)
        if end is not None:
            token = jnp.where(present, token, end)
        going_on = present if end is None else present & (token != end)
        return (state, token, going_on), (token, present, outputs)

    start = (initial_state, jnp.full(batch, begin, jnp.int32), jnp.ones(batch, bool))
    steps = (jnp.arange(length), jax.random.split(key, length))
    _, (tokens, mask, outputs) = jax.lax.scan(one, start, steps)
    batch_first = jax.tree.map(lambda array: array.swapaxes(0, 1), outputs)
    return Rollout(tokens.T, mask.T, batch_first)


def sample_logits(
    logits: Float[Array, "batch vocab"], key: PRNGKeyArray, temperature: Array | float = 1.0
) -> Int[Array, " batch"]:
    """Draw from softmax(logits/temperature) by inverting its cumulative distribution.

    One uniform number a sequence is drawn, where the Gumbel trick needs one a token of the
    vocabulary.
    """
    weights = jax.nn.softmax(logits / temperature, axis=-1)
    cumulative = jnp.cumsum(weights, axis=-1)
    threshold = jax.random.uniform(key, (*logits.shape[:-1], 1)) * cumulative[..., -1:]
    index = jnp.sum(cumulative <= threshold, axis=-1)
    return jnp.minimum(index, logits.shape[-1] - 1)


@eqx.filter_jit
def sample(
    model: SequenceModel,
    key: PRNGKeyArray,
    batch: int,
    length: int,
    temperature: float | Array = 1.0,
    end: int | None = None,
    forced: Int[Array, "batch forced"] | None = None,
    given: Int[Array, ""] | None = None,
) -> Rollout:
    """Sequences from a model; the outputs are its log-probabilities at temperature one."""

    def step(state: Any, tokens: Array) -> tuple[Any, Array]:
        state, logits = model.step(state, tokens)
        return state, jax.nn.log_softmax(logits)

    def choose(log_probabilities: Array, step_key: PRNGKeyArray) -> Array:
        return sample_logits(log_probabilities, step_key, temperature)

    return roll_out(
        step,
        model.initial_state(batch, length),
        choose,
        key,
        batch=batch,
        length=length,
        begin=model.begin,
        end=end,
        forced=forced,
        given=given,
    )


def generate(
    model: SequenceModel,
    key: PRNGKeyArray,
    number: int,
    length: int,
    *,
    end: int | None = None,
    batch: int = 512,
) -> SequenceBatch:
    """Sequences alone, `batch` at a time: no log-probabilities are kept, which fill the memory."""
    size = min(batch, number)
    keys = jax.random.split(key, -(-number // size))
    parts = jax.device_get([_tokens(model, one, size, length, end) for one in keys])
    tokens, mask = (np.concatenate(arrays)[:number] for arrays in zip(*parts, strict=True))
    return SequenceBatch(jnp.asarray(tokens), jnp.asarray(mask))


@eqx.filter_jit
def _tokens(
    model: SequenceModel, key: PRNGKeyArray, batch: int, length: int, end: int | None
) -> tuple[Int[Array, "batch time"], Bool[Array, "batch time"]]:
    # The compiler drops what is not returned from the loop.
    rollout = sample(model, key, batch, length, end=end)
    return rollout.tokens, rollout.mask


def epsilon(settings: Exploration, progress: Float[Array, ""]) -> Float[Array, ""]:
    """The share of uniform tokens when `progress` (0 … 1) of the run is done."""
    fallen = jnp.clip(progress / max(settings.epsilon_decay_share, 1e-9), 0.0, 1.0)
    return settings.epsilon_start + fallen * (settings.epsilon_end - settings.epsilon_start)


def explore(
    logits: Float[Array, "batch vocab"],
    key: PRNGKeyArray,
    settings: Exploration,
    epsilon_now: Float[Array, ""],
) -> Int[Array, " batch"]:
    """Choose a token for each sequence."""
    size = logits.shape[-1]
    coin_key, token_key = jax.random.split(key)
    coin = jax.random.uniform(coin_key, logits.shape[:-1])
    if settings.behaviour == "greedy":
        chosen = jnp.argmax(logits, axis=-1)
    else:
        chosen = sample_logits(logits, token_key, settings.temperature)
    # Below epsilon the coin, divided by it, is itself uniform and picks the random token.
    random = jnp.minimum((coin / jnp.maximum(epsilon_now, 1e-9) * size).astype(jnp.int32), size - 1)
    return jnp.where(coin < epsilon_now, random, chosen)
