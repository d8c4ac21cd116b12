"""Several files of a user's, of which some cannot be used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from seqtutor.errors import UserError
from seqtutor.runs.progress import console

Content = TypeVar("Content")


def read_usable(
    files: Sequence[Path], read: Callable[[Path], Content]
) -> tuple[list[tuple[Path, Content]], int]:
    """Read each file; one that cannot be used is named on standard error, and the others are read.

    Args:
        files: their paths.
        read: the content of a file; it raises a `UserError` of one that cannot be used.

    Returns:
        Path and content of each file that can be used, and the exit code of a command that uses
        them: 2 if a file was left out, else 0.

    Raises:
        UserError: if no file can be used; the other files are named on standard error first.
    """
    found: list[tuple[Path, Content]] = []
    faults: list[UserError] = []
    for path in files:
        try:
            found.append((path, read(path)))
        except UserError as error:
            faults.append(error)
    refused = None if found or not faults else faults.pop()
    for fault in faults:
        line = " ".join(str(fault).splitlines())
        console.print(f"seqtutor: {line}", markup=False, highlight=False, soft_wrap=True)
    if refused is not None:
        raise refused
    return found, 2 if faults else 0
