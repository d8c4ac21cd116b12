"""Arguments of a command that are read before all others, whose defaults depend on them."""

from __future__ import annotations


def value_of(option: str, arguments: list[str]) -> str | None:
    """What follows an option on the command line, or `None` if it is not given."""
    for index, argument in enumerate(arguments):
        if argument == option and index + 1 < len(arguments):
            return arguments[index + 1]
        if argument.startswith(option + "="):
            return argument.partition("=")[2]
    return None
