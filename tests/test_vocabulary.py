from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqtutor.errors import UserError
from seqtutor.vocabulary import Vocabulary

token_lists = st.lists(st.text(min_size=1), min_size=2, max_size=8, unique=True)


@settings(deadline=None, max_examples=50)
@given(token_lists, st.data())
def test_decode_inverts_encode(tokens, data):
    vocabulary = Vocabulary(tuple(tokens))
    sequence = data.draw(st.lists(st.sampled_from(tokens)))
    ids = vocabulary.encode(sequence)
    assert ids.dtype == np.int32
    assert vocabulary.decode(ids) == sequence


@settings(deadline=None, max_examples=25)
@given(token_lists, st.booleans())
def test_a_saved_vocabulary_comes_back_equal(tmp_path_factory, tokens, has_end):
    path = tmp_path_factory.mktemp("vocabulary") / "vocabulary.json"
    vocabulary = Vocabulary(tuple(tokens), tokens[0] if has_end else None)
    vocabulary.save(path)
    assert Vocabulary.load(path) == vocabulary


def test_decoding_stops_before_the_end_token():
    vocabulary = Vocabulary(("a", "b", "."), ".")
    assert vocabulary.decode([0, 1, 2, 0, 2]) == ["a", "b"]
    assert vocabulary.decode([2, 0]) == []


def test_the_begin_id_is_no_token():
    vocabulary = Vocabulary(("a", "b", "."), ".")
    assert (vocabulary.size, vocabulary.begin, vocabulary.end) == (3, 3, 2)
    assert Vocabulary(("a", "b")).end is None


@pytest.mark.parametrize(
    ("tokens", "end", "message"),
    [
        (("a",), None, "at least two"),
        (("a", "b", "a"), None, "'a' more than once"),
        (("a", "b"), ".", "'.' is not in the vocabulary"),
        ((0, 1), None, "must be strings"),
        (("a", "\ud800"), None, "half a character"),
    ],
)
def test_impossible_vocabularies_are_refused(tokens, end, message):
    with pytest.raises(UserError, match=message):
        Vocabulary(tokens, end)


def test_an_unknown_token_is_named():
    with pytest.raises(UserError, match="'z'"):
        Vocabulary(("a", "b")).encode("abz")


def test_a_character_may_be_named_by_its_two_halves(tmp_path):
    path = tmp_path / "vocabulary.json"
    path.write_text('{"tokens": ["a", "\\ud834\\udd1e"], "end_token": null}')
    assert Vocabulary.load(path).tokens == ("a", "\U0001d11e")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"tokens": ["a", "b"]}',
        '{"tokens": 3, "end_token": null}',
        '{"tokens": [1, 2], "end_token": null}',
        '{"tokens": [["a"], ["b"]], "end_token": null}',
        '{"tokens": ["a", "\\ud800"], "end_token": null}',
        b"\xff\xfe",
        pytest.param("[" * 100_000, id="nested too deeply"),
    ],
)
def test_a_damaged_file_is_the_users_error(tmp_path, content):
    path = tmp_path / "vocabulary.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError):
        Vocabulary.load(path)
    with pytest.raises(UserError, match="missing"):
        Vocabulary.load(tmp_path / "missing.json")


def test_the_file_is_readable_json(tmp_path):
    path = tmp_path / "vocabulary.json"
    Vocabulary(("é", "b"), "b").save(path)
    assert json.loads(path.read_text(encoding="utf-8")) == {"tokens": ["é", "b"], "end_token": "b"}


@pytest.mark.parametrize(
    ("tokens", "end", "sequence", "text"),
    [
        ("abc", None, ["b", "a", "a"], "baa"),
        (("a", "b", "<end>"), "<end>", ["b", "a"], "ba"),
        (("a", " ", "\n"), "\n", ["a", " ", "a", " "], "a a "),
        (("a", "br", "."), ".", ["br", "a", "br"], "br a br"),
        (("a", "br", "."), None, [], ""),
    ],
)
def test_a_text_is_joined_with_spaces_unless_every_token_is_a_character(
    tokens, end, sequence, text
):
    vocabulary = Vocabulary(tokens, end)
    assert vocabulary.join(sequence) == text
    assert vocabulary.split(text) == sequence


def test_a_text_split_at_any_white_space_is_checked_when_it_is_encoded():
    vocabulary = Vocabulary(("C4", "D4"))
    assert vocabulary.split(" C4\tD4 C4\n") == ["C4", "D4", "C4"]
    with pytest.raises(UserError, match="'E4' is not in the vocabulary"):
        vocabulary.encode(vocabulary.split("C4 E4"))
