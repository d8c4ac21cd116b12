"""Millions of SMILES strings to arrays of token ids and back, without a loop over strings.

All strings are joined, one a line, and every token of several characters is replaced by one
character of Unicode's private use area. From there on a token is a number of 16 bits, a line is a
sequence, and NumPy does the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int

from seqtutor.data import Sequences
from seqtutor.errors import UserError
from seqtutor.tasks.molecule.tokens import END_TOKEN, LONG_TOKEN, SINGLE_CHARACTERS
from seqtutor.vocabulary import Vocabulary

_LINE_END = 10
_FIRST_PRIVATE, _LAST_PRIVATE = 0xE000, 0xF8FF
_CODES = 0x10000
_UNKNOWN = -1


class TokenisedText:
    """Strings split into tokens, before there is a vocabulary.

    Raises:
        UserError: if there are more different tokens than can be encoded (6,400 of several
            characters, which only numbered atoms could reach).
    """

    def __init__(self, strings: Sequence[str]) -> None:
        text = "\n".join(strings) + "\n"
        if not text.isascii() or text.count("\n") != len(strings):
            # Rare and slow: other characters must not be mistaken for a replaced token.
            text = "".join(_harmless(string) + "\n" for string in strings)
        replacements: dict[str, str] = {}

        def replacement(token: str) -> str:
            if token not in replacements:
                code = _FIRST_PRIVATE + len(replacements)
                if code > _LAST_PRIVATE:
                    raise UserError("there are more than 6,400 kinds of atoms; are they numbered?")
                replacements[token] = chr(code)
            return replacements[token]

        text = LONG_TOKEN.sub(lambda match: replacement(match[0]), text)
        self._codes = np.frombuffer(text.encode("utf-16-le"), "<u2")
        self._token_of = {ord(character): character for character in SINGLE_CHARACTERS}
        self._token_of |= {ord(code): token for token, code in replacements.items()}

    def __len__(self) -> int:
        return len(self._line_ends)

    @cached_property
    def _line_ends(self) -> Int[np.ndarray, " strings"]:
        return np.flatnonzero(self._codes == _LINE_END)

    @cached_property
    def lengths(self) -> Int[np.ndarray, " strings"]:
        """Tokens of each string, without an end token."""
        return np.diff(self._line_ends, prepend=-1) - 1

    def counts(self, chosen: Bool[np.ndarray, " strings"]) -> dict[str, int]:
        """How often each token occurs in the chosen strings in all."""
        codes = self._codes if chosen.all() else self._codes[np.repeat(chosen, self.lengths + 1)]
        counts = np.bincount(codes, minlength=_CODES)
        return {token: int(counts[code]) for code, token in self._token_of.items() if counts[code]}

    @cached_property
    def is_smiles(self) -> Bool[np.ndarray, " strings"]:
        """Whether a string is not empty and consists of tokens only."""
        return self.consists_of(self._token_of.values()) & (self.lengths > 0)

    def consists_of(self, tokens: Iterable[str]) -> Bool[np.ndarray, " strings"]:
        """Whether every token of a string is one of these."""
        allowed = set(tokens)
        known = np.zeros(_CODES, bool)
        known[_LINE_END] = True
        known[[code for code, token in self._token_of.items() if token in allowed]] = True
        unknown = np.flatnonzero(~known[self._codes])
        without = np.ones(len(self), bool)
        without[np.searchsorted(self._line_ends, unknown)] = False
        return without

    def encode(
        self, chosen: Bool[np.ndarray, " strings"], vocabulary: Vocabulary, max_length: int
    ) -> Sequences:
        """The chosen strings as ids of a vocabulary, each with the end token.

        Args:
            chosen: which strings.
            vocabulary: has every token of the chosen strings and an end token.
            max_length: tokens in a row, the end token included; at least those of each string.

        Returns:
            Ids of the smallest integer type that holds the vocabulary; rows are padded with the
            end token.
        """
        ids = {token: index for index, token in enumerate(vocabulary.tokens)}
        kind = np.min_scalar_type(-vocabulary.size)
        table = np.full(_CODES, _UNKNOWN, kind)
        for code, token in self._token_of.items():
            table[code] = ids.get(token, _UNKNOWN)
        lengths = self.lengths[chosen]
        wanted = np.repeat(chosen, self.lengths + 1)
        wanted &= self._codes != _LINE_END
        tokens = np.full((len(lengths), max_length), ids[END_TOKEN], kind)
        tokens[np.arange(max_length) < lengths[:, None]] = table[self._codes[wanted]]
        return Sequences(tokens, np.arange(max_length) <= lengths[:, None])


def _harmless(string: str) -> str:
    """The string, or one that is not SMILES text, where its characters would be ambiguous."""
    return string if string.isascii() and "\n" not in string else "\0"


def vocabulary_of(tokens: Iterable[str]) -> Vocabulary:
    """The vocabulary of these tokens: the end token, then the others in alphabetical order."""
    return Vocabulary((END_TOKEN, *sorted(set(tokens) - {END_TOKEN})), END_TOKEN)


def decode(tokens: Int[np.ndarray, "molecules time"], vocabulary: Vocabulary) -> list[str]:
    """Token ids as SMILES strings, each up to its end token.

    A generated string need not be a molecule, and may be empty.
    """
    if not len(tokens):
        return []
    rows = np.pad(tokens, ((0, 0), (0, 1)), constant_values=vocabulary.encode([END_TOKEN])[0])
    is_end = rows == rows[0, -1]
    after_end = np.zeros(rows.shape, bool)
    after_end[:, 1:] = np.logical_or.accumulate(is_end[:, :-1], axis=1)
    long_tokens = {}
    codes = np.zeros(vocabulary.size, "<u2")
    for index, token in enumerate(vocabulary.tokens):
        if token == END_TOKEN:
            codes[index] = _LINE_END
        elif len(token) == 1:
            codes[index] = ord(token)
        else:
            codes[index] = _FIRST_PRIVATE + index
            long_tokens[chr(codes[index])] = token
    text = codes[rows[~after_end]].tobytes().decode("utf-16-le")
    for replacement, token in long_tokens.items():
        text = text.replace(replacement, token)
    return text[:-1].split("\n")
