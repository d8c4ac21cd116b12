"""What the commands that write samples have in common: their checks, and what they tell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from seqtutor.cli.output import counted
from seqtutor.settings import require, require_seed

SHOWN = 6
"""Files that are named one by one."""


def require_sampling(number: int, most: int, *, temperature: float, seed: int) -> None:
    """Raise a `UserError` unless so many sequences, at most `most`, can be sampled in that way."""
    require(1 <= number <= most, f"--number must lie between 1 and {most:,}, not {number}")
    require(
        0 < temperature < math.inf, f"--temperature must be a number above 0, not {temperature}"
    )
    require_seed("--seed", seed)


def tell_files(what: str, paths: Sequence[Path]) -> None:
    """Print what was written, and where the first files of it are."""
    print(f"{what} in {counted(len(paths), 'file', 'files')}:")
    for path in paths[:SHOWN]:
        print(f"  {path}")
    if len(paths) > SHOWN:
        print(f"  … and {len(paths) - SHOWN:,} more")
