"""The rows of Table 1 as terms of a reward, whose weights follow targets.

Each row is a ratio Σ y/Σ x over the steps of all melodies, such as resolved leaps of resolved and
doubled ones. With the target a, its term is y − a·x: the mean of the term is zero where the row is
a.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from seqtutor.rewards import compiled
from seqtutor.tasks.melody.rule_settings import MelodyRuleSettings
from seqtutor.tasks.melody.rules.autocorrelation import autocorrelations
from seqtutor.tasks.melody.rules.extremes import unique_extremes
from seqtutor.tasks.melody.rules.leaps import RESOLVED, track_leaps
from seqtutor.tasks.melody.rules.motif import is_motif, is_repeated_motif
from seqtutor.tasks.melody.rules.tonality import is_out_of_key, starts_with_tonic

LAGS = (1, 2, 3)
"""The lags of the rows about autocorrelation, in steps."""

VARIANCES = {
    "notes_not_in_key": 0.02,
    "autocorrelation_lag1": 0.12,
    "autocorrelation_lag2": 0.28,
    "autocorrelation_lag3": 0.07,
    "starting_with_tonic": 0.22,
    "leaps_resolved": 0.03,
    "unique_highest": 0.22,
    "unique_lowest": 0.24,
    "notes_in_motif": 2.0,
    "notes_in_repeated_motif": 0.15,
}
"""Of the terms' sums over a melody of 32 steps, about, where a policy has the targets of the preset
`near-prior`."""

Part = Float[Array, "batch time"]


def row_parts(
    tokens: Int[Array, "batch time"], rules: MelodyRuleSettings
) -> dict[str, tuple[Part, Part]]:
    """The y and x of each row at each step of whole melodies.

    What is known of a melody as a whole stands at its last step.
    """
    everywhere = jnp.ones(tokens.shape)
    first, last = everywhere.at[:, 1:].set(0), everywhere.at[:, :-1].set(0)
    outcome, unique = track_leaps(tokens, rules).outcome, unique_extremes(tokens, rules)
    parts = {
        "notes_not_in_key": (is_out_of_key(tokens, rules), everywhere),
        "starting_with_tonic": (first * starts_with_tonic(tokens, rules)[:, None], first),
        "leaps_resolved": (outcome == RESOLVED, outcome != 0),
        "unique_highest": (last * unique.highest[:, None], last),
        "unique_lowest": (last * unique.lowest[:, None], last),
        "notes_in_motif": (is_motif(tokens, rules), everywhere),
        "notes_in_repeated_motif": (is_repeated_motif(tokens, rules), everywhere),
    }
    for lag, coefficients in zip(LAGS, autocorrelations(tokens, LAGS), strict=True):
        # That of a constant melody is not defined, and does not count.
        y = last * jnp.nan_to_num(coefficients)
        parts[f"autocorrelation_lag{lag}"] = (y, last * ~jnp.isnan(coefficients))
    real = jnp.result_type(float)
    return {name: (y.astype(real), x.astype(real)) for name, (y, x) in parts.items()}


@compiled
@dataclass(frozen=True)
class RowReward:
    """One term for each row that has a target, not yet weighted.

    Attributes:
        targets: the rows with their targets, by the names of Table 1.
        rules: key and lengths by which the rows count.
    """

    targets: tuple[tuple[str, float], ...]
    rules: MelodyRuleSettings

    def __call__(
        self, tokens: Int[Array, "batch time"], mask: Bool[Array, "batch time"]
    ) -> dict[str, Float[Array, "batch time"]]:
        """At every step y − a·x, zero where the mask is false."""
        parts = row_parts(tokens, self.rules)
        return {
            name: jnp.where(mask, parts[name][0] - aim * parts[name][1], 0.0)
            for name, aim in self.targets
        }
