from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqtutor.data import pad
from seqtutor.errors import UserError
from seqtutor.tasks.molecule.encoding import TokenisedText, decode, vocabulary_of
from seqtutor.tasks.molecule.tokens import END_TOKEN, find_fault, join_tokens, tokenise

PIECES = ["C", "c", "N", "Cl", "Br", "[nH]", "[CH]", "%12", "1", "(", ")", "=", "->"]
STRINGS = st.lists(st.lists(st.sampled_from(PIECES), min_size=1, max_size=9).map("".join))
TEXTS = st.lists(st.text(st.sampled_from("CNcl[]H%12é\n\ue000 r"), max_size=6) | st.just("CCl"))


@given(TEXTS)
def test_text_is_judged_as_one_string_at_a_time_would_be(strings):
    text = TokenisedText(strings)
    assert len(text) == len(strings)
    assert text.is_smiles.tolist() == [find_fault(string) is None for string in strings]
    good = [tokenise(string) for string in strings if find_fault(string) is None]
    assert text.lengths[text.is_smiles].tolist() == list(map(len, good))
    assert text.counts(text.is_smiles) == Counter(token for tokens in good for token in tokens)


@given(STRINGS, st.sets(st.sampled_from(PIECES)))
def test_strings_with_other_tokens_are_found(strings, known):
    found = TokenisedText(strings).consists_of(known)
    assert found.tolist() == [set(tokenise(string)) <= known for string in strings]


@given(STRINGS, st.integers(0, 3))
def test_encoding_is_what_padding_gives(strings, room):
    text = TokenisedText(strings)
    longest = max([len(tokenise(string)) for string in strings], default=1)
    vocabulary = vocabulary_of(PIECES)
    encoded = text.encode(text.is_smiles, vocabulary, longest + 1 + room)
    padded = pad(vocabulary, longest + 1 + room, map(tokenise, strings))
    np.testing.assert_array_equal(encoded.tokens, padded.tokens)
    np.testing.assert_array_equal(encoded.mask, padded.mask)
    assert encoded.tokens.dtype == np.int8
    assert decode(encoded.tokens, vocabulary) == strings


@given(st.integers(0, 2**32 - 1), st.integers(0, 5), st.integers(1, 6))
def test_whatever_a_model_generates_is_decoded(seed, rows, length):
    vocabulary = vocabulary_of(PIECES)
    ids = np.random.default_rng(seed).integers(0, vocabulary.size, (rows, length))
    ids[ids % 3 == 0] = vocabulary.end
    assert decode(ids, vocabulary) == [
        join_tokens(vocabulary.tokens[index] for index in row) for row in ids
    ]


def test_only_the_chosen_strings_are_encoded():
    strings = ["CC", "x", "Clc", "", "N"]
    text = TokenisedText(strings)
    vocabulary = vocabulary_of(text.counts(text.is_smiles))
    assert vocabulary.tokens == (END_TOKEN, "C", "Cl", "N", "c")
    chosen = text.is_smiles & (text.lengths > 1)
    assert decode(text.encode(chosen, vocabulary, 4).tokens, vocabulary) == ["CC", "Clc"]


@pytest.mark.parametrize(("kinds", "type_"), [(126, np.int8), (127, np.int8), (128, np.int16)])
def test_ids_are_as_small_as_the_vocabulary_allows(kinds, type_):
    strings = [f"[{number}C]" for number in range(kinds)]
    text = TokenisedText(strings)
    vocabulary = vocabulary_of(strings)
    encoded = text.encode(text.is_smiles, vocabulary, 2)
    assert encoded.tokens.dtype == type_
    assert encoded.tokens.max() == kinds
    assert decode(encoded.tokens, vocabulary) == strings


def test_too_many_kinds_of_atoms_are_the_users_error():
    with pytest.raises(UserError, match="numbered"):
        TokenisedText([f"[C:{number}]" for number in range(6401)])
