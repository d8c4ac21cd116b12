"""How `sample` steers a policy without training. Imports nothing heavy: help texts read it."""

from __future__ import annotations

from dataclasses import dataclass

from seqtutor.settings import require

MOST_ROUNDS = 50
"""How often sequences are drawn anew at most where only valid ones are wanted."""
LEAST, MOST = 1e-20, 1e20
"""Weights of the prior by which single precision divides rewards and action values safely."""


def require_weight(c: float) -> None:
    """Raise a `UserError` unless rewards can be divided by c."""
    require(LEAST <= c <= MOST, f"--c must lie between {LEAST:g} and {MOST:g}, not {c}")


@dataclass(frozen=True)
class Steering:
    """At most one of two ways to more reward, and the weight of the prior.

    Raises:
        UserError: if a value is out of its range, or both ways are asked for.
    """

    best_of: int | None = None
    """Generate so many sequences for each that is written, and write the one of highest reward."""
    smc: int | None = None
    """Generate so many particles for each sequence, resample them on the way towards the optimum
    p·exp(r/c) and write one (sequential Monte Carlo). A run's policy proposes, and its soft values
    look ahead, if its method learns some."""
    c: float | None = None
    """Weight of the prior, by default that of the run: smaller obeys the reward more, larger stays
    nearer to real sequences. With --smc it is that of the optimum which is sampled; without, a
    run's policy p·exp(G), tuned at c₀, becomes p·exp(G·c₀/c)."""

    def __post_init__(self) -> None:
        for option, value in (("--best-of", self.best_of), ("--smc", self.smc)):
            require(value is None or value >= 1, f"{option} must be at least 1, not {value}")
        if self.c is not None:
            require_weight(self.c)
        both = self.best_of is not None and self.smc is not None
        require(not both, "give either --best-of or --smc, not both")
