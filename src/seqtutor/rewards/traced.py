"""Calls of a reward function that is written in JAX, while a program is traced."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from seqtutor.errors import UserError, name_of, place_in
from seqtutor.rewards.breakdown import named
from seqtutor.rewards.host import failed
from seqtutor.rewards.protocols import RewardFunction


def traced_terms(function: RewardFunction, *arguments: Any) -> dict[str, jax.Array]:
    """The terms of a compiled reward, in single precision.

    Raises:
        UserError: if the function fails, cannot be traced, or what it returns is not named terms.
    """
    try:
        terms = function(*arguments)
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        if not _is_of_tracing(error):
            raise failed(function, error) from error
        reason = f"{type(error).__name__}: {str(error).splitlines()[0].rstrip('.')}"
        raise UserError(
            f"the reward {name_of(function)} is marked as compiled, but JAX cannot trace it: "
            f"{reason}{place_in(function, error)}; use jax.numpy alone and no Python "
            "condition on a value, or leave out the mark"
        ) from error
    return {name: _as_numbers(name, term) for name, term in named(terms).items()}


def _is_of_tracing(error: BaseException) -> bool:
    """Whether a function asked for the values of arrays that have none while it is traced."""
    own = isinstance(error, jax.errors.JAXTypeError | jax.errors.JAXIndexError)
    return own or "Tracer" in str(error)


def _as_numbers(name: str, term: Any) -> jax.Array:
    try:
        return jnp.asarray(term, jnp.float32)
    except (TypeError, ValueError):
        raise UserError(f"the reward term {name!r} is not an array of real numbers") from None
