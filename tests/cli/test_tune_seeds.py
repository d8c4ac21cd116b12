"""`seqtutor tune --seeds`, by processes and as one program, against single runs."""

import csv
import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file

from seqtutor.cli.main import main
from seqtutor.errors import UserError
from seqtutor.runs.config import RunOutputs, read_config
from seqtutor.runs.jobs import Job, run_jobs
from seqtutor.runs.provenance import command_line
from seqtutor.runs.run_folder import RunFolder
from seqtutor.tasks.melody.spec import spec

TINY = ["--steps", "4096", "--environments", "64", "--replay-capacity", "128", "--batch", "16"]
TINY += ["--updates", "1", "--log-every", "2048", "--evaluate", "0", "--samples", "2"]


def tune(output: Path, *options: str) -> int:
    return main(["tune", "melody", "--output", str(output), *TINY, *options])


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> Path:
    """The run of seed 1 by itself, which collapses by its own lights."""
    folder = tmp_path_factory.mktemp("alone") / "seed1"
    assert tune(folder, "--seed", "1", "--collapse-entropy", "9") == 0
    return folder


@pytest.fixture(scope="module")
def seeds(alone, tmp_path_factory) -> Path:
    """Seed 1 by a process, beside a run that must fail; then seed 0, as one program."""
    folder = tmp_path_factory.mktemp("seeds")
    config = replace(read_config(spec, alone), outputs=RunOutputs(samples=2, evaluate=50))
    lost = Job("lost", folder / "lost", spec, replace(config, prior=folder / "no-prior"))
    jobs = [lost, Job("seed 1", folder / "seed1", spec, config, samples=2)]
    with pytest.raises(UserError, match=r"the run lost failed: .*no-prior is not a model folder"):
        run_jobs(jobs, workers=1, output=folder)
    assert jobs[1].is_done, "one that fails does not stop the others"
    made = written(folder / "seed1")
    assert tune(folder, "--seeds", "2", "--seeds-by", "vmap", "--collapse-entropy", "9") == 0
    assert written(folder / "seed1") == made, "finished runs are kept"
    return folder


