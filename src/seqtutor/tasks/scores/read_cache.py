"""What was read once, in one `.npz` file: a few flat arrays and JSON, no pickle."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from seqtutor.cache import collector_paused
from seqtutor.errors import UserError
from seqtutor.files import atomic_write
from seqtutor.tasks.scores.import_report import ImportReport

Arrays = Mapping[str, np.ndarray]
_Music = TypeVar("_Music")


def save_read(
    path: Path, version: int, names: Mapping[str, Any], report: ImportReport, arrays: Arrays
) -> None:
    """Write arrays, names and their report; a cache that cannot be written is not an error."""
    text = {"format": version, **names, "report": asdict(report)}
    encoded = np.frombuffer(json.dumps(text).encode(), dtype=np.uint8)
    content: dict[str, Any] = {**arrays, "names": encoded}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **content)
    with contextlib.suppress(UserError):
        atomic_write(path, buffer.getvalue())


def load_read(
    path: Path, version: int, unpack: Callable[[Arrays, dict[str, Any]], list[_Music]]
) -> tuple[list[_Music], ImportReport] | None:
    """What `unpack` makes of what was written, with its report.

    `None` if the file is missing, damaged or of another version.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays, collector_paused():
            names = json.loads(arrays["names"].tobytes())
            if names["format"] != version:
                return None
            found = names.pop("report")
            for kind in ("skipped_files", "left_out"):
                found[kind] = tuple((name, reason) for name, reason in found.get(kind, ()))
            return unpack(arrays, names), ImportReport(**found)
    except Exception:  # zipfile, zlib, numpy and json each raise their own; all mean "read again"
        return None
