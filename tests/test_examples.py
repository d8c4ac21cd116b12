"""The examples of the documentation, run as a reader would run them."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from seqtutor.cli.main import main
from seqtutor.references import source_sha256

EXAMPLES = Path(__file__).parents[1] / "examples"
PEPTIDE = EXAMPLES / "peptide" / "peptide.py"
TASK = f"{PEPTIDE}:task"
TINY = ["--environments", "32", "--replay-capacity", "128", "--batch", "16", "--updates", "2"]


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """With the example's data, a prior of them, and a tuned policy."""
    folder = tmp_path_factory.mktemp("peptide")
    data, prior = folder / "peptides.txt", folder / "prior"
    subprocess.run([sys.executable, PEPTIDE, data], check=True)
    arguments = ["pretrain", TASK, "--data", str(data), "--output", str(prior), "--epochs", "3"]
    assert main([*arguments, "--hidden-sizes", "32"]) == 0
    assert tune(folder, "run", "--method", "psi", "--steps", "20000", "--evaluate", "0") == 0
    return folder


def tune(folder, name, *options):
    output = str(folder / name)
    arguments = ["tune", TASK, "--prior", str(folder / "prior"), "--output", output, "--c", "0.2"]
    return main([*arguments, *options])


def test_the_peptide_example_is_one_short_file():
    files = [path for path in PEPTIDE.parent.rglob("*") if path.is_file()]
    sources = [path for path in files if "__pycache__" not in path.parts]
    assert sum(len(path.read_text().splitlines()) for path in sources) < 200


def test_peptides_are_sampled_scored_and_measured(folder, capsys):
    run, samples = str(folder / "run"), folder / "samples"
    assert main(["sample", TASK, run, "--number", "5", "--output", str(samples)]) == 0
    written = (samples / "samples.txt").read_text().splitlines()
    assert len(written) == 5
    capsys.readouterr()
    assert main(["score", TASK, str(samples / "samples.txt"), "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    example = load(PEPTIDE)
    for line, peptide in zip(lines, written, strict=True):
        terms = {name: values[0] for name, values in example.reward([peptide]).items()}
        assert line["total"] == pytest.approx(sum(terms.values()), abs=1e-5)
    options = ["--number", "400", "--json"]
    assert main(["evaluate", TASK, str(folder / "prior"), run, *options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"prior", "psi"}
    assert found["prior"][0]["kl"] == 0
    assert found["psi"][0]["reward"] > found["prior"][0]["reward"]
    assert 0 <= found["psi"][0]["in_window"] <= 1


def test_the_page_of_a_task_of_ones_own_has_its_strings_and_measures(folder, capsys):
    page = folder / "page.html"
    arguments = ["report", TASK, str(folder / "run"), "--output", str(page), "--number", "200"]
    assert main([*arguments, "--samples", "8"]) == 0
    text = page.read_text(encoding="utf-8")
    assert text.count("<article") == 16
    assert "<audio" not in text
    assert "Hydropathy in the window" in text
    assert "term motif" in text.lower()
    example = load(PEPTIDE)
    rows = re.findall(r"<td><code>([A-Z]*)</code></td>(.*?)</tr>", text)
    assert len(rows) == 200
    for peptide, cells in rows[:20]:
        total = sum(values[0] for values in example.reward([peptide]).values())
        assert float(re.search(r'data-value="([^"]*)"', cells)[1]) == pytest.approx(total, abs=1e-5)


def test_seeds_end_with_the_tasks_own_table(folder, capsys):
    options = ["--method", "rloo", "--seeds", "2", "--seeds-by", "vmap"]
    options += ["--steps", "3000", "--environments", "32"]
    assert tune(folder, "seeds", *options, "--evaluate", "200") == 0
    table = " ".join(capsys.readouterr().out.split())
    assert "Hydropathy in the window" in table
    assert "interval over 2 seeds" in table
    assert "16 sequences in seed0/samples/" in table


def test_an_unfinished_run_continues(folder, capsys):
    run = folder / "again"
    options = ["--method", "g", "--steps", "6000", "--log-every", "2000", "--evaluate", "0", *TINY]
    assert tune(folder, "again", *options) == 0
    whole = (run / "model" / "model.safetensors").read_bytes()
    assert main(["tune", TASK, "--resume", str(run)]) == 0
    assert "is complete" in " ".join(capsys.readouterr().err.split())
    for path in (run / "model").iterdir():
        path.unlink()
    assert main(["tune", TASK, "--resume", str(run), "--evaluate", "0"]) == 0
    assert (run / "model" / "model.safetensors").read_bytes() == whole


def test_a_run_keeps_what_it_was_made_of(folder):
    made_by = yaml.safe_load((folder / "run" / "config.yaml").read_text())["made_by"]
    assert made_by["task_file_sha256"] == source_sha256(TASK)
    assert made_by["max_length"] == load(PEPTIDE).task.max_length


def test_methods_are_compared_and_the_task_is_verified(folder, capsys):
    output = folder / "comparison"
    arguments = ["compare", TASK, "--prior", str(folder / "prior"), "--methods", "psi", "grpo"]
    arguments += ["--c", "0.5", "--steps", "4000", "--seeds", "1", "--number", "200"]
    arguments += ["--temperatures", "0.8", "--best-of", "4", "--smc", "4", "--output", str(output)]
    assert main(arguments) == 0
    report = (output / "report.md").read_text(encoding="utf-8")
    assert "GRPO" in report
    assert "sequences" in report
    assert main(["verify", TASK]) == 0
    assert "causal" in capsys.readouterr().out


def test_grpo_comes_to_the_optimum():
    example = load(EXAMPLES / "grpo.py")
    assert example.distance(150) < 0.2 * example.distance(10)


def test_a_gru_is_tuned():
    prior, policy = load(EXAMPLES / "gru.py").main(epochs=4, steps=20_000)

    def vowels(generator):
        return sum(letter in "ae" for word in generator.sample(300) for letter in word)

    assert vowels(policy) > 1.2 * vowels(prior)
