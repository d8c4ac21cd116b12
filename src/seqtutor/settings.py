"""Checks of settings: each raises a `UserError` that names the setting and what it must be."""

from __future__ import annotations

import math
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from seqtutor.errors import UserError

LARGEST_SEED = 2**63 - 1


def require_seed(name: str, seed: int) -> None:
    """Raise a `UserError` unless a random generator can take the seed."""
    require(0 <= seed <= LARGEST_SEED, f"{name} must lie between 0 and 2^63 − 1, not {seed}")


def require_types(settings: object) -> None:
    """Raise a `UserError` at the first field of a dataclass whose value is not of its type.

    Where a number is wanted a whole one will do, and numbers of NumPy do for those of Python.
    """
    hints = get_type_hints(type(settings))
    for name, value in vars(settings).items():
        hint = hints[name]
        require(_fits(value, hint), f"{name} must be {_in_words(hint)}, not {value!r}")


def _fits(value: object, hint: Any) -> bool:
    if hint in (int, float):
        number = Integral if hint is int else Real
        return isinstance(value, number) and not isinstance(value, bool)
    kind, choices = get_origin(hint), get_args(hint)
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
    if kind is tuple:
        return f"a tuple of which each is {_in_words(choices[0])}"
    if choices:
        return " or ".join(one if kind is Literal else _in_words(one) for one in choices)
    return f"of the type {hint.__name__}"


def require_finite(settings: object) -> None:
    """Raise a `UserError` at the first field of a dataclass that is NaN or infinite."""
    for name, value in vars(settings).items():
        numbers = value if isinstance(value, tuple) else (value,)
        for number in numbers:
            if isinstance(number, float):
                require(math.isfinite(number), f"{name} must be a finite number, not {number}")


def require(condition: bool, message: str) -> None:
    """Raise a `UserError` with the message unless the condition holds."""
    if not condition:
        raise UserError(message)
