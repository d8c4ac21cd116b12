"""Objects found by name: a user's `FILE.py:NAME` or `module:NAME`, and entry points of packages."""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import sys
import sysconfig
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from seqtutor.errors import UserError, in_one_line, place_in_files

_own_files: dict[str, str] = {}
"""The files that references named, by the names of their modules."""


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
    module = load_file(Path(where)) if where.endswith(".py") else _module(where)
    with running_users_code(where, "imported"):
        try:
            return getattr(module, name)
        except AttributeError:
            raise UserError(f"{where} defines no {name!r}") from None


def place_in_own_files(error: BaseException) -> str:
    """The last line in an error's traceback of a file that a reference named, or ""."""
    return place_in_files(_own_files.values(), error)


def files_of(pickled: bytes) -> list[str]:
    """The files that `load_file` loaded and that a pickle names: unpickling needs them loaded."""
    return [file for name, file in _own_files.items() if name.encode() in pickled]


@cache
def source_sha256(reference: str) -> str | None:
    """SHA-256 of the file of a `FILE.py:NAME` and of what it imports from beside it, at any depth.

    Of a `module:NAME` it is that of the module, with its package, and of what they import from
    beside them. It is kept for the process, as the imported modules are: ask for it once they are
    imported.

    Returns:
        Hexadecimal digits; `None` for a module of an installed package.
    """
    where = reference.rpartition(":")[0]
    if where.endswith(".py"):
        file = Path(where).resolve()
        folder, found = file.parent, {file: ""}
    else:
        own = _folder_of_own(where)
        if own is None:
            return None
        folder = own
        top = _beside(folder, [where.partition(".")[0]])
        found = {path: path.relative_to(folder).as_posix() for path in top}
    waiting = list(found)
    while waiting:
        for path in _beside(folder, _imported_by(waiting.pop())):
            if path not in found:
                found[path] = path.relative_to(folder).as_posix()
                waiting.append(path)
    sums = hashlib.sha256()
    for path, name in sorted(found.items(), key=lambda item: item[1]):
        sums.update(f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()} ".encode())
    return sums.hexdigest()


def _folder_of_own(name: str) -> Path | None:
    """The folder that holds an imported module or its package, unless it is an installed one."""
    file = getattr(sys.modules.get(name), "__file__", None)
    if file is None or name.partition(".")[0] == __name__.partition(".")[0]:
        return None
    path = Path(file).resolve()
    installed = (Path(sysconfig.get_path(kind)).resolve() for kind in ("purelib", "platlib"))
    if any(folder in path.parents for folder in installed):
        return None
    return path.parents[name.count(".") + (path.name == "__init__.py")]


def _imported_by(path: Path) -> set[str]:
    """The first names of the modules that a file imports, anywhere in it."""
    try:
        nodes = list(ast.walk(ast.parse(path.read_bytes())))
    except (SyntaxError, ValueError):
        return set()  # A file of a package that nobody has imported.
    imports = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    imports += [
        node.module
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module and not node.level
    ]
    return {name.partition(".")[0] for name in imports}


def _beside(folder: Path, names: Iterable[str]) -> Iterator[Path]:
    """The files of the modules, and all files of the packages, that lie in a folder."""
    for name in names:
        module = sys.modules.get(name)
        places = [*getattr(module, "__path__", []), getattr(module, "__file__", None)]
        if module is not None and not any(one and folder in Path(one).parents for one in places):
            continue  # An installed one hides what lies here.
        package = folder / name
        files = sorted(package.rglob("*.py")) if package.is_dir() else [folder / f"{name}.py"]
        yield from (path for path in files if path.is_file())


def _module(name: str) -> ModuleType:
    if name.partition(".")[0] not in sys.modules:
        _search_in(Path.cwd())
    with running_users_code(name, "imported"):
        module = importlib.import_module(name)
    if name.partition(".")[0] != __name__.partition(".")[0] and module.__file__ is not None:
        _own_files[name] = module.__file__
    return module


def load_file(path: Path) -> ModuleType:
    """Import a file, once per process.

    Raises:
        UserError: if there is none, or the import fails.
    """
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
    # Dataclasses look their module up while the file is executed, as does pickle.
    sys.modules[name] = module
    _own_files[name] = str(path)
    try:
        with running_users_code(str(path), "imported"):
            spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _search_in(folder: Path) -> None:
    """Let imports find modules of a folder, after all others: they must not hide installed ones."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


@contextmanager
def running_users_code(name: str, done: str = "used") -> Iterator[None]:
    """Within, whatever a user's code raises, `sys.exit(0)` too, becomes a `UserError`."""
    try:
        yield
    except (UserError, KeyboardInterrupt):
        raise
    except BaseException as error:
        reason = f"{in_one_line(error)}{place_in_own_files(error)}"
        raise UserError(f"{name} cannot be {done}: {reason}") from error
