"""Inputs after public reports, with the answers that are right; see docs/public_reports.md."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
from reports_on_molecules import molecules
from reports_on_music import music


@pytest.mark.parametrize("case", [*music(), *molecules()], ids=lambda case: case.what)
def test_what_was_reported_of_other_programs(tmp_path, case):
    assert case.answer(tmp_path) == case.right, case.reports
