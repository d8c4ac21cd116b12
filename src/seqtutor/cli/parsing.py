"""The options of a command read from its arguments, and its help, by tyro."""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import textwrap
from dataclasses import fields, is_dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import tyro
from tyro.constructors import ConstructorRegistry, StructConstructorSpec, StructTypeInfo

from seqtutor.arguments import require_once
from seqtutor.cli.flat_settings import tutor_settings
from seqtutor.errors import UserError
from seqtutor.task_registry import task_names
from seqtutor.task_spec import TaskSpec

FEW = 20
"""A command with more options than this has a short help, with the main ones alone."""

MAIN_OPTIONS = (
    *("preset", "method", "methods", "c", "steps", "seed", "seeds", "prior", "data", "model"),
    *("output", "resume", "samples", "evaluate", "number", "epochs", "profile", "presets"),
    *(
        "models",
        "runs",
        "files",
        "file",
        "valid_only",
        "tokens",
        "json",
        "per_rule",
        "column",
        "temperature",
        "grid",
    ),
)
"""Fields that the short help of any command shows."""

_HELP, _HELP_ALL = ("-h", "--help"), "--help-all"
_NAMES = {int: "INT", float: "FLOAT", str: "STR", Path: "PATH"}
_NOTHING = ("None", "''", "")


def parse(
    name: str,
    spec: TaskSpec[Any] | None,
    default: Any,
    arguments: list[str],
    is_of_every_task: bool = True,
) -> Any:
    """Read a command's options; `None` if it was asked for help instead.

    Args:
        name: of the command.
        spec: the task.
        default: an instance of the dataclass of the options, with the defaults.
        arguments: after the command and the task.
        is_of_every_task: whether the command exists for other tasks, too.

    Raises:
        UserError: in one line, where tyro would print a box.
    """
    command = f"seqtutor {name}"
    if spec is not None and is_of_every_task:
        command += f" {spec.reference}"
    wants_all = _HELP_ALL in arguments
    if wants_all or not set(_HELP).isdisjoint(arguments):
        is_short = not wants_all and len(_options(default)) > FEW
        shown = {*MAIN_OPTIONS, *_main_options(spec)} if is_short else None
        print(_help(command, default, shown), end="")
        for paragraph in _notes(command, spec if is_of_every_task else None, default, shown):
            print(f"\n{_wrapped(paragraph)}")
        return None
    require_once(arguments)
    messages = io.StringIO()
    try:
        with contextlib.redirect_stderr(messages), _registry(default, None):
            return tyro.cli(type(default), prog=command, args=arguments, default=default)
    except SystemExit:
        message = _one_line(messages.getvalue())
        raise UserError(f"{message}; see: {command} --help") from None


def _main_options(spec: TaskSpec[Any] | None) -> tuple[str, ...]:
    if spec is None:
        return ()
    if spec.main_options is not None:
        return spec.main_options
    return tuple(one.name for one in fields(spec.settings_type))


def _help(command: str, default: Any, shown: set[str] | None) -> str:
    """What tyro prints, without boxes and colours, and with the description wrapped."""
    text = io.StringIO()
    quiet = contextlib.redirect_stdout(text), contextlib.suppress(SystemExit)
    with quiet[0], quiet[1], _registry(default, shown):
        tyro.cli(type(default), prog=command, args=["--help"], default=default)
    before, title, after = text.getvalue().rstrip().partition("\n ")
    lines = (title + after).splitlines()
    paragraphs = (_wrapped(" ".join(one.split())) for one in before.strip().split("\n\n"))
    return "\n\n".join([*paragraphs, "\n".join(line.rstrip() for line in lines)]) + "\n"


def _notes(
    command: str, spec: TaskSpec[Any] | None, default: Any, shown: set[str] | None
) -> list[str]:
    """What stands below the options: presets, profiles, other tasks, how to see all options."""
    notes = []
    if spec is not None and hasattr(default, "preset") and spec.presets:
        lines = (f"- {name}: {one.summary}" for name, one in spec.presets.items())
        notes.append("\n".join(["Presets:", *lines]))
    has_own = spec is not None and command.split()[1] in spec.commands
    if spec is not None and hasattr(default, "profile") and not has_own:
        lines = (f"- {name}: {one.summary}" for name, one in spec.profiles.items())
        notes.append("\n".join(["Profiles:", *lines]))
    if spec is not None:
        notes.append(
            f"These are the options for the task {spec.name}. For those of another task: "
            f"{command.rpartition(' ')[0]} TASK --help, where TASK is {', '.join(task_names())} or "
            "FILE.py:NAME."
        )
    if shown is not None:
        rest = len(_hidden(default, shown))
        notes.append(f"These are the main options; for {rest} more: {command} {_HELP_ALL}")
    return notes


