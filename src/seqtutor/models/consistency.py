"""A check that a model gives the same logits token by token and for whole sequences."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from seqtutor.errors import UserError
from seqtutor.models.base import AdaptedModel, SequenceModel, shift_right

SEQUENCES = 4
"""Random sequences that the two ways are compared on."""
TOLERANCE = 0.01
"""Largest difference, as a share of the range of the logits; products of a GPU are rounded to three
digits."""


def require_consistent(model: SequenceModel, length: int, key: PRNGKeyArray | None = None) -> None:
    """Compare `step` with `unroll` on a few random sequences.

    Sampling uses the one and learning the other, so that a model in which they differ learns about
    another policy than the one that acts. Logits that are not finite are not compared.

    Args:
        model: is compiled both ways; the programs are kept for models of the same shapes.
        length: tokens in each sequence, as many as those of the task.
        key: of the random tokens.

    Raises:
        UserError: if a leaf of the model is not an array of floating-point numbers, or the logits
            have another shape than (batch, time, vocabulary), or the two ways differ by more
            than rounding.
    """
    _require_floating_point(model)
    key = jax.random.key(0) if key is None else key
    tokens = jax.random.randint(key, (SEQUENCES, length), 0, model.vocabulary_size)
    stepped, unrolled = map(np.asarray, _logits_both_ways(model, tokens))
    expected = (*tokens.shape, model.vocabulary_size)
    for name, logits in (("step", stepped), ("unroll", unrolled)):
        if logits.shape != expected:
            raise UserError(
                f"`{name}` of the model {_kind_of(model)!r} gives logits of the shape "
                f"{logits.shape} for {expected[0]} sequences of {length} tokens out of "
                f"{expected[2]}"
            )
    if not (np.isfinite(stepped).all() and np.isfinite(unrolled).all()):
        return
    difference = np.abs(stepped - unrolled).max()
    if difference > TOLERANCE * np.ptp(unrolled):
        raise UserError(
            f"the model {_kind_of(model)!r} gives other logits token by token (`advance`) than for "
            f"whole sequences (`features`): the largest difference is {difference:.3g}, where "
            f"logits range over {np.ptp(unrolled):.3g}"
        )


def _require_floating_point(model: SequenceModel) -> None:
    for path, leaf in jax.tree_util.tree_leaves_with_path(model):
        if not eqx.is_inexact_array(leaf):
            name = jax.tree_util.keystr(path, simple=True, separator=".")
            raise UserError(
                f"{name} of the model {_kind_of(model)!r} is not an array of floating-point "
                "numbers; make it a static field, or compute it where it is used"
            )


def _kind_of(model: SequenceModel) -> str:
    """The kind that a user knows: of the model that was adapted, not of the wrapper."""
    return _kind_of(model.model) if isinstance(model, AdaptedModel) else model.kind


@eqx.filter_jit
def _logits_both_ways(
    model: SequenceModel, tokens: Int[Array, "batch time"]
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    inputs = shift_right(tokens, model.begin).T
    state = model.initial_state(*tokens.shape)
    _, stepped = jax.lax.scan(lambda *at: model.step(*at), state, inputs)
    return jnp.swapaxes(stepped, 0, 1), model.unroll(tokens)
