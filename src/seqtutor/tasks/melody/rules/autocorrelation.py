"""Do not repeat the contour at a short lag."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Num

from seqtutor.tasks.melody.encoding import VOCABULARY_SIZE
from seqtutor.tasks.melody.rule_settings import MelodyRuleSettings
from seqtutor.tasks.melody.rules.arrays import running_sum, shifted

CENTRE = (VOCABULARY_SIZE - 2) // 2
_LARGEST_DEVIATION = VOCABULARY_SIZE - 1 - CENTRE
_THRESHOLD_DENOMINATOR = 10_000

LONGEST_EXACT_IN_INT32 = int(((2**31 - 1) / _LARGEST_DEVIATION**2) ** (1 / 3))
"""Steps up to which 32 bits hold numerator and denominator, at most n³ · deviation² (181)."""


@dataclass(frozen=True)
class Coefficient:
    """A coefficient r at each step, not yet divided; a zero denominator is a constant melody."""

    numerator: Num[Array, "batch time"]
    denominator: Num[Array, "batch time"]

    def coefficient(self) -> Float[Array, "batch time"]:
        """R itself, NaN for a constant melody."""
        real = jnp.result_type(float)
        return self.numerator.astype(real) / self.denominator.astype(real)

    def exceeds(self, threshold: float) -> Bool[Array, "batch time"]:
        """Whether |r| > threshold, decided without rounding for integers; no for a constant."""
        magnitude = jnp.abs(self.numerator)
        if jnp.issubdtype(magnitude.dtype, jnp.floating):
            return magnitude > threshold * self.denominator
        limit = Fraction(threshold).limit_denominator(_THRESHOLD_DENOMINATOR)
        # floor(denominator · limit), in two parts because the product itself may overflow.
        divisor = jnp.asarray(limit.denominator, magnitude.dtype)
        whole, rest = jax.lax.div(self.denominator, divisor), jax.lax.rem(self.denominator, divisor)
        floor = whole * limit.numerator + jax.lax.div(rest * limit.numerator, divisor)
        return magnitude > floor


def exact_type(time: int) -> jnp.dtype:
    """The type in which the sums of so many steps are exact; beyond 64 bits, float32."""
    if time <= LONGEST_EXACT_IN_INT32:
        return jnp.dtype(jnp.int32)
    return jnp.dtype(jnp.int64 if jnp.result_type(int) == jnp.int64 else jnp.float32)


def _fractions(tokens: Int[Array, "batch time"], lags: tuple[int, ...]) -> list[Coefficient]:
    """R at each lag and step, in integers where these cannot overflow.

    With n = t + 1 tokens x_0 … x_t, S their sum and Q the sum of their squares,

        numerator   = n² Σ x_i x_{i−k} − n S (Σ_{i≥k} x_i + Σ_{i≤t−k} x_i) + (n − k) S²
        denominator = n (n Q − S²)

    both n³ times the terms of the definition. r does not change when all tokens are shifted, so
    they are centred to keep the products small.
    """
    time = tokens.shape[1]
    n = jnp.arange(1, time + 1, dtype=exact_type(time))
    x = tokens.astype(n.dtype) - CENTRE
    terms = [x, x * x, *(x * shifted(x, lag) for lag in lags)]
    total, squares, *products = jnp.split(running_sum(jnp.concatenate(terms)), len(terms))
    denominator = n * (n * squares - total * total)

    def numerator(lag: int, product: Num[Array, "batch time"]) -> Num[Array, "batch time"]:
        if lag >= time:
            return jnp.zeros_like(denominator)
        leading, trailing = total - total[:, lag - 1 : lag], shifted(total, lag)
        value = n * n * product - n * total * (leading + trailing) + (n - lag) * total * total
        return jnp.where(n > lag, value, 0)

    return [
        Coefficient(numerator(lag, product), denominator)
        for lag, product in zip(lags, products, strict=True)
    ]


def autocorrelations(
    tokens: Int[Array, "batch time"], lags: tuple[int, ...]
) -> list[Float[Array, "batch time"]]:
    """Autocorrelation of the tokens so far at each step, one array a lag.

    r = (1/n) Σ_{i=lag}^{t} (x_i − x̄)(x_{i−lag} − x̄) / var(x) over x_0 … x_t, n = t + 1, of the
    raw tokens, note-offs (0) and holds (1) included. 0 if n ≤ lag, NaN for a constant melody.
    """
    return [fraction.coefficient() for fraction in _fractions(tokens, lags)]


def penalize_autocorrelation(
    tokens: Int[Array, "batch time"], settings: MelodyRuleSettings
) -> Float[Array, "batch time"]:
    """A melody varies: it is not highly correlated with itself one, two or three steps later.

    (Jaques et al. 2017, section 4.) r_t = Σ_k `autocorrelation_penalties`_k (−3) · |r_k| over lags
    k for which |r_k| > `autocorrelation_threshold` (0.15), r_k as in `autocorrelations` over
    tokens 0 … t. Negative coefficients count as well, times `autocorrelation_negative_factors`
    (1). A melody that is constant so far is not punished here, nor is any before
    `autocorrelation_first_step` (1).

    The numbers of all tokens count, with rests and holds as the lowest: rhythm is punished as much
    as contour. Two different tokens already have a coefficient of −½ at the second step, so that a
    note that is only repeated, which varies least, begins best; a later first step mends that.

    Whether a coefficient is above the threshold is decided in exact integers up to
    `LONGEST_EXACT_IN_INT32` steps, and at any length in 64-bit mode; beyond both, in float32,
    where a coefficient within about 10⁻⁵ of the threshold may fall on either side.
    """
    reward = jnp.zeros(tokens.shape, jnp.result_type(float))
    for fraction, penalty, negative_factor in zip(
        _fractions(tokens, settings.autocorrelation_lags),
        settings.autocorrelation_penalties,
        settings.autocorrelation_negative_factors,
        strict=True,
    ):
        coefficient = fraction.coefficient()
        weighted = jnp.where(coefficient < 0, -negative_factor * coefficient, coefficient)
        is_high = fraction.exceeds(settings.autocorrelation_threshold)
        reward += jnp.where(is_high, penalty * weighted, 0.0)
    is_judged = jnp.arange(tokens.shape[1]) >= settings.autocorrelation_first_step - 1
    return jnp.where(is_judged, reward, 0.0)
