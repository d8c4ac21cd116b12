"""Arguments of a command that are looked at before all options are read."""

from __future__ import annotations

from collections import Counter

from seqtutor.errors import UserError


def value_of(option: str, arguments: list[str]) -> str | None:
    """What follows an option on the command line, or `None` if it is not given."""
    for index, argument in enumerate(arguments):
        if argument == option and index + 1 < len(arguments):
            return arguments[index + 1]
        if argument.startswith(option + "="):
            return argument.partition("=")[2]
    return None


def require_once(arguments: list[str]) -> None:
    """Refuse an option that is given several times, the last of which would win in silence.

    Raises:
        UserError: if there is one.
    """
    named = [one.partition("=")[0] for one in arguments if one.startswith("--")]
    for name, times in Counter(one.replace("_", "-") for one in named).items():
        if times > 1:
            raise UserError(f"{name} is given {times} times; give it once")
