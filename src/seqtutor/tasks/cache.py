"""Where what was read or fetched once is kept."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

CACHE_VARIABLE = "SEQTUTOR_CACHE"


def cache_folder() -> Path:
    """`$SEQTUTOR_CACHE`, else the user's cache folder."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("seqtutor"))
