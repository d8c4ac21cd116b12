"""Checked settings: frozen dataclasses whose annotations state the values they accept.

    @dataclass(frozen=True)
    class ReplaySettings(CheckedSettings):
        batch: Count = 64
        target_rate: Share = 0.05

A value of another type or out of range raises a `UserError` that names the field. Imports nothing
heavy, so that help texts stay quick.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from seqtutor.errors import UserError

LARGEST_SEED = 2**63 - 1
LONGEST_NAME = 100
"""Bytes of a task's name; a folder's may have 255."""


@dataclass(frozen=True)
class Range:
    """The numbers that a setting accepts; `None` leaves that side open."""

    above: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    below: float | None = None

    def __contains__(self, number: float) -> bool:
        return (
            (self.above is None or number > self.above)
            and (self.at_least is None or number >= self.at_least)
            and (self.at_most is None or number <= self.at_most)
            and (self.below is None or number < self.below)
        )

    def __str__(self) -> str:
        if self.at_least is not None and self.at_most is not None:
            return f"between {self.at_least:,} and {self.at_most:,}"
        ends = vars(self).items()
        words = (f"{name.replace('_', ' ')} {end:,}" for name, end in ends if end is not None)
        return " and ".join(words)


Positive = Annotated[float, Range(above=0)]
NotNegative = Annotated[float, Range(at_least=0)]
Share = Annotated[float, Range(at_least=0, at_most=1)]
Count = Annotated[int, Range(above=0)]


def require(condition: bool, message: str) -> None:
    """Raise a `UserError` with the message unless the condition holds."""
    if not condition:
        raise UserError(message)


def require_seed(name: str, seed: int) -> None:
    """Raise a `UserError` unless a random number generator accepts the seed."""
    require(0 <= seed <= LARGEST_SEED, f"{name} must lie between 0 and 2^63 − 1, not {seed}")


def require_workers(workers: int | None) -> None:
    """Raise a `UserError` unless `--workers` is left out or not negative."""
    require(workers is None or workers >= 0, f"--workers must not be negative, not {workers}")


def require_shares(validation: float, test: float) -> None:
    """Raise a `UserError` unless the two shares of some data leave a part for training."""
    require(
        validation >= 0 and test >= 0 and validation + test < 1,
        "the shares for validation and test must be at least 0, and together below 1, not "
        f"{validation} and {test}",
    )


def require_name(name: object) -> None:
    """Raise a `UserError` unless a task can have the name, which its runs' folders begin with."""
    require(
        isinstance(name, str)
        and name.isprintable()
        and name == name.strip()
        and 0 < len(name.encode()) <= LONGEST_NAME
        and name[0] not in ".-"
        and not set("/\\:") & set(name),
        f"the name of a task must be one that a folder can have, such as 'words', not {name!r}",
    )


class CheckedSettings:
    """The base of frozen dataclasses that are checked as they are made."""

    def __post_init__(self) -> None:
        check_settings(self)


def check_settings(settings: object) -> None:
    """Raise a `UserError` at the first field whose value its annotation does not accept.

    A whole number is accepted where a number is wanted, and NumPy's numbers as Python's.
    """
    require_types(settings)
    require_finite(settings)
    hints = _hints_of(settings)
    for name, value in vars(settings).items():
        for accepted in _ranges(hints[name]):
            if value is not None:
                require(value in accepted, f"{name} must be {accepted}, not {value}")


def require_types(settings: object) -> None:
    """Raise a `UserError` at the first field of a dataclass whose value has another type."""
    hints = _hints_of(settings)
    for name, value in vars(settings).items():
        hint = hints[name]
        require(_fits(value, hint), f"{name} must be {_in_words(hint)}, not {value!r}")


def require_finite(settings: object) -> None:
    """Raise a `UserError` at the first field of a dataclass that is NaN or infinite."""
    for name, value in vars(settings).items():
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, float):
                require(math.isfinite(number), f"{name} must be a finite number, not {number}")


def _hints_of(settings: object) -> dict[str, Any]:
    return get_type_hints(type(settings), include_extras=True)


def _ranges(hint: Any) -> Iterator[Range]:
    """The ranges in `Annotated[float, Range(…)]`, also as a member of a union."""
    if get_origin(hint) is Annotated:
        yield from (note for note in hint.__metadata__ if isinstance(note, Range))
    elif get_origin(hint) in (Union, UnionType):
        for member in get_args(hint):
            yield from _ranges(member)


def _fits(value: object, hint: Any) -> bool:
    if hint in (int, float):
        number = Integral if hint is int else Real
        return isinstance(value, number) and not isinstance(value, bool)
    kind, choices = get_origin(hint), get_args(hint)
    if kind is Annotated:
        return _fits(value, choices[0])
    if kind is Literal:
        return isinstance(value, str) and value in choices
    if kind in (Union, UnionType):
        return any(_fits(value, one) for one in choices)
    if kind is tuple:
        return isinstance(value, tuple) and all(_fits(one, choices[0]) for one in value)
    return isinstance(value, hint)


def _in_words(hint: Any) -> str:
    simple = {int: "a whole number", float: "a number", bool: "True or False", NoneType: "None"}
    if hint in simple:
        return simple[hint]
    kind, choices = get_origin(hint), get_args(hint)
    if kind is Annotated:
        return _in_words(choices[0])
    if kind is tuple:
        return f"a tuple of which each is {_in_words(choices[0])}"
    if choices:
        return " or ".join(one if kind is Literal else _in_words(one) for one in choices)
    return f"of the type {hint.__name__}"
