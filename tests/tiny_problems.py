"""Problems small enough to enumerate, shared by the tests of the core."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import log_softmax

from seqtutor.methods.base import Experience
from seqtutor.methods.registry import method_named, method_names
from seqtutor.models.base import SequenceModel
from seqtutor.models.lstm import LSTM
from seqtutor.objectives.temporal_difference import of_action
from seqtutor.rewards import Reward, compiled
from seqtutor.task import Task
from seqtutor.vocabulary import Vocabulary

METHODS = {name: method_named(name) for name in method_names()}
ON_POLICY = [name for name, method in METHODS.items() if method.is_on_policy]
OFF_POLICY = [name for name, method in METHODS.items() if method.learns_from == "replay"]
TOKENS = jnp.array([[0, 2, 1, 1, 0, 2, 2], [2, 2, 0, 1, 1, 0, 0]])


def vocabulary(size: int, *, has_end: bool = False) -> Vocabulary:
    """Tokens "0", "1", …; the last one is the end token, where there is one."""
    tokens = tuple(str(index) for index in range(size))
    return Vocabulary(tokens, tokens[-1] if has_end else None)


def prior(size: int, *, seed: int = 3, hidden: tuple[int, ...] = (16,), scale: float = 3.0) -> LSTM:
    """A random LSTM whose weights are scaled up, so that its distribution is far from uniform."""
    model = LSTM(size, hidden, key=jax.random.key(seed))
    return jax.tree.map(lambda array: scale * array, model)


def bigram_reward(size: int, length: int, *, seed: int = 5) -> Reward:
    """A normal random number for every position, previous token and token."""
    table = jax.random.normal(jax.random.key(seed), (length, size, size))

    @compiled
    def bigram(tokens: jax.Array, mask: jax.Array) -> dict[str, jax.Array]:
        del mask
        previous = jnp.concatenate([jnp.zeros_like(tokens[:, :1]), tokens[:, :-1]], axis=1)
        return {"bigram": table[jnp.arange(length)[None], previous, tokens]}

    return Reward(bigram)


def task(size: int, length: int, *, has_end: bool = False, seed: int = 5) -> Task:
    """Sequences of `size` tokens judged by `bigram_reward`."""
    reward = bigram_reward(size, length, seed=seed)
    return Task(vocabulary(size, has_end=has_end), length, reward)


@eqx.filter_jit
def unroll(model: SequenceModel, tokens: jax.Array) -> jax.Array:
    """Logits by teacher forcing."""
    return model.unroll(tokens)


@eqx.filter_jit
def step_by_step(model: SequenceModel, tokens: jax.Array) -> jax.Array:
    """Logits from `step` alone, fed the begin id and then each token."""
    inputs = jnp.concatenate([jnp.full_like(tokens[:, :1], model.begin), tokens[:, :-1]], axis=1)
    state = model.initial_state(*tokens.shape)
    return jax.lax.scan(lambda *at: model.step(*at), state, inputs.T)[1].swapaxes(0, 1)


def random_policy(
    prior_levels: list[np.ndarray], rng: np.random.Generator, spread: float = 2.0
) -> list[np.ndarray]:
    """Normalised log-probabilities for every prefix, drawn at random."""
    return [log_softmax(spread * rng.normal(size=level.shape), axis=1) for level in prior_levels]


def arrays_of(tree: object) -> list[np.ndarray]:
    """Every array of a pytree, random keys as their words."""
    arrays = jax.tree.leaves(eqx.filter(tree, eqx.is_array))
    return [
        np.asarray(
            jax.random.key_data(array)
            if jnp.issubdtype(array.dtype, jax.dtypes.prng_key)
            else array
        )
        for array in arrays
    ]


def identical(one: object, other: object) -> bool:
    """Whether two pytrees hold the same bits."""
    pairs = zip(arrays_of(one), arrays_of(other), strict=True)
    return all(np.array_equal(a, b, equal_nan=True) for a, b in pairs)


def in_float64(tree: object) -> object:
    """The pytree with its single-precision arrays in double precision, which must be enabled."""
    return jax.tree.map(lambda a: a.astype(float) if a.dtype == jnp.float32 else a, tree)


def experience_of(
    tokens: jax.Array, mask: jax.Array, rewards: jax.Array, log_prior: jax.Array
) -> Experience:
    """Sequences with all that the prior says of them, for whatever method."""
    return Experience(tokens, mask, rewards, of_action(log_prior, tokens), log_prior)
