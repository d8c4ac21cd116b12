"""Estimates cached in a file for as long as what they depend on stays the same."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Set
from pathlib import Path
from typing import Any

from seqtutor.files import atomic_write
from seqtutor.measure import Estimate, Estimates
from seqtutor.measures.policy import DEFINITIONS


def cached_estimates(
    path: Path,
    key: Mapping[str, Any],
    compute: Callable[[], Mapping[str, Estimates]],
    expected: Set[str] | None = None,
) -> Mapping[str, Estimates]:
    """Read estimates of one or more policies from a JSON file, or compute them and write the file.

    Args:
        path: the file.
        key: everything that the estimates depend on, in JSON's types: numbers, settings, digests
            of weights.
        compute: returns the estimates by name of the policy. It is called if there is no readable
            file with the same key.
        expected: the names that the estimates of each policy must have; a file with others is
            replaced.

    Raises:
        UserError: if the file cannot be written.
    """
    whole_key = json.loads(json.dumps({"definitions": DEFINITIONS, **key}))
    found = _read(path, whole_key)
    if found is not None and (
        expected is None or all(set(estimates) == expected for estimates in found.values())
    ):
        return found
    computed = compute()
    content = {
        "made_of": whole_key,
        "measures": {policy: _as_json(estimates) for policy, estimates in computed.items()},
    }
    atomic_write(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    return computed


def digest(folder: Path) -> str:
    """A SHA-256 of a model's folder: of its configuration and its weights."""
    sums = hashlib.sha256()
    for name in ("config.json", "model.safetensors"):
        sums.update((folder / name).read_bytes())
    return sums.hexdigest()


def _read(path: Path, key: dict[str, Any]) -> dict[str, Estimates] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["made_of"] != key:
            return None
        return {policy: _from_json(parts) for policy, parts in content["measures"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _as_json(estimates: Estimates) -> dict[str, dict[str, float | None]]:
    """JSON has no NaN: what is not known is null."""
    return {
        "values": {name: _or_null(one.value) for name, one in estimates.items()},
        "standard_errors": {name: _or_null(one.standard_error) for name, one in estimates.items()},
        "counts": {name: one.count for name, one in estimates.items()},
        "trials": {name: _or_null(one.trials) for name, one in estimates.items()},
    }


def _from_json(parts: Mapping[str, Mapping[str, float | None]]) -> dict[str, Estimate]:
    # Files of earlier versions have no counts or trials, nor standard errors that are not known.
    errors, counts, trials = (
        parts.get(name, {}) for name in ("standard_errors", "counts", "trials")
    )
    return {
        name: Estimate(
            _or_nan(value),
            _or_nan(errors.get(name)),
            int(counts.get(name) or 0),
            _or_nan(trials.get(name)),
        )
        for name, value in parts["values"].items()
    }


def _or_null(value: float) -> float | None:
    return None if math.isnan(value) else value


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else float(value)
