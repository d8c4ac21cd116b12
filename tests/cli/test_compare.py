"""A whole comparison, small: what it writes, and how it goes on."""

import csv
import json
import shutil
from dataclasses import replace

import pytest

from seqtutor.cli.main import main
from seqtutor.runs.comparing import ComparisonPlan, remark_on_steps
from seqtutor.runs.comparing import compare as compare_plan
from seqtutor.runs.policies import load_prior
from seqtutor.runs.run_folder import RunFolder
from seqtutor.tasks.melody.spec import spec
from seqtutor.training.settings import TutorSettings

# Its runs take minutes where other work fills the machine.
pytestmark = pytest.mark.timeout(900)

ARGUMENTS = ["compare", "melody", "--methods", "psi", "reinforce"]
ARGUMENTS += ["--c", "0.7", "2", "--seeds", "2"]
ARGUMENTS += ["--steps", "4000", "--temperatures", "1.5", "0.5", "--best-of", "8", "4"]
ARGUMENTS += ["--smc", "4"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("comparison")


@pytest.fixture(scope="module")
def plan(folder):
    """What the arguments say."""
    grid = {"c": (0.7, 2.0), "seeds": 2, "steps": 4000, "number": 300}
    controls = {"temperatures": (1.5, 0.5), "best_of": (8, 4), "smc": (4,)}
    return ComparisonPlan(spec, ("psi", "reinforce"), folder, **grid, **controls)


@pytest.fixture(scope="module")
def compare(folder, plan):
    """Calls the command, where this process has made all runs by itself."""
    compare_plan(plan, in_this_process=True)

    def call(*options):
        return main([*ARGUMENTS, "--output", str(folder), *options])

    assert call("--number", "300") == 0
    return call


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def made_at(folder):
    return {p.parent: p.stat().st_mtime_ns for p in folder.glob("runs/*/*/*/model/config.json")}


def test_every_policy_and_control_is_measured(compare, folder):
    found = [(r["policy"], r["c"], r["seed"], r["parameter"]) for r in rows(folder / "results.csv")]
    tuned = [(m, c, s, "") for m in ("psi", "reinforce") for c in ("0.7", "2.0") for s in "01"]
    assert sorted(found[-8:]) == sorted(tuned)
    assert found[:-8] == [
        ("prior", "", "0", ""),
        ("temperature", "", "0", "0.5"),
        ("temperature", "", "0", "1.5"),
        ("best-of-n", "", "0", "4"),
        ("best-of-n", "", "0", "8"),
        ("SMC of 4", "0.7", "0", ""),
        ("SMC of 4", "2.0", "0", ""),
    ]
    for row in rows(folder / "results.csv")[-8:]:
        assert row["discount"] == "1.0", "one γ for all"
        assert float(row["kl"]) > 0
        gain = float(row["reward"]) / float(row["c"])
        assert float(row["objective"]) == pytest.approx(gain - float(row["kl"]), abs=1e-3)
        assert float(row["seconds"]) > 0
    for row in rows(folder / "results.csv"):
        if row["entropy"]:
            total = sum(float(row[name]) for name in ("kl_per_step", "entropy", "log_prior"))
            assert total == pytest.approx(0, abs=1e-4), row
    report = (folder / "report.md").read_text(encoding="utf-8")
    assert "8 runs in all" in report
    assert "300 melodies" in report
    page = (folder / "page.html").read_text(encoding="utf-8")
    assert "c / γ" in page
    for name in ("frontier", "diversity", "learning"):
        assert (folder / f"{name}.png").stat().st_size > 10_000


def test_called_again_it_keeps_every_run_and_every_measure(compare, plan, folder):
    outputs = ("results.csv", "summary.csv", "report.md", "frontier.svg")
    before = {name: (folder / name).read_bytes() for name in outputs}
    files = [*folder.glob("runs/*/*/*/measures.json"), *folder.glob("controls/*.json")]
    assert len(files) == 8 + 4 + 2
    times = {path: path.stat().st_mtime_ns for path in files}
    compare_plan(plan)
    assert {path: path.stat().st_mtime_ns for path in files} == times
    assert {name: (folder / name).read_bytes() for name in outputs} == before


def test_it_runs_what_is_missing_and_measures_what_is_asked_anew(compare, plan, folder):
    """In another process, to the weights that this one came to."""
    lost = folder / "runs" / "reinforce" / "c=2.0" / "seed1"
    weights = (lost / "model" / "model.safetensors").read_bytes()
    shutil.rmtree(lost / "model")
    before = made_at(folder)
    compare_plan(replace(plan, number=200))
    after = made_at(folder)
    assert set(after) - set(before) == {lost / "model"}
    assert before.items() <= after.items()
    assert (lost / "model" / "model.safetensors").read_bytes() == weights
    content = json.loads((lost / "measures.json").read_text(encoding="utf-8"))
    assert content["made_of"]["number"] == 200
    assert "200 melodies" in (folder / "report.md").read_text(encoding="utf-8")


def test_a_run_that_diverged_is_left_out_and_told(compare, plan, folder):
    run = folder / "runs" / "psi" / "c=0.7" / "seed1"
    (run / "model").rename(run / "last-good")
    compare_plan(replace(plan, number=200))
    assert len(rows(folder / "results.csv")) == 7 + 7
    report = (folder / "report.md").read_text(encoding="utf-8")
    assert "Diverged, and left out: psi c=0.7 seed 1" in report
    (run / "last-good").rename(run / "model")


def test_runs_of_another_grid_are_kept_and_told(compare, folder, capsys):
    before = made_at(folder)
    assert compare("--number", "200", "--c", "2") == 0
    told = f"Of other grids, kept and left out of this report: 4 runs in {folder}."
    assert told in capsys.readouterr().out
    assert told in (folder / "report.md").read_text(encoding="utf-8")
    assert made_at(folder) == before


def test_runs_with_other_settings_are_not_written_over(compare, folder, capsys):
    before = made_at(folder)
    assert compare("--discount", "0.5") == 2
    assert "other settings" in capsys.readouterr().err
    assert made_at(folder) == before


def test_a_second_comparison_in_one_folder_is_told_at_once(compare, folder, capsys):
    before = sorted(folder.rglob("*"))
    with RunFolder(folder).locked():
        assert compare("--number", "100") == 2
        assert sorted(folder.rglob("*")) == sorted([*before, folder / ".lock"])
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert f"another process runs in {folder}" in line


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--methods", "psi", "sarsa"], "no method 'sarsa'"),
        (["--methods"], "methods needs at least one"),
        (["--c"], "c needs at least one"),
        (["--c", "1", "0"], "c must be above 0"),
        (["--c", "-2"], "c must be above 0"),
        (["--c", "nan"], "c must be above 0"),
        (["--seeds", "0"], "seeds must be at least 1"),
        (["--steps", "0"], "steps must be at least 1"),
        (["--number", "1"], "number must be at least 2"),
        (["--discount", "1.5"], "discount must be between 0 and 1"),
        (["--temperatures", "0"], "temperatures must be above 0"),
        (["--best-of", "1"], "best_of must be at least 2"),
        (["--smc", "1"], "smc must be at least 2"),
        (["--at-kl", "inf"], "at_kl must be above 0"),
        (["--preset", "best"], "no preset 'best'"),
        (["--workers", "0"], "workers must be at least 1"),
        (["--prior", "nowhere"], "nowhere is not a model folder"),
    ],
)
def test_bad_grids_are_refused_before_anything_is_made(options, told, tmp_path, capsys):
    output = tmp_path / "comparison"
    assert main(["compare", "--output", str(output), *options]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert told in lines[-1]
    assert len(lines) == 1
    assert not output.exists()


@pytest.mark.parametrize("preset", ["papers-rules", "strict-rules"])
def test_methods_differ_in_what_is_their_own_alone(preset, tmp_path):
    """Rules, weights, c and γ are one for all, whatever a preset has for each method."""
    plan = ComparisonPlan(spec, ("q", "psi", "rloo"), tmp_path, c=(2.0,), seeds=1, preset=preset)
    configs = [job.config for job in plan.jobs(length=32, now={})]
    assert [config.tutor.method for config in configs] == ["q", "psi", "rloo"]
    expected, _ = spec.complete(spec.preset(preset).settings("q"), load_prior(spec, None))
    assert all(config.settings == expected for config in configs)
    for config in configs:
        own = TutorSettings.of(config.tutor.method)
        first = configs[0].tutor
        shared = {"c": 2.0, "discount": 1.0, "steps": first.steps, "log_every": first.log_every}
        assert config.tutor == own.with_changes(**shared)


def test_many_more_steps_than_were_asked_for_are_told(tmp_path):
    for asked, is_told in ((10, True), (500_000, False)):
        jobs = ComparisonPlan(spec, ("psi",), tmp_path, steps=asked).jobs(32, {})
        told = remark_on_steps(jobs, asked)
        assert (told is not None) is is_told
        assert told is None or "up to 4,096 steps a run are made where 10 were" in told
