"""The help of commands: short, readable on a narrow screen, and complete on request."""

from __future__ import annotations

import re

import pytest

from seqtutor.cli.main import COMMANDS, main
from seqtutor.cli.parsing import FEW

OPTION = re.compile(r"^  (?:-h, )?(--[a-z][\w.-]*)", re.MULTILINE)
TASKS = ("melody", "molecule", "folk", "tunes")


def help_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a command prints when it is asked for help."""
    assert main(list(arguments)) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("command", ["tune", "score", "evaluate"])
def test_the_short_help_shows_few_options_and_says_how_many_more_there_are(command, task, capsys):
    short = help_of(capsys, command, task, "--help")
    whole = help_of(capsys, command, task, "--help-all")
    few, every = OPTION.findall(short), OPTION.findall(whole)
    assert set(few) <= set(every)
    assert len(few) <= FEW + 1
    rest = len(every) - len(few)
    more = re.search(r"main options; for (\d+)\s+more:", short)
    assert (int(more[1]) if more else 0) == rest
    if command == "tune":
        assert {"--method", "--c", "--steps", "--output", "--resume", "--prior"} <= set(few)


@pytest.mark.parametrize("command", sorted(COMMANDS))
@pytest.mark.parametrize("columns", [60, 80])
def test_no_line_is_longer_than_the_screen_and_none_is_coloured(
    command, columns, capsys, monkeypatch
):
    monkeypatch.setenv("COLUMNS", str(columns))
    text = help_of(capsys, command, "--help-all")
    assert max(map(len, text.splitlines())) <= columns
    assert "\x1b" not in text


def test_help_names_the_task_that_it_is_for_and_the_others(capsys):
    text = " ".join(help_of(capsys, "reproduce", "--help").split())
    assert "options for the task melody" in text
    assert all(name in text for name in TASKS)
    assert "options for the task folk" in " ".join(
        help_of(capsys, "reproduce", "folk", "--help").split()
    )


def test_help_lists_the_presets_of_its_task(capsys):
    assert "- strict-rules: " in help_of(capsys, "tune", "melody", "--help")
    assert "- drug-like: " in help_of(capsys, "tune", "molecule", "--help")


def test_an_option_that_is_left_out_of_the_short_help_is_read(capsys):
    assert main(["tune", "melody", "--huber-threshold", "-1"]) == 2
    assert "huber_threshold must be" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "meant"), [("--stps", "--steps"), ("--rules.tonc", "--rules.tonic")]
)
def test_a_misspelt_option_suggests_the_right_one(typed, meant, capsys):
    assert main(["tune", "melody", typed, "3"]) == 2
    assert f"did you mean {meant}?" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["sample", "score", "evaluate", "report", "listen"])
@pytest.mark.parametrize("task", TASKS)
def test_the_short_help_shows_what_stands_without_an_option(command, task, capsys):
    whole = help_of(capsys, command, task, "--help-all")
    (named,) = re.findall(r"^ positional arguments\n -*\n  (\[?[A-Z]+)", whole, re.MULTILINE)
    short = help_of(capsys, command, task, "--help").partition("\n options")[0]
    assert f"\n  {named}" in short
    assert "Files of sequences" not in short


@pytest.mark.parametrize("task", TASKS)
def test_help_of_an_experiment_describes_each_profile(task, capsys):
    text = help_of(capsys, "reproduce", task, "--help")
    for name in ("smoke", "default", "full"):
        assert len(re.findall(rf"^ *- {name}: ", text, re.MULTILINE)) == 1


@pytest.mark.parametrize("command", ["tune", "sample", "score", "compare", "pretrain", "evaluate"])
@pytest.mark.parametrize("task", TASKS)
def test_no_help_names_a_setting_otherwise_than_as_it_is_typed(command, task, capsys):
    text = help_of(capsys, command, task, "--help-all")
    assert not re.findall(r"`[a-z]+_[a-z_]+`", text)
    assert not re.search(r"\b[Ww]ith (False|True)\b", text)
