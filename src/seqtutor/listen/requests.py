"""What a page asks for, checked before anything is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from seqtutor.controls import chosen
from seqtutor.errors import UserError
from seqtutor.listen.sources import MOST_AT_ONCE, Source, source_titled
from seqtutor.settings import require
from seqtutor.task_spec import TaskSpec

COLDEST, HOTTEST = 0.05, 5.0
"""Temperatures of the sampling."""
LARGEST_SEED = 2**31 - 1
"""A number that a script of a page can hold."""


@dataclass(frozen=True)
class Wish:
    """The sequences that a page wants.

    Attributes:
        source: the policy.
        number: of sequences.
        temperature: of the sampling.
        length: in tokens, one of those of the source.
        seed: of the sampling.
        primer: ids of the tokens that they begin with.
        how: they are shown: a value for each of the task's controls.
        valid_only: whether what the task calls not valid is drawn anew.
    """

    source: Source
    number: int
    temperature: float
    length: int
    seed: int
    primer: tuple[int, ...] = ()
    how: Mapping[str, Any] = field(default_factory=dict)
    valid_only: bool = False


NAMES = tuple(one.name for one in fields(Wish))


def wish_of(spec: TaskSpec[Any], sources: Sequence[Source], content: Any) -> Wish:
    """The wish in the body of a request; what it does not say is as usual.

    Raises:
        UserError: if a value is missing, of another type, or out of range.
    """
    asked = mapping(content)
    unknown = [name for name in asked if name not in NAMES]
    require(not unknown, f"nothing is called {str(unknown[:1])[:80]} here")
    source = source_titled(sources, asked.get("source", sources[0].title))
    length = whole("length", asked.get("length", source.usual_length), 1, source.lengths[-1])
    require(
        length in source.lengths,
        f"the length can be {', '.join(map(str, source.lengths))} tokens, not {length}",
    )
    return Wish(
        source,
        whole("number", asked.get("number", 1), 1, MOST_AT_ONCE),
        number("temperature", asked.get("temperature", 1.0), COLDEST, HOTTEST),
        length,
        whole("seed", asked.get("seed", 0), 0, LARGEST_SEED),
        primer_of(source, asked.get("primer", []), length),
        chosen(spec.controls(source.settings), mapping(asked.get("how", {}))),
        _valid_only(spec, asked.get("valid_only", False)),
    )


def _valid_only(spec: TaskSpec[Any], value: Any) -> bool:
    require(isinstance(value, bool), "valid_only must be true or false")
    require(not value or spec.valid != "", f"all {spec.many} are valid")
    return bool(value)


def primer_of(source: Source, tokens: Any, length: int) -> tuple[int, ...]:
    """Ids of the tokens of a primer, which has to leave room for one more.

    Raises:
        UserError: if a token is not in the vocabulary or is its end, or there are too many.
    """
    require(
        isinstance(tokens, list) and all(isinstance(one, str) for one in tokens),
        "the primer must be a list of tokens",
    )
    require(
        len(tokens) < length,
        f"the primer has {len(tokens)} tokens already; choose a length above that",
    )
    require(
        source.vocabulary.end_token not in tokens,
        "the primer has the token that ends a sequence; leave it out",
    )
    unknown = next((one for one in tokens if one not in source.vocabulary.tokens), None)
    require(unknown is None, f"the token {str(unknown)[:80]!r} is not in the vocabulary")
    return tuple(int(one) for one in np.asarray(source.vocabulary.encode(tokens)))


def mapping(content: Any) -> Mapping[str, Any]:
    """An object of JSON.

    Raises:
        UserError: if it is something else.
    """
    if isinstance(content, Mapping):
        return content
    raise UserError("the body of the request must be a JSON object")


def whole(name: str, value: Any, least: int, most: int) -> int:
    """A whole number within bounds.

    Raises:
        UserError: if it is none.
    """
    found = number(name, value, least, most)
    require(found.is_integer(), f"{name} must be a whole number, not {found:g}")
    return int(found)


def number(name: str, value: Any, least: float, most: float) -> float:
    """A number within bounds.

    Raises:
        UserError: if it is none.
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and least <= value <= most:
        return float(value)
    raise UserError(f"{name} must be a number between {least:g} and {most:g}")