def _wrapped(text: str) -> str:
    width = min(shutil.get_terminal_size().columns, 80)
    fill = partial(textwrap.fill, width=width, break_on_hyphens=False, break_long_words=False)
    return "\n".join(map(fill, text.splitlines()))


def _registry(default: Any, shown: set[str] | None) -> ConstructorRegistry:
    """How tyro reads the options: the settings of a tutor flat, and words that people understand.

    Args:
        default: the options.
        shown: names of the options that the help shows; `None` for all.
    """
    registry = ConstructorRegistry()
    registry.struct_rule(tutor_settings)
    hidden = {} if shown is None else {(k, path[-1]) for k, path in _hidden(default, shown)}
    reading: list[type[Any]] = []

    @registry.struct_rule
    def in_plain_words(info: StructTypeInfo) -> StructConstructorSpec | None:
        kind = info.type
        if not is_dataclass(kind) or kind in reading:
            return None
        reading.append(kind)
        try:
            nested = ConstructorRegistry.get_struct_spec(info)
        finally:
            reading.remove(kind)
        if not isinstance(nested, StructConstructorSpec):
            return None
        return replace(
            nested,
            fields=tuple(
                replace(
                    one,
                    type=_described(one.type, (kind.__name__, one.name) in hidden),
                    helptext=_unbroken(one.helptext),
                )
                for one in nested.fields
            ),
        )

    return registry


def _hidden(default: Any, shown: set[str]) -> list[tuple[str, tuple[str, ...]]]:
    """The options that a short help leaves out."""
    return [
        (kind, path)
        for kind, path in _options(default)
        if not any(_is_named(path, one.split(".")) for one in shown)
    ]


def _is_named(path: tuple[str, ...], name: list[str]) -> bool:
    """Whether a name is a path's end; the groups of options have no prefix."""
    return list(path[-len(name) :]) == name and len(path) <= len(name) + 1


def _options(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, tuple[str, ...]]]:
    """For each option the dataclass that has it, and the names that lead to it."""
    found = []
    for one in fields(value):
        inner = getattr(value, one.name)
        names = (*path, one.name)
        if isinstance(inner, dict):  # Groups whose names the user gives.
            for name, group in inner.items():
                found += _options(group, (*names, name))
        elif is_dataclass(inner):
            found += _options(inner, names)
        else:
            found.append((type(value).__name__, names))
    return found


def _described(kind: Any, is_hidden: bool) -> Any:
    """The type of an option with words for what it takes and what holds without it."""
    marks: list[Any] = [tyro.conf.arg(help_behavior_hint=_default_in_words)]
    bare, *known = get_args(kind) if get_origin(kind) is Annotated else (kind,)
    has_name = any(getattr(one, "metavar", None) is not None for one in known)
    if not has_name and (name := _name_of_optional(bare)) is not None:
        marks.append(tyro.conf.arg(metavar=name))
    if is_hidden:
        marks.append(tyro.conf.Suppress)
    return Annotated[(kind, *marks)]


def _name_of_optional(kind: Any) -> str | None:
    """`INT` for `int | None`, `INT [INT ...]` for `tuple[int, ...] | None`, and so on."""
    inner = [one for one in get_args(kind) if one is not type(None)]
    if len(inner) != 1 or type(None) not in get_args(kind):
        return None
    if get_origin(inner[0]) is tuple:
        name = _NAMES.get(get_args(inner[0])[0])
        return None if name is None else f"{name} [{name} ...]"
    return _NAMES.get(inner[0])


def _default_in_words(value: str) -> str:
    return "" if value in _NOTHING else f"(default: {value})"


def _unbroken(text: Any) -> Any:
    """A help text whose lines break where the terminal ends, and at the items of lists."""
    if callable(text):
        return lambda: _unbroken(text())
    return text if text is None else re.sub(r"\n(?!- |\n)\s*", " ", text)


def _one_line(message: str) -> str:
    """The first sentences of tyro's error: in a box or, in plain ASCII, under a title."""
    has_box = "╭" in message
    plain = re.sub(r"\x1b\[[0-9;]*m|╭.*╮|╰.*╯|│", "", message)
    blocks = [" ".join(block.split()) for block in re.split(r"[─-]{5,}", plain)]
    found = [block for block in blocks if block][0 if has_box else 1 :]
    sentences = re.split(r"Argument helptext|Perhaps you meant|For full helptext", found[0])
    sentence = sentences[0].strip().rstrip(".")
    sentence = re.sub(
        r"invalid literal for int\(\) with base 10: (.*)", r"\1 is not a whole number", sentence
    )
    sentence = re.sub(r"could not convert string to float: (.*)", r"\1 is not a number", sentence)
    near = re.search(r"Perhaps you meant:\s+(--[\w.-]+)", " ".join(blocks))
    return sentence if near is None else f"{sentence} (did you mean {near[1]}?)"
