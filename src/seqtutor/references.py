"""Objects found by name: a user's `FILE.py:NAME` or `module:NAME`, and entry points of packages."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
import zlib
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from seqtutor.errors import UserError


@cache
def entry_points_of(group: str) -> dict[str, EntryPoint]:
    """The entry points of a group, such as `seqtutor.tasks`, by name."""
    return {point.name: point for point in entry_points(group=group)}


def is_reference(text: str) -> bool:
    """Whether a text names an object in a file or a module, and not a registered name."""
    where, colon, name = text.rpartition(":")
    if not colon or not name.isidentifier():
        return False
    return where.endswith(".py") or all(part.isidentifier() for part in where.split("."))


def load_reference(reference: str) -> Any:
    """Import the file or the module and return the object of that name in it.

    A file is imported once per process, and may import modules that lie beside it. A module may lie
    in the working directory. Only what the user of the program named may come here: importing runs
    code.

    Raises:
        UserError: if the reference is malformed, or the import fails, or nothing has that name.
    """
    where, _, name = reference.rpartition(":")
    if not where or not name.isidentifier():
        raise UserError(f"{reference!r} names no Python object; write FILE.py:NAME or module:NAME")
    module = _module_of_file(Path(where)) if where.endswith(".py") else _module(where)
    if not hasattr(module, name):
        raise UserError(f"{where} defines no {name!r}")
    return getattr(module, name)


def _module(name: str) -> ModuleType:
    if name.partition(".")[0] not in sys.modules:
        _search_in(Path.cwd())
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise _import_failed(name, error) from error


def _module_of_file(path: Path) -> ModuleType:
    path = path.resolve()
    name = f"_seqtutor_file_{path.stem}_{zlib.crc32(bytes(path)):08x}"
    if name in sys.modules:
        return sys.modules[name]
    if not path.is_file():
        raise UserError(f"there is no file {path}")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    _search_in(path.parent)
    # Dataclasses look their module up while the file is executed.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise _import_failed(str(path), error) from error
    return module


def _search_in(folder: Path) -> None:
    """Let imports find modules of a folder, after all others: they must not hide installed ones."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def _import_failed(name: str, error: Exception) -> UserError:
    if isinstance(error, UserError):
        return error
    reason = " ".join(str(error).split())
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == name]
    place = f" (line {lines[-1]})" if lines else ""
    return UserError(f"{name} cannot be imported: {type(error).__name__}: {reason}{place}")
