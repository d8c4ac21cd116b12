"""A task of the user's own that does what it should not, as the command line meets it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import seqtutor as st
from seqtutor.cli.main import main

TASK = """\
from dataclasses import dataclass
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


BROKEN = [
    # Whatever is wrong shows only with a "b", which the batch of first tokens has not.
    (
        "def odd(strings):\n    return {'n': [1 / ('b' not in one) for one in strings]}\n"
        "task = made(reward=st.string_reward(odd))",
        "the reward failed: ZeroDivisionError: division by zero (line 17 of FILE)",
    ),
    (
        "def odd(strings):\n    return {'n': [exit(0) if 'b' in one else 1 for one in strings]}\n"
        "task = made(reward=st.string_reward(odd))",
        "the reward failed: SystemExit: 0 (line 17 of FILE)",
    ),
    (
        "task = made(reward=lambda t, m: {'n': (t == 0)[:, : 3 + 3 * (t != 1).all()]})",
        "the reward term 'n' has shape (N, 3); it must be (N,), one number a sequence, or (N, 6),"
        " one number a step",
    ),
    (
        "task = made(reward=lambda t, m: {'a' if (t != 1).all() else 2: m * 1.0})",
        "a reward function must give a dictionary of at least one named term, such as"
        " {'length': …}, not dict",
    ),
    ("class task(st.TaskSpec):\n    name = 'words'", "the task words lacks the method task("),
    (
        "class task(Spec):\n    def task(self, *given):\n        return [made()]",
        "the method `task` of words must return a seqtutor.Task, not [Task(",
    ),
    (
        "class task(Spec):\n    commands = dict.fromkeys(['verify', 'score'], 'no_such_module')",
        "the command COMMAND of FILE:task cannot be used: ModuleNotFoundError: No module named",
    ),
    (
        "class task(Spec):\n    settings_type = dict",
        "`settings_type` of the task words must be a frozen dataclass whose fields have defaults,",
    ),
    (
        "@dataclass\nclass Own:\n    a: int = 1\nclass task(Spec):\n    data_type = Own",
        "`data_type` of the task words must be a frozen dataclass whose fields have defaults,",
    ),
    (
        "@dataclass(frozen=True)\nclass Own:\n    a: int\nclass task(Spec):\n"
        "    settings_type = Own",
        "`settings_type` of the task words must be a frozen dataclass whose fields have defaults,",
    ),
    (
        "@dataclass(frozen=True)\nclass Own:\n    tutor: int = 1\nclass task(Spec):\n"
        "    settings_type = Own",
        "no setting of the task words can be called 'tutor', as part of a run's configuration is",
    ),
    (
        "class task(Spec):\n    priors = {'mine': 'prior'}",
        "the prior 'mine' of the task words must be a pathlib.Path, not 'prior'",
    ),
    (
        "class task(Spec):\n    presets = {'mine': st.TaskSpec.settings_type()}",
        "the preset 'mine' of the task words must be a seqtutor.Preset, not NoSettings(); its"
        " `settings` is a function of the method's name",
    ),
    (
        "class task(Spec):\n    presets = {'mine': st.Preset('Mine', '', {}, lambda method: None)}",
        "`tutor` of the preset 'Mine' must be a function of the method's name, not {}",
    ),
]


@pytest.mark.parametrize("command", ["verify", "score"])
@pytest.mark.parametrize(("code", "said"), BROKEN)
def test_what_a_task_cannot_be_made_of_is_a_line(command, code, said, refusal, tmp_path):
    words = tmp_path / "words.txt"
    words.write_text("aa\nab\nbe\n")
    found = refusal(code, command, *([str(words)] if command == "score" else []))
    assert re.sub(r"\((64|3)\b", "(N", found).startswith(said.replace("COMMAND", command))


@pytest.mark.parametrize(("command", "name"), [("tune", "seed"), ("score", "files")])
def test_an_option_that_is_there_already_is_named(command, name, refusal):
    code = f"@dataclass(frozen=True)\nclass Own:\n    {name}: int = 1\n"
    code += "class task(Spec):\n    settings_type = Own"
    said = f"there is an option --{name} already; rename yours"
    assert refusal(code, command) == said


def test_a_reward_whose_terms_change_is_named_by_verify(refusal):
    code = "calls = []\ndef odd(tokens, mask):\n    calls.append(1)\n"
    code += "    return {'odd' if len(calls) % 2 else 'even': mask * 1.0}\n"
    said = refusal(code + "task = made(reward=odd)")
    assert said == "the reward term 'odd' is not there at every call"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--seed", "-1"], "--seed must lie between 0 and 2^63 − 1, not -1"),
        (["--methods", "psi"], "leave out the task, or --methods"),
        (["--quick", "--workers", "2"], "leave out the task, or --quick and --workers"),
        (["--problems", "words", "--output", "out"], "or --problems and --output"),
    ],
)
def test_verify_says_which_options_are_not_for_a_task(options, said, refusal):
    assert refusal("task = made()", "verify", *options).endswith(said)


