"""The record of a run: molecules.csv and failures.csv, as if it had never been killed."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from rdkit import Chem
from tiny_molecules import LENGTH, tiny_prior

from seqtutor.runs.run_folder import RunFolder
from seqtutor.runs.run_on_disk import run_on_disk
from seqtutor.tasks.molecule.goal_report import BEST_BY_REWARD, report_best
from seqtutor.tasks.molecule.presets import PRESETS
from seqtutor.tasks.molecule.properties import parse
from seqtutor.tasks.molecule.reward_settings import CustomTerm, DiversityTerm
from seqtutor.tasks.molecule.score_records import SCORES, ScoreRecords
from seqtutor.tasks.molecule.scored_log import FAILURES, MOLECULES, ScoredLog, kind_of
from seqtutor.tasks.molecule.settings import MoleculeSettings
from seqtutor.tasks.molecule.task import molecule_task
from seqtutor.tasks.molecule.terms import RECORDED
from seqtutor.training.run import run_tutor
from seqtutor.training.settings import TutorSettings
from seqtutor.training.tutor import Tutor
from seqtutor.workers.worker import Failure
from tiny_problems import identical

MINE = """
def score(smiles: str) -> float:
    with open(__file__ + ".log", "a") as file:
        file.write(smiles + "\\n")
    return {0: float("nan"), 1: None}.get(len(smiles) % 4, smiles.count("O") / 3)
"""
ROWS = 32
CHUNKS = 8


class Killed(BaseException):
    """Stands for a signal that cannot be caught."""


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    return path


def opened(mine, method):
    term = CustomTerm(function=f"{mine}:score", weight=3.0)
    blank = PRESETS["blank"].settings(method).reward
    reward = replace(blank, custom=term, diversity=DiversityTerm(1.0, allowed=2))
    return molecule_task(MoleculeSettings(reward), tiny_prior(), workers=0)


def tutor_of(task, method):
    replay = {"replay_capacity": ROWS, "batch": 16, "updates": 1} if method == "psi" else {}
    settings = TutorSettings.of(
        method,
        steps=ROWS * LENGTH * CHUNKS,
        environments=ROWS,
        log_every=ROWS * LENGTH,
        **replay,
    )
    return Tutor(task, tiny_prior().model, settings)


def run(mine, method, path, kill_at=None):
    """One process's part of a run, which saves a checkpoint after each chunk."""
    seen = []

    def count(record):
        seen.append(record)
        if len(seen) == kill_at:
            raise Killed

    with opened(mine, method) as task:
        tutor = tutor_of(task, method)
        folder = RunFolder(path)
        if not path.exists():
            folder = RunFolder.start(path, tutor.settings, {})
        return run_on_disk(tutor, folder, seconds=0.0, on_record=count)


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("reasons", "kind"),
    [
        (["wrote '-7,36', x", "wrote '-8,1', x"], "wrote …, x"),
        (["is too large (1e+300)", "is too large (4e+200)"], "is too large"),
        (["ValueError: C is small", "ValueError: CC is small"], "ValueError"),
    ],
)
def test_reasons_that_differ_in_what_was_given_are_one_kind(reasons, kind):
    assert {kind_of(one) for one in reasons} == {kind}


