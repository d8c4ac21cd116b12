"""The settings of the tunes task. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, field

from seqtutor.settings import require_finite


@dataclass(frozen=True)
class FormWeights:
    """A weight for each rule of form, in nats at c = 1; zero leaves the rule out.

    The defaults are those for which the optimum at c = 1 has, of all policies whose rules have the
    means of real tunes, the smallest KL divergence from the prior that comes with the package:
    `python benchmarks/form_weights.py --number 14000`.
    """

    faulty_bars: float = -2.0
    bar_returns: float = 0.37
    phrase_returns: float = -0.09
    varied_returns: float = 6.65
    sequences: float = 0.0
    rhythm_returns: float = 2.18
    half_cadence: float = 0.05
    tonic_close: float = 0.85
    long_close: float = 1.2
    usual_range: float = 0.6
    arch: float = 0.19
    one_harmony: float = 0.72
    meter_2_2: float = 1.16
    meter_4_4: float = 2.11
    meter_2_4: float = 0.46
    meter_3_4: float = 0.94
    meter_6_8: float = 0.0
    meter_9_8: float = 1.91
    mode_major: float = 0.0
    mode_minor: float = 0.46
    mode_dorian: float = 0.8
    mode_mixolydian: float = 0.77

    def __post_init__(self) -> None:
        require_finite(self)


@dataclass(frozen=True)
class TunesSettings:
    """What the tunes task can be told."""

    weights: FormWeights = field(default_factory=FormWeights)
    """A weight for each rule of form."""
