from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from seqtutor.errors import UserError
from seqtutor.runs.run_folder import CHECKPOINTS, CONFIG, RunFolder
from seqtutor.runs.run_on_disk import StoppedError, run_on_disk
from seqtutor.training.run import GUARDED, run_tutor
from seqtutor.training.settings import TutorSettings
from seqtutor.training.tutor import Tutor
from tiny_problems import identical, prior, task

pytestmark = pytest.mark.short_runs

SETTINGS = TutorSettings.of(
    "psi",
    environments=8,
    batch=4,
    updates=1,
    replay_capacity=16,
    steps=8 * 3 * 6,
    log_every=24,
    collapse_entropy=10.0,
)
TUTOR = Tutor(task(3, 3), prior(3, hidden=(4,)), SETTINGS)


@pytest.fixture(scope="module")
def whole():
    return run_tutor(TUTOR)


@pytest.fixture
def folder(tmp_path):
    return RunFolder.start(tmp_path / "run", SETTINGS, {})


def after(chunks):
    """Asks to stop after so many chunks."""
    asked = iter([*[False] * (chunks - 1), True])
    return lambda: next(asked)


def without_time(records):
    return [{name: record[name] for name in record if name != "seconds"} for record in records]


@pytest.mark.parametrize("stops", [(2,), (1, 1, 3), (6,)])
def test_a_run_that_is_stopped_ends_as_if_it_never_was(whole, folder, stops):
    for number in stops:
        with pytest.raises(StoppedError):
            run_on_disk(TUTOR, folder, is_to_stop=after(number))
    told = []
    policy = run_on_disk(TUTOR, folder, on_remark=told.append)
    assert told[0] == f"Continuing from step {24 * sum(stops)}"
    assert identical(policy, whole.policy)
    assert without_time(folder.records()) == without_time(whole.records)
    assert folder.remarks() == whole.remarks, "each is told once"
    seconds = [record["seconds"] for record in folder.records()]
    assert seconds == sorted(seconds)


def test_a_killed_run_loses_what_came_after_its_checkpoint_and_makes_it_anew(whole, folder):
    class KilledError(Exception):
        pass

    def die(record):
        if record["step"] == 24 * 4:
            raise KilledError

    with pytest.raises(KilledError):
        run_on_disk(TUTOR, folder, seconds=0.0, on_record=die)
    assert [record["step"] for record in folder.records()] == [24, 48, 72, 96]
    made = []
    policy = run_on_disk(TUTOR, folder, on_record=made.append)
    assert [record["step"] for record in made] == [96, 120, 144]
    assert identical(policy, whole.policy)
    assert without_time(folder.records()) == without_time(whole.records)


def test_a_run_that_was_killed_before_any_checkpoint_begins_again(whole, folder):
    folder.append(whole.records[0])
    assert identical(run_on_disk(TUTOR, folder), whole.policy)
    assert without_time(folder.records()) == without_time(whole.records)


def test_a_run_that_begins_again_says_so(whole, folder):
    folder.append(whole.records[0])
    told = []
    run_on_disk(TUTOR, folder, on_remark=told.append)
    assert told[0] == "There is no checkpoint: starting again, without the records so far"


def test_a_run_whose_end_fails_goes_on_from_its_last_chunk(whole, folder):
    def fail(policy):
        raise UserError("the disk is full")

    with pytest.raises(UserError, match="the disk is full"):
        run_on_disk(TUTOR, folder, finish=fail)
    finished, made = [], []
    policy = run_on_disk(TUTOR, folder, on_record=made.append, finish=finished.append)
    assert not made
    assert identical(finished[0], policy)
    assert identical(policy, whole.policy)
    assert without_time(folder.records()) == without_time(whole.records)


def test_a_run_whose_last_checkpoint_finds_no_room_is_finished_all_the_same(whole, folder):
    (folder.path / CHECKPOINTS).write_text("in its place")
    finished, told = [], []
    run_on_disk(TUTOR, folder, on_remark=told.append, finish=finished.append)
    assert identical(finished[0], whole.policy)
    assert "trying to finish without this checkpoint" in told[-1]


def test_nobody_else_is_in_the_folder_from_its_configuration_to_its_model(folder):
    refused = []

    def try_the_same(*_):
        with pytest.raises(UserError, match="another process runs"), folder.locked():
            pass
        refused.append(True)

    run_on_disk(TUTOR, folder, begin=try_the_same, finish=try_the_same)
    assert len(refused) == 2


def test_another_run_does_not_go_on(folder):
    with pytest.raises(StoppedError):
        run_on_disk(TUTOR, folder, is_to_stop=after(1))
    other = replace(TUTOR, prior=prior(3, hidden=(4,), seed=9))
    with pytest.raises(UserError, match="belong to other settings"):
        run_on_disk(other, folder)
    config = folder.path / CONFIG
    config.write_text(config.read_text().replace("c: 0.5", "c: 0.75"))
    with pytest.raises(UserError, match="belong to other settings"):
        run_on_disk(TUTOR, folder)


