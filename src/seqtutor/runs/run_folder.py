"""A run on disk: its configuration, its records, its model.

config.yaml      everything that makes the run, re-runnable
metrics.jsonl    one record a line, appended as the run goes on
remarks.txt      remarks for the user, such as of a collapse, one a line
checkpoints/     what an interrupted run continues from; removed when it is complete
model/           the policy, loadable alone; it appears when the run is complete
.lock            held by the process that runs it
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import fields, is_dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import dacite
import numpy as np
import yaml

from seqtutor.errors import UserError
from seqtutor.files import (
    LARGEST_TEXT,
    atomic_write,
    open_own,
    read_regular,
    read_whole,
    require_unused,
)
from seqtutor.runs.folder_lock import made_and_locked
from seqtutor.training.settings import TutorSettings, from_flat, to_flat

CONFIG, METRICS, REMARKS, MODEL = "config.yaml", "metrics.jsonl", "remarks.txt", "model"
CHECKPOINTS = "checkpoints"
LARGEST_CONFIG = 1 << 18
"""Bytes of a configuration that is read; those of the package have a few thousand."""
_HALF_A_CHARACTER = re.compile(r"\\(u|U0000)[dD][89a-fA-F]")
_UNUSABLE = (
    yaml.YAMLError,
    dacite.DaciteError,
    AttributeError,
    TypeError,
    ValueError,
    KeyError,
    OverflowError,
)
_Config = TypeVar("_Config")


def plain(value: Any) -> Any:
    """A configuration as mappings, lists, numbers and strings."""
    if isinstance(value, TutorSettings):
        return plain(to_flat(value))
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    return str(value) if isinstance(value, Path) else value


def flattened(config: Any, within: str = "") -> dict[str, Any]:
    """The settings of a configuration by their dotted names, as `plain` has them.

    Those of the tutor have no prefix, as on the command line.
    """
    content = plain(config)
    if not (isinstance(content, dict) and content):
        return {within: content}
    found: dict[str, Any] = {}
    for name, value in content.items():
        found |= flattened(value, within if name == "tutor" else f"{within}.{name}".lstrip("."))
    return found


def differing(one: Any, other: Any) -> list[str]:
    """The dotted names of the settings in which two configurations of a kind differ."""
    first, second = flattened(one), flattened(other)
    return [
        name for name in dict.fromkeys([*first, *second]) if first.get(name) != second.get(name)
    ]


def read_config(kind: type[_Config], path: Path) -> _Config:
    """Read a configuration that `plain` and YAML wrote, checking names and types.

    Raises:
        UserError: if it cannot be read, or holds an unknown or badly typed entry.
    """
    return from_plain(kind, read_settings(path), path)


def from_plain(kind: type[_Config], content: Mapping[str, Any], path: Path) -> _Config:
    """The configuration of which `plain` gives this content, checking names and types.

    Args:
        kind: a dataclass.
        content: mappings, lists, numbers and strings.
        path: the file that it comes from, for errors.

    Raises:
        UserError: if there is an unknown or badly typed entry.
    """
    hooks: Any = {float: float, TutorSettings: _tutor_settings}
    rules = dacite.Config(cast=[tuple, Path], strict=True, type_hooks=hooks)
    with _unusable(path):
        return hooks[kind](content) if kind in hooks else dacite.from_dict(kind, content, rules)


def _tutor_settings(content: Any) -> TutorSettings:
    if not isinstance(content, Mapping):
        raise TypeError("the settings of the tutor are not a mapping")
    return from_flat(content)


def read_settings(path: Path) -> dict[str, Any]:
    """Read a configuration as mappings, lists, numbers and strings, without the entry `made_by`.

    Raises:
        UserError: if it cannot be read, is too large, or has no entries.
    """
    return {name: value for name, value in _entries(path).items() if name != "made_by"}


def read_made_by(path: Path) -> dict[str, Any]:
    """What a configuration says about the making of its run; empty where it says nothing.

    Raises:
        UserError: as `read_settings` does.
    """
    found = _entries(path).get("made_by")
    return dict(found) if isinstance(found, dict) else {}


def _entries(path: Path) -> dict[str, Any]:
    with _unusable(path):
        content = _parsed(read_regular(path, LARGEST_CONFIG).decode("utf-8"))
        if not isinstance(content, dict):
            raise TypeError("it has no entries")
    return content


class _WithoutAliases(yaml.SafeLoader):
    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise ValueError(f"line {mark.line + 1} has an alias; write out what it stands for")
        return super().compose_node(parent, index)


@lru_cache(maxsize=8)
def _parsed(text: str) -> Any:
    """What YAML says; a command reads a run's configuration several times, each tens of ms.

    A value is written where it stands: an alias could stand for any number of copies of it.

    libyaml is ten times as fast, but crashes on values that are nested deeply.
    """
    if _HALF_A_CHARACTER.search(text):
        raise ValueError("it names half a character, which nothing can show")
    return yaml.load(text, _WithoutAliases)


@contextlib.contextmanager
def _unusable(path: Path) -> Iterator[None]:
    """Within, whatever YAML and the types of its entries find wrong becomes a `UserError`."""
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise UserError(f"cannot read {path}: it is not text in UTF-8") from None
    except RecursionError:
        raise UserError(f"{path} is not a usable configuration: it is nested too deeply") from None
    except UserError as error:
        raise UserError(f"{path} is not a usable configuration: {error}") from None
    except dacite.UnexpectedDataError as error:
        unknown = ", ".join(map(str, sorted(error.keys, key=str)))
        raise UserError(
            f"{path} is not a usable configuration: nothing is called {unknown} there"
        ) from None
    except _UNUSABLE as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path} is not a usable configuration: {reason}") from None


class RunFolder:
    """The files of one run."""

    def __init__(self, path: Path) -> None:
        """Point at a folder; nothing is read or written yet."""
        self.path = path

    @classmethod
    def start(cls, path: Path, config: Any, made_by: Mapping[str, Any]) -> RunFolder:
        """Make the folder and write its configuration.

        Raises:
            UserError: if the folder holds something already, or cannot be written.
        """
        require_unused(path)
        content = {**plain(config), "made_by": plain(made_by)}
        atomic_write(path / CONFIG, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
        return cls(path)

    @property
    def model(self) -> Path:
        """The folder of the finished model."""
        return self.path / MODEL

    @property
    def is_complete(self) -> bool:
        """Whether the run has come to its end."""
        return (self.model / "config.json").is_file()

    def config(self, kind: type[_Config]) -> _Config:
        """The run's configuration."""
        return read_config(kind, self.path / CONFIG)

    def settings(self) -> dict[str, Any]:
        """The run's configuration as mappings, lists, numbers and strings.

        Raises:
            UserError: as `read_settings` does.
        """
        return read_settings(self.path / CONFIG)

    def locked(self) -> AbstractContextManager[None]:
        """Within, no other process can run in this folder; a process that dies lets go of it.

        The folder is made where it is missing, and goes again if it is still empty at the end.

        Raises:
            UserError: if another process does, the folder cannot be written, or a link in it leads
                to another folder.
        """
        return made_and_locked(self.path)

    def require_unlocked(self) -> None:
        """Refuse a folder in which another process runs.

        Raises:
            UserError: as `locked` does.
        """
        with self.locked():
            pass

    def append(self, record: Mapping[str, float]) -> None:
        """Add a record to the metrics.

        Raises:
            UserError: if it cannot be written.
        """
        self._append(METRICS, json.dumps(record))

    def remark(self, text: str) -> None:
        """Add a remark for the user.

        Raises:
            UserError: if it cannot be written.
        """
        self._append(REMARKS, text)

    def cut(self, last: int, counter: str = "step") -> None:
        """Forget the records after the `last` step, which a run that goes on from there makes anew.

        `counter` names the number in the records that is meant, such as the round of a game.

        Raises:
            UserError: if it cannot be written.
        """
        if (self.path / METRICS).is_file():
            # Also makes what is kept as lasting as the checkpoint that it belongs to.
            records = self.records((counter,))
            self.replace_records([record for record in records if record[counter] <= last])

    def replace_records(self, records: Iterable[Mapping[str, float]]) -> None:
        """Write these records in the place of all others.

        Raises:
            UserError: if they cannot be written.
        """
        atomic_write(self.path / METRICS, "".join(json.dumps(one) + "\n" for one in records))

    def records(self, needed: Iterable[str] = ("step",)) -> list[dict[str, float]]:
        """All whole records so far, oldest first.

        Raises:
            UserError: if a line is not a record, or lacks a value.
        """
        records = []
        for number, line in enumerate(self._lines(METRICS), start=1):
            record = _record_in(line)
            if record is None or not record.keys() >= set(needed):
                raise UserError(
                    f"line {number} of {self.path / METRICS} is not a record; remove it to continue"
                )
            records.append(record)
        return records

    def sync(self) -> None:
        """Force the records to the disk."""
        with contextlib.suppress(FileNotFoundError), (self.path / METRICS).open("rb") as file:
            os.fsync(file.fileno())

    def remarks(self) -> list[str]:
        """All remarks so far, oldest first."""
        return self._lines(REMARKS)

    def _append(self, name: str, line: str) -> None:
        try:
            with open(self.path / name, "a", encoding="utf-8", opener=open_own) as file:
                file.write(line + "\n")
        except OSError as error:
            raise UserError(f"cannot write to {self.path}: {error.strerror}") from None

    def _lines(self, name: str) -> list[str]:
        path = self.path / name
        if not path.is_file():
            return []
        # What follows the last line end is still being written.
        text = read_whole(path, LARGEST_TEXT).decode("utf-8", errors="replace")
        return [line for line in text.split("\n")[:-1] if line]


def as_columns(records: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    """The values that all records have, by name, in the order of the first of one or more."""
    shared = set.intersection(*(set(record) for record in records))
    return {name: [one[name] for one in records] for name in records[0] if name in shared}


def _record_in(line: str) -> dict[str, float] | None:
    """The numbers by name that a line holds; `None` if it holds anything else."""
    try:
        record = json.loads(line)
        if isinstance(record, dict):
            for number in record.values():
                math.isfinite(number)  # Raises an error for other types and numbers too large.
            return record
    except (ValueError, TypeError, OverflowError, RecursionError):
        pass
    return None


def free_folder(parent: Path, name: str) -> Path:
    """The first of `name`, `name-2`, `name-3` … that does not exist in `parent`."""
    candidate, number = parent / name, 1
    while candidate.exists():
        number += 1
        candidate = parent / f"{name}-{number}"
    return candidate
