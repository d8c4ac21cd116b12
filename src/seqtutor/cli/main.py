"""The command line: one module a command, imported only when it is called."""

from __future__ import annotations

import contextlib
import difflib
import errno
import importlib
import os
import re
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqtutor import __version__
from seqtutor.arguments import value_of
from seqtutor.errors import UserError, in_one_line, printable
from seqtutor.references import (
    entry_points_of,
    is_reference,
    place_in_own_files,
    running_users_code,
)
from seqtutor.task_registry import find_spec, task_name_in, task_names
from seqtutor.task_spec import TaskSpec
from seqtutor.tasks import DEFAULT_TASK

COMMANDS = {
    "reproduce": "run a whole experiment: real data to tuned policies, tables and figures",
    "pretrain": "train a prior on sequences by maximum likelihood",
    "tune": "tune a copy of the prior on a reward, staying near the prior",
    "compare": "compare methods at equal KL divergence from the prior, beside controls",
    "sample": "write sequences that a model generates",
    "score": "what given sequences earn, by each term of the reward",
    "evaluate": "measure runs, models or given sequences beside published figures",
    "report": "one page of runs to look at and listen to, as a single HTML file",
    "verify": "check every method against exact solutions, or a task against its contract",
    "bench": "how fast policies learn on this machine, beside how fast they could",
}
"""The commands that every task has; a task may bring more."""

NAMES_A_MODEL = ("sample", "evaluate", "report", "listen", "study new")
"""Commands whose first word may be a run or a model, whose task is then meant."""

NAMES_A_FILE = ("score",)
"""Commands whose first word may be a file."""

TASK_IS_OPTIONAL = ("verify",)
"""Commands that do something else without a task."""

COMMAND_GROUP = "seqtutor.commands"
"""Entry points of further commands. The module's TASK names the task that brings it, or is `None`
where no task is needed; without it the command is for every task. ACTIONS has the modules of what
may follow the command, such as `new`."""

_OF_THE_SYSTEM = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENOENT, errno.EROFS)
"""Errors without a file's name: an output that is full, no folder for temporary files."""

USAGE = """\
Sequence Tutor: teach a trained sequence generator new rules, without forgetting its data.

usage: seqtutor COMMAND [OPTIONS]

{commands}

Each command prints its main options with --help, all with --help-all. To see everything at work:

  seqtutor reproduce {task}

The tasks are {tasks}; a task of your own is given as FILE.py:ATTRIBUTE.
"""


def usage() -> str:
    """The text of `seqtutor --help`."""
    commands = COMMANDS | _commands_of_tasks()
    width = max(map(len, commands))
    return USAGE.format(
        commands="\n".join(f"  {name:<{width}}   {text}" for name, text in commands.items()),
        task=DEFAULT_TASK,
        tasks=", ".join(task_names()),
    )


def _commands_of_tasks() -> dict[str, str]:
    """The commands that tasks bring, each with the first line of its module."""
    found = {}
    for name, point in entry_points_of(COMMAND_GROUP).items():
        with running_users_code(f"the command {name}"):
            _, _, text = (point.load().__doc__ or "").partition(": ")
        found[name] = text.partition("\n")[0].rstrip(".")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code.

    0: done · 1: what was to be verified is not so · 2: the user's input is at fault · 130:
    interrupted or terminated.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if (undecodable := _first_undecodable(arguments)) is not None:
        _say(f"an argument is not text in UTF-8: {undecodable!a}")
        return 2
    # A terminated command ends like an interrupted one, so that it can end what it started.
    if threading.current_thread() is threading.main_thread():
        from seqtutor.runs.interruption import hangup

        for number in (signal.SIGTERM, *hangup()):
            signal.signal(number, _interrupt)
    try:
        return _run(arguments)
    except KeyboardInterrupt as interruption:
        _say(str(interruption) or "interrupted")
        # Not a return: a thread of XLA that is still compiling would crash as Python shuts down.
        os._exit(130)
    except BrokenPipeError:
        # The reader, such as `head`, has what it wanted; there is nobody left to tell.
        sys.stderr.close()
        return 1
    except BaseException as error:
        if isinstance(error, SystemExit) and isinstance(error.__context__, BrokenPipeError):
            return 1  # So ends what rich was printing to such a reader.
        if (line := _in_a_line(error)) is None:
            raise
        _say(line)
        return 2


def _in_a_line(error: BaseException) -> str | None:
    """What the user is told of an error; `None` of one that is a fault of this program."""
    if isinstance(error, UserError):
        return " ".join(str(error).splitlines())
    if isinstance(error, OSError) and error.filename is not None:
        return f"cannot use {error.filename}: {error.strerror}"
    if isinstance(error, OSError) and error.errno in _OF_THE_SYSTEM:
        return error.strerror or str(error)
    if place := place_in_own_files(error):
        return f"{in_one_line(error)}{place}"
    said = in_one_line(error)
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in said:
        return "memory ran out; ask for fewer or shorter sequences, or smaller batches"
    return said if isinstance(error, SystemExit) else None


def _first_undecodable(arguments: Sequence[str]) -> str | None:
    """The first argument with bytes that are not text; it could be neither shown nor saved."""
    return next((one for one in arguments if any("\ud800" <= c <= "\udfff" for c in one)), None)


