"""A public report of a fault in another program, as something to try on this one."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Case:
    """A report, what was wrong there in our words, and an input of our own.

    Attributes:
        reports: repositories and numbers.
        what: is tried.
        answer: what comes of it; is given an empty folder.
        right: what should come.
    """

    reports: str
    what: str
    answer: Callable[[Path], Any]
    right: Any


def tried(cases: Iterable[Case]) -> int:
    """Print a line a case; gives how many failed."""
    failed = 0
    for case in cases:
        with tempfile.TemporaryDirectory() as folder:
            try:
                found = case.answer(Path(folder))
            except Exception as error:  # What is tried may fail in any way.
                found = f"{type(error).__name__}: {error}"
        good = found == case.right
        failed += not good
        print(f"{'ok  ' if good else 'FAIL'} {case.reports}: {case.what}", flush=True)
        if not good:
            print(f"     found {found}\n     right {case.right}")
    return failed