def test_verify_without_a_task_has_no_use_for_a_prior(capsys):
    assert main(["verify", "--prior", "prior"]) == 2
    assert "name the task first" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--validation-share", "nan"], "must be at least 0, and together below 1, not nan and"),
        (["--test-share", "-0.1"], "must be at least 0, and together below 1, not 0.1 and -0.1"),
        (["--split-seed", "-1"], "--split-seed must lie between"),
        (
            [],
            "1 sequences leave none for training: 1 would be for validation and 0 for the test; 4"
            " are enough, or choose smaller shares",
        ),
        (["--data", "/dev/zero"], "cannot read /dev/zero: zero is not a regular file"),
    ],
)
def test_data_that_cannot_be_split_or_read_are_a_line(options, said, refusal, tmp_path):
    words, output = tmp_path / "one.txt", tmp_path / "prior"
    words.write_text("ab\n")
    data = [] if "--data" in options else ["--data", str(words)]
    given = [*data, "--output", str(output), *options]
    assert said in refusal("task = made()", "pretrain", *given)
    assert not output.exists()


def test_a_pipe_is_not_waited_for(refusal, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    said = f"cannot read {pipe}: pipe is not a regular file"
    assert refusal("task = made()", "score", str(pipe)) == said
    assert refusal("task = made()", "evaluate", "--tokens", str(pipe)) == said


def test_lengths_that_memory_has_no_room_for_are_refused(refusal, tmp_path):
    task = st.Task(st.Vocabulary("abe.", end_token="."), 6, lambda tokens, mask: {"n": mask})
    st.pretrain(task, ["ab", "be"] * 20, epochs=1, batch=8, hidden_sizes=(4,)).save(tmp_path / "p")
    options = [str(tmp_path / "p"), "--output", str(tmp_path / "s"), "--length", "99999999999"]
    said = refusal("task = made()", "sample", *options, "--number", "2")
    assert said.endswith(
        "2 sequences of 99,999,999,999 tokens are too many at a time: of that "
        "number, with 4 tokens to choose from, the length can be 67,108,864 at most"
    )
    with pytest.raises(st.UserError, match="the length can be 134,217,728 at most"):
        st.load(tmp_path / "p").sample(1, length=1 << 40)
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("is_few", [True, False])
def test_few_sequences_are_columns_and_many_are_rows(is_few, tmp_path, capsys):
    file, words = tmp_path / "letters.py", tmp_path / "words.txt"
    file.write_text(
        "import seqtutor as st\n\n"
        "def reward(words):\n"
        "    return {n: [float(w.count(n[0])) for w in words] for n in ('as', 'bs', 'cs')}\n\n"
        "task = st.Task(st.Vocabulary('abc.', end_token='.'), 5, st.string_reward(reward))\n"
    )
    words.write_text("aab\nab\n" if is_few else "aab\nab\nab\nb\na\n")
    assert main(["score", f"{file}:task", str(words)]) == 0
    printed = [line.split() for line in capsys.readouterr().out.splitlines()]
    if is_few:
        assert ["aab", "ab"] in printed
        assert ["as", "2.00", "1.00"] in printed
        assert ["total", "3.00", "2.00"] in printed
        assert not any(line[:1] == ["cs"] for line in printed), "which none has"
    else:
        assert ["ab", "1.00", "1.00", "0", "2.00", "0.667"] in printed
        assert sum(line[:1] == ["ab"] for line in printed) == 2, "two of one name are two"


def test_score_leaves_out_a_file_that_cannot_be_used(tmp_path, capsys):
    file, good, bad = (tmp_path / name for name in ("own.py", "good.txt", "bad.txt"))
    file.write_text(f"{TASK}task = made()")
    good.write_text("ab\n")
    bad.write_text("ax\n")
    assert main(["score", f"{file}:task", str(bad), str(good), "--json"]) == 2
    out, err = capsys.readouterr()
    assert [json.loads(line)["sequence"] for line in out.splitlines()] == ["ab"]
    assert err.startswith(f"seqtutor: {bad}: ")
    assert err.count("\n") == 1


def test_score_prints_json_of_what_is_not_a_number(tmp_path, capsys):
    file, words = tmp_path / "own.py", tmp_path / "words.txt"
    reward = "lambda t, m: {'n': m * float('nan'), 'm': m / 0.0}"
    file.write_text(
        f"{TASK}import numpy as np\nnp.seterr(all='ignore')\ntask = made(reward={reward})"
    )
    words.write_text("ab\n")
    assert main(["score", f"{file}:task", str(words), "--json"]) == 0
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    terms = {"n": [None] * 3, "m": [None] * 3}
    told = {"sequence": "ab", "steps": 3, "total": None, "mean_a_step": None}
    assert found == told | {"terms": terms}


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("task = made()\nbrackets = st.Task(None, 5, None)", "brackets"),
        ("", "Spec"),
        ("other = st.TaskSpec.of(made())", "NAME"),
        ("task = (", "NAME"),
    ],
)
@pytest.mark.parametrize("command", ["tune", "score", "sample"])
def test_a_file_without_a_name_is_met_with_the_name(command, code, name, tmp_path, capsys):
    file = tmp_path / "own.py"
    file.write_text((TASK.replace("(st.TaskSpec)", "") if name == "brackets" else TASK) + code)
    assert main([command, str(file)]) == 2
    said = f"seqtutor: name the task in the file, as {file}:{name}\n"
    assert capsys.readouterr().err == said
    assert main([command, f"{file}:no-name"]) == 2
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("seconds", ["inf", "nan", "-1"])
def test_bench_refuses_turns_without_end(seconds, capsys):
    assert main(["bench", "--seconds", seconds]) == 2
    assert "--seconds must be a number above 0" in capsys.readouterr().err
