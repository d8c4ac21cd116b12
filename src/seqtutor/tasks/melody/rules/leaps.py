"""Leaps: what goes up by a leap comes back."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from seqtutor.tasks.melody.rule_settings import MelodyRuleSettings
from seqtutor.tasks.melody.rules.arrays import is_note, walk

RESOLVED = 1
DOUBLED = -1


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LeapTrack:
    """Leaps of a melody, step by step.

    Attributes:
        outcome: `RESOLVED`, `DOUBLED` or 0.
        pending: the leap that waits for its resolution after the step: the token it came from,
            positive if it went up, negative if down, 0 if there is none.
        steps_since: steps since the last leap (since the start before the first), after the step.
    """

    outcome: Int[Array, "batch time"]
    pending: Int[Array, "batch time"]
    steps_since: Int[Array, "batch time"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class _State:
    """The last pitch (0: none yet), the pending leap and the steps since the last one."""

    pitch: Int[Array, " batch"]
    pending: Int[Array, " batch"]
    steps_since: Int[Array, " batch"]


def track_leaps(tokens: Int[Array, "batch time"], settings: MelodyRuleSettings) -> LeapTrack:
    """Follow every leap to its resolution; `leap_up_back` says how."""

    def step(state: _State, token: Array) -> tuple[_State, LeapTrack]:
        note, pending = is_note(token), state.pending
        distance = jnp.where(note & (state.pitch > 0), token - state.pitch, 0)
        is_leap = jnp.abs(distance) >= settings.leap_minimum_semitones
        is_pending = pending != 0
        same_direction = jnp.sign(distance) == jnp.sign(pending)
        is_doubled = is_pending & is_leap & same_direction
        is_leap_back = is_pending & is_leap & ~same_direction
        has_waited = state.steps_since >= settings.minimum_steps_before_leap_back
        # token ≤ origin after a leap up, token ≥ origin after a leap down.
        is_back = token * jnp.sign(pending) <= pending
        is_return = is_pending & note & ~is_leap & is_back
        is_resolved = is_return | (is_leap_back & has_waited)
        new_leap = jnp.where(is_leap, jnp.sign(distance) * state.pitch, 0)
        still_pending = jnp.where(is_pending, pending, new_leap)
        after = _State(
            pitch=jnp.where(note, token, state.pitch),
            pending=jnp.where(is_return | is_leap_back, 0, still_pending),
            steps_since=jnp.where(is_leap, 0, state.steps_since + 1),
        )
        outcome = jnp.where(is_resolved, RESOLVED, jnp.where(is_doubled, DOUBLED, 0))
        return after, LeapTrack(outcome, after.pending, after.steps_since)

    nothing = jnp.zeros_like(tokens[:, 0])
    # Nothing comes before the first step: the count is 0 after it.
    return walk(step, _State(nothing, nothing, nothing - 1), tokens)


def leap_up_back(
    tokens: Int[Array, "batch time"], settings: MelodyRuleSettings
) -> Float[Array, "batch time"]:
    """A leap is resolved, by a leap back or by gradual motion against its direction.

    (Gauldin, as cited by Jaques et al. 2017, section 4.) A leap is an interval between successive
    pitches of at least `leap_minimum_semitones` (7, a fifth); it is pending until resolved, and
    meanwhile

    - a pitch reached without a leap, at or beyond where the leap came from, resolves it:
      r_t = `leap_resolved_reward` (5);
    - a leap the other way ends it, and resolves it (5) if at least
      `minimum_steps_before_leap_back` (7) steps lie between it and the last leap, else 0;
    - a leap the same way doubles it: r_t = `leap_doubled_penalty` (−5), and the first leap stays
      pending.

    All other steps earn 0. A leap that ends another is not pending itself. A leap back within
    seven steps earns nothing, which the name does not say; `minimum_steps_before_leap_back` 0 pays
    it. Motion back that stops short of where the leap came from does not resolve it.
    """
    outcome = track_leaps(tokens, settings).outcome
    penalised = jnp.where(outcome == DOUBLED, settings.leap_doubled_penalty, 0.0)
    return jnp.where(outcome == RESOLVED, settings.leap_resolved_reward, penalised)
