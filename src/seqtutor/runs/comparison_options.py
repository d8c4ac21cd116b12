"""What can be chosen of a comparison of methods. Imports nothing heavy: help texts read it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from seqtutor.preferences.settings import PreferenceTerm


@dataclass(frozen=True, kw_only=True)
class ComparisonOptions:
    """The grid of runs, and the controls beside them."""

    c: tuple[float, ...] = (2.5, 5.0, 10.0, 20.0)
    """Weights of the prior, each a point on every method's frontier."""
    seeds: int = 5
    """Runs of each method at each c, with the seeds 0, 1, 2 …"""
    steps: int = 500_000
    """Environment steps (tokens generated) of a run, rounded up to whole records."""
    preset: str | None = None
    """Preset whose settings of the task are used, by default the first; the other settings are the
    methods' defaults, or those that suit the task."""
    discount: float = 1.0
    """γ of all methods; E[reward]/c − KL, by which they are compared, is that of γ = 1."""
    number: int = 10_000
    """Sequences that each policy is measured on."""
    temperatures: tuple[float, ...] = (0.25, 0.5, 0.7, 0.8, 0.9, 1.1, 1.25, 1.5, 2.0)
    """Temperatures at which the prior is measured as a control; 1 is always."""
    best_of: tuple[int, ...] = (4, 8, 16, 32, 64)
    """Each n whose best of n samples from the prior is measured as a control."""
    smc: tuple[int, ...] = (64,)
    """Each number of particles of the prior, resampled towards the optimum while they are
    generated, of which one is measured as a control at each c."""
    at_kl: tuple[float, ...] = ()
    """KL divergences, in nats a sequence, at which to compare; by default four where most methods
    are."""
    prior: Path | None = None
    """Folder of the prior; the one that comes with the package if not given."""
    preference: PreferenceTerm = field(default_factory=PreferenceTerm)
    """A preference model as a term of the reward; its votes are those that dpo learns from."""
    workers: int | None = None
    """Runs at the same time; by default one for each core. Wall times are comparable only if all
    runs had the same number beside them."""
