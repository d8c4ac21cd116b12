"""Functions for worker processes that do what RDKit might do at its worst."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass


def behave(item: str) -> str:
    """Do as the item says: crash, be killed, hang, raise, print, or else shout it back."""
    actions: dict[str, Callable[[], object]] = {
        "crash": lambda: os._exit(17),
        "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
        "hang": lambda: time.sleep(600),
        "fill": lambda: bytes(1 << 50),
        "raise": lambda: int("no number"),
        "leave": lambda: sys.exit("leaving"),
        "print": lambda: print("noise", flush=True),
    }
    if item in actions:
        actions[item]()
    return item.upper()


def fill(mebibytes: int) -> int:
    """Take so much memory, for a moment; gives the number of the process."""
    return len(bytes(mebibytes << 20)) and os.getpid()


def slowly(item: str) -> str:
    """The item, after half a second."""
    time.sleep(0.5)
    return item


def behave_together(items: tuple[str, ...]) -> list[str]:
    """Do as each item says."""
    return [behave(item) for item in items]


def slowly_together(items: tuple[str, ...]) -> list[str]:
    """The items, after half a second each."""
    return [slowly(item) for item in items]


def process_ids(pool: object) -> list[int]:
    """The system's numbers of the workers that run."""
    processes = (worker._process for worker in pool._team.workers)  # type: ignore[attr-defined]
    return [one.pid for one in processes if one.poll() is None]


def process_id(_: object) -> int:
    """The number of the process that does the work."""
    return os.getpid()


def modules(_: object) -> list[str]:
    """What the process has imported."""
    return sorted(sys.modules)


@dataclass(frozen=True)
class Unloadable:
    """Pickles here, cannot be unpickled there."""

    def __call__(self, item: str) -> str:
        return item

    def __setstate__(self, state: object) -> None:
        raise ValueError("no such thing")

    def __getstate__(self) -> dict[str, int]:
        return {"one": 1}


@dataclass(frozen=True)
class LoadsLater:
    """Where a file of this name is, unpickling removes it and fails."""

    path: str

    def __call__(self, item: str) -> str:
        return item

    def __setstate__(self, state: dict[str, str]) -> None:
        if os.path.exists(state["path"]):
            os.unlink(state["path"])
            raise MemoryError
        self.__dict__.update(state)


@dataclass(frozen=True)
class CrashesWhenLoaded:
    """Ends any process that unpickles it."""

    def __call__(self, item: str) -> str:
        return item

    def __setstate__(self, state: object) -> None:
        os._exit(3)

    def __getstate__(self) -> dict[str, int]:
        return {"one": 1}


def by_size(molecule: object) -> float:
    """Heavy atoms of a molecule."""
    return molecule.heavy_atoms  # type: ignore[attr-defined,no-any-return]


def never(molecule: object) -> float:
    """What a bug makes of a reward."""
    raise ValueError("a bug")
