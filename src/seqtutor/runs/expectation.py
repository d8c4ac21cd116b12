"""How long a whole experiment may take here: timed for a second at its start."""

from __future__ import annotations

import math
import time

import numpy as np

from seqtutor.machine import usable_cores

REFERENCE = "two idle cores of an AMD EPYC"
"""The machine on which the minutes of profiles were measured."""
REFERENCE_CORES = 2
_REFERENCE_ROUNDS = 36_000.0
"""Rounds a second of `_round` on one of its cores."""
_SECONDS = 1.0


def speed() -> float:
    """How fast one core is at the moment, beside one of `REFERENCE`.

    What else runs here slows it down, and counts.
    """
    values = np.linspace(-1, 1, 20_000, dtype=np.float32)
    begun, rounds = time.perf_counter(), 0
    while (passed := time.perf_counter() - begun) < _SECONDS:
        _round(values)
        rounds += 1
    return rounds / passed / _REFERENCE_ROUNDS


def _round(values: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.tanh(0.1 * values) + np.exp(-values)
    return found


def expectation(minutes: float, runs: int, workers: int, here: float | None = None) -> str:
    """What to expect of an experiment, in a line.

    Args:
        minutes: that it took on the reference machine.
        runs: how many can run beside each other.
        workers: processes for them.
        here: the speed of a core here; measured if not given.
    """
    here = speed() if here is None else here
    beside = min(max(1, min(runs, workers)), usable_cores())
    usual = min(REFERENCE_CORES, runs)
    expected = minutes * usual / beside / here
    return (
        f"To expect for the whole command: about {_in_words(expected)} here, where a core does "
        f"{here:.2g} times the work of the reference at the moment, and {beside} "
        f"{'is' if beside == 1 else 'are'} used ({_in_words(minutes)} on {REFERENCE})"
    )


def _in_words(minutes: float) -> str:
    whole = max(1, math.ceil(minutes - 0.25))
    if whole < 120:
        return f"{whole} minute{'' if whole == 1 else 's'}"
    return f"{minutes / 60:.1f} hours"
