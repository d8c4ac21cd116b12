"""`seqtutor bench` as a user meets it."""

import json

import pytest

from seqtutor.cli.bench import Report, table
from seqtutor.cli.main import main
from seqtutor.report.tables import render_markdown
from seqtutor.runs.speed import LoopSpeed

SHORT = ["--rounds", "1", "--seconds", ".01", "--iterations", "1"]


def test_a_script_gets_every_number(capsys):
    assert main(["bench", "melody", "--methods", "rloo", "--json", *SHORT]) == 0
    found = json.loads(capsys.readouterr().out)
    speed = found["methods"]["rloo"]
    assert speed["share"] == pytest.approx(
        speed["gflop_per_second"] / speed["ceiling_gflop_per_second"]
    )
    # It learns once from all that it has collected.
    assert speed["learned_transitions_per_second"] == pytest.approx(
        speed["environment_steps_per_second"]
    )
    assert speed["first_seconds"] > 0
    assert 50 < found["peak_memory_mebibytes"] < 100_000
    assert found["help_seconds"] > 0


def test_a_person_gets_a_table():
    speed = LoopSpeed(17_000.4, 68_001.6, 12.0, 48.0, 1.1, 9.87)
    on = {"device": "cpu cpu", "cores": 2, "devices": 2, "jax": "0.10"}
    text = render_markdown(table(Report(on, 0.1, 900.0, {"psi": speed, "rloo": speed})))
    for part in ("Ψ", "RLOO", "17,000", "68,002", "12.0", "48.0", "25%", "9.9", "2 devices"):
        assert part in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--rounds", "0"], "--rounds must be a number above 0, not 0"),
        (["--methods", "none"], "none"),
        (["--devices", "64"], "not 64"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_a_line(capsys, options, message):
    assert main(["bench", "melody", *SHORT, *options]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[-1].startswith("seqtutor: ")
    assert message in lines[-1]
