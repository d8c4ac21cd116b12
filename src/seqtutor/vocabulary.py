"""Tokens and their ids."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int

from seqtutor.errors import UserError
from seqtutor.files import atomic_write, parse_json, read_regular

MOST_BYTES = 16 << 20
"""Of a vocabulary that is read; that of three thousand tokens has thirty thousand."""


@dataclass(frozen=True)
class Vocabulary:
    """An ordered set of tokens, with an optional token that ends a sequence.

    Token ids are positions: 0 … size − 1. `begin` is the id size, one past the last token: it is
    what a model is fed before the first token, and no model can emit it. A sequence that is over
    (after `end`) is padded with `end` itself and a mask, so that no further id is needed.

    Raises:
        UserError: if tokens repeat or are not strings of whole characters, there are fewer than
            two, or `end_token` is not one of them.
    """

    tokens: tuple[str, ...]
    end_token: str | None = field(default=None)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tokens", tuple(self.tokens))
        if not all(isinstance(token, str) for token in self.tokens):
            raise UserError("the tokens of a vocabulary must be strings")
        if any("\ud800" <= character <= "\udfff" for character in "".join(self.tokens)):
            raise UserError(
                "a token of the vocabulary has half a character, which no file can hold"
            )
        if len(self.tokens) < 2:
            raise UserError("a vocabulary needs at least two tokens")
        if len(set(self.tokens)) != len(self.tokens):
            repeated = next(t for t, times in Counter(self.tokens).items() if times > 1)
            raise UserError(f"the vocabulary holds the token {repeated!r} more than once")
        if self.end_token is not None and self.end_token not in self.tokens:
            raise UserError(f"the end token {self.end_token!r} is not in the vocabulary")

    @property
    def size(self) -> int:
        """How many tokens a model can emit."""
        return len(self.tokens)

    @property
    def begin(self) -> int:
        """The id that is fed before the first token."""
        return self.size

    @property
    def end(self) -> int | None:
        """The id of the token that ends a sequence, if the vocabulary has one."""
        return None if self.end_token is None else self._ids[self.end_token]

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {token: index for index, token in enumerate(self.tokens)}

    def encode(self, tokens: Iterable[str]) -> np.ndarray:
        """Turn tokens into ids, `Int["time"]`.

        Raises:
            UserError: at the first token that is not in the vocabulary.
        """
        try:
            return np.array([self._ids[token] for token in tokens], dtype=np.int32)
        except KeyError as error:
            raise UserError(f"the token {error.args[0]!r} is not in the vocabulary") from None

    def decode(self, ids: Sequence[int] | np.ndarray) -> list[str]:
        """Turn ids into tokens, up to and without the end token."""
        decoded = []
        for index in ids:
            if index == self.end:
                break
            decoded.append(self.tokens[int(index)])
        return decoded

    @cached_property
    def _separator(self) -> str:
        others = (token for token in self.tokens if token != self.end_token)
        return "" if all(len(token) == 1 for token in others) else " "

    def join(self, tokens: Iterable[str]) -> str:
        """Tokens as one text: joined as they are if each is one character, else with spaces.

        The end token does not count, since `decode` leaves it out.
        """
        return self._separator.join(tokens)

    def texts(
        self,
        tokens: Int[np.ndarray, "sequence time"],
        mask: Bool[np.ndarray, "sequence time"],
        join: Callable[[Sequence[str]], str] | None = None,
    ) -> list[str]:
        """Each sequence as one text, without the end token.

        `join` makes a text of the tokens of a sequence; that of the vocabulary by default.
        """
        rows = zip(tokens, mask, strict=True)
        return [(join or self.join)(self.decode(row[real])) for row, real in rows]

    def split(self, text: str) -> list[str]:
        """The tokens of a text that `join` made; whether they are in the vocabulary is not checked.

        Where spaces separate tokens, any white space does.
        """
        return text.split() if self._separator else list(text)

    def save(self, path: Path) -> None:
        """Write the vocabulary as JSON."""
        content = {"tokens": list(self.tokens), "end_token": self.end_token}
        atomic_write(path, json.dumps(content, ensure_ascii=False, indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        """Read what `save` wrote.

        Raises:
            UserError: if the file is missing or is not a vocabulary.
        """
        try:
            content = parse_json(read_regular(path, MOST_BYTES).decode("utf-8"))
            return cls(tuple(content["tokens"]), content["end_token"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise UserError(f"{path} is not a readable vocabulary: {error}") from None
