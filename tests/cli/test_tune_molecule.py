"""Molecules through the command line, from a prior of a few tokens to tables and files."""

import csv
import json
import re
import sys
from html import unescape
from pathlib import Path

import numpy as np
import pytest
import yaml
from rdkit import Chem
from rdkit.Chem import QED
from safetensors.numpy import load_file

from seqtutor.cli.main import main
from seqtutor.measures.sampling import draw
from seqtutor.models.files import load_model, save_model
from seqtutor.report.tables import format_value
from seqtutor.runs.config import read_config
from seqtutor.runs.jobs import Job, run_jobs
from seqtutor.tasks.molecule.encoding import decode
from seqtutor.tasks.molecule.reward_settings import MOSES_EXTREMES, ScaledTerm
from seqtutor.tasks.molecule.spec import spec

sys.path.append(str(Path(__file__).parents[1] / "tasks" / "molecule"))
from tiny_molecules import LENGTH, save_tiny_prior, tiny_prior

TINY = ["--steps", str(32 * LENGTH * 32), "--environments", "32", "--replay-capacity", "128"]
TINY += [
    "--batch",
    "32",
    "--learning-rate",
    "1e-2",
    "--updates",
    "8",
    "--log-every",
    str(32 * LENGTH * 4),
]
TINY += ["--evaluate", "0", "--samples", "20", "--reward.diversity.weight", "0.5"]
# So small a molecule is less drug-like than none: it is to be valid and greasy.
TINY += [
    "--reward.logp.centre",
    "0",
    "--reward.logp.weight",
    "3",
    "--reward.qed.weight",
    "0",
    "--reward.sa.weight",
    "0",
]


@pytest.fixture(scope="module")
def prior(tmp_path_factory) -> Path:
    return save_tiny_prior(tmp_path_factory.mktemp("model") / "prior")


@pytest.fixture(scope="module")
def run(prior, tmp_path_factory) -> Path:
    """1,024 molecules, scored by a worker process."""
    folder = tmp_path_factory.mktemp("runs") / "psi"
    arguments = ["tune", "molecule", "--prior", str(prior), "--output", str(folder), *TINY]
    assert main([*arguments, "--reward-workers", "1"]) == 0
    return folder


def refusal(capsys: pytest.CaptureFixture, arguments: list[str]) -> str:
    """Run a command that must be refused; returns the one line that says why."""
    capsys.readouterr()
    assert main(arguments) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    refusals = [line for line in lines if line.startswith("seqtutor: ")]
    assert refusals == lines[-1:], lines
    return lines[-1]


def records_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").open()]


def test_tuning_raises_the_reward_and_the_share_of_molecules(run):
    records = records_of(run)
    assert [record["step"] for record in records] == [32 * LENGTH * 4 * n for n in range(1, 9)]
    for name in ("reward", "reward/valid"):
        course = [record[name] for record in records]
        assert np.mean(course[-3:]) > np.mean(course[:3]), name
    assert records[-1]["kl"] > records[0]["kl"] >= 0


