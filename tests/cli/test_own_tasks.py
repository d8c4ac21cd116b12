"""A task of the user's own that does what it should not, as the command line meets it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from seqtutor.cli.main import main

TASK = """\
import seqtutor as st

def vowels(strings):
    return {"vowels": [sum(map(one.count, "ae")) for one in strings]}

def made(**given):
    own = {"vocabulary": st.Vocabulary("abe.", end_token="."), "max_length": 6, "name": "words"}
    return st.Task(**{**own, "reward": st.string_reward(vowels), **given})

class Spec(st.TaskSpec):
    name = "words"
    def task(self, settings, prior=None, workers=None):
        return made()

"""


@pytest.fixture
def refusal(tmp_path, capsys):
    """Runs a command on the task of a file with this code; gives the line that refuses it."""

    def refuse(code: str, command: str = "verify", *options: str, name: str = "task") -> str:
        file = tmp_path / f"words{len(list(tmp_path.iterdir()))}.py"
        file.write_text(TASK + code)
        assert main([command, f"{file}:{name}", *options]) == 2
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert line.startswith("seqtutor: ")
        return line.removeprefix("seqtutor: ").replace(str(file), "FILE")

    return refuse


ENDS = [
    ("import sys\nsys.exit(0)", "FILE cannot be imported: SystemExit: 0 (line LAST of FILE)"),
    (
        "class Odd(BaseException): pass\nraise Odd('done')",
        "FILE cannot be imported: Odd: done (line LAST of FILE)",
    ),
    (
        "def __getattr__(name):\n    raise SystemExit(0)",
        "FILE cannot be imported: SystemExit: 0 (line LAST of FILE)",
    ),
    (
        "class task(st.TaskSpec):\n    def __init__(self):\n        raise SystemExit(0)",
        "FILE:task cannot be used: SystemExit: 0 (line LAST of FILE)",
    ),
    (
        "class task(Spec):\n    def task(self, *given):\n        raise SystemExit(0)",
        "SystemExit: 0 (line LAST of FILE)",
    ),
    ("class task(Spec):\n    def task(self, *given):\n        1 / 0", "(line LAST of FILE)"),
    (
        "class task(Spec):\n    def __init__(self):\n        self.name = '../x'",
        "the name of a task must be one that a folder can have, such as 'words', not '../x'",
    ),
    (
        "class task(Spec):\n    def require_dependencies(self):\n        raise OSError('odd')",
        "OSError: odd (line LAST of FILE)",
    ),
]


@pytest.mark.parametrize(("code", "said"), ENDS)
def test_whatever_a_file_raises_is_a_line_and_exit_code_2(code, said, refusal):
    last = len((TASK + code).splitlines())
    assert refusal(code).endswith(said.replace("LAST", str(last)))


def test_a_file_that_leaves_python_does_not_look_like_a_success(tmp_path: Path):
    """In a process of its own: an exit code of 0 would be a success to a script."""
    file = tmp_path / "leaves.py"
    file.write_text("import sys\nsys.exit(0)\n")
    command = [sys.executable, "-m", "seqtutor", "sample", f"{file}:task"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.endswith(f"SystemExit: 0 (line 2 of {file})\n")


POOLED = """
import os

def slow_vowels(strings):
    with open(LOG, "a") as log:
        log.write(f"{os.getpid()}\\n")
    return vowels(strings)

task = made(reward=st.string_reward(slow_vowels, workers=2))
other = made()
"""


def test_a_reward_in_the_file_itself_runs_in_worker_processes(tmp_path, capsys):
    """It gives the run that it gives in this process, whose file the workers import."""
    file, log, data = (tmp_path / name for name in ("pooled.py", "log.txt", "words.txt"))
    file.write_text(TASK + POOLED.replace("LOG", repr(str(log))))
    data.write_text("ab\nba\nbe\nebb\n" * 25)
    prior = str(tmp_path / "prior")
    arguments = ["pretrain", f"{file}:task", "--data", str(data), "--output", prior]
    assert main([*arguments, "--hidden-sizes", "4", "--epochs", "1"]) == 0
    assert not log.exists(), "no process starts before there is a batch"
    for name in ("task", "other"):
        arguments = ["tune", f"{file}:{name}", "--prior", prior, "--output", str(tmp_path / name)]
        arguments += ["--method", "rloo", "--environments", "16", "--steps", "300"]
        assert main([*arguments, "--evaluate", "0", "--samples", "1"]) == 0
    processes = set(log.read_text().split())
    assert len(processes) == 2
    assert str(os.getpid()) not in processes
    weights = [
        (tmp_path / n / "model" / "model.safetensors").read_bytes() for n in ("task", "other")
    ]
    assert weights[0] == weights[1]


def test_a_file_that_workers_cannot_import_is_told_in_a_line(refusal):
    code = f"import os\nif os.getpid() != {os.getpid()}:\n    raise KeyError('gone')\n"
    said = refusal(code + "task = made(reward=st.string_reward(vowels, workers=1))")
    assert said.startswith("the worker processes cannot start: FILE cannot be imported: KeyError")
