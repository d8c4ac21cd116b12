"""Folders that one process at a time works in."""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from seqtutor.errors import UserError
from seqtutor.files import LOCK, make_folder, open_own, require_no_linked_folders


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Within, no other process can lock the folder; a process that dies lets go of it.

    Raises:
        UserError: if another process has it locked, or the folder cannot be written.
    """
    if importlib.util.find_spec("fcntl") is None:  # There is no such lock on Windows.
        yield
        return
    path = folder / LOCK
    while (file := _lock(path)) is None:
        pass
    with file:
        try:
            yield
        finally:
            # While it is held: nobody else has this file locked, and nobody can any more.
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def made_and_locked(folder: Path) -> Iterator[None]:
    """As `locked`, of a folder that is made where it is missing.

    What was made goes again, if it is still empty at the end.

    Raises:
        UserError: as `locked` does, or if a link in the folder leads to another one.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    make_folder(folder)
    try:
        with locked(folder):
            require_no_linked_folders(folder)
            yield
    finally:
        with contextlib.suppress(OSError):
            for path in made:
                path.rmdir()


def _lock(path: Path) -> IO[str] | None:
    """The file, locked; `None` if its last holder has removed it since it was opened.

    A lock is on the file and not on its name: whoever comes next would make another file of this
    name, and hold a lock on that one.
    """
    import fcntl

    try:
        # Nothing is written, so that nothing is lost should it be somebody's file.
        file = open(path, "a", opener=open_own)  # noqa: SIM115 - as long as the lock
    except OSError as error:
        raise UserError(f"cannot write to {path.parent}: {error.strerror}") from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise UserError(
            f"another process runs in {path.parent}; wait for its end, or stop it first"
        ) from None
    with contextlib.suppress(FileNotFoundError):
        if os.path.samestat(path.stat(), os.fstat(file.fileno())):
            return file
    file.close()
    return None
