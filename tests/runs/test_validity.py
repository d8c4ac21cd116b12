"""What is not valid is drawn anew; how often, and how much of it was rejected, is known."""

from __future__ import annotations

import csv
import re

import numpy as np
import pytest

from seqtutor.cli.main import main
from seqtutor.data import Sequences
from seqtutor.runs.validity import draw_valid
from seqtutor.tasks.tunes.reader import read_abc
from seqtutor.tasks.tunes.sections import Cutting

STARTS = np.arange(10)


def drawn(seed, rows):
    """Each row begins with its own number and goes on with a random bit."""
    bits = np.random.default_rng(seed).integers(0, 2, len(rows))
    tokens = np.stack([STARTS[rows], bits], axis=1).astype(np.int32)
    return Sequences(tokens, np.ones_like(tokens, bool))


def ones(sequences):
    return sequences.tokens[:, 1] == 1


@pytest.mark.parametrize("size", [None, 16])
def test_every_row_keeps_what_it_begins_with(size):
    found = draw_valid(drawn, ones, number=10, seed=3, size=size)
    assert found.sequences.tokens.tolist() == [[row, 1] for row in range(10)]
    assert found.drawn % (size or 10) == 0
    assert 0 < found.rejected < found.drawn


def test_the_first_round_is_what_is_drawn_without():
    """So that the option changes no sequence that needs no change."""
    kept = []

    def recording(seed, rows):
        own = drawn(seed, rows)
        kept.append((seed, own))
        return own

    draw_valid(recording, ones, number=10, seed=3)
    seeds = [seed for seed, _ in kept]
    assert seeds[0] == 3
    assert len(set(seeds)) == len(seeds)
    assert kept[0][1].tokens.tolist() == drawn(3, STARTS).tokens.tolist()


def test_the_share_of_what_is_accepted_is_not_changed():
    """The valid sequences have the distribution that they have among all."""
    number = 4000

    def three(seed, rows):
        tokens = np.random.default_rng(seed).integers(0, 3, (len(rows), 1)).astype(np.int32)
        return Sequences(tokens, np.ones_like(tokens, bool))

    found = draw_valid(three, lambda own: own.tokens[:, 0] > 0, number=number, seed=0)
    share = (found.sequences.tokens == 1).mean()
    assert abs(share - 0.5) < 4 * np.sqrt(0.25 / number)
    assert abs(found.rejected / found.drawn - 1 / 3) < 0.03


def test_the_rounds_end():
    calls = []

    def counted(seed, rows):
        calls.append(len(rows))
        return drawn(seed, rows)

    never = draw_valid(counted, lambda own: np.zeros(len(own.tokens), bool), number=4, seed=0)
    assert len(never.sequences) == 0
    assert never.rejected == never.drawn == sum(calls) == 4 * 50
    some = draw_valid(drawn, lambda own: own.tokens[:, 0] < 2, number=4, seed=0, rounds=3)
    assert some.sequences.tokens[:, 0].tolist() == [0, 1]


def test_tunes_are_whole_where_only_such_are_wanted(tmp_path, capsys):
    command = ["sample", "tunes", "--number", "12", "--formats", "abc", "--valid-only"]
    assert main([*command, "--output", str(tmp_path / "own")]) == 0
    told = capsys.readouterr()
    counts = r"12 of (\d+) whole tunes kept; (\d+) of (\d+) drawn were not whole"
    found = re.search(counts, " ".join((told.out + told.err).split()))
    assert found
    whole, rejected, number = map(int, found.groups())
    assert 12 <= whole == number - rejected, "what is said is about all that were drawn"
    text = (tmp_path / "own" / "tune.abc").read_text()
    tunes, report = read_abc(text, "own", Cutting(8))
    assert [len(one.phrases) for one in tunes] == [1] * 12, report.lines()
    assert main([*command, "--temperature", "50", "--output", str(tmp_path / "hot")]) == 2
    assert "no whole tunes among 600 that were drawn" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "hot").exists()


def test_molecules_are_valid_where_only_such_are_wanted(tmp_path):
    pytest.importorskip("rdkit")
    command = ["sample", "molecule", "--number", "12", "--prime", "c1ccc2", "--temperature", "1.2"]
    rows = {}
    for name, more in (("all", []), ("valid", ["--valid-only"])):
        own = ["--formats", "csv", "--grid", "none", "--workers", "0", "--output"]
        assert main([*command, *more, *own, str(tmp_path / name)]) == 0
        with (tmp_path / name / "molecules.csv").open(newline="") as file:
            rows[name] = list(csv.DictReader(file))
    assert [row["valid"] for row in rows["valid"]] == ["1"] * 12
    kept = {row["smiles"] for row in rows["all"] if row["valid"] == "1"}
    assert 0 < len(kept) < 12
    assert kept <= {row["smiles"] for row in rows["valid"]}
    assert all(row["smiles"].startswith("c1ccc2") for row in rows["valid"])


def test_a_task_without_the_notion_has_no_such_option(capsys):
    assert main(["sample", "melody", "--valid-only"]) == 2
    assert "--valid-only" in capsys.readouterr().err
