"""What each step of a batch of sequences is paid: by term, and in total."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from seqtutor.errors import UserError


class RewardBreakdown(eqx.Module):
    """The weighted terms of a batch and their sum, zero past the end of a sequence."""

    terms: dict[str, Float[Array, "batch time"]]
    total: Float[Array, "batch time"]


def break_down(
    terms: Mapping[str, Array],
    weights: Mapping[str, float | Array],
    mask: Bool[Array, "batch time"],
) -> RewardBreakdown:
    """Weight terms and add them up; terms without a weight weigh one.

    Raises:
        UserError: if a weight names no term, or a term has neither shape.
    """
    unknown = sorted(set(weights) - set(terms))
    if unknown:
        raise UserError(f"the reward has no term {unknown[0]!r}; its terms are {', '.join(terms)}")
    weighted = {
        name: weights.get(name, 1.0) * per_step(name, term, mask) for name, term in terms.items()
    }
    return RewardBreakdown(weighted, sum(weighted.values(), jnp.zeros(mask.shape)))


def per_step(name: str, term: Array, mask: Bool[Array, "batch time"]) -> Float[Array, "batch time"]:
    """Spread a term over steps: one number a sequence is paid at its last token.

    Raises:
        UserError: if the term has neither one number a sequence nor one a step.
    """
    if term.shape == mask.shape:
        return jnp.where(mask, term, 0.0)
    if term.shape == mask.shape[:1]:
        following = jnp.concatenate([mask[:, 1:], jnp.zeros_like(mask[:, :1])], axis=1)
        return jnp.where(mask & ~following, term[:, None], 0.0)
    raise UserError(
        f"the reward term {name!r} has shape {term.shape}; it must be {mask.shape[:1]}, one number "
        f"a sequence, or {mask.shape}, one number a step"
    )


def named(terms: Any) -> Mapping[str, Any]:
    """What a reward function returned, if it is a mapping of named terms.

    Raises:
        UserError: if it is not.
    """
    if not isinstance(terms, Mapping) or not terms or not all(isinstance(k, str) for k in terms):
        raise UserError(
            "a reward function must give a dictionary of at least one named term, such as "
            f"{{'length': …}}, not {type(terms).__name__}"
        )
    return terms
