"""Runs and files of strangers: what is odd in them costs a line, and nothing on the terminal."""

from __future__ import annotations

import os

import pytest

from seqtutor.cli.main import main
from seqtutor.errors import printable
from seqtutor.report.tables import Cell, Column, Row, Table
from seqtutor.runs.progress import console
from seqtutor.runs.terminal import print_table

BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (BOMB, "line 2 has an alias; write out what it stands for"),
        ("tutor: &t {c: 1}\nlength:\n  <<: *t\n", "line 3 has an alias"),
        ("task: melody\nprior: [a, b]\n", "prior must be a folder, not ['a', 'b']"),
        ("task: melody\nprior: 5\n", "prior must be a folder, not 5"),
        ('task: melody\n"\\e[2Jname": 5\n', "nothing is called \\x1b[2Jname there"),
        ('task: "\\e]0;mine\\a"\n', "'\\x1b]0;mine\\x07'"),
        ("task: melody\ntutor: {c: '\\e[2J\\u202e'}\n", "\\e[2J"),
        ('task: melody\ntutor: {c: "\\e[2J\\u202e\\u009b"}\n', "\\x1b[2J\\u202e\\x9b"),
    ],
)
def test_a_config_is_refused_in_a_line_that_a_terminal_can_show(config, said, tmp_path, capsys):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.yaml").write_text(config, encoding="utf-8")
    assert main(["sample", str(folder), "--output", str(tmp_path / "s")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert line == printable(line)


def test_a_config_that_is_a_pipe_is_not_waited_for(tmp_path, capsys):
    pipe = tmp_path / "config.yaml"
    os.mkfifo(pipe)
    for arguments in (["tune", "--config", str(pipe)], ["tune", "melody", "--config", str(pipe)]):
        assert main(arguments) == 2
        assert "config.yaml is not a regular file" in capsys.readouterr().err


def test_what_is_printed_has_no_characters_that_a_terminal_obeys(capsys):
    odd = "a\x1b[2J\x9b\u202e\rb"
    console.print(odd)
    print_table(Table(odd, (Column(odd, odd),), (Row(odd, (Cell(1.0),)),), odd, odd))
    told = capsys.readouterr()
    for text in (told.out, told.err):
        assert "a\\x1b[2J\\x9b\\u202e\\rb" in text
        assert not {"\x1b", "\x9b", "\u202e", "\r"} & set(text)
    assert printable("é\tß\n→ 日本") == "é\tß\n→ 日本"
