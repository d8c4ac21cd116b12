"""Objects found by name: entry points of installed packages, and attributes of a user's file."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
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
    """Whether a text names an attribute: `FILE.py:ATTRIBUTE` or `module:attribute`."""
    where, colon, attribute = text.rpartition(":")
    if not colon or not attribute.isidentifier():
        return False
    return where.endswith(".py") or all(part.isidentifier() for part in where.split("."))


def load_reference(reference: str) -> Any:
    """Import what `FILE.py:ATTRIBUTE` or `module:attribute` names. This executes the file.

    Raises:
        UserError: if there is no such file, module or attribute, or importing it fails; the message
            names the line of the user's file.
    """
    where, _, attribute = reference.rpartition(":")
    module = _load_file(Path(where)) if where.endswith(".py") else _load_module(where)
    try:
        return getattr(module, attribute)
    except AttributeError:
        public = [name for name in vars(module) if not name.startswith("_")]
        raise UserError(
            f"{where} has no attribute {attribute!r}; it has {', '.join(public) or 'none'}"
        ) from None


def _load_module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise UserError(f"cannot import {name}: {_description(error)}") from None


def _load_file(path: Path) -> ModuleType:
    """A file's module, imported once; the file may import its neighbours by their plain names."""
    if not path.is_file():
        raise UserError(f"there is no file {path}")
    path = path.resolve()
    name = f"seqtutor_user_{abs(hash(path)):x}_{path.stem}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if not isinstance(error, Exception) or isinstance(error, UserError):
            raise
        raise UserError(f"cannot load {path}: {_description(error, path)}") from None
    return module


def _description(error: Exception, path: Path | None = None) -> str:
    """The error in one line, with the line of the user's file in which it arose."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    if isinstance(error, SyntaxError) or path is None:
        return text
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == str(path)
    ]
    return f"{text} (line {lines[-1]})" if lines else text
