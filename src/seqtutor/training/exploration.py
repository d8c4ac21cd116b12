"""Behaviours: how tokens are chosen while sequences are collected."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from seqtutor.methods.settings import Exploration
from seqtutor.training.rollout import sample_logits


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
