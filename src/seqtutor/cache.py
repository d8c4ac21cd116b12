"""Where what was read or fetched once is kept."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Iterator
from pathlib import Path

import platformdirs

CACHE_VARIABLE = "SEQTUTOR_CACHE"


def cache_folder() -> Path:
    """`$SEQTUTOR_CACHE`, else the user's cache folder."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("seqtutor"))


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """Make many small objects without the garbage collector looking at them again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
