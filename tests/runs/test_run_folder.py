from __future__ import annotations

import json
import os
from dataclasses import dataclass, field

import numpy as np
import pytest

from seqtutor.errors import UserError
from seqtutor.methods.settings import Exploration
from seqtutor.runs.run_folder import (
    LARGEST_CONFIG,
    RunFolder,
    differing,
    plain,
    read_config,
)
from seqtutor.training.settings import TutorSettings


@dataclass(frozen=True)
class Inner:
    name: str = "a"
    sizes: tuple[int, ...] = (1, 2)


@dataclass(frozen=True)
class Outer:
    inner: Inner = field(default_factory=Inner)
    share: float = 0.5


def test_a_configuration_comes_back_equal(tmp_path):
    config = Outer(Inner("b", (3,)), 2)
    folder = RunFolder.start(tmp_path / "run", config, {"command": "seqtutor tune"})
    assert folder.config(Outer) == config
    assert folder.settings() == plain(config), "what is told of its making is left out"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "share: x",
        "other: 1",
        "&a [*a]",
        "inner: &a {name: *a}",
        "? [1]\n: 2",
        "share: 2001-13-77",
        "share: !!python/object/apply:os.getcwd []",
        "\0",
        'share: "\\ud800"',
        b"\xff\xfe\xff",
        pytest.param("inner: " + "[" * 10_000, id="nested too deeply"),
        pytest.param("x: 0\n" * LARGEST_CONFIG, id="too large"),
        pytest.param("share: " + "9" * 5000, id="a number without end"),
    ],
)
def test_what_is_no_configuration_is_the_users_error(tmp_path, content):
    path = tmp_path / "config.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=r"config\.yaml") as error:
        read_config(Outer, path)
    assert "\n" not in str(error.value)


def test_numbers_of_numpy_are_written_as_numbers():
    config = plain(TutorSettings.of(c=np.float32(0.5), steps=np.int64(1000)))
    assert json.loads(json.dumps(config)) == plain(TutorSettings.of(c=0.5, steps=1000))


def test_settings_that_differ_are_named_by_their_place():
    one = TutorSettings.of(c=0.5, seed=3)
    other = TutorSettings.of(c=1.0, seed=3, exploration=Exploration(epsilon_start=0.25))
    assert differing(one, other) == ["c", "exploration.epsilon_start"]
    assert differing(one, one) == []
    runs = [{"tutor": one, "rules": {"tonic": tonic}} for one, tonic in ((one, 1), (other, 2))]
    assert differing(*runs) == ["c", "exploration.epsilon_start", "rules.tonic"]


@pytest.mark.parametrize("name", ["metrics.jsonl", "remarks.txt"])
def test_records_larger_than_memory_and_pipes_are_the_users_error(tmp_path, name):
    folder = RunFolder(tmp_path)
    (tmp_path / name).touch()
    os.truncate(tmp_path / name, 1 << 40)
    with pytest.raises(UserError, match=f"{name} is larger than"):
        folder.records() if name == "metrics.jsonl" else folder.remarks()
    (tmp_path / name).unlink()
    os.mkfifo(tmp_path / name)
    with pytest.raises(UserError, match="cannot write to"):
        folder.append({"step": 1}) if name == "metrics.jsonl" else folder.remark("a")
