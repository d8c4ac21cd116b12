"""Printed KL, entropy and log p are of the distribution that was sampled, and add up."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

import seqtutor as st
from seqtutor.cli.main import main
from seqtutor.measures.controls import TemperedModel
from seqtutor.proof import exact

TEMPERATURES = (0.5, 1.0, 1.5)
LENGTH = 4
TASK = """
import numpy as np
import seqtutor as st

def reward(tokens, mask):
    return {"b": (tokens == 1) * 1.0}

task = st.Task(st.Vocabulary("abc.", end_token="."), max_length=4, reward=reward)
"""


def evaluated(capsys, *arguments):
    """The one seed of the one policy that `evaluate --json` prints."""
    assert main(["evaluate", *arguments, "--json"]) == 0
    ((found,),) = json.loads(capsys.readouterr().out).values()
    return found


def total(found):
    return found["kl"] + found["entropy"] + found["log_prior"]


@pytest.mark.parametrize("task", ["melody", "molecule"])
def test_they_add_up_for_every_shipped_prior_at_every_temperature(task, capsys):
    options = ["prior", "--number", "40", "--workers", "0"]
    entropies = []
    for temperature in TEMPERATURES:
        found = evaluated(capsys, task, *options, "--temperature", str(temperature))
        assert total(found) == pytest.approx(0, abs=1e-5)
        assert (found["kl"] > 0.01) == (temperature != 1)
        entropies.append(found["entropy"])
        low, high = found["intervals"]["log_prior"]
        assert low < found["log_prior"] < high
    assert entropies[0] < entropies[1] < entropies[2]


@pytest.fixture(scope="module")
def own_task(tmp_path_factory):
    """A task in a file, its prior, and the runs of two methods with their tables."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "my_task.py").write_text(TASK)
    reference, prior = f"{folder / 'my_task.py'}:task", str(folder / "prior")
    (folder / "words.txt").write_text("\n".join(["abc", "ab", "cab", "b", "ccc"] * 30))
    quick = ["--epochs", "3", "--batch", "16", "--hidden-sizes", "8"]
    data = ["--data", str(folder / "words.txt")]
    assert main(["pretrain", reference, *data, "--output", prior, *quick]) == 0
    for method in ("q", "rloo"):
        small = ["--steps", "4096", "--log-every", "1024", "--environments", "32"]
        output = ["--method", method, "--output", str(folder / method), "--evaluate", "300"]
        assert main(["tune", reference, "--prior", prior, *small, *output]) == 0
    return reference, folder


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("policy", ["prior", "rloo"])
def test_they_are_those_of_the_enumeration_of_all_sequences(own_task, temperature, policy, capsys):
    reference, folder = own_task
    options = ["--number", "3000", "--temperature", str(temperature)]
    found = evaluated(capsys, reference, str(folder / policy), *options)
    assert total(found) == pytest.approx(0, abs=1e-5)
    prior = st.load(folder / "prior").model
    reward = st.Reward(lambda tokens, mask: {"b": (tokens == 1) * 1.0})
    problem = exact.enumerate_problem(prior, reward, LENGTH, end=3)
    tempered = TemperedModel(st.load(folder / policy).model, temperature)
    table = exact.policy_table(problem, tempered)
    true = exact.evaluate(problem, table, c=1.0)
    length = sum(float(visits.sum()) for _, visits in exact._visits(problem, table))
    for name, expected in {"kl": true.kl_to_prior, "entropy": true.entropy}.items():
        low, high = found["intervals"][name]
        assert found[name] == pytest.approx(expected / length, abs=1e-5 + (high - low)), name
        assert high - low < 0.1


@pytest.mark.parametrize("method", ["q", "rloo"])
def test_they_add_up_in_the_records_and_in_the_table_of_a_run(own_task, method):
    """Q explores, so that other tokens are collected than the policy would choose."""
    folder = own_task[1] / method
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert len(records) == 4
    for record in records:
        assert total(record) == pytest.approx(0, abs=1e-4)
    with (folder / "table.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    printed = [row for row in rows if row["row"].startswith(("Entropy", "KL from", "Mean log p"))]
    assert len(printed) == 3 * 2, "three rows, the prior and the policy"
    for column in {row["column"] for row in printed}:
        values = [float(row["value"]) for row in printed if row["column"] == column]
        assert np.sum(values) == pytest.approx(0, abs=1e-5)
