"""A run on several devices is the run on one, up to rounding."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sharded_runs import tutor_of

from seqtutor.errors import UserError

HERE = Path(__file__).parent


def started(script: str, devices: int, *arguments: object) -> subprocess.Popen:
    """A script in a process with so many devices."""
    many = f"--xla_force_host_platform_device_count={devices}"
    environment = {
        **os.environ,
        "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {many}",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    command = [sys.executable, str(HERE / script), *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True)


def printed(process: subprocess.Popen) -> str:
    """The last line of its output."""
    output, errors = process.communicate(timeout=280)
    assert process.returncode == 0, errors
    return output.splitlines()[-1] if output else ""


@pytest.fixture(scope="module")
def cases():
    return json.loads(printed(started("sharded_runs.py", 2)))


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def assert_same(found, expected):
    """Rounding in the last of 16 digits, grown over 40 collections, stays far below 1e-9."""
    for a, b in zip(found["weights"], expected["weights"], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)
    assert len(found["records"]) == len(expected["records"]) == 4
    for a, b in zip(found["records"], expected["records"], strict=True):
        assert a == pytest.approx(b, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("method", ["psi", "rloo", "meanwhile"])
def test_runs_on_any_number_of_devices_agree(cases, method):
    expected, *others = cases[method]
    for found in others:
        assert_same(found, expected)


def test_two_processes_do_what_one_does_through_a_stop_and_the_first_alone_writes(cases, tmp_path):
    folders = [tmp_path / "first", tmp_path / "second"]
    coordinator = f"127.0.0.1:{free_port()}"
    both = [started("joined_runs.py", 1, coordinator, n, folders[n]) for n in (0, 1)]
    outputs = [printed(process) for process in both]
    assert_same(json.loads(outputs[0]), cases["psi"][0])
    assert (folders[0] / "checkpoints").is_dir()
    assert not folders[1].exists()


def test_each_device_holds_its_share_of_the_replay(cases):
    assert cases["shares"] == [32, 32]


@pytest.mark.parametrize(
    ("changes", "devices", "message"),
    [
        ({}, 0, "devices must be at least 1, not 0"),
        ({}, 3, r"environments \(16\) must be a multiple of the number of devices \(3\)"),
        ({"batch": 6}, 4, r"batch \(6\) must be a multiple of the number of devices \(4\)"),
        ({}, 8, r"there (is|are) \d cpu devices?, not 8; XLA_FLAGS=.*=8 makes that many of a CPU"),
    ],
)
def test_devices_that_cannot_share_the_work_are_refused(changes, devices, message):
    tutor = tutor_of("psi")
    settings = tutor.settings.with_changes(**changes)
    with pytest.raises(UserError, match=message):
        replace(tutor, settings=settings, devices=devices)
