"""The one kind of error that is the user's to mend, and where in a user's own code one arose."""

from __future__ import annotations

import inspect
import re
import traceback
from collections.abc import Collection
from typing import Any


class UserError(Exception):
    """Something the user gave cannot be used.

    The message is one line that says what is wrong and what to do. The command line prints it and
    exits with code 2; a library caller sees an ordinary exception.
    """


def in_one_line(error: BaseException) -> str:
    """The type and the message of an error that is not the user's."""
    try:
        message = " ".join(str(error).split())
    except Exception:  # Of a class that a user wrote.
        message = ""
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Characters that move a terminal's cursor, change its colours, or reverse what follows."""


def printable(text: str) -> str:
    """A text without characters that a terminal obeys: they are shown as `\\x1b`.

    Names in files of strangers can have such. Tabs and ends of lines stay.
    """
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


def place_in(function: Any, error: BaseException) -> str:
    """The line of a function's own file at which an error arose, as ` (line 3 of FILE)`.

    It is the last line of that file in the error's traceback; "" if there is none, for instance of
    a function that is not written in Python. `function` is any callable.
    """
    function = inspect.unwrap(function)
    code = getattr(function, "__code__", None) or getattr(type(function).__call__, "__code__", None)
    return "" if code is None else place_in_files({code.co_filename}, error)


def place_in_files(files: Collection[str], error: BaseException) -> str:
    """The last line of one of the files in an error's traceback, as ` (line 3 of FILE)`, or ""."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [f" (line {one.lineno} of {one.filename})" for one in frames if one.filename in files]
    return places[-1] if places else ""


def name_of(function: Any) -> str:
    """The name of a function, or of the class of another callable."""
    function = inspect.unwrap(function)
    return getattr(function, "__name__", type(function).__name__)