class Memory:
    """Its terms depend on the first tokens of all batches before; `last` is the last batch."""

    def __init__(self):
        self.seen, self.last = [], None

    def write(self, folder):
        (folder / "seen.txt").write_text(f"{self.seen}")

    def restart(self):
        self.seen = []

    def state(self):
        return list(self.seen)

    def restore(self, state):
        self.seen = list(state)

    @property
    def end(self):
        is_over = self.last is not None and len(self.seen) >= self.last
        return "that is enough" if is_over else None

    def __call__(self, tokens, mask):
        self.seen.append(int(tokens[:, 0].sum()))
        return {"past": (sum(self.seen) % 7) * np.ones(len(tokens))}


MEMORY = Memory()
REMEMBERING = replace(TUTOR, task=replace(TUTOR.task, reward=MEMORY))


@pytest.fixture(scope="module")
def remembered():
    """A whole run, and the memory of its reward at the end."""
    return run_tutor(REMEMBERING), MEMORY.state()


@pytest.mark.parametrize("stops", [(2,), (1, 1)])
def test_what_a_reward_remembers_goes_on_with_the_run(remembered, folder, stops):
    whole, seen = remembered
    assert len(seen) == TUTOR.iterations, "asking for shapes leaves the memory as it was"
    for number in stops:
        with pytest.raises(StoppedError):
            run_on_disk(REMEMBERING, folder, is_to_stop=after(number))
        MEMORY.restore([1, 2, 3])  # As little as another process knows of it.
    assert identical(run_on_disk(REMEMBERING, folder), whole.policy)
    assert without_time(folder.records()) == without_time(whole.records)
    assert seen == MEMORY.seen


def test_a_reward_writes_its_files_after_each_record_and_at_the_end(folder):
    file = folder.path / "seen.txt"
    written = []
    run_on_disk(REMEMBERING, folder, on_record=lambda record: written.append(file.read_text()))
    assert len(set(written)) == len(folder.records())
    assert written[-1] == file.read_text() == f"{MEMORY.seen}"
    file.unlink()
    MEMORY.restart()
    run_on_disk(REMEMBERING, folder)
    assert file.read_text() == written[-1], "a run that has ended writes them again"


def test_a_run_ends_with_the_chunk_in_which_the_reward_does(folder, monkeypatch):
    monkeypatch.setattr(MEMORY, "last", 3)
    with pytest.raises(StoppedError):
        run_on_disk(REMEMBERING, folder, is_to_stop=after(3))
    assert folder.remarks()[-1].endswith("ended at step 72: that is enough")
    MEMORY.restart()
    policy = run_on_disk(REMEMBERING, folder)
    whole = run_tutor(REMEMBERING)
    assert [record["step"] for record in folder.records()] == [24, 48, 72]
    assert without_time(folder.records()) == without_time(whole.records)
    assert identical(policy, whole.policy)


def test_two_processes_cannot_run_in_one_folder(folder):
    with folder.locked(), pytest.raises(UserError, match="another process runs"):
        run_on_disk(TUTOR, folder)


def test_a_damaged_newest_checkpoint_costs_one_chunk(whole, folder):
    with pytest.raises(StoppedError):
        run_on_disk(TUTOR, folder, seconds=0.0, is_to_stop=after(3))
    newest = folder.path / CHECKPOINTS / "step-72.safetensors"
    newest.write_bytes(newest.read_bytes()[:-9])
    assert identical(run_on_disk(TUTOR, folder), whole.policy)
    assert "step 72 is damaged" in folder.remarks()[-1]
    assert without_time(folder.records()) == without_time(whole.records)


RECORD = '{"step": 1, "seconds": 1.0, "entropy": 1.0, "kl": 0.0, "distinct": 1.0}'


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "\0" * 300,
        "\udcff",
        "[1]",
        '{"step": 3}',
        "3",
        RECORD.replace("1.0", '"x"', 1),
        RECORD.replace("1.0", "null", 1),
        RECORD.replace("1.0", "9" * 400, 1),
        RECORD.replace("1.0", "9" * 5000, 1),
        pytest.param("[" * 100_000, id="nested too deeply"),
    ],
)
def test_a_line_that_is_no_record_is_named(tmp_path, line):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(RECORD.encode() + b"\n" + line.encode(errors="surrogateescape") + b"\n")
    with pytest.raises(UserError, match=r"line 2 of .*metrics\.jsonl is not a record"):
        RunFolder(tmp_path).records(GUARDED)
