"""A pool of external commands: each reads a batch of lines and writes a number for each of them."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from seqtutor.errors import UserError
from seqtutor.workers.batches import in_thread
from seqtutor.workers.worker import Failure

_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")


class CommandPool:
    """Runs a command for each batch, several at a time.

    The command gets the items of a batch on its standard input, one a line, and answers with one
    number a line on its standard output. A `Failure` takes the place of the answer if it ends with
    another exit code than 0, takes too long, or writes another number of lines; a line that is not
    a number costs its own item alone. Each command has a process group of its own, which ends with
    it.

    Args:
        command: program and arguments, as for a shell, which it is not given to.
        workers: commands at a time.
        seconds: time limit of an item; a batch has as many times that.

    Raises:
        UserError: if there is no such program.
    """

    def __init__(self, command: str, workers: int, seconds: float) -> None:
        self._words = words_of(command)
        self._seconds = seconds
        self._slots = threading.Semaphore(max(1, workers))
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._is_closed = False

    def submit(self, items: Sequence[Any]) -> Future[list[Any]]:
        """Begin; items are tuples of strings, and the future holds an answer for each tuple."""
        answers = [in_thread(self._answer, tuple(item)) for item in items]
        return in_thread(lambda: [answer.result() for answer in answers])

    def close(self) -> None:
        """End all commands; futures that are not done raise a `RuntimeError`."""
        with self._lock:
            self._is_closed = True
            running = list(self._running)
        for process in running:
            _kill_group(process)

    def _answer(self, lines: tuple[str, ...]) -> list[Any] | Failure:
        limit = self._seconds * len(lines)
        with self._slots:
            try:
                process = self._start()
            except OSError as error:
                return Failure(f"cannot be run: {error.strerror or error}")
            try:
                given = "".join(f"{line}\n" for line in lines)
                output, errors = process.communicate(given, timeout=limit)
            except subprocess.TimeoutExpired:
                return Failure(f"took longer than {limit:g} s")
            finally:
                _kill_group(process)
                process.wait()
                with self._lock:
                    self._running.discard(process)
        self._require_open()
        if process.returncode:
            said = [line.strip() for line in errors.splitlines() if line.strip()]
            why = f": {said[-1]}" if said else ""
            return Failure(f"ended with exit code {process.returncode}{why}")
        return _numbers(output, len(lines))

    def _start(self) -> subprocess.Popen[str]:
        with self._lock:
            self._require_open()
            process = subprocess.Popen(
                self._words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                # Ctrl-C in the terminal is for the parent alone.
                start_new_session=True,
            )
            self._running.add(process)
        return process

    def _require_open(self) -> None:
        if self._is_closed:
            raise RuntimeError("the pool is closed")


def words_of(command: str) -> list[str]:
    """The program and the arguments of a command.

    Raises:
        UserError: if they cannot be told apart, or there is no such program.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UserError(f"the command {command!r} cannot be read: {error}") from None
    if not words or shutil.which(words[0]) is None:
        name = words[0] if words else command
        way = "give its path" if "/" in name else f"give its path, such as ./{name}"
        if Path(name).is_file():
            way = f"it is a file that may not be run: chmod +x {shlex.quote(name)}"
        raise UserError(f"there is no program {name!r} to run; {way}")
    return words


def _numbers(output: str, wanted: int) -> list[Any] | Failure:
    lines = output.splitlines()
    if len(lines) != wanted:
        return Failure(f"wrote {len(lines)} lines for {wanted}; it must write one for each")
    return [_number(line.strip()) for line in lines]


def _number(text: str) -> float | Failure:
    try:
        return float(text)
    except ValueError:
        return Failure(f"wrote {text[:60]!r}, {why_no_number(text)}")


def why_no_number(text: str) -> str:
    """The end of a sentence about a text that should be a number."""
    if _DECIMAL_COMMA.fullmatch(text.strip()):
        return "with a decimal comma; it must write a decimal point"
    return "which is not a number"


def _kill_group(process: subprocess.Popen[str]) -> None:
    """End a command and all that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
