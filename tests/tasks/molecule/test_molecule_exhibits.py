"""Drawings of molecules on a page."""

from __future__ import annotations

import pytest

from seqtutor.tasks.molecule.exhibits import draw
from seqtutor.tasks.molecule.properties import parse

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
