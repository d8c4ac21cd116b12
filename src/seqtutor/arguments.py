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
    """Refuse an option that is given several times with words, the last of which would win.

    Of several numbers the last one holds, as on other command lines.

    Raises:
        UserError: if there is one.
    """
    named = [one.partition("=")[0].replace("_", "-") for one in arguments if one.startswith("--")]
    for name, times in Counter(named).items():
        if times > 1 and not all(map(_is_number, values_of(name, arguments))):
            raise UserError(f"{name} is given {times} times; give it once")


def values_of(option: str, arguments: list[str]) -> list[str]:
    """What follows an option each time that it is given; nothing for a switch."""
    found = []
    for index, argument in enumerate(arguments):
        name, sign, value = argument.partition("=")
        if name.replace("_", "-") == option:
            following = arguments[index + 1 : index + 2]
            found += [value] if sign else [one for one in following if not one.startswith("--")]
    return found


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
