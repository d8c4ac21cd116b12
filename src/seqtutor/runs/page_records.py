"""What a page reads in the folders of runs: how they were made, and how training went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from seqtutor.report.page.page import RunRecord
from seqtutor.report.plots import History
from seqtutor.runs.policies import NamedPolicy
from seqtutor.runs.run_folder import CONFIG, RunFolder, as_columns, read_made_by, read_settings

_NAMES = {
    "command": "command",
    "date": "began",
    "seqtutor": "seqtutor",
    "commit": "commit",
    "python": "Python",
    "jax": "JAX",
    "numpy": "NumPy",
    "equinox": "equinox",
    "optax": "optax",
    "rdkit": "RDKit",
    "machine": "machine",
    "processor": "processor",
    "usable_cores": "cores",
    "device": "device",
    "devices": "devices",
    "prior_sha256": "SHA-256 of the prior",
}
"""Entries of `made_by` that are shown, and what they are called."""
_OF_DATA = ("source", "data", "sequences", "tunes", "windows", "tokenisation", "licence", "form")
"""Entries of a model's origin that say what it was trained on."""


def histories_of(folders: Sequence[Path | None]) -> list[History]:
    """The records of each run as columns; none of mere models."""
    runs = [RunFolder(folder).records(()) for folder in folders if folder is not None]
    return [as_columns(records) for records in runs if records]


def run_record(title: str, folder: Path | None, policy: NamedPolicy) -> RunRecord:
    """How a run was made, or a model."""
    origin = policy.saved.origin
    facts = {"model": str(policy.saved.folder)} if policy.saved.folder else {}
    if folder is None or not (folder / CONFIG).is_file():
        return RunRecord(title, facts | _data(origin) | _made(origin.get("made_by")))
    run, content = RunFolder(folder), read_settings(folder / CONFIG)
    records = run.records(())
    facts = {"run": str(folder)} | _made(read_made_by(folder / CONFIG))
    if records and "seconds" in records[-1]:
        facts["training took"] = f"{records[-1]['seconds']:,.0f} s"
    config = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    seed = f", seed {policy.seed}" if policy.config is not None else ""
    return RunRecord(title + seed, facts, config, run.remarks())


def _made(made: Any) -> dict[str, str]:
    if not isinstance(made, Mapping):
        return {}
    return {name: str(made[key]) for key, name in _NAMES.items() if made.get(key) is not None}


def _data(origin: Mapping[str, Any]) -> dict[str, str]:
    """What a model was trained on, as far as it says."""
    return {name: _in_words(origin[name]) for name in _OF_DATA if name in origin}


def _in_words(value: Any) -> str:
    if isinstance(value, Mapping):
        known = {key: item for key, item in value.items() if item not in (None, {}, [], "")}
        return ", ".join(f"{key} {_in_words(item)}" for key, item in known.items())
    return f"{value:,}" if isinstance(value, int) else str(value)