@pytest.mark.parametrize("method", ["psi", "rloo"])
def test_a_run_that_was_killed_twice_has_the_record_of_one_that_was_not(tmp_path, mine, method):
    whole = run(mine, method, tmp_path / "whole")
    log = mine.with_name("mine.py.log")
    scored = Counter(log.read_text().split())
    assert set(scored.values()) == {1}, "each molecule once"
    log.unlink()
    for kill_at in (2, 3):
        with pytest.raises(Killed):
            run(mine, method, tmp_path / "cut", kill_at)
        with (tmp_path / "cut" / MOLECULES).open("a") as file:
            file.write("9,half a l")  # As a process leaves it that is killed as it writes.
    cut = run(mine, method, tmp_path / "cut")
    assert identical(whole, cut)
    for name in (MOLECULES, FAILURES, "remarks.txt"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert Counter(log.read_text().split()) == scored, "also after a resumption"


def test_the_record_is_what_the_run_was_rewarded_with(tmp_path, mine):
    run(mine, "rloo", tmp_path / "run")
    rows = rows_of(tmp_path / "run" / MOLECULES)
    folder = RunFolder(tmp_path / "run")
    records = folder.records()
    assert len(rows) == CHUNKS * ROWS
    steps = sorted({int(row["step"]) for row in rows})
    assert steps == [ROWS * LENGTH * (n + 1) for n in range(CHUNKS)]
    for record in records:
        last = int(record["step"])
        of_chunk = [row for row in rows if int(row["step"]) == last]
        terms_of = [name for name in rows[0] if name.startswith("reward_")]
        assert terms_of == ["reward_valid", "reward_custom", "reward_diversity"]
        names = ("total", *terms_of)
        total, *terms = (sum(float(row[name]) for row in of_chunk) for name in names)
        for name, own in zip(names[1:], terms, strict=True):
            # Records hold means over steps, of which the table does not tell the number.
            share = record[name.replace("_", "/")] / record["reward"]
            assert own / total == pytest.approx(share, rel=1e-4)
    for step in steps:
        batch = [r for r in rows if int(r["step"]) == step and r["is_valid"] == "1"]
        known = [float(row["custom_value"]) for row in batch if row["custom_value"]]
        for row in batch:
            for name in RECORDED:  # Also those that the reward does not have.
                own = getattr(parse(row["smiles"]), name)
                assert float(row[f"{name}_value"]) == pytest.approx(own, rel=1e-4, abs=1e-4)
            assert Chem.CanonSmiles(row["smiles"]) == row["smiles"]
            own = float(row["custom_value"]) if row["custom_value"] else np.mean(known or [0])
            assert float(row["reward_custom"]) == pytest.approx(3 * own, rel=1e-4)
    failures = rows_of(tmp_path / "run" / FAILURES)
    without = [
        (r["step"], r["smiles"]) for r in rows if r["is_valid"] == "1" and not r["custom_value"]
    ]
    assert [(row["step"], row["smiles"]) for row in failures] == without
    kinds = Counter(row["reason"] for row in failures)
    told = folder.remarks()[-1]
    for reason, number in kinds.items():
        assert f"{reason}: {number}" in told
    assert kinds.keys() == {"is not a number (NaN)", "returned None, which is not a number"}


def test_the_best_by_reward_are_structures_each_once(tmp_path, mine):
    run(mine, "rloo", tmp_path / "run")
    assert report_best([tmp_path]) == [], "a folder without a record"
    (line,) = report_best([tmp_path / "run"], number=12)
    assert BEST_BY_REWARD in line
    every = [r for r in rows_of(tmp_path / "run" / MOLECULES) if r["is_valid"] == "1"]
    rows = [r for r in every if r["custom_value"]]
    assert len(rows) < len(every), "what has no score is not among the best"
    best = {}
    for row in rows:
        best[row["smiles"]] = max(float(row["total"]), best.get(row["smiles"], -np.inf))
    found = list(Chem.SDMolSupplier(str(tmp_path / "run" / BEST_BY_REWARD)))
    fields = list(found[0].GetPropNames())
    assert "logp" in fields
    assert not {one for one in fields if "reward_reward" in one or one == "logp_value"}
    in_table = rows[0].keys() - {"is_valid", *(f"{name}_value" for name in RECORDED)}
    assert in_table <= set(fields), "the names of the table"
    rewards = [float(one.GetProp("total")) for one in found]
    assert rewards == sorted(best.values(), reverse=True)[:12]
    assert len({Chem.MolToSmiles(one) for one in found}) == 12


def test_the_table_of_an_earlier_version_goes_on_with_its_columns(tmp_path, mine):
    (tmp_path / MOLECULES).write_text("step,smiles,is_valid,custom,total,custom_value\n")
    with opened(mine, "rloo") as task:
        log = ScoredLog(task.reward.function.settings)
        log.record_in(tmp_path)
        scores = task.reward.function.scorer.score(["CCO", "C("])
        terms = {name: np.ones(2) for name in task.reward.weights}
        log.add(7, scores, terms)
        log.flush()
    first, second = rows_of(tmp_path / MOLECULES)
    assert (first["smiles"], first["is_valid"], second["is_valid"]) == ("CCO", "1", "0")
    assert set(first) == {"step", "smiles", "is_valid", "custom", "total", "custom_value"}
    assert first["custom"] == "3"


def test_what_a_killed_run_had_scored_is_not_scored_again(tmp_path, mine):
    """The process ends in the middle of a chunk, before there is a checkpoint."""
    asked = mine.with_name("mine.py.log")
    (tmp_path / "run").mkdir()
    with opened(mine, "rloo") as task:
        reward = task.reward.function
        reward.record_in(tmp_path / "run")
        reward.restart()
        reward.start_strings(["CCO", "CCC", "CCO"], 9).collect()
    assert [row["smiles"] for row in rows_of(tmp_path / "run" / MOLECULES)] == ["CCO", "CCC", "CCO"]
    assert Counter(asked.read_text().split()) == {"CCO": 1, "CCC": 1}
    with opened(mine, "rloo") as task:
        reward = task.reward.function
        reward.record_in(tmp_path / "run")
        reward.restart()
        reward.start_strings(["CCC", "CCO", "CCCO"], 9).collect()
    assert Counter(asked.read_text().split()) == {"CCO": 1, "CCC": 1, "CCCO": 1}
    assert len(rows_of(tmp_path / "run" / MOLECULES)) == 3


def test_without_a_folder_nothing_is_recorded(mine):
    with opened(mine, "rloo") as task:
        task.reward.restart()
        run_tutor(tutor_of(task, "rloo"))
        assert not any(task.reward.function.log._rows.values())
        assert task.reward.remarks(is_over=True) == []


def test_the_record_does_not_change_what_is_learned(tmp_path, mine):
    saved = run(mine, "psi", tmp_path / "run")
    with opened(mine, "psi") as task:
        assert identical(saved, run_tutor(tutor_of(task, "psi")).policy)


def test_records_are_read_as_they_were_written_and_damage_is_passed_over(tmp_path):
    records = ScoreRecords([tmp_path], ["dock", "other"])
    found = {"dock": {"C": -7.25, "CC": Failure("took longer, 1 s")}, "other": {"C": 1e-17}}
    records.add(found)
    records.add({"dock": {"CCC": 0.1 + 0.2}, "other": {}})
    expected = {"dock": {**found["dock"], "CCC": 0.1 + 0.2}, "other": found["other"]}
    assert records.read() == expected
    with (tmp_path / SCORES).open("a") as file:
        file.write("dock,N,seven,\ndock,O,nan,\nstranger,C,1,\ndock\ndock,NN,5")
    assert records.read() == expected
    assert ScoreRecords([tmp_path / "none"], ["dock"]).read() == {"dock": {}}
    ScoreRecords([tmp_path / "none"], ["dock"]).add(found)
    assert not (tmp_path / "none").exists()
