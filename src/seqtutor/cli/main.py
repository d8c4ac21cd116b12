"""The command line: one module a command, imported only when it is called."""

from __future__ import annotations

import contextlib
import errno
import importlib
import io
import os
import re
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Any

from seqtutor import __version__
from seqtutor.errors import UserError

COMMANDS = {
    "reproduce": "run a whole experiment: real data to tuned policies, tables and figures",
    "data": "bring the MOSES molecules, or look into any set of molecules",
    "pretrain": "train a prior on sequences by maximum likelihood",
    "compare": "compare methods at equal KL divergence from the prior, beside controls",
    "tune": "tune a copy of the prior on a reward, staying near the prior",
    "sample": "write sequences that a model generates",
    "score": "what given sequences earn: each rule, each property, or why there is none",
    "evaluate": "measure runs, models or given sequences beside the papers' figures",
    "bench": "how fast policies learn on this machine, beside how fast they could",
    "verify": "prove every method on problems that are solved exactly",
}

TASK_NAMES = ("melody", "molecule", "folk")

_OF_THE_SYSTEM = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENOENT, errno.EROFS)
"""Errors without a file's name: an output that is full, no folder for temporary files."""

USAGE = """\
Sequence Tutor: teach a trained sequence generator new rules, without forgetting its data.

usage: seqtutor COMMAND [OPTIONS]

{commands}

Each command tells its options with --help. To see everything at work:

  seqtutor reproduce melody
"""


def usage() -> str:
    """The text of `seqtutor --help`."""
    width = max(map(len, COMMANDS))
    return USAGE.format(
        commands="\n".join(f"  {name:<{width}}   {text}" for name, text in COMMANDS.items())
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code.

    0: done · 1: what was to be verified is not so · 2: the user's input is at fault.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if (spoilt := _first_spoilt(arguments)) is not None:
        _say(f"an argument is no text in UTF-8: {spoilt!a}")
        return 2
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage(), end="")
        return 0
    if arguments[0] == "--version":
        print(f"seqtutor {__version__}")
        return 0
    # A terminated command ends like an interrupted one, so that it can end what it started.
    if threading.current_thread() is threading.main_thread():
        from seqtutor.runs.interruption import hangup

        for number in (signal.SIGTERM, *hangup()):
            signal.signal(number, _interrupt)
    try:
        return _run_command(arguments[0], arguments[1:])
    except UserError as error:
        _say(" ".join(str(error).splitlines()))
        return 2
    except KeyboardInterrupt as interruption:
        _say(str(interruption) or "interrupted")
        # Not a return: a thread of XLA that is still compiling would crash as Python shuts down.
        os._exit(130)
    except BrokenPipeError:
        # The reader, such as `head`, has what it wanted; there is nobody left to tell.
        sys.stderr.close()
        return 1
    except OSError as error:
        if error.filename is not None:
            _say(f"cannot use {error.filename}: {error.strerror}")
        elif error.errno in _OF_THE_SYSTEM:
            _say(error.strerror or str(error))
        else:
            raise
        return 2


def _first_spoilt(arguments: Sequence[str]) -> str | None:
    """The first argument with bytes that are no text, which could be shown and kept nowhere."""
    return next((one for one in arguments if any("\ud800" <= c <= "\udfff" for c in one)), None)


def _say(text: str) -> None:
    """The last line; where nobody can be told any more, it is lost."""
    with contextlib.suppress(OSError, ValueError):
        print(f"seqtutor: {text}", file=sys.stderr, flush=True)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _run_command(name: str, arguments: list[str]) -> int:
    if name not in COMMANDS:
        raise UserError(f"there is no command {name!r}; see: seqtutor --help")
    module = module_of(name, arguments)
    options = parse(name, module, arguments)
    if options is None:
        return 0
    from seqtutor.runs.compiled_programs import keep_compiled_programs

    keep_compiled_programs()
    return module.run(options) or 0


def module_of(name: str, arguments: list[str]) -> Any:
    """A command's module; of a command with a module for each task, that of the task named first.

    Such a command's own module has these in `TASKS`, by the task's name. Without a name it is the
    first of them. With `TASK_MAY_BE_LEFT_OUT` a first word that names no task at all is no mistaken
    name.
    """
    module = importlib.import_module(f"seqtutor.cli.{name}")
    tasks: dict[str, str] | None = getattr(module, "TASKS", None)
    if tasks is None:
        return module
    task = next(iter(tasks))
    if arguments and not arguments[0].startswith("-"):
        task = arguments[0]
    may_be_left_out = getattr(module, "TASK_MAY_BE_LEFT_OUT", False)
    if task not in (*tasks, *TASK_NAMES) and may_be_left_out:
        task = next(iter(tasks))
    if task not in tasks:
        raise UserError(f"{name} has no task {task!r}; it has: {', '.join(tasks)}")
    return importlib.import_module(tasks[task])


def parse(name: str, module: Any, arguments: list[str]) -> Any:
    """Read a command's options; `None` if it was asked for help instead.

    Raises:
        UserError: in one line, where tyro would print a box.
    """
    import tyro

    from seqtutor.cli.flat_settings import FLAT_SETTINGS

    default = module.defaults(arguments) if hasattr(module, "defaults") else None
    if not {"-h", "--help"}.isdisjoint(arguments):
        arguments = ["--help"]  # Positional arguments that were given would be left out of it.
    messages = io.StringIO()
    try:
        with contextlib.redirect_stderr(messages), FLAT_SETTINGS:
            return tyro.cli(
                module.Options,
                prog=f"seqtutor {name}",
                args=arguments,
                default=default,
            )
    except SystemExit as stop:
        if not stop.code:
            return None
        command = f"{name} {arguments[0]}" if _names_task(module, arguments) else name
        message = _one_line(messages.getvalue())
        raise UserError(f"{message}; see: seqtutor {command} --help") from None


def _names_task(module: Any, arguments: list[str]) -> bool:
    """Whether the first argument is the task whose module this is, as in `cli.sample_folk`."""
    return bool(arguments) and module.__name__.endswith(f"_{arguments[0]}")


NOT_WHOLE = r"\1 is not a whole number"
NOT_A_NUMBER = r"\1 is not a number"


def _one_line(message: str) -> str:
    """The first sentences of tyro's error: in a box or, in plain ASCII, under a title."""
    has_box = "╭" in message
    plain = re.sub(r"\x1b\[[0-9;]*m|╭.*╮|╰.*╯|│", "", message)
    blocks = [" ".join(block.split()) for block in re.split(r"[─-]{5,}", plain)]
    told = [block for block in blocks if block][0 if has_box else 1 :]
    sentences = re.split(r"Argument helptext|Perhaps you meant|For full helptext", told[0])
    sentence = sentences[0].strip().rstrip(".")
    sentence = re.sub(r"invalid literal for int\(\) with base 10: (.*)", NOT_WHOLE, sentence)
    return re.sub(r"could not convert string to float: (.*)", NOT_A_NUMBER, sentence)