def written(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_a_job_records_the_outputs_that_its_user_asked_for(seeds):
    recorded = yaml.safe_load((seeds / "seed1" / "config.yaml").read_text(encoding="utf-8"))
    assert recorded["outputs"] == {"samples": 2, "evaluate": 50}


def records_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").open()]


def settings_of(folder: Path) -> dict:
    config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    del config["made_by"], config["outputs"]
    return config


def test_a_process_writes_what_the_single_command_writes(alone, seeds):
    both = [alone, seeds / "seed1"]
    files = [{path.relative_to(one) for path in one.rglob("*")} for one in both]
    assert files[0] == files[1]
    assert Path("remarks.txt") in files[0], "what the single run says is not lost"
    for path in files[0]:
        if path.name not in ("config.yaml", "metrics.jsonl") and not (alone / path).is_dir():
            assert (both[0] / path).read_bytes() == (both[1] / path).read_bytes(), path
    assert settings_of(both[0]) == settings_of(both[1])
    for one, other in zip(*map(records_of, both), strict=True):
        assert one.keys() == other.keys()
        assert all(one[name] == other[name] for name in one.keys() - {"seconds"})


def test_one_program_writes_the_same_files_with_another_policy(seeds):
    both = [seeds / "seed0", seeds / "seed1"]
    files = [{path.relative_to(one) for path in one.rglob("*")} for one in both]
    assert files[0] == files[1] - {Path("value.safetensors")}, "soft values are those of one run"
    settings = [settings_of(one) for one in both]
    assert [one["tutor"].pop("seed") for one in settings] == [0, 1]
    assert settings[0] == settings[1]
    records = [records_of(one) for one in both]
    assert [r["step"] for r in records[0]] == [r["step"] for r in records[1]] == [2048, 4096]
    weights = [load_file(one / "model" / "model.safetensors")["readout_weight"] for one in both]
    assert not np.array_equal(*weights)


def test_nothing_but_the_runs_is_left_and_the_log_of_what_failed(seeds):
    assert {path.name for path in seeds.iterdir()} == {"seed0", "seed1", "lost.log"}


def test_a_run_tells_a_command_that_can_be_given_again(seeds):
    """Not the one of its process, whose --config is gone."""
    for name in ("seed0", "seed1"):
        config = yaml.safe_load((seeds / name / "config.yaml").read_text(encoding="utf-8"))
        assert config["made_by"]["command"] == command_line()


def test_called_again_it_only_measures(seeds, capsys):
    made = written(seeds)
    options = ["--seeds", "2", "--seeds-by", "processes", "--collapse-entropy", "9"]
    assert tune(seeds, *options, "--evaluate", "100") == 0
    assert "interval over 2 seeds" in " ".join(capsys.readouterr().out.split())
    now = written(seeds)
    with (table := seeds / "table.csv").open(encoding="utf-8", newline="") as file:
        cells = {(cell["row"], cell["column"]): cell for cell in csv.DictReader(file)}
    assert float(cells["Distinct melodies", "Ψ"]["half_width"]) >= 0
    assert cells["c / γ", "Ψ"]["value"] == "1.2 / 0.83"
    page = seeds / "page.html"
    assert "over 2 seeds" in page.read_text(encoding="utf-8")
    del now[table], now[page]
    assert now == made


def refusal(capsys, output: Path, *options: str) -> str:
    assert tune(output, *options) == 2
    return capsys.readouterr().err


def test_what_is_there_already_is_never_lost(alone, seeds, tmp_path, capsys):
    (tmp_path / "seed0").mkdir()
    (tmp_path / "seed0" / "mine.txt").write_text("mine")
    assert "exists already" in refusal(capsys, tmp_path, "--seeds", "2", "--seeds-by", "vmap")
    assert (tmp_path / "seed0" / "mine.txt").read_text() == "mine"
    assert "run of one seed" in refusal(capsys, alone, "--seeds", "2", "--seeds-by", "vmap")
    other = ["--seeds", "2", "--seeds-by", "processes", "--c", "9"]
    assert "other settings" in refusal(capsys, seeds, *other)
    assert "exists already" in refusal(capsys, seeds)


def test_impossible_numbers_of_seeds_are_refused(tmp_path, capsys):
    assert "--seeds must be at least 1" in refusal(capsys, tmp_path / "a", "--seeds", "0")
    last = ["--seed", str(2**63 - 1), "--seeds", "2", "--seeds-by", "vmap"]
    assert "seed must lie between" in refusal(capsys, tmp_path / "a", *last)
    few = ["--seeds", "2", "--seeds-by", "processes", "--workers", "0"]
    assert "workers must be at least 1" in refusal(capsys, tmp_path / "a", *few)
    assert not (tmp_path / "a").exists()


def test_a_folder_of_seeds_is_measured_as_seeds_and_is_no_single_policy(seeds, tmp_path, capsys):
    assert main(["evaluate", str(seeds), "--number", "64"]) == 0
    assert "95 % interval over 2 seeds" in " ".join(capsys.readouterr().out.split())
    assert main(["sample", str(seeds), "--output", str(tmp_path / "samples")]) == 2
    assert f"name one, such as {seeds}/seed0" in " ".join(capsys.readouterr().err.split())


def test_seeds_and_experiments_have_their_folder_to_themselves(tmp_path, capsys):
    with RunFolder(tmp_path).locked():
        for arguments in (["tune", "melody", "--seeds", "2", *TINY], ["reproduce", "melody"]):
            assert main([*arguments, "--output", str(tmp_path)]) == 2
            (line,) = capsys.readouterr().err.strip().splitlines()
            assert f"another process runs in {tmp_path}" in line
            assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_an_interrupted_run_goes_on_bit_for_bit(alone, tmp_path, capsys):
    """The signal comes after the first of its two chunks, or while that is compiled."""
    output = tmp_path / "seed1"
    options = [*TINY, "--seed", "1", "--collapse-entropy", "9", "--output", str(output)]
    command = [sys.executable, "-m", "seqtutor", "tune", "melody", *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    waited_until = time.monotonic() + 100
    while not (output / "config.yaml").is_file() and time.monotonic() < waited_until:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=100)[1]
    assert process.returncode == 130, said
    told = " ".join(said.split())
    assert "interrupted at step 2,048; continue with: seqtutor tune melody --resume" in told
    assert "continue it with: seqtutor tune melody --resume" in refusal(capsys, output)
    with RunFolder(output).locked():
        assert "another process runs in" in refusal(capsys, output)
    assert "leave out what would change c" in resume_refusal(capsys, output, "--c", "9")
    assert "leave out --output" in resume_refusal(capsys, output, "--output", str(output))
    assert main(["tune", "--resume", str(output), "--samples", "2", "--evaluate", "0"]) == 0
    assert {path.name for path in output.iterdir()} == {path.name for path in alone.iterdir()}
    model = Path("model") / "model.safetensors"
    assert (output / model).read_bytes() == (alone / model).read_bytes()
    both = [records_of(output), records_of(alone)]
    for one, other in zip(*both, strict=True):
        assert all(one[name] == other[name] for name in one.keys() - {"seconds"})
    assert (output / "remarks.txt").read_text() == (alone / "remarks.txt").read_text()
    (output / "table.csv").write_text("made before")
    assert main(["tune", "--resume", str(output), "--evaluate", "10"]) == 0
    assert (output / "table.csv").read_text() == "made before"
    assert "is complete" in " ".join(capsys.readouterr().err.split())
    assert "<!doctype html>" in (output / "page.html").read_text("utf-8"), "which was missing"
    (output / "page.html").write_text("made before")
    (output / "table.csv").unlink()
    assert main(["tune", "--resume", str(output), "--evaluate", "10"]) == 0
    assert (output / "table.csv").is_file()
    assert (output / "page.html").read_text() == "made before"
    capsys.readouterr()
    assert (output / model).read_bytes() == (alone / model).read_bytes()
    assert "leave out what would change c" in resume_refusal(capsys, output, "--c", "9")


def resume_refusal(capsys, folder: Path, *options: str) -> str:
    assert main(["tune", "--resume", str(folder), *options]) == 2
    return " ".join(capsys.readouterr().err.split())


def test_jobs_that_were_interrupted_go_on(alone, tmp_path):
    """Here one that was killed before its first checkpoint: it begins anew."""
    folder = tmp_path / "seed1"
    shutil.copytree(alone, folder)
    shutil.rmtree(folder / "model")
    job = Job("seed 1", folder, spec, read_config(spec, alone), samples=2)
    assert job.is_begun
    run_jobs([job], workers=1, output=tmp_path)
    assert job.is_done
    model = Path("model") / "model.safetensors"
    assert (folder / model).read_bytes() == (alone / model).read_bytes()
