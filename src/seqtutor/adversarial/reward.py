"""A discriminator as reward.

With the logit as reward, c = 1 and a generator that is still its prior, an ideal discriminator
makes the optimum of the tutor's objective the data themselves:

    π* ∝ p·exp(log p_data/p_gen) = p_data        where p_gen = p

and the reward of the shape `prefix` is log p_data(x_t|x_<t)/p_gen(x_t|x_<t), that of each token. At
γ = 1 every shape has the same sum over a sequence as `end`; at smaller γ earlier rewards count
more.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from seqtutor.adversarial.discriminator import ConvolutionalDiscriminator, Discriminator
from seqtutor.adversarial.files import SavedDiscriminator, load_discriminator
from seqtutor.adversarial.settings import GameSettings, RewardTerm
from seqtutor.models.base import SequenceModel
from seqtutor.rewards import Reward, RewardFunction, learned
from seqtutor.settings import require
from seqtutor.training.rollout import roll_out, sample_logits
from seqtutor.vocabulary import Vocabulary


def discriminator_reward(
    discriminator: str | Path | SavedDiscriminator,
    *,
    term: RewardTerm = "logit",
    shape: Literal["end", "prefix"] = "end",
    weight: float = 1.0,
) -> Reward:
    """The reward of a trained discriminator, which no longer learns; its one term has this name.

    Args:
        discriminator: its folder, that of the game in which it learned, or what was read of it.
        term: the reward as a function of D.
        shape: at which steps it is given; see `GameSettings`.
        weight: of the term `discriminator`.

    Raises:
        UserError: if the folder cannot be read; and when a task of another vocabulary is made with
            the reward.
    """
    if not isinstance(discriminator, SavedDiscriminator):
        discriminator = load_discriminator(Path(discriminator))
    return Reward(_Frozen(discriminator, term, shape), {"discriminator": weight})


class _Frozen:
    """A compiled reward whose discriminator is a constant of the programs."""

    is_compiled_reward = True

    def __init__(
        self, saved: SavedDiscriminator, term: RewardTerm, shape: Literal["end", "prefix"]
    ) -> None:
        self._vocabulary = saved.vocabulary
        self._discriminator: ConvolutionalDiscriminator = saved.model
        self._term, self._is_of_prefixes = term, shape == "prefix"

    def bind(self, vocabulary: Vocabulary) -> _Frozen:
        """The same reward, if the discriminator has this vocabulary."""
        require(
            vocabulary == self._vocabulary,
            "the discriminator has another vocabulary than the task; choose one that learned from "
            "the same tokens",
        )
        return self

    def __call__(self, tokens: Array, mask: Array) -> dict[str, Array]:
        """The term, one number a sequence or one a step."""
        value = _values(self._discriminator, tokens, mask, self._term, self._is_of_prefixes)
        return {"discriminator": value}


class RolloutParameters(eqx.Module):
    """The parameters of the shape `rollouts`: D, the policy that completes prefixes, its key."""

    discriminator: Discriminator
    policy: SequenceModel
    key: PRNGKeyArray


@cache
def game_reward(settings: GameSettings, end: int | None = None) -> Reward:
    """The learned reward with the settings' `term`, `shape` and `rollouts`.

    Its parameters are a `Discriminator`; for the shape `rollouts`, `RolloutParameters`. Equal
    settings give the same object, so that tutors share their compiled programs.

    Args:
        settings: of the game.
        end: the token that ends a sequence, if there is one.
    """
    term = settings.term

    @learned
    def of_sequence(discriminator: Discriminator, tokens: Array, mask: Array) -> dict[str, Array]:
        return {term: _values(discriminator, tokens, mask, term, is_of_prefixes=False)}

    @learned
    def of_prefixes(discriminator: Discriminator, tokens: Array, mask: Array) -> dict[str, Array]:
        return {term: _values(discriminator, tokens, mask, term, is_of_prefixes=True)}

    @learned
    def of_rollouts(parameters: RolloutParameters, tokens: Array, mask: Array) -> dict[str, Array]:
        return {term: increments(completed_values(parameters, tokens, mask, settings, end), mask)}

    shapes: dict[str, RewardFunction] = {
        "end": of_sequence,
        "prefix": of_prefixes,
        "rollouts": of_rollouts,
    }
    return Reward(shapes[settings.shape])


def _values(
    discriminator: Discriminator,
    tokens: Int[Array, "batch time"],
    mask: Bool[Array, "batch time"],
    term: RewardTerm,
    is_of_prefixes: bool,
) -> Float[Array, " batch"] | Float[Array, "batch time"]:
    if is_of_prefixes:
        return increments(_of_logit(term, discriminator.prefix_logits(tokens)), mask)
    return _of_logit(term, discriminator.logits(tokens, mask))


def _of_logit(term: RewardTerm, logits: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    if term == "probability":
        return jax.nn.sigmoid(logits)
    if term == "log-probability":
        return jax.nn.log_sigmoid(logits)
    return logits


def increments(
    values: Float[Array, "batch time"], mask: Bool[Array, "batch time"]
) -> Float[Array, "batch time"]:
    """What each token adds to the value, r_t = v_t − v_{t−1}; before the first token v = 0.

    The sum over a sequence is its last value (Ng et al. 1999: a potential, with γ = 1).
    """
    before = jnp.concatenate([jnp.zeros_like(values[:, :1]), values[:, :-1]], axis=1)
    return jnp.where(mask, values - before, 0.0)


def completed_values(
    parameters: RolloutParameters,
    tokens: Int[Array, "batch time"],
    mask: Bool[Array, "batch time"],
    settings: GameSettings,
    end: int | None,
) -> Float[Array, "batch time"]:
    """The value of each prefix: the mean over its completions, and that of a whole sequence.

    (Yu et al. 2017, eq. 4.) Yu weighs log π(a_t|s_t) with this value of s_t and a_t. With its
    increments as reward, REINFORCE's weight is the value of the whole sequence minus that of the
    prefix before the token. The gradient is the same in expectation: the one is an estimate of the
    other, and what is subtracted does not depend on the token.
    """
    batch, length = tokens.shape
    count = settings.rollouts
    prefixes = jnp.repeat(tokens, count, axis=0)

    def value(given: Array) -> Array:
        key = jax.random.fold_in(parameters.key, given)
        completed = complete(parameters.policy, prefixes, given, key, end)
        values = _of_logit(settings.term, parameters.discriminator.logits(*completed))
        return jnp.mean(values.reshape(batch, count), axis=1)

    means = jax.lax.map(value, jnp.arange(1, length))
    whole = _of_logit(settings.term, parameters.discriminator.logits(tokens, mask))
    values = jnp.concatenate([means, whole[None]]).T
    following = jnp.concatenate([mask[:, 1:], jnp.zeros_like(mask[:, :1])], axis=1)
    return jnp.where(following, values, whole[:, None])


def complete(
    policy: SequenceModel,
    tokens: Int[Array, "batch time"],
    given: Int[Array, ""],
    key: PRNGKeyArray,
    end: int | None,
) -> tuple[Int[Array, "batch time"], Bool[Array, "batch time"]]:
    """Sequences that begin with the first `given` tokens and are continued by the policy."""
    batch, length = tokens.shape

    def step(state: tuple[Any, Array], previous: Array) -> tuple[Any, tuple[Array, Array]]:
        inner, position = state
        inner, logits = policy.step(inner, previous)
        return (inner, position + 1), (logits, position)

    def choose(outputs: tuple[Array, Array], step_key: PRNGKeyArray) -> Array:
        logits, position = outputs
        copied = jnp.take_along_axis(tokens, position[:, None], axis=1)[:, 0]
        return jnp.where(position < given, copied, sample_logits(logits, step_key))

    start = (policy.initial_state(batch, length), jnp.zeros(batch, jnp.int32))
    rollout = roll_out(
        step,
        start,
        choose,
        key,
        batch=batch,
        length=length,
        begin=policy.begin,
        end=end,
    )
    return rollout.tokens, rollout.mask
