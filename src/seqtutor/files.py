"""Files that are either whole or not there."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from seqtutor.errors import UserError

TEMPORARY = ".tmp"
LOCK = ".lock"
"""Held by the process that works in a folder."""


def require_unused(path: Path) -> None:
    """Refuse a folder that holds something already, or a file in its place.

    What a killed process left of a file or of a lock does not count, nor do empty folders.

    Raises:
        UserError: if the path is taken.
    """
    if path.exists() and not (path.is_dir() and _is_left_over(path)):
        raise UserError(f"{path} exists already; choose another folder with --output")


def _is_left_over(path: Path) -> bool:
    if path.is_dir():
        return all(map(_is_left_over, path.iterdir()))
    return path.name == LOCK or (path.name.startswith(".") and path.suffix == TEMPORARY)


def make_folder(path: str | Path) -> Path:
    """Make a folder, unless it is there, that can be written to.

    Raises:
        UserError: if that cannot be done.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder {path}: {error.strerror or error}") from None
    if not os.access(path, os.W_OK):
        raise UserError(f"cannot write to the folder {path}")
    return path


def atomic_write(path: str | Path, content: bytes | str) -> Path:
    """Write a file so that nobody ever sees half of it, and return its path.

    The content goes to a temporary file in the same folder, is forced to the disk, and then takes
    the name in one step. Missing folders are made; text is written as UTF-8 with its line ends as
    they are. If anything fails, a file that was there before stays as it was.

    Raises:
        UserError: if the folder or the file cannot be written.
    """
    path = Path(path)
    data = content.encode("utf-8") if isinstance(content, str) else content
    # Not `tempfile`: its files are readable by their owner only, whatever the umask says.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{TEMPORARY}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    return path