def _say(text: str) -> None:
    """Print the last line to standard error, if that is still open."""
    with contextlib.suppress(OSError, ValueError):
        print(f"seqtutor: {printable(text)}", file=sys.stderr, flush=True)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage(), end="")
        return 0
    if arguments[0] == "--version":
        print(f"seqtutor {__version__}")
        return 0
    from seqtutor.runs.compiled_programs import keep_compiled_programs

    # Before the options are read: those of methods and models are in their files, which import JAX.
    keep_compiled_programs()
    # XLA reports slow compilation as an error; what is one ends as an exception.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    call = find_call(arguments[0], arguments[1:])
    options = parse(call)
    if options is None:
        return 0
    return call.module.run(call.spec, options) or 0


@dataclass(frozen=True)
class Call:
    """A command as it was called: its module, the task, and the arguments after the task's name."""

    name: str
    module: Any
    spec: TaskSpec[Any] | None
    arguments: list[str]


def find_call(name: str, arguments: list[str]) -> Call:
    """The command's module, or the one with which the task replaces it, and the task.

    Raises:
        UserError: if there is no such command or task.
    """
    own = entry_points_of(COMMAND_GROUP)
    if name not in COMMANDS and name not in own:
        raise UserError(_no_command(name, [*COMMANDS, *own]))
    if name in own:
        with running_users_code(f"the command {name}"):
            module = own[name].load()
        actions = getattr(module, "ACTIONS", {})
        if arguments and arguments[0] in actions:
            module = importlib.import_module(actions[arguments[0]])
            name, arguments = f"{name} {arguments[0]}", arguments[1:]
        if hasattr(module, "TASK"):
            spec = None if module.TASK is None else find_spec(module.TASK)
            return Call(name, module, spec, arguments)
        task, rest = split_task(name, arguments)
        return Call(name, module, find_spec(task), rest)
    task, rest = split_task(name, arguments)
    usual = f"seqtutor.cli.{name}"
    if name in TASK_IS_OPTIONAL and rest == arguments:
        return Call(name, importlib.import_module(usual), None, rest)
    spec = find_spec(task)
    with running_users_code(f"the command {name} of {task}"):
        module = importlib.import_module(spec.commands.get(name, usual))
    return Call(name, module, spec, rest)


def _no_command(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    meant = f"; did you mean {near[0]}?" if near else ""
    return f"there is no command {name!r}{meant}; see: seqtutor --help"


def split_task(name: str, arguments: list[str]) -> tuple[str, list[str]]:
    """The task that is meant, and the arguments without its name.

    A task is named by the first word, or by the run or model that is. Without a name it is the
    default task.

    Raises:
        UserError: if the first word can be nothing but the name of a task, and is none.
    """
    word = arguments[0] if arguments and not arguments[0].startswith("-") else None
    if word is not None and (word in task_names() or is_reference(word)):
        return word, arguments[1:]
    if word is not None and (file := re.fullmatch(r"(.*\.py)(:.*)?", word)):
        raise UserError(f"name the task in the file, as {file[1]}:{task_name_in(Path(file[1]))}")
    if word is not None:
        near = difflib.get_close_matches(word, task_names(), n=1)
        meant = f"; did you mean {near[0]}?" if near else ""
        has = f"{name} has: {', '.join(task_names())}"
        if name not in (*NAMES_A_MODEL, *NAMES_A_FILE):
            raise UserError(f"there is no task {word!r}{meant}; {has}")
        if near and not Path(word).exists():
            raise UserError(f"there is no task, model or file {word!r}{meant}; {has}")
    options = ("--resume", "--config")
    named = [value for one in options if (value := value_of(one, arguments)) is not None]
    words = [word for word in arguments if not word.startswith("-")]
    words += [place for word in words if (place := word.partition("=")[2])]  # NAME=MODEL
    for place in named or (words if name in NAMES_A_MODEL else []):
        if (task := task_in(Path(place))) is not None:
            return task, arguments
    return DEFAULT_TASK, arguments


def task_in(path: Path) -> str | None:
    """The task of the run or model in a folder, where the folder tells it.

    Raises:
        UserError: if it is a task that is not installed: a user's own, whose code runs only when
            the user names it.
    """
    from seqtutor.runs.config import task_of_folder

    try:
        task = task_of_folder(path)
    except (UserError, OSError):
        return None  # Reading it in earnest says what is wrong.
    if task is not None and task not in task_names():
        raise UserError(
            f"{path} belongs to the task {task!r}, which is not installed; name its file before "
            "it, as FILE.py:ATTRIBUTE"
        )
    return task


def parse(call: Call) -> Any:
    """Read a command's options; `None` if it was asked for help instead.

    Raises:
        UserError: if an option is unknown or its value cannot be read.
    """
    from seqtutor.cli.options import with_named_groups
    from seqtutor.cli.parsing import parse as parse_options

    if hasattr(call.module, "defaults"):
        default = call.module.defaults(call.spec, call.arguments)
    else:
        default = call.module.Options()
    default = with_named_groups(default, call.arguments)
    is_of_every_task = not hasattr(call.module, "TASK")
    return parse_options(call.name, call.spec, default, call.arguments, is_of_every_task)
