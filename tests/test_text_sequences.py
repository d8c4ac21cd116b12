"""Sequences in text files, and their split."""

from __future__ import annotations

import math

import numpy as np
import pytest

from seqtutor.data import Sequences, split
from seqtutor.errors import UserError
from seqtutor.text_sequences import read_text, read_token_file
from seqtutor.vocabulary import Vocabulary

ODD = "\u2028\u2029\x85\x0c\x0b\x1c\r"
"""What `str.splitlines` takes for the end of a line."""


def test_a_line_ends_at_a_line_feed_alone(tmp_path):
    path, vocabulary = tmp_path / "words.txt", Vocabulary((*"ab", *ODD, "."), end_token=".")
    texts = [f"a{one}b" for one in ODD] + [ODD.strip("\r")]
    path.write_bytes("\n".join(texts).encode())
    found, sequences = read_text(path, vocabulary, 8)
    assert found == texts
    assert vocabulary.texts(sequences.tokens, sequences.mask) == texts
    tokens = tmp_path / "tokens.jsonl"
    tokens.write_text(
        "".join(f'{{"tokens": [{n}], "name": "{one}"}}\n' for n, one in enumerate("\u2028\x85"))
    )
    assert read_token_file(tokens, 3) == [[0], [1]]


def test_lines_of_windows_and_space_around_them_do_not_count(tmp_path):
    path = tmp_path / "words.txt"
    path.write_bytes("\ufeffab\r\n \t\r\n\tb \r\n".encode())
    assert read_text(path, Vocabulary("ab.", end_token="."), 4)[0] == ["ab", "b"]
    spaced = Vocabulary("ab .", end_token=".")
    found, sequences = read_text(path, Vocabulary("ab .", end_token="."), 4)
    assert found == ["ab", "b "], "a space is a token there"
    assert spaced.texts(sequences.tokens, sequences.mask) == found


def sequences_of(number):
    return Sequences(np.arange(number)[:, None], np.ones((number, 1), bool))


@pytest.mark.parametrize("shares", [(0.1, 0.1), (0.0, 0.0), (0.6, 0.39), (0.01, 0.9), (0.5, 0.0)])
def test_what_is_said_to_be_enough_is_enough(shares):
    """And the parts are a partition."""
    for number in range(1, 300):
        options = {"validation_share": shares[0], "test_share": shares[1], "seed": 0}
        try:
            parts = split(sequences_of(number), **options)
        except UserError as error:
            enough = int(str(error).split("; ")[1].split()[0])
            assert number < enough
            assert len(split(sequences_of(enough), **options)[0]) >= 1
        else:
            assert sorted(np.concatenate([part.tokens[:, 0] for part in parts])) == list(
                range(number)
            )
            assert min(len(parts[0]), len(parts[1])) >= 1


@pytest.mark.parametrize(
    "shares", [(math.nan, 0.1), (0.1, math.nan), (-0.1, 0.1), (0.5, 0.5), (2, 0)]
)
def test_shares_that_leave_nothing_are_refused(shares):
    with pytest.raises(UserError, match="must be at least 0, and together below 1"):
        split(sequences_of(9), validation_share=shares[0], test_share=shares[1], seed=0)