def test_a_run_writes_its_whole_configuration_and_molecules_to_open(run):
    names = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    model = {f"model/{name}" for name in ("config.json", "model.safetensors", "vocabulary.json")}
    molecules = {f"samples/molecules.{suffix}" for suffix in ("csv", "smi", "sdf", "svg")}
    own = {"config.yaml", "metrics.jsonl", "molecules.csv", "best-by-reward.sdf"}
    own |= {"value.safetensors"}
    assert names - {"remarks.txt"} == model | molecules | own
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert config["length"] == LENGTH
    assert config["reward"]["short"]["shortest"] == 2
    with (run / "samples" / "molecules.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 20
    valid = [row for row in rows if row["valid"] == "1"]
    lines = (run / "samples" / "molecules.smi").read_text().splitlines()
    assert [line.split()[0] for line in lines] == [row["canonical_smiles"] for row in valid]
    assert len(list(Chem.SDMolSupplier(str(run / "samples" / "molecules.sdf")))) == len(valid)
    logp = ScaledTerm(**config["reward"]["logp"])
    for row in valid:
        expected = logp.weight * (float(row["logp"]) - logp.centre) / logp.scale
        assert float(row["reward_logp"]) == pytest.approx(expected)
        terms = [float(v) for name, v in row.items() if name.startswith("reward_")]
        assert float(row["reward"]) == pytest.approx(sum(terms))


def test_the_page_of_a_run_draws_molecules_and_has_their_structures(run, tmp_path):
    page = tmp_path / "page.html"
    arguments = ["report", str(run), "--output", str(page), "--number", "60", "--samples", "8"]
    assert main([*arguments, "--workers", "0"]) == 0
    text = page.read_text(encoding="utf-8")
    assert text.count("<article") == 16
    assert text.count("structure of") == text.count("<!-- END OF HEADER -->") >= 1
    (content,) = re.findall(r'id="records">(.*?)</script>', text)
    records = json.loads(content)
    rows = re.findall(r"<td><code>([^<]*)</code></td>(.*?)</tr>", text)
    assert len(rows) == len(records["sdf"]) == 120
    for (smiles, cells), sdf in zip(rows, records["sdf"], strict=True):
        found = Chem.MolFromSmiles(unescape(smiles)) if smiles else None
        assert (found is not None) == (sdf != "") == (">yes<" in cells)
        if sdf:
            again = Chem.MolFromMolBlock(sdf.partition(">  <")[0])
            assert Chem.MolToSmiles(again) == Chem.MolToSmiles(found)


def test_its_configuration_runs_it_again_in_a_process_and_without_workers(run, tmp_path):
    """The number of workers changes nothing in what comes out; the diversity memory is on."""
    config = read_config(spec, run)
    assert spec.has_memory(config.settings)
    job = Job("again", tmp_path / "again", spec, config, 20, ("--reward-workers", "0"))
    run_jobs([job], workers=1, output=tmp_path)
    weights = [load_file(one / "model" / "model.safetensors") for one in (run, job.folder)]
    assert weights[0].keys() == weights[1].keys()
    for name, array in weights[0].items():
        np.testing.assert_array_equal(array, weights[1][name])
    for name in ("molecules.csv", "molecules.svg"):
        assert (run / "samples" / name).read_bytes() == (job.folder / "samples" / name).read_bytes()


def test_a_run_with_a_goal_ends_with_its_calls_and_tells_what_it_found(prior, tmp_path, capsys):
    output = tmp_path / "run"
    arguments = ["tune", "molecule", "--prior", str(prior), "--output", str(output), *TINY]
    arguments += ["--goal", "qed", "--calls", "40", "--reward-workers", "0"]
    assert main(arguments) == 0
    table = " ".join(capsys.readouterr().out.split())
    with (output / "goal.csv").open() as file:
        calls = list(csv.DictReader(file))
    assert [int(row["call"]) for row in calls] == list(range(1, 41))
    strings = [row["smiles"] for row in calls]
    assert len({Chem.CanonSmiles(one) for one in strings}) == 40
    values = [float(row["value"]) for row in calls]
    np.testing.assert_allclose(values, [QED.qed(Chem.MolFromSmiles(one)) for one in strings])
    assert "the 40 calls of the oracle are used" in (output / "remarks.txt").read_text()
    assert len(records_of(output)) < 8, "the run ends before its last step"
    assert f"Best molecule {format_value(max(values))} 0.948" in table
    assert f"Mean of the 10 best {format_value(np.mean(sorted(values)[-10:]))}" in table
    assert "REINVENT" not in table, "which had another budget"
    with (output / "best.csv").open() as file:
        best = list(csv.DictReader(file))
    goals = [float(row["goal"]) for row in best]
    assert goals == pytest.approx(sorted(values, reverse=True), rel=1e-14)
    assert all(strings[int(row["call"]) - 1] == row["smiles"] for row in best)
    names = {path.name for path in output.iterdir()}
    assert {"best.sdf", "best.svg", "goal.svg", "goal.png"} <= names


def test_the_table_and_the_first_line_are_about_the_reward_that_was_asked_for(
    prior, tmp_path, capsys
):
    output = tmp_path / "run"
    arguments = ["tune", "molecule", "--prior", str(prior), "--output", str(output), *TINY]
    arguments += ["--evaluate", "200", "--reward.required.smarts", "O", "C=C"]
    arguments += ["--reward.required.weight", "2", "--reward-workers", "0"]
    assert main(arguments) == 0
    told = capsys.readouterr()
    assert "required × 2" in " ".join(told.err.split())
    assert "paper" not in told.out
    assert "without the term diversity" in " ".join(told.out.split())
    with (output / "table.csv").open() as file:
        found = [
            float(row["value"]) for row in csv.DictReader(file) if row["row"] == "Term required"
        ]
    means = []
    for policy in (prior, output / "model"):
        saved = load_model(policy)
        end = saved.vocabulary.end
        drawn = draw(saved.model, saved.model, number=200, length=LENGTH, end=end)
        strings = decode(drawn.tokens, saved.vocabulary)
        read = [Chem.MolFromSmiles(one) for one in strings]
        patterns = [Chem.MolFromSmarts(one) for one in ("O", "C=C")]
        shares = [
            0.0
            if one is None or not one.GetNumAtoms()
            else np.mean([one.HasSubstructMatch(pattern) for pattern in patterns])
            for one in read
        ]
        means.append(2 * np.mean(shares))  # Tables have terms weighted.
    assert found == pytest.approx(means)


def test_a_function_that_never_works_is_told_and_ends_no_run_of_few_molecules(
    prior, tmp_path, capsys
):
    output = tmp_path / "run"
    arguments = ["tune", "molecule", "--prior", str(prior), "--output", str(output), *TINY]
    arguments += ["--preset", "blank", "--reward-workers", "0"]
    arguments += ["--steps", str(32 * LENGTH * 2), "--log-every", str(32 * LENGTH)]
    assert main([*arguments, "--reward.custom.function", "ill_behaved:never"]) == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "no score by custom for" in told
    assert "ValueError: a bug (line" in told
    with (output / "molecules.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["reward_custom"] for row in rows} == {"0"}
    valid = sum(row["is_valid"] == "1" for row in rows)
    assert f"custom gave no score {valid:,} times in {valid:,} (ValueError: {valid:,})" in told
    with (output / "failures.csv").open() as file:
        assert [row["smiles"] for row in csv.DictReader(file)] == [
            row["smiles"] for row in rows if row["is_valid"] == "1"
        ]


def test_molecules_are_scored_by_the_reward_of_a_run(prior, tmp_path, capsys):
    """What `score --config` says of a run's samples is what the run's own table of them says."""
    output = tmp_path / "run"
    arguments = ["tune", "molecule", "--prior", str(prior), "--output", str(output), *TINY]
    assert main([*arguments, "--reward.window.tpsa.weight", "2"]) == 0
    samples = output / "samples" / "molecules.csv"
    scored = tmp_path / "scored.csv"
    score = ["score", "molecule", str(samples), "--workers", "0", "--output", str(scored)]
    assert main([*score, "--config", str(output)]) == 0
    own, again = (list(csv.DictReader(file.open())) for file in (samples, scored))
    assert len(own) == len(again)
    for name in ("reward", "reward_window_tpsa", "reward_logp"):
        assert [row[name] for row in own] == [row[name] for row in again]
    capsys.readouterr()
    assert main([*score, "--preset", "paper"]) == 0
    assert "ring × 50" in " ".join(capsys.readouterr().err.split())
    valid = [row for row in csv.DictReader(scored.open()) if row["qed"]]
    assert valid, "what is shorter than any string of MOSES"
    for row in valid:
        assert float(row["reward_short"]) == len(row["smiles"]) - MOSES_EXTREMES.shortest
    assert "there is no preset" in refusal(capsys, [*score, "--preset", "none-such"])


def test_a_function_that_never_works_is_no_fault_of_the_molecules(tmp_path, capsys):
    file = tmp_path / "molecules.smi"
    file.write_text("CCO\nC1CC\n")
    arguments = ["score", "molecule", str(file), "--workers", "0"]
    assert main([*arguments, "--reward.custom.function", "ill_behaved:never"]) == 0
    ethanol, invalid = csv.DictReader(capsys.readouterr().out.splitlines())
    assert ethanol["valid"] == "1"
    assert ethanol["reason"].startswith("custom: ValueError: a bug")
    assert ethanol["reward"] == ethanol["reward_custom"] == ethanol["custom"] == ""
    assert float(ethanol["reward_logp"]) == float(ethanol["logp"])
    assert invalid["reason"] == "ring bond 1 is not closed"


def test_a_reward_of_an_element_that_the_prior_cannot_write_is_refused(prior, tmp_path, capsys):
    tune = ["tune", "molecule", "--prior", str(prior), "--output", str(tmp_path / "run")]
    told = refusal(capsys, [*tune, "--reward.isomer.weight", "1", "--reward.isomer.formula", "C3P"])
    assert "the prior cannot write P" in told


def test_a_prior_that_writes_hardly_any_molecule_is_told_so(tmp_path, capsys):
    told = {}
    for valid in (0.03, 0.9):
        origin = {"extremes": {"shortest": 2, "most_carbons": 5}, "samples": {"valid": valid}}
        folder = tmp_path / f"prior-{valid}"
        save_model(tiny_prior(**origin), folder)
        arguments = ["tune", "molecule", "--prior", str(folder), *TINY, "--reward-workers", "0"]
        assert main([*arguments, "--output", str(tmp_path / f"run-{valid}")]) == 0
        told[valid] = " ".join(capsys.readouterr().err.split())
    assert "Only 3.0% of the prior's samples are valid" in told[0.03]
    assert "Only" not in told[0.9]


def test_a_mistaken_option_names_the_help_of_its_own_task(capsys):
    told = refusal(capsys, ["tune", "molecule", "--reward.qed.weight", "heavy"])
    assert told.rstrip().endswith("see: seqtutor tune molecule --help")
    told = refusal(capsys, ["tune", "--c", "much"])
    assert told.rstrip().endswith("see: seqtutor tune melody --help")


def test_what_a_goal_lacks_is_told_in_one_line(prior, tmp_path, capsys):
    tune = ["tune", "molecule", "--output", str(tmp_path / "run")]
    told = refusal(capsys, [*tune, "--preset", "isomers"])
    assert "the prior cannot write P" in told
    assert "seqtutor pretrain molecule --data nci" in told
    assert "name a goal" in refusal(capsys, [*tune, "--calls", "100"])
    assert "--calls must not" in refusal(capsys, [*tune, "--calls", "-1", "--goal", "qed"])
    other = ["--preset", "celecoxib", "--reward.similarity.to", "CCO"]
    assert "the reward's similarity another" in refusal(capsys, [*tune, *other])
    assert not (tmp_path / "run").exists()
