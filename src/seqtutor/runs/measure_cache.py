"""Measures kept in a file, for as long as what they were taken of stays the same."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Set
from pathlib import Path
from typing import Any

from seqtutor.files import atomic_write
from seqtutor.measures.sampling import DEFINITIONS, Measures


def cached_measures(
    path: Path,
    made_of: Mapping[str, Any],
    measure: Callable[[], dict[str, Measures]],
    expected: Set[str] | None = None,
) -> dict[str, Measures]:
    """Read measures by name from a JSON file, or take them and write it.

    `made_of` tells what they depend on, in JSON's types: numbers, settings, digests of weights. A
    file that was made of something else, that cannot be read, or whose values have other names
    than those `expected` is made anew.

    Raises:
        UserError: if the file cannot be written.
    """
    key = json.loads(json.dumps({"definitions": DEFINITIONS, **made_of}))
    found = _read(path, key)
    if found is not None and (
        expected is None or all(set(one.values) == expected for one in found.values())
    ):
        return found
    taken = measure()
    measures = {name: _without_nan(vars(one)) for name, one in taken.items()}
    content = {"made_of": key, "measures": measures}
    atomic_write(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    return taken


def digest(folder: Path) -> str:
    """A digest of a model's folder: its weights and its shape."""
    sums = hashlib.sha256()
    for name in ("config.json", "model.safetensors"):
        sums.update((folder / name).read_bytes())
    return sums.hexdigest()


def _read(path: Path, key: dict[str, Any]) -> dict[str, Measures] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["made_of"] != key:
            return None
        return {name: _with_nan(one) for name, one in content["measures"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _without_nan(parts: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float | None]]:
    """JSON has no NaN: what is not known becomes null."""
    return {
        part: {name: None if math.isnan(value) else value for name, value in numbers.items()}
        for part, numbers in parts.items()
    }


def _with_nan(parts: Mapping[str, Mapping[str, float | None]]) -> Measures:
    read = {
        part: {name: math.nan if value is None else float(value) for name, value in numbers.items()}
        for part, numbers in parts.items()
    }
    return Measures(read["values"], read["standard_errors"])
