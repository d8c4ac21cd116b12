"""The metrics of Table 1 of Jaques et al. (2017), with their uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from seqtutor.measure import Estimate
from seqtutor.measures.estimates import ratio_estimate, share_estimate
from seqtutor.tasks.melody.batches import Melodies, batches, intended_lengths
from seqtutor.tasks.melody.rule_settings import MelodyRuleSettings
from seqtutor.tasks.melody.rules.arrays import melody_lengths
from seqtutor.tasks.melody.rules.autocorrelation import autocorrelations
from seqtutor.tasks.melody.rules.extremes import unique_extremes
from seqtutor.tasks.melody.rules.leaps import DOUBLED, RESOLVED, track_leaps
from seqtutor.tasks.melody.rules.motif import is_motif, is_repeated_motif
from seqtutor.tasks.melody.rules.repetition import is_excessively_repeated
from seqtutor.tasks.melody.rules.rows import LAGS
from seqtutor.tasks.melody.rules.tonality import is_out_of_key, starts_with_tonic
from seqtutor.tasks.melody.table_1 import TABLE_1

_MELODIES_PER_BATCH = 8192
_OF_STEPS = (
    "notes_not_in_key",
    "notes_excessively_repeated",
    "notes_in_motif",
    "notes_in_repeated_motif",
)
_OF_MELODIES = ("starting_with_tonic", "unique_highest", "unique_lowest")


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class MelodyCounts:
    """What the metrics count in each melody.

    Attributes:
        steps: the melody's length.
        notes_not_in_key: steps with a pitch outside the key.
        notes_excessively_repeated: steps that `penalize_repeating` punishes.
        notes_in_motif: steps that complete a motif.
        notes_in_repeated_motif: steps that complete a motif played before.
        leaps_resolved: steps that resolve a leap.
        leaps_doubled: steps that double a leap.
        starting_with_tonic: 1 if the first token is the tonic.
        unique_highest: 1 if the highest note occurs once.
        unique_lowest: 1 if the lowest note occurs once.
        autocorrelation: of the whole melody at each of `LAGS`, NaN for a constant one.
    """

    steps: Int[Array, " batch"]
    notes_not_in_key: Int[Array, " batch"]
    notes_excessively_repeated: Int[Array, " batch"]
    notes_in_motif: Int[Array, " batch"]
    notes_in_repeated_motif: Int[Array, " batch"]
    leaps_resolved: Int[Array, " batch"]
    leaps_doubled: Int[Array, " batch"]
    starting_with_tonic: Int[Array, " batch"]
    unique_highest: Int[Array, " batch"]
    unique_lowest: Int[Array, " batch"]
    autocorrelation: Float[Array, "batch lag"]

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, index: slice | np.ndarray) -> MelodyCounts:
        return MelodyCounts(*(getattr(self, field.name)[index] for field in fields(self)))


def melody_counts(
    tokens: Int[Array, "batch time"],
    settings: MelodyRuleSettings,
    lengths: Int[Array, " batch"] | None = None,
) -> MelodyCounts:
    """Count in each melody; a pure JAX function. `lengths` as for `rule_rewards`."""
    length = jnp.broadcast_to(
        jnp.minimum(melody_lengths(tokens, settings, lengths), tokens.shape[1]),
        (len(tokens), 1),
    )
    within = jnp.arange(tokens.shape[1]) < length

    def count(events: Bool[Array, "batch time"]) -> Int[Array, " batch"]:
        return (events & within).sum(axis=1)

    outcome = track_leaps(tokens, settings).outcome
    unique = unique_extremes(tokens, settings, lengths)
    at_end = [
        jnp.take_along_axis(coefficients, length - 1, axis=1)
        for coefficients in autocorrelations(tokens, LAGS)
    ]
    return MelodyCounts(
        steps=length[:, 0],
        notes_not_in_key=count(is_out_of_key(tokens, settings)),
        notes_excessively_repeated=count(is_excessively_repeated(tokens, settings)),
        notes_in_motif=count(is_motif(tokens, settings)),
        notes_in_repeated_motif=count(is_repeated_motif(tokens, settings)),
        leaps_resolved=count(outcome == RESOLVED),
        leaps_doubled=count(outcome == DOUBLED),
        starting_with_tonic=starts_with_tonic(tokens, settings).astype(int),
        unique_highest=unique.highest.astype(int),
        unique_lowest=unique.lowest.astype(int),
        autocorrelation=jnp.concatenate(at_end, axis=1),
    )


_compiled_counts = partial(jax.jit, static_argnames="settings")(melody_counts)


def count_melodies(melodies: Melodies, settings: MelodyRuleSettings | None = None) -> MelodyCounts:
    """Count in any number of melodies, in batches and in double precision, into NumPy arrays.

    Args:
        melodies: one array, or lists of tokens that may differ in length.
        settings: key and lengths; the defaults if left out.

    Raises:
        UserError: if there is no melody, one is empty, or a token is not one of the 38.
    """
    settings = settings or MelodyRuleSettings()
    parts, indices = [], []
    for batch in batches(melodies, _MELODIES_PER_BATCH):
        lengths = np.minimum(intended_lengths(batch, settings), batch.lengths)
        with jax.enable_x64(True):
            counts = _compiled_counts(jnp.asarray(batch.tokens), settings, jnp.asarray(lengths))
        parts.append(jax.tree.map(np.asarray, counts)[: len(batch.indices)])
        indices.append(batch.indices)
    return join_counts(parts)[np.argsort(np.concatenate(indices))]


def join_counts(counts: Sequence[MelodyCounts]) -> MelodyCounts:
    """The counts of all melodies one after the other."""
    return jax.tree.map(lambda *arrays: np.concatenate(arrays), *counts)


def aggregate(counts: MelodyCounts) -> dict[str, Estimate]:
    """Table 1's metrics by name, as fractions, with what their intervals over melodies need.

    Every metric is a ratio Σ y_i / Σ x_i over melodies i (see `ratio_estimate`, and for all but the
    autocorrelations `share_estimate`): x is the number of steps for those that count notes, the
    resolved and doubled leaps for `leaps_resolved`, 1 for the others (0 for an undefined
    autocorrelation). It is NaN if Σ x_i is 0.
    """
    parts = ratio_parts(counts)
    return {
        row.name: (share_estimate if row.unit == "share" else ratio_estimate)(*parts[row.name])
        for row in TABLE_1
    }


def ratio_parts(counts: MelodyCounts) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The y and x of every metric, one of each a melody."""
    each = {f.name: np.asarray(getattr(counts, f.name), float) for f in fields(counts)}
    one = np.ones(len(counts))
    parts = {name: (each[name], each["steps"]) for name in _OF_STEPS}
    parts |= {name: (each[name], one) for name in _OF_MELODIES}
    resolved, doubled = each["leaps_resolved"], each["leaps_doubled"]
    parts["leaps_resolved"] = resolved, resolved + doubled
    for lag, coefficients in zip(LAGS, each["autocorrelation"].T, strict=True):
        is_defined = ~np.isnan(coefficients)
        parts[f"autocorrelation_lag{lag}"] = (
            np.where(is_defined, coefficients, 0.0),
            is_defined.astype(float),
        )
    return parts
