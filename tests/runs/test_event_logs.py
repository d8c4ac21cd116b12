"""What TensorBoard and Weights & Biases get of a run."""

from __future__ import annotations

import json
import math

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from seqtutor.cli.main import main
from seqtutor.runs import event_logs
from seqtutor.runs.event_logs import log_records
from seqtutor.runs.run_folder import RunFolder

TINY = ["--steps", "4096", "--environments", "16"]
TINY += ["--log-every", "1024", "--evaluate", "16", "--samples", "0"]


def read(folder) -> EventAccumulator:
    events = EventAccumulator(str(folder / "tensorboard"), size_guidance={"images": 0, "audio": 0})
    return events.Reload()


def scalars(folder) -> dict[str, list[tuple[int, float]]]:
    events = read(folder)
    return {
        tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]
    }


def expected(folder) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for line in (folder / "metrics.jsonl").read_text().splitlines():
        record = json.loads(line)
        for name, value in record.items():
            if name != "step" and not math.isnan(value):
                found.setdefault(name, []).append((record["step"], value))
    return found


def assert_same(found, wanted):
    assert found.keys() == wanted.keys()
    for tag, points in wanted.items():
        assert [step for step, _ in found[tag]] == [step for step, _ in points]
        values = [value for _, value in points]
        assert [value for _, value in found[tag]] == pytest.approx(values, rel=1e-6, abs=1e-6)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "rloo"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "offline")
        arguments = ["tune", "melody", "--method", "rloo", "--output", str(folder), *TINY]
        assert main([*arguments, "--log", "tensorboard", "wandb"]) == 0
    return folder


def test_tensorboard_has_the_records_of_the_run(run):
    assert_same(scalars(run), expected(run))


def test_samples_can_be_heard_and_seen(run):
    events = read(run)
    sounds = events.Audio("samples/sound")
    pictures = events.Images("samples/picture")
    shown = (run / "page.html").read_text(encoding="utf-8").count("<article")
    assert len(sounds) == len(pictures) == shown
    assert all(one.length_frames > 0.5 * one.sample_rate for one in sounds)
    assert all(one.width == event_logs.PIXELS for one in pictures)


def test_weights_and_biases_has_the_run_and_its_samples(run):
    assert len(list(run.glob("wandb/offline-run-*/run-*.wandb"))) == 2
    assert len(list(run.glob("wandb/offline-run-*/files/media/audio/samples/*.wav"))) > 0


def test_a_log_that_begins_late_has_one_curve(tmp_path):
    folder = RunFolder.start(tmp_path / "run", {}, {})
    records = [{"step": 8 * n, "reward": 0.5 * n, "spread": math.nan} for n in range(1, 5)]
    for record in records:
        folder.append(record)
        log_records(["tensorboard"], folder, {})
    wanted = {"reward": [(record["step"], record["reward"]) for record in records]}
    assert_same(scalars(folder.path), wanted)


def test_a_package_that_is_missing_is_named(monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(event_logs.PACKAGES, "wandb", "no_such_package")
    output = tmp_path / "run"
    assert main(["tune", "--log", "wandb", "--output", str(output), *TINY]) == 2
    assert "pip install 'seqtutor[log]'" in capsys.readouterr().err
    assert not output.exists()
