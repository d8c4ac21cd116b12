import csv
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqtutor.errors import UserError
from seqtutor.tasks.molecule.sources import nci_path
from seqtutor.tasks.molecule.tokens import (
    END_TOKEN,
    SINGLE_CHARACTERS,
    find_fault,
    join_tokens,
    tokenise,
)

SAMPLE = Path(__file__).parents[2] / "data" / "molecule" / "moses_sample.csv"
IN_BRACKETS = [c for c in string.printable if c.isprintable() and c not in "[] "]
TOKENS = st.one_of(
    st.sampled_from([*SINGLE_CHARACTERS, "Cl", "Br", "->", "<-", "[nH]", "[CH]", "[13CH3+]"]),
    st.text(IN_BRACKETS, min_size=1, max_size=6).map("[{}]".format),
    st.integers(0, 99).map("%{:02d}".format),
    st.integers(0, 99999).map("%({})".format),
)


@given(st.lists(TOKENS, min_size=1, max_size=30))
def test_tokens_in_a_row_are_read_back_as_they_were(tokens):
    assert tokenise("".join(tokens)) == tokens
    assert join_tokens([*tokens, END_TOKEN, "C"]) == "".join(tokens)


@given(st.text(st.sampled_from("CNclBr[]()=%12@H+é \n>-"), max_size=20))
def test_any_text_is_read_back_or_refused(text):
    if find_fault(text) is None:
        assert "".join(tokenise(text)) == text != ""
    else:
        with pytest.raises(UserError, match="not SMILES text"):
            tokenise(text)


@given(st.lists(TOKENS, max_size=12), st.sampled_from("AEGHQax !é\t\n→"), st.lists(TOKENS))
def test_the_first_strange_character_is_named_with_its_position(before, strange, after):
    text = "".join(before)
    assert (
        find_fault(text + strange + "".join(after)) == f"character {len(text) + 1} is {strange!r}"
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "empty"),
        ("C[N", "opens at character 2"),
        ("C[]O", "opens at character 2"),
        ("C[N[O]", "opens at character 2"),
        ("CC[N+ ]", "opens at character 3"),
        ("CN]", "closes at character 3"),
        ("C%1CC%1", "% at character 2"),
        ("CC(C)>O", "character 6 is '>'"),
        ("C" * 1000 + "é", "character 1001 is 'é'"),
    ],
)
def test_faults_are_told_in_words(text, fault):
    with pytest.raises(UserError, match=fault) as told:
        tokenise(text)
    assert len(str(told.value)) < 200
    assert "\n" not in str(told.value)


def test_two_letter_atoms_brackets_and_high_rings_are_one_token():
    assert tokenise("Clc1[nH]c%12Br") == ["Cl", "c", "1", "[nH]", "c", "%12", "Br"]
    assert tokenise("C/C=C\\N[CH](->[Fe+2])O") == [
        *("C", "/", "C", "=", "C", "\\", "N", "[CH]", "(", "->", "[Fe+2]", ")", "O")
    ]


def test_real_strings_are_read():
    with SAMPLE.open(encoding="ascii") as file:
        moses = [row["SMILES"] for row in csv.DictReader(file)]
    nci = [line.split()[0] for line in nci_path().read_text().splitlines()]
    assert (len(moses), len(nci)) == (300, 4999)
    for smiles in moses + nci:
        tokens = tokenise(smiles)
        assert "".join(tokens) == smiles
        assert all(len(token) == 1 or token[0] in "[%" or token in ("Cl", "Br") for token in tokens)
