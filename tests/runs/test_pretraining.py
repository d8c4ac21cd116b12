"""A prior trained into its folder, which it has to itself."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from seqtutor.data import Dataset, pad
from seqtutor.errors import UserError
from seqtutor.models.files import load_model
from seqtutor.runs.pretraining import Pretraining, pretrain_in_folder, remark_on_few
from seqtutor.task_spec import TaskSpec
from seqtutor.training.pretrain_settings import PretrainSettings
from tiny_problems import identical, task

TINY = task(3, 4)
SPEC = TaskSpec.of(TINY)
SETTINGS = PretrainSettings.of(hidden_sizes=(4,), batch=2, epochs=1)

SLOW = """
import time
from pathlib import Path

import seqtutor as st
from seqtutor.rewards import compiled

HERE = Path(__file__).parent

@compiled
def nothing(tokens, mask):
    return {"nothing": 0.0 * tokens[:, 0]}

class Slow(st.TaskSpec):
    name = "slow"

    def task(self, settings, prior=None, workers=None):
        return st.Task(st.Vocabulary(['a', 'b', '.'], end_token='.'), 4, nothing, "slow")

    def read_data(self, options, vocabulary=None):
        (HERE / "reading").touch()
        waited_until = time.monotonic() + 100
        while not (HERE / "go").exists() and time.monotonic() < waited_until:
            time.sleep(0.05)
        return super().read_data(options, vocabulary)
"""


def pretraining():
    part = pad(TINY.vocabulary, 4, ["0120", "1201", "2012", "0011"])
    data = Dataset(TINY.vocabulary, 4, part, part[:2], part[:0], {})
    return Pretraining(SPEC, data, SETTINGS)


def test_nobody_else_trains_into_the_folder_from_the_first_look_to_the_last_file(tmp_path):
    folder, tried = tmp_path / "prior", []

    def another(*_):
        with pytest.raises(UserError, match="another process runs"):
            pretrain_in_folder(pretraining, folder)
        tried.append(sorted(path.name for path in folder.iterdir()))

    class Curious(type(SPEC)):
        def describe_model(self, model, data):
            another()
            return super().describe_model(model, data)

        def write_beside_model(self, data, folder):
            another()

    def prepare():
        another()
        found = pretraining()
        return Pretraining(Curious(TINY), found.data, found.settings)

    saved, _ = pretrain_in_folder(prepare, folder)
    assert len(tried) == 3
    assert tried[0] == [".lock"], "while the data are read there is nothing else"
    assert identical(load_model(folder).model, saved.model)
    with pytest.raises(UserError, match="exists already"):
        pretrain_in_folder(lambda: pytest.fail("the data are read"), folder)
    assert not (folder / ".lock").exists()


@pytest.mark.parametrize(("number", "is_told"), [(3, True), (99, True), (100, False)])
def test_data_with_hardly_anything_to_learn_are_named(number, is_told):
    few = pad(TINY.vocabulary, 4, ["0120"] * number)
    remark = remark_on_few(SPEC, Dataset(TINY.vocabulary, 4, few, few[:1], few[:0], {}))
    assert (remark is not None) == is_told
    if is_told:
        assert f"only {number} {SPEC.many} to train on and 1 to validate on" in remark


def test_a_training_that_cannot_begin_leaves_nothing(tmp_path):
    def no_data():
        raise UserError("there are no data")

    with pytest.raises(UserError, match="no data"):
        pretrain_in_folder(no_data, tmp_path / "models" / "prior")
    assert list(tmp_path.iterdir()) == []


def test_the_second_command_is_told_at_once_while_the_first_reads_its_data(tmp_path):
    (tmp_path / "slow.py").write_text(SLOW)
    (tmp_path / "data.txt").write_text("ab\nba\naab\nbba\n" * 8)
    command = [sys.executable, "-m", "seqtutor", "pretrain", str(tmp_path / "slow.py:Slow")]
    command += ["--data", str(tmp_path / "data.txt"), "--output", str(tmp_path / "prior")]
    command += ["--epochs", "1", "--hidden-sizes", "4", "--batch", "4"]
    first = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    waited_until = time.monotonic() + 100
    while not (tmp_path / "reading").exists() and time.monotonic() < waited_until:
        time.sleep(0.05)
    second = subprocess.run(command, capture_output=True, text=True, timeout=100)
    (tmp_path / "go").touch()
    said = first.communicate(timeout=100)[1]
    assert first.returncode == 0, said
    assert second.returncode == 2
    (line,) = second.stderr.strip().splitlines()
    assert "another process runs in" in line
    assert load_model(tmp_path / "prior").origin["finished"]
