"""Files of votes: what they may hold, and what is said of what they may not."""

from __future__ import annotations

import numpy as np
import pytest

from seqtutor.comparisons import read_votes, votes_text
from seqtutor.errors import UserError
from seqtutor.vocabulary import Vocabulary

LETTERS = Vocabulary(("a", "b", "."), ".")


def read(folder, *lines, vocabulary=LETTERS, length=4):
    path = folder / "votes.jsonl"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return read_votes(path, vocabulary, length)


def test_tokens_ids_and_texts_are_the_same(tmp_path):
    found = read(
        tmp_path,
        '{"left": "ab", "right": ["b"], "score": 1, "listener": "x"}',
        "",
        '{"left": [0, 1, 2], "right": [1, 2], "score": 0.5, "listener": "y", "more": 3}',
        '{"left": ["a", "b", "."], "right": "b", "score": 0, "listener": "x"}',
    )
    np.testing.assert_array_equal(found.scores, [1, 0.5, 0])
    assert found.listeners == ("x", "y", "x")
    for side, tokens in ((found.left, [0, 1, 2, 2]), (found.right, [1, 2, 2, 2])):
        np.testing.assert_array_equal(side.tokens, [tokens] * 3)
    np.testing.assert_array_equal(found.left.mask[0], [1, 1, 1, 0])


def test_what_is_written_is_read_again(tmp_path):
    votes = read(
        tmp_path,
        '{"left": "aaaa", "right": "b", "score": 1, "listener": "x"}',
        '{"left": ".", "right": "ab", "score": 0.5, "listener": "y"}',
    )
    again = read(tmp_path, *votes_text(votes, LETTERS).splitlines())
    for one, other in ((votes.left, again.left), (votes.right, again.right)):
        np.testing.assert_array_equal(one.tokens, other.tokens)
        np.testing.assert_array_equal(one.mask, other.mask)
    np.testing.assert_array_equal(votes.scores, again.scores)
    assert again.listeners == votes.listeners
    assert votes.left.mask.sum(axis=1).tolist() == [4, 1]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[1]", "line 2: not a JSON object with"),
        ("{", "line 2: not a JSON object"),
        ("[" * 100_000, "line 2: not a JSON object"),
        ('{"left": "a", "right": "b"}', "line 2: not a JSON object"),
        ('{"left": "a", "right": "b", "score": 2}', "score must be 1, 0.5 or 0, not 2"),
        ('{"left": "a", "right": "b", "score": NaN}', "score must be 1, 0.5 or 0, not NaN"),
        ('{"left": "a", "right": "b", "score": true}', "not true"),
        ('{"left": "a", "right": "b", "score": [1]}', "not .1."),
        ('{"left": "ax", "right": "b", "score": 1}', "line 2, left: the token 'x' is not in"),
        ('{"left": "a", "right": [7], "score": 1}', "line 2, right: token 7 is neither"),
        ('{"left": "a", "right": [true], "score": 1}', "token true is neither"),
        ('{"left": "a", "right": [], "score": 1}', "right: must be a text or a list"),
        ('{"left": "aaaaa", "right": "b", "score": 1}', "left: .*5 tokens"),
        ('{"left": "a", "right": "b", "score": 1, "listener": 3}', "listener must be a text"),
    ],
)
def test_a_line_that_is_no_vote_is_named(tmp_path, line, message):
    good = '{"left": "a", "right": "b", "score": 1}'
    with pytest.raises(UserError, match=message):
        read(tmp_path, good, line)


def test_a_file_without_votes_is_refused(tmp_path):
    with pytest.raises(UserError, match="holds no vote; each line must be like"):
        read(tmp_path, "", " ")
    with pytest.raises(UserError, match="cannot read"):
        read_votes(tmp_path / "none.jsonl", LETTERS, 4)
