"""The settings of the tunes task. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from seqtutor.settings import CheckedSettings, Range, Share


@dataclass(frozen=True)
class FormWeights(CheckedSettings):
    """A weight for each rule of form, in nats at c = 1; zero leaves the rule out.

    The defaults are those for which the optimum at c = 1 has, of all policies whose rules have the
    means of real tunes, the smallest KL divergence from the prior that comes with the package:
    `python benchmarks/form_weights.py --number 16000`.
    """

    faulty_bars: float = -2.0
    """Of each bar that is not full, missing or too many, and each token out of place."""
    bar_returns: float = -0.06
    """Of the share of bars that are the same as an earlier one."""
    phrase_returns: float = -0.26
    """Of the share of bars 5 to 7 that are bars 1 to 3."""
    varied_returns: float = 1.49
    """Of the share of bars 5 to 7 that are bars 1 to 3, varied."""
    sequences: float = 2.39
    """Of the share of bars that are one of the two before at another pitch."""
    rhythm_returns: float = 0.81
    """Of the share of bars with the rhythm of an earlier one."""
    half_cadence: float = 0.17
    """Of a second, fifth or seventh degree on the last beat of bar 4."""
    tonic_close: float = 0.96
    """Of the tonic as the last note."""
    long_close: float = 1.19
    """Of a last note on a beat that is longer than the mean note."""
    repeatable: float = 0.96
    """Of a last bar that is full together with the upbeat."""
    usual_range: float = 0.81
    """Of a range of 10 to 21 semitones."""
    arch: float = 0.23
    """Of the share of halves whose inner bars lie above their first and last."""
    one_harmony: float = 0.56
    """Of the share of bars whose notes on the beats belong to one triad."""
    meter_2_2: float = 0.61
    """Of tunes in 2/2; the next ones are of other metres and of the modes."""
    meter_4_4: float = 0.74
    meter_2_4: float = 0.14
    meter_3_4: float = 0.55
    meter_6_8: float = 0.0
    meter_9_8: float = 1.02
    mode_major: float = 0.0
    mode_minor: float = 0.5
    mode_dorian: float = 0.75
    mode_mixolydian: float = 0.79


@dataclass(frozen=True)
class FormTargets(CheckedSettings):
    """How much of each rule tunes are to have on average, from 0 to 1.

    The defaults are the means of the training phrases of the prior that comes with the package:
    `python benchmarks/form_weights.py`. What a policy does not reach has no target, since its
    weight would grow until it is all that counts: faulty bars, of which real tunes have none, and
    sequences, of which the prior writes few.
    """

    bar_returns: Share = 0.1891
    phrase_returns: Share = 0.3627
    varied_returns: Share = 0.1799
    rhythm_returns: Share = 0.5393
    half_cadence: Share = 0.5143
    tonic_close: Share = 0.7831
    long_close: Share = 0.7471
    repeatable: Share = 0.9162
    usual_range: Share = 0.9438
    arch: Share = 0.3643
    one_harmony: Share = 0.7074
    meter_2_2: Share = 0.2237
    meter_4_4: Share = 0.1234
    meter_2_4: Share = 0.2386
    meter_3_4: Share = 0.0624
    meter_6_8: Share = 0.3265
    meter_9_8: Share = 0.0254
    mode_major: Share = 0.8458
    mode_minor: Share = 0.1104
    mode_dorian: Share = 0.0222
    mode_mixolydian: Share = 0.0216


@dataclass(frozen=True)
class TuneMeasuring(CheckedSettings):
    """How policies are measured."""

    judges: Annotated[int, Range(at_least=0)] = 0
    """Judges of each policy, discriminators that are trained afterwards to tell its tunes from real
    ones; with fewer than 7,738 tunes there are none. Each takes some minutes."""


@dataclass(frozen=True)
class TunesSettings(CheckedSettings):
    """What the tunes task can be told."""

    weights: FormWeights = field(default_factory=FormWeights)
    """A weight for each rule of form."""
    adaptation: Share = 0.0
    """How fast the weights follow the targets while a policy is tuned, in nats a collection at a
    distance of one variance; at 0 they stay as they are."""
    targets: FormTargets = field(default_factory=FormTargets)
    """How much of each rule tunes are to have, with --adaptation above 0."""
