"""What the particles of sequential Monte Carlo are extended by, and what is expected of them."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from seqtutor.methods.registry import method_named
from seqtutor.models.action_values import ActionValueNetwork
from seqtutor.models.base import SequenceModel


class Outlook(NamedTuple):
    """What a proposal says before a token: log q, log p of every token, and the twist V(s)."""

    log_proposal: Float[Array, "batch vocab"]
    log_prior: Float[Array, "batch vocab"]
    value: Float[Array, " batch"]


class Proposal(eqx.Module):
    """What particles are extended by."""

    prior: SequenceModel

    @abstractmethod
    def initial_state(self, batch: int, length: int) -> Any:
        """The state before any token."""

    @abstractmethod
    def step(self, state: Any, tokens: Int[Array, " batch"]) -> tuple[Any, Outlook]:
        """Read one token of each sequence, the first of them `begin`."""


class Untwisted(Proposal):
    """A policy, or the prior itself where there is none, without a twist."""

    policy: SequenceModel | None = None

    def initial_state(self, batch: int, length: int) -> Any:
        """Of both models."""
        models = (self.prior,) if self.policy is None else (self.prior, self.policy)
        return tuple(model.initial_state(batch, length) for model in models)

    def step(self, state: Any, tokens: Int[Array, " batch"]) -> tuple[Any, Outlook]:
        """Log-probabilities of both; V = 0."""
        prior_state, logits = self.prior.step(state[0], tokens)
        log_prior = jax.nn.log_softmax(logits)
        zero = jnp.zeros(len(tokens))
        if self.policy is None:
            return (prior_state,), Outlook(log_prior, log_prior, zero)
        policy_state, logits = self.policy.step(state[1], tokens)
        return (prior_state, policy_state), Outlook(jax.nn.log_softmax(logits), log_prior, zero)


class Twisted(Proposal):
    """The policy of a trained network, with its soft values as twist.

    Attributes:
        prior: p.
        network: logits and a value.
        method: the name of the method that trained it, whose `soft_value` is V.
        scale: of V and of log π/p: c₀/c where the network was trained with c₀.
    """

    network: ActionValueNetwork
    scale: Float[Array, ""]
    method: str = eqx.field(static=True)

    def initial_state(self, batch: int, length: int) -> Any:
        """Of the prior and the network."""
        both = (self.prior, self.network.model)
        return tuple(model.initial_state(batch, length) for model in both)

    def step(self, state: Any, tokens: Int[Array, " batch"]) -> tuple[Any, Outlook]:
        """The policy as the method defines it, for c, and the value of the state."""
        method = method_named(self.method)
        assert method.soft_value is not None
        prior_state, logits = self.prior.step(state[0], tokens)
        log_prior = jax.nn.log_softmax(logits)
        network_state, output = self.network.step(state[1], tokens, log_prior)
        logits = method.policy_logits(output, log_prior)
        log_policy = jax.nn.log_softmax(log_prior + self.scale * (logits - log_prior))
        value = self.scale * method.soft_value(output, log_prior)
        return (prior_state, network_state), Outlook(log_policy, log_prior, value)
