"""Compiled programs are kept on the disk, so that the next run of the same shapes starts soon."""

from __future__ import annotations

import contextlib
import os
import sys
import time
import warnings
from pathlib import Path

from seqtutor.cache import cache_folder

_PROGRAM, _LAST_USE = "-cache", "-atime"
"""Ends of JAX's names for a program and its last use, which it writes in this order."""

_WRITTEN_WITHIN = 60.0
"""Seconds after which nobody is writing a program any more."""

_MAX_BYTES = 2**30


def keep_compiled_programs() -> None:
    """Let JAX keep what it compiles, unless the user has said where or it has begun."""
    if "jax" in sys.modules:
        return
    folder = cache_folder() / "compiled"
    settings = {
        "JAX_COMPILATION_CACHE_DIR": str(folder),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.5",
        "JAX_COMPILATION_CACHE_MAX_SIZE": str(_MAX_BYTES),
    }
    for name, value in settings.items():
        os.environ.setdefault(name, value)
    # Of processes that share the folder, one may remove what another reads: it compiles anew.
    warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache")
    remove_unfinished(folder)


def remove_unfinished(folder: Path) -> None:
    """Remove the programs whose writers were killed.

    JAX looks at the last use of every program before it keeps another. Where a single one lacks it,
    each program is warned of and none is kept any more.
    """
    latest = time.time() - _WRITTEN_WITHIN
    names: set[str] = set()
    with contextlib.suppress(OSError):
        names.update(os.listdir(folder))  # Every command starts with this: one look, not one each.
    unfinished = (
        name
        for name in names
        if name.endswith(_PROGRAM) and name.removesuffix(_PROGRAM) + _LAST_USE not in names
    )
    for program in map(folder.joinpath, unfinished):
        with contextlib.suppress(OSError):
            if program.stat().st_mtime < latest:
                program.unlink()
