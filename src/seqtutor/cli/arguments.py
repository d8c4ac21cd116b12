"""Arguments that must be known before all others are read, and those that name a model."""

from __future__ import annotations

from seqtutor.errors import UserError


def value_of(option: str, arguments: list[str]) -> str | None:
    """What follows an option on the command line, or `None` if it is not given."""
    for index, argument in enumerate(arguments):
        if argument == option and index + 1 < len(arguments):
            return arguments[index + 1]
        if argument.startswith(option + "="):
            return argument.partition("=")[2]
    return None


def without_task(task: str, words: tuple[str, ...]) -> str:
    """The model among positional words, of which the first may name the task.

    Raises:
        UserError: if there are several models.
    """
    names = words[1:] if words[:1] == (task,) else words
    if len(names) > 1:
        raise UserError(f"name one run or model, not {len(names)}: {', '.join(names)}")
    return names[0] if names else "prior"


def require_once(names: tuple[str, ...]) -> None:
    """Raise a `UserError` if a run or a model is named twice."""
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise UserError(f"{', '.join(repeated)} is named twice; name each run once")
