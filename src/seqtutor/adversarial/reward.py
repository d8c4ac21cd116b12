"""A discriminator's judgement as the tutor's reward.

With the logit as reward, weight c = 1 and a generator that is still its prior, an ideal
discriminator makes the optimum of the tutor's objective the data itself:

    π* ∝ p·exp(log p_data/p_gen) = p_data        where p_gen = p

and the reward of the shape `prefix` is log p_data(x_t|x_<t)/p_gen(x_t|x_<t), each token's own
share. At γ = 1 every shape pays a whole sequence the same in sum as `end` does; at smaller γ what
is paid early counts more.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from seqtutor.adversarial.discriminator import Discriminator
from seqtutor.adversarial.settings import AdversarySettings, RewardTerm
from seqtutor.models.base import SequenceModel
from seqtutor.rewards import Reward, RewardFunction, learned
from seqtutor.training.rollout import roll_out, sample_logits


class Completing(eqx.Module):
    """The parameters of the shape `rollouts`: who judges, who completes, and by which chance."""

    discriminator: Discriminator
    policy: SequenceModel
    key: PRNGKeyArray


@cache
def discriminator_reward(settings: AdversarySettings, end: int | None = None) -> Reward:
    """The learned reward that the settings' `term`, `shape` and `rollouts` ask for.

    Its parameters are a `Discriminator`; for the shape `rollouts` a `Completing`. Equal settings
    give the same object, so that tutors share their compiled programs.

    Args:
        settings: of the game.
        end: the token that ends a sequence, where there is one.
    """
    term = settings.term

    @learned
    def at_the_end(judge: Discriminator, tokens: Array, mask: Array) -> dict[str, Array]:
        return {term: _of_logit(term, judge.logits(tokens, mask))}

    @learned
    def by_prefix(judge: Discriminator, tokens: Array, mask: Array) -> dict[str, Array]:
        return {term: increments(_of_logit(term, judge.prefix_logits(tokens)), mask)}

    @learned
    def by_rollouts(judge: Completing, tokens: Array, mask: Array) -> dict[str, Array]:
        return {term: increments(completed_values(judge, tokens, mask, settings, end), mask)}

    shapes: dict[str, RewardFunction] = {
        "end": at_the_end,
        "prefix": by_prefix,
        "rollouts": by_rollouts,
    }
    return Reward(shapes[settings.shape])


def _of_logit(term: RewardTerm, logits: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    if term == "probability":
        return jax.nn.sigmoid(logits)
    if term == "log-probability":
        return jax.nn.log_sigmoid(logits)
    return logits


def increments(
    values: Float[Array, "batch time"], mask: Bool[Array, "batch time"]
) -> Float[Array, "batch time"]:
    """What each token adds, r_t = v_t − v_{t−1}; before the first token v = 0.

    Their sum over a sequence is its last value (Ng et al. 1999: a potential, with γ = 1).
    """
    before = jnp.concatenate([jnp.zeros_like(values[:, :1]), values[:, :-1]], axis=1)
    return jnp.where(mask, values - before, 0.0)


def completed_values(
    judge: Completing,
    tokens: Int[Array, "batch time"],
    mask: Bool[Array, "batch time"],
    settings: AdversarySettings,
    end: int | None,
) -> Float[Array, "batch time"]:
    """The mean of each prefix's completions; the whole sequence has its own value.

    (Yu et al. 2017, eq. 4.) Yu weighs log π(a_t|s_t) with this value of s_t and a_t. Paid as
    increments, REINFORCE's weight is the whole sequence's value less that of the prefix before the
    token: in expectation the same gradient, since the one is an estimate of the other and what is
    taken off does not depend on the token.
    """
    batch, length = tokens.shape
    count = settings.rollouts
    prefixes = jnp.repeat(tokens, count, axis=0)

    def value(given: Array) -> Array:
        key = jax.random.fold_in(judge.key, given)
        completed = complete(judge.policy, prefixes, given, key, end)
        values = _of_logit(settings.term, judge.discriminator.logits(*completed))
        return jnp.mean(values.reshape(batch, count), axis=1)

    means = jax.lax.map(value, jnp.arange(1, length))
    whole = _of_logit(settings.term, judge.discriminator.logits(tokens, mask))
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
    """Sequences that begin with the first `given` tokens and go on as the policy does."""
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
