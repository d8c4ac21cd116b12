"""`seqtutor verify` as a user meets it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from seqtutor.cli.main import main
from seqtutor.methods import reinforce


def test_two_processes_prove_two_methods_and_write_it_down(tmp_path, capsys):
    output = tmp_path / "proof"
    arguments = ["verify", "--methods", "psi", "q", "--problems", "words", "--workers", "2"]
    assert main([*arguments, "--output", str(output)]) == 0
    printed = capsys.readouterr().out
    assert "words, psi" in printed
    assert "2 of 2 cases are as theory says" in printed
    results = json.loads((output / "verify.json").read_text(encoding="utf-8"))
    assert [result["case"]["method"] for result in results] == ["q", "psi"]
    assert [result["verdict"] for result in results] == ["expected gap", "pass"]
    assert results[1]["distance"] < 0.01 < results[0]["measured_gap"]
    table = (output / "verify.md").read_text(encoding="utf-8")
    assert f"{results[0]['expected_gap']:.3f} → {results[0]['measured_gap']:.3f}" in table


def test_a_wrong_method_ends_with_code_one_and_a_line_that_says_why(monkeypatch, capsys):
    """A loss that is climbed where it should be descended."""
    right = reinforce.METHOD
    wrong = replace(right, loss=lambda *arguments: -right.loss(*arguments))
    monkeypatch.setattr(reinforce, "METHOD", wrong)
    arguments = ["verify", "--methods", "reinforce", "--problems", "words", "--workers", "1"]
    assert main(arguments) == 1
    told = capsys.readouterr()
    assert "0 of 1 cases are as theory says" in told.out
    (line,) = (line for line in told.err.splitlines() if line.startswith("FAIL"))
    assert line.startswith("FAIL words, reinforce: the share of reward it misses is")
    assert "the cosine to the exact gradient is -1.0000 and not above 0.99" in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--methods", "sarsa"], "there is no method 'sarsa'"),
        (["--problems", "hard"], "there is no problem 'hard'"),
        (["--problems", "long", "--quick"], "nothing to verify"),
        (["--workers", "0"], "workers must be at least 1"),
        (["--seed", "-1"], "--seed must lie between"),
    ],
)
def test_what_cannot_be_verified_is_refused(arguments, message, tmp_path, capsys):
    output = tmp_path / "proof"
    assert main(["verify", *arguments, "--output", str(output)]) == 2
    assert message in capsys.readouterr().err
    assert not output.exists()


def test_older_results_are_not_written_over(tmp_path, capsys):
    (tmp_path / "verify.md").write_text("mine")
    assert main(["verify", "--output", str(tmp_path)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert (tmp_path / "verify.md").read_text() == "mine"
