"""What the commands that write samples have in common: their checks, and what they tell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from seqtutor.cli.output import counted
from seqtutor.training.settings import require, require_seed

SHOWN = 6
"""Files that are named one by one."""


class SamplingOptions(Protocol):
    """The options that every such command has."""

    @property
    def number(self) -> int:
        """Sequences to sample."""

    @property
    def temperature(self) -> float:
        """Of the sampling."""

    @property
    def seed(self) -> int:
        """Of the sampling."""


def require_sampling(options: SamplingOptions, most: int) -> None:
    """Raise a `UserError` unless at most so many sequences can be sampled as the options say."""
    require(
        1 <= options.number <= most,
        f"--number must lie between 1 and {most:,}, not {options.number}",
    )
    require(
        0 < options.temperature < math.inf,
        f"--temperature must be a number above 0, not {options.temperature}",
    )
    require_seed("--seed", options.seed)


def tell_files(what: str, paths: Sequence[Path]) -> None:
    """Print what was written, and where the first files of it are."""
    print(f"{what} in {counted(len(paths), 'file', 'files')}:")
    for path in paths[:SHOWN]:
        print(f"  {path}")
    if len(paths) > SHOWN:
        print(f"  … and {len(paths) - SHOWN:,} more")
