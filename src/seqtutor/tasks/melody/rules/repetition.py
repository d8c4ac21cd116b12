"""Do not repeat one note over and over."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from seqtutor.tasks.melody.encoding import HOLD, NOTE_OFF
from seqtutor.tasks.melody.rule_settings import MelodyRuleSettings
from seqtutor.tasks.melody.rules.arrays import is_note, walk


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class _Run:
    """What was heard before a step.

    Attributes:
        pitch: the last pitch, 0 before the first.
        soundings: how often it sounded since the last other pitch.
        breaks: rests and holds since the last other pitch.
        rests: rests since the last pitch.
        holds: holds since the last pitch.
    """

    pitch: Int[Array, " batch"]
    soundings: Int[Array, " batch"]
    breaks: Int[Array, " batch"]
    rests: Int[Array, " batch"]
    holds: Int[Array, " batch"]


def is_excessively_repeated(
    tokens: Int[Array, "batch time"], settings: MelodyRuleSettings
) -> Bool[Array, "batch time"]:
    """True where `penalize_repeating` applies."""

    def step(run: _Run, token: Array) -> tuple[_Run, Array]:
        note, rest, hold = is_note(token), token == NOTE_OFF, token == HOLD
        is_same = note & (token == run.pitch)
        repeats = jnp.where(is_same, run.soundings, 0)
        repeats = jnp.where(rest, run.rests, jnp.where(hold, run.holds, repeats))
        breaks = jnp.where(rest, run.holds, jnp.where(hold, run.rests, run.breaks))
        allowed = jnp.where(
            breaks > 0, settings.allowed_repeats_with_breaks, settings.allowed_repeats
        )
        is_excessive = (repeats >= allowed) | (rest & (repeats >= settings.allowed_rests))
        if not settings.repetition_counts_holds:
            is_excessive &= ~hold
        is_other = note & ~is_same
        heard = _Run(
            pitch=jnp.where(note, token, run.pitch),
            soundings=jnp.where(is_other, 0, run.soundings) + note,
            breaks=jnp.where(is_other, run.rests + run.holds, run.breaks) + ~note,
            rests=jnp.where(note, 0, run.rests + rest),
            holds=jnp.where(note, 0, run.holds + hold),
        )
        return heard, is_excessive

    return walk(step, _Run(*[jnp.zeros_like(tokens[:, 0])] * 5), tokens)


def penalize_repeating(
    tokens: Int[Array, "batch time"], settings: MelodyRuleSettings
) -> Float[Array, "batch time"]:
    """One note is not repeated over and over, unless rests or held notes come between.

    (Jaques et al. 2017, section 4, after Gauldin's counterpoint.) Look back from step t over all
    tokens up to the last pitch other than token t. Of these, m equal token t. Rests and holds
    other than token t itself are breaks. r_t = `repetition_penalty` (−100) if

    - token t is a note-off and m ≥ `allowed_rests` (2): the third rest;
    - there is no break and m ≥ `allowed_repeats` (5): the sixth note in a row;
    - there is a break and m ≥ `allowed_repeats_with_breaks` (7): the eighth;

    else 0. A hold is counted like a pitch, with rests as its breaks: the rule punishes long notes
    too, which its name does not say, unless `repetition_counts_holds` is false.
    """
    excessive = is_excessively_repeated(tokens, settings)
    return jnp.where(excessive, settings.repetition_penalty, 0.0)
