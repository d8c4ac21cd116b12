"""Drawings of molecules on a page."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_molecules import VOCABULARY

from seqtutor.data import Sequences
from seqtutor.exhibits import Shown
from seqtutor.task_records import Drawn
from seqtutor.tasks.molecule.exhibits import chemical_space, draw, exhibition
from seqtutor.tasks.molecule.properties import parse
from seqtutor.tasks.molecule.settings import MoleculeSettings

RAISES, LOWERS, ALERT = "#9ECCED", "#F9CC99", "#D899D8"


@pytest.mark.parametrize(
    ("smiles", "colors"),
    [
        ("CC", set()),
        ("CCO", {LOWERS}),  # the hydroxyl group, at -0.29 of Wildman and Crippen's scale
        ("CCCl", {RAISES}),  # chlorine, at 0.69
        ("O=CCC", {ALERT, LOWERS}),  # an aldehyde, the first of QED's alerts
    ],
)
def test_what_counts_is_coloured(smiles, colors):
    molecule = parse(smiles)
    picture = draw(molecule)
    assert {one for one in (RAISES, LOWERS, ALERT) if one in picture.svg} >= colors
    assert (ALERT in picture.svg) == (molecule.alerts > 0)
    assert picture.svg.startswith("<svg")
    assert molecule.formula in picture.alt


def packed(smiles):
    return np.array([parse(one).fingerprint for one in smiles])


def test_molecules_that_share_parts_lie_near_each_other():
    acids, rings = ["CC(=O)O", "CCC(=O)O", "CCCC(=O)O"], ["c1ccccc1C", "c1ccccc1CC", "c1ccccc1CCC"]
    found = chemical_space({"one": packed(acids), "other": packed([*rings, acids[0]])})
    own, other = found.points["one"], found.points["other"]
    assert own[0] == pytest.approx(other[3]), "one molecule has one place"
    spread = max(np.linalg.norm(a - b) for a in own for b in own)
    assert spread < min(np.linalg.norm(a - b) for a in own for b in other[:3])
    assert np.concatenate([own, other]).mean(axis=0) == pytest.approx([0, 0], abs=1e-9)


def test_a_map_of_one_molecule_or_of_none_has_no_extent():
    nothing = np.zeros((0, 128), np.uint8)
    one = chemical_space({"one": packed(["CC"]), "other": nothing})
    assert one.points["one"].tolist() == [[0, 0]]
    assert len(chemical_space({"one": nothing, "other": nothing}).points["one"]) == 0


def test_cards_and_lines_are_named_by_the_number_of_the_string():
    tokens = [[*VOCABULARY.encode(list(one)), 0, 0][:4] for one in ("CC", "C=", "CNO")]
    sequences = Sequences(np.array(tokens, np.int32), np.array(tokens) >= 0)
    shown = Shown(Drawn(sequences, VOCABULARY, {}, MoleculeSettings()), np.array([2, 1]))
    found = exhibition({"prior": shown})
    assert found.exhibits["prior"][0].files["sdf"].decode().splitlines()[0] == "prior-3"
    assert found.listed["prior"][2].records["sdf"].splitlines()[0] == "prior-3"
    assert found.listed["prior"][0].facts["MW, g/mol"] == 30.07
    invalid = found.listed["prior"][1].facts
    assert invalid["valid"] == "no", "the reason has a column of its own, cut short"
    assert 0 < len(invalid["why not"]) < 50
