"""Rules of variety: do not repeat one note, do not repeat the contour at a short lag."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Num

from seqtutor.tasks.melody.encoding import HOLD, NOTE_OFF, VOCABULARY_SIZE
from seqtutor.tasks.melody.rule_settings import MelodyRuleSettings
from seqtutor.tasks.melody.rules.arrays import is_note, running_sum, shifted, walk

_CENTRE = (VOCABULARY_SIZE - 2) // 2
_LARGEST_DEVIATION = VOCABULARY_SIZE - 1 - _CENTRE
_THRESHOLD_DENOMINATOR = 10_000


def _longest_exact(largest_integer: int) -> int:
    """The longest melody whose autocorrelation terms, at most (n · deviation)² · n, fit."""
    return int((largest_integer / _LARGEST_DEVIATION**2) ** (1 / 3))


LONGEST_EXACT_IN_INT32 = _longest_exact(2**31 - 1)
"""Steps up to which autocorrelation is computed in exact integers of 32 bits (181)."""


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

    else 0. A hold is counted like a pitch, with rests as its breaks.
    """
    excessive = is_excessively_repeated(tokens, settings)
    return jnp.where(excessive, settings.repetition_penalty, 0.0)


def _autocorrelation_fraction(
    tokens: Int[Array, "batch time"], lag: int
) -> tuple[Num[Array, "batch time"], Num[Array, "batch time"]]:
    """Numerator and denominator of r at each step, in integers where these cannot overflow.

    With n = t + 1 tokens x_0 … x_t, S their sum and Q the sum of their squares,

        numerator   = n² Σ x_i x_{i−k} − n S (Σ_{i≥k} x_i + Σ_{i≤t−k} x_i) + (n − k) S²
        denominator = n (n Q − S²)

    both n³ times the terms of the definition. r does not change when all tokens are shifted, so
    they are centred to keep the products small. The denominator is zero for a constant melody.
    """
    time = tokens.shape[1]
    n = jnp.arange(1, time + 1, dtype=_exact_type(time))
    x = tokens.astype(n.dtype) - _CENTRE
    total = running_sum(x)
    squares = running_sum(x * x)
    denominator = n * (n * squares - total * total)
    if lag >= time:
        return jnp.zeros_like(denominator), denominator
    products = running_sum(x * shifted(x, lag))
    leading, trailing = total - total[:, lag - 1 : lag], shifted(total, lag)
    numerator = n * n * products - n * total * (leading + trailing) + (n - lag) * total * total
    return jnp.where(n > lag, numerator, 0), denominator


def _exact_type(time: int) -> jnp.dtype:
    if time <= LONGEST_EXACT_IN_INT32:
        return jnp.dtype(jnp.int32)
    return jnp.dtype(jnp.int64 if jax.config.jax_enable_x64 else jnp.float32)


def _exceeds(
    numerator: Num[Array, "batch time"], denominator: Num[Array, "batch time"], threshold: float
) -> Bool[Array, "batch time"]:
    """Whether |numerator / denominator| > threshold, decided without rounding for integers."""
    magnitude = jnp.abs(numerator)
    if jnp.issubdtype(magnitude.dtype, jnp.floating):
        return magnitude > threshold * denominator
    limit = Fraction(threshold).limit_denominator(_THRESHOLD_DENOMINATOR)
    # floor(denominator · limit), in two parts because the product itself may overflow.
    whole, remainder = jnp.divmod(denominator, limit.denominator)
    floor = whole * limit.numerator + remainder * limit.numerator // limit.denominator
    return magnitude > floor


def autocorrelation(tokens: Int[Array, "batch time"], lag: int) -> Float[Array, "batch time"]:
    """Autocorrelation of the tokens so far with themselves, `lag` steps later, at each step.

    r = (1/n) Σ_{i=lag}^{t} (x_i − x̄)(x_{i−lag} − x̄) / var(x) over x_0 … x_t, n = t + 1, of the
    raw tokens, note-offs (0) and holds (1) included. 0 if n ≤ lag, NaN for a constant melody.
    """
    numerator, denominator = _autocorrelation_fraction(tokens, lag)
    real = jnp.result_type(float)
    return numerator.astype(real) / denominator.astype(real)


def penalize_autocorrelation(
    tokens: Int[Array, "batch time"], settings: MelodyRuleSettings
) -> Float[Array, "batch time"]:
    """A melody varies: it is not highly correlated with itself one, two or three steps later.

    (Jaques et al. 2017, section 4.) r_t = `autocorrelation_penalty` (−3) · Σ |r_k| over the lags
    k for which |r_k| > `autocorrelation_threshold` (0.15), r_k the `autocorrelation` of tokens
    0 … t. Negative coefficients count as well. A melody that is constant so far is not punished
    here.

    Whether a coefficient is above the threshold is decided in exact integers up to
    `LONGEST_EXACT_IN_INT32` steps, and at any length in 64-bit mode; beyond both, in float32,
    where a coefficient within about 10⁻⁵ of the threshold may fall on either side.
    """
    real = jnp.result_type(float)
    total = jnp.zeros(tokens.shape, real)
    for lag in settings.autocorrelation_lags:
        numerator, denominator = _autocorrelation_fraction(tokens, lag)
        counts = _exceeds(numerator, denominator, settings.autocorrelation_threshold)
        # A zero denominator comes with a zero numerator, which never counts.
        coefficient = jnp.abs(numerator).astype(real) / jnp.maximum(denominator, 1).astype(real)
        total += jnp.where(counts, coefficient, 0.0)
    return jnp.where(total > 0, settings.autocorrelation_penalty * total, 0.0)
