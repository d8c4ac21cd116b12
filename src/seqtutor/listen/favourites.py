"""What a person keeps: favourites and preferences of a task, in one file of the user's.

The file lies in the user's data folder, not in that of a run: a page shows several runs, a run's
folder may be read-only or be copied, and what one likes outlives both.
"""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import platformdirs
from filelock import FileLock, Timeout

from seqtutor.errors import UserError
from seqtutor.files import atomic_write, make_folder, parse_json, read_regular
from seqtutor.listen.requests import COLDEST, HOTTEST, LARGEST_SEED, number, whole
from seqtutor.listen.sources import LONGEST
from seqtutor.runs.run_folder import from_plain, plain
from seqtutor.settings import require

MOST_FAVOURITES, MOST_PREFERENCES = 1_000, 10_000
MOST_BYTES = 64 << 20
LATEST = 253_402_300_800.0
"""The end of the year 9999, in seconds since 1970."""
PATIENCE = 5.0
"""Seconds that another process is waited for."""


@dataclass(frozen=True)
class Sample:
    """A sequence as it was generated.

    Attributes:
        id: names it in requests.
        title: for people.
        source: the title of its policy.
        folder: of its policy, as it was.
        tokens: by their names, the end token included.
        primed: how many of them were given.
        seed, temperature: of the sampling.
        how: it was shown.
        when: seconds since 1970.

    Raises:
        UserError: if a number is out of its range.
    """

    id: str
    title: str
    source: str
    folder: str
    tokens: tuple[str, ...]
    primed: int = 0
    seed: int = 0
    temperature: float = 1.0
    how: Mapping[str, Any] = field(default_factory=dict)
    when: float = 0.0

    def __post_init__(self) -> None:
        whole("primed", self.primed, 0, min(len(self.tokens), LONGEST))
        whole("seed", self.seed, 0, LARGEST_SEED)
        number("temperature", self.temperature, COLDEST, HOTTEST)
        number("when", self.when, 0, LATEST)
        require(1 <= len(self.tokens) <= LONGEST, f"a sample has 1 to {LONGEST} tokens")
        values = self.how.values()
        is_plain = all(isinstance(one, str) or math.isfinite(one) for one in values)
        require(is_plain, "how a sample is shown must be words and finite numbers")


@dataclass(frozen=True)
class Preference:
    """A blind choice between two policies: the preferred one, or `None` for neither.

    Raises:
        UserError: if another policy is preferred.
    """

    pair: tuple[str, str]
    preferred: str | None
    when: float = 0.0

    def __post_init__(self) -> None:
        number("when", self.when, 0, LATEST)
        require(self.preferred in (None, *self.pair), "one of the pair is preferred, or neither")


@dataclass(frozen=True)
class Kept:
    """All that is in the file."""

    favourites: tuple[Sample, ...] = ()
    preferences: tuple[Preference, ...] = ()

    def counts(self, pair: Sequence[str]) -> dict[str, int]:
        """How often each of two policies was preferred to the other, and "neither"."""
        counts = {**dict.fromkeys(pair, 0), "neither": 0}
        for one in self.preferences:
            if set(one.pair) == set(pair):
                counts[one.preferred or "neither"] += 1
        return counts


def usual_file(task: str) -> Path:
    """In the user's data folder, a file for each task."""
    return Path(platformdirs.user_data_dir("seqtutor")) / "favourites" / f"{task}.json"


def new_id() -> str:
    """A name that nobody guesses and none has twice."""
    return secrets.token_hex(8)


@dataclass(frozen=True)
class Favourites:
    """The file of a task; several processes may use it.

    Raises:
        UserError: if the file is there and is damaged, so that it is not written over.
    """

    path: Path

    def __post_init__(self) -> None:
        self.read()

    def read(self) -> Kept:
        """What is in the file; nothing where it is missing.

        Raises:
            UserError: if it cannot be read.
        """
        try:
            content = parse_json(read_regular(self.path, MOST_BYTES).decode("utf-8"))
            return from_plain(Kept, content, self.path)
        except FileNotFoundError:
            return Kept()
        except OSError as error:
            raise UserError(f"cannot read {self.path}: {error.strerror or error}") from None
        except (UserError, ValueError, TypeError, AttributeError, OverflowError, RecursionError):
            raise UserError(
                f"{self.path} is damaged; move it away, or name another file with --favourites"
            ) from None

    def keep(self, sample: Sample) -> Kept:
        """Add a favourite, unless it is there.

        Raises:
            UserError: if there are too many, or the file cannot be written.
        """

        def added(kept: Kept) -> Kept:
            if any(one.id == sample.id for one in kept.favourites):
                return kept
            require(
                len(kept.favourites) < MOST_FAVOURITES,
                f"there are {MOST_FAVOURITES:,} favourites; remove some first",
            )
            return Kept((*kept.favourites, sample), kept.preferences)

        return self._changed(added)

    def remove(self, name: str) -> Kept:
        """Remove the favourite of an id, if it is there.

        Raises:
            UserError: if the file cannot be written.
        """
        return self._changed(
            lambda kept: Kept(
                tuple(one for one in kept.favourites if one.id != name), kept.preferences
            )
        )

    def prefer(self, preference: Preference) -> Kept:
        """Add a preference; the oldest goes where there are too many.

        Raises:
            UserError: if the file cannot be written.
        """

        def added(kept: Kept) -> Kept:
            all_of_them = (*kept.preferences, preference)
            return Kept(kept.favourites, all_of_them[-MOST_PREFERENCES:])

        return self._changed(added)

    def _changed(self, change: Callable[[Kept], Kept]) -> Kept:
        """Read, change, write, while no other process does."""
        make_folder(self.path.parent)
        try:
            with FileLock(self.path.with_suffix(".lock"), timeout=PATIENCE):
                kept = change(self.read())
                content = json.dumps(plain(kept), ensure_ascii=False, indent=1)
                atomic_write(self.path, content + "\n")
                return kept
        except Timeout:
            raise UserError(f"another process writes {self.path}; try again") from None
        except OSError as error:
            raise UserError(f"cannot write {self.path}: {error.strerror or error}") from None
