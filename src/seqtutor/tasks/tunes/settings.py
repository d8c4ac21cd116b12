"""The settings of the tunes task. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, field

from seqtutor.settings import require_finite


@dataclass(frozen=True)
class FormWeights:
    """A weight for each rule of form, in nats at c = 1; zero leaves the rule out.

    The defaults are those for which the optimum at c = 1 has, of all policies whose rules have the
    means of real tunes, the smallest KL divergence from the prior that comes with the package:
    `python benchmarks/form_weights.py`.
    """

    faulty_bars: float = -2.0
    bar_returns: float = -3.79
    phrase_returns: float = 3.54
    varied_returns: float = 6.03
    sequences: float = 0.0
    rhythm_returns: float = 2.28
    half_cadence: float = 0.17
    tonic_close: float = 0.82
    long_close: float = 1.28
    usual_range: float = 0.64
    arch: float = 0.18
    one_harmony: float = 0.62
    meter_2_2: float = 0.86
    meter_4_4: float = 1.75
    meter_2_4: float = -0.1
    meter_3_4: float = 1.55
    meter_6_8: float = 0.0
    meter_9_8: float = 1.69
    mode_major: float = 0.0
    mode_minor: float = 0.61
    mode_dorian: float = 0.83
    mode_mixolydian: float = 0.8

    def __post_init__(self) -> None:
        require_finite(self)


@dataclass(frozen=True)
class TunesSettings:
    """What the tunes task can be told."""

    weights: FormWeights = field(default_factory=FormWeights)
    """A weight for each rule of form."""
