"""Files that are either whole or not there, and what may be read of a stranger's."""

from __future__ import annotations

import contextlib
import json
import math
import os
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from seqtutor.errors import UserError

TEMPORARY = ".tmp"
LOCK = ".lock"
"""Held by the process that works in a folder."""
LARGEST_TEXT = 1 << 30
"""Bytes of a text file that is read, unpacked."""
_OWN = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def require_unused(path: Path) -> None:
    """Refuse a folder that holds something already or cannot be made, or a file in its place.

    What a killed process left of a file or of a lock does not count, nor do empty folders.

    Raises:
        UserError: if the path is taken, or nothing can be written there.
    """
    if os.path.exists(path) and not (path.is_dir() and _is_left_over(path)):
        raise UserError(f"{path} exists already; choose another output folder")
    _require_writable(path, (path, *path.absolute().parents))


def require_writable(path: Path) -> None:
    """Refuse a file that could not be written, before the work that leads to it.

    Missing folders are no reason, as `atomic_write` makes them, nor is a file of that name.

    Raises:
        UserError: if the file, or the first of its folders, cannot be made.
    """
    if os.path.isdir(path):
        raise UserError(f"cannot write {path}: it is a folder")
    _require_writable(path, path.absolute().parents)


def require_other(path: Path, read: Path) -> None:
    """Refuse to write over the file that is read, by whatever name.

    Raises:
        UserError: if both are the same file.
    """
    if path.exists() and read.exists() and path.samefile(read):
        raise UserError(f"{path} is the file that is read; choose another one to write")


def _require_writable(path: Path, folders: Iterable[Path]) -> None:
    """Try it in the first of the folders that is there; permissions alone do not tell."""
    try:
        there = next(folder for folder in folders if folder.exists())
        own = there / f".{path.name}.{secrets.token_hex(4)}{TEMPORARY}"
        own.open("xb").close()
        own.unlink()
    except OSError as error:
        raise _cannot_write(path, error) from None


def _is_left_over(path: Path) -> bool:
    if path.name.startswith(".") and path.suffix == TEMPORARY:
        return True
    if path.is_dir():
        return all(map(_is_left_over, path.iterdir()))
    return path.name == LOCK


def read_regular(path: Path, most: int) -> bytes:
    """A file's content, which neither waits for anybody nor is larger than it may be.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it is not a regular file, such as a pipe or a device, or has more bytes.
    """
    require_regular(path)
    if path.stat().st_size > most:
        raise ValueError(f"{path.name} is larger than {most >> 10:,} KiB")
    return path.read_bytes()


def read_whole(path: Path, most: int) -> bytes:
    """As `read_regular`, of a file that is the user's to mend.

    Raises:
        UserError: if it cannot be read, is not a regular file, or has more bytes.
    """
    try:
        return read_regular(path, most)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    except ValueError as error:
        raise UserError(f"cannot read {path}: {error}") from None


def read_lines(path: Path) -> list[str]:
    r"""The lines of a text file in UTF-8, which end at \n or \r\n; there may be blank ones.

    Raises:
        UserError: if it cannot be read, is too large, or is not text.
    """
    try:
        text = read_whole(path, LARGEST_TEXT).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"cannot read {path}: it is not text in UTF-8") from None
    # Not `splitlines`, which also splits at characters that a token may have.
    return [line.removesuffix("\r") for line in text.split("\n")]


def require_regular(path: Path) -> None:
    """Refuse what is not a regular file: a pipe, for example, is waited for without end.

    Raises:
        OSError: if it is not there.
        ValueError: if it is something else.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError(f"{path.name} is not a regular file")


def open_own(path: str | Path, flags: int) -> int:
    """An opener for files of our own in a folder that may be a stranger's.

    It follows no link, and waits for nobody who would read from a pipe.

    Raises:
        OSError: if the file is a link, or cannot be opened.
    """
    return os.open(path, flags | _OWN, 0o666)


def require_no_linked_folders(folder: Path) -> None:
    """Refuse a folder with a link to another one in it, where our files would be written.

    A link to a file does no harm: `open_own` and `atomic_write` follow none.

    Raises:
        UserError: which names the link.
    """
    for parent, folders, _ in os.walk(folder):
        for name in folders:
            if (linked := Path(parent, name)).is_symlink():
                raise UserError(f"{linked} is a link to another folder; put a folder in its place")


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
    return write_together([(path, content)])[0]


def write_together(files: Iterable[tuple[str | Path, bytes | str]]) -> list[Path]:
    """Write files as `atomic_write` does, all of them or, if anything fails, none.

    Each content is written before the next one is asked for.

    Raises:
        UserError: if a folder or a file cannot be written.
    """
    temporary: list[tuple[Path, Path]] = []
    try:
        for given, content in files:
            path = Path(given)
            data = content.encode("utf-8") if isinstance(content, str) else content
            # Not `tempfile`: its files are readable by their owner only, whatever the umask says.
            own = path.with_name(f".{path.name}.{secrets.token_hex(4)}{TEMPORARY}")
            temporary.append((path, own))
            try:
                _write_to_disk(own, data)
            except OSError as error:
                raise _cannot_write(path, error) from None
        for path, own in temporary:
            try:
                os.replace(own, path)
            except OSError as error:
                raise _cannot_write(path, error) from None
    finally:
        for _, own in temporary:
            with contextlib.suppress(OSError):
                own.unlink()
    return [path for path, _ in temporary]


def _write_to_disk(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _cannot_write(path: Path, error: OSError) -> UserError:
    return UserError(f"cannot write {path}: {error.strerror or error}")


def json_number(value: float) -> float | None:
    """The number, or `None` where it is not finite: JSON has no other number for that."""
    number = float(value)
    return number if math.isfinite(number) else None


def parse_json(text: str) -> Any:
    """What a JSON text holds, all of which can be shown and written.

    Raises:
        ValueError: if it is none, or names half a character, as `"\\ud800"` does.
        RecursionError: if it is nested too deeply.
    """
    content = json.loads(text)
    if "\\u" in text:
        try:
            json.dumps(content, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ValueError("it names half a character") from None
    return content
