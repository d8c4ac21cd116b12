"""Small runs of the real command, for `benchmarks/faults.py` to disturb, and what came of it."""

from __future__ import annotations

import functools
import json
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
CHUNK, CHUNKS = 32, 40
RUN = ("--samples", "0", "--evaluate", "0")
SETTINGS = ("--length", "8", "--environments", "4", "--batch", "2", "--updates", "1",
            "--replay-capacity", "8", "--log-every", str(CHUNK), "--steps", str(CHUNK * CHUNKS),
            "--collapse-distinct", "0", "--collapse-entropy", "0")  # fmt: skip
MOLECULES = ("--preset", "qed", "--environments", "16", "--replay-capacity", "16", "--updates", "1",
             "--batch", "4", "--steps", "17920", "--log-every", "896",
             "--reward-workers", "2")  # fmt: skip
LIMIT = 900.0
"""Seconds after which a process that should have ended hangs."""


@dataclass
class Outcome:
    """What came of a fault."""

    fault: str
    times: int = 0
    lost: int | None = None
    messages: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def expect(self, condition: bool, failure: str) -> None:
        """Note a failure unless the condition holds."""
        if not condition:
            self.failures.append(failure)

    def expect_refusal(self, result: subprocess.CompletedProcess[str], *words: str) -> None:
        """One line with these words, exit code 2, no traceback."""
        last = result.stderr.strip().splitlines()[-1:] or [""]
        self.messages.append(last[0].removeprefix("seqtutor: "))
        is_clear = result.returncode == 2 and last[0].startswith("seqtutor: ")
        is_clear = is_clear and "Traceback" not in result.stderr
        self.expect(is_clear, f"exit code {result.returncode}: {result.stderr[-300:]}")
        for word in words:
            self.expect(word in last[0], f"{word!r} is not in: {last[0]}")


class Bench:
    """A folder for the runs, the cache that makes them start quickly, and a run to compare with."""

    def __init__(self, root: Path, seed: int) -> None:
        self.root, self.draw, self._number = root, random.Random(seed), 0
        self.environment = {
            **os.environ,
            "JAX_COMPILATION_CACHE_DIR": str(root / "compiled"),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
            "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
            "SEQTUTOR_CACHE": str(root / "cache"),
            "COLUMNS": "1000",
        }

    def folder(self) -> Path:
        """A name that is not taken."""
        self._number += 1
        return self.root / f"run{self._number}"

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """The command, in a process."""
        return subprocess.Popen(
            [sys.executable, str(HERE / "fault_child.py"), *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**self.environment, **environment},
        )  # fmt: skip

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """The command, to its end."""
        process = self.start(*arguments, **environment)
        try:
            out, err = process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            err += f"\nit hung for {LIMIT:g} s"
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def tune(self, folder: Path) -> tuple[str, ...]:
        """Arguments that begin a run."""
        return ("tune", "melody", *SETTINGS, *RUN, "--output", str(folder))

    def go_on(self, folder: Path) -> tuple[str, ...]:
        """Arguments that begin a run, or go on with what there is of it."""
        if (folder / "config.yaml").is_file():
            return ("tune", "melody", *RUN, "--resume", str(folder))
        return self.tune(folder)

    @functools.cached_property
    def whole(self) -> tuple[Path, float]:
        """A run that nothing disturbs, and its seconds once its programs are in the cache."""
        self.run(*self.tune(self.folder()))
        folder, start = self.folder(), time.monotonic()
        result = self.run(*self.tune(folder))
        if result.returncode:
            raise SystemExit(f"the undisturbed run failed: {result.stderr[-1000:]}")
        return folder, time.monotonic() - start

    def stopped(self) -> Path:
        """A run that was stopped somewhere in the middle, with two checkpoints."""
        folder = self.folder()
        process = self.start(*self.tune(folder))
        wait_for_records(process, folder, CHUNKS // 2)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=LIMIT)
        return folder

    def finish(self, outcome: Outcome, folder: Path) -> None:
        """Go on with a run to its end; it must end as if it had never been disturbed."""
        if not is_complete(folder):
            result = self.run(*self.go_on(folder))
            if result.returncode:
                outcome.failures.append(f"it does not go on: {result.stderr[-300:]}")
                return
        whole, _ = self.whole
        same = all(
            (folder / name).read_bytes() == (whole / name).read_bytes()
            for name in ("model/model.safetensors", "model/vocabulary.json")
        )
        outcome.expect(same, f"{folder.name} ends with other weights")
        outcome.expect(records(folder) == records(whole), f"{folder.name} has other records")
        left = [path.name for path in folder.rglob("*.tmp") if path.parent.name != "checkpoints"]
        outcome.expect(not left, f"{folder.name} keeps {left}")


def is_complete(folder: Path) -> bool:
    """Whether the run has come to its end."""
    return (folder / "model" / "config.json").is_file()


def records(folder: Path) -> list[dict[str, float]]:
    """The whole records of a run without their seconds."""
    path = folder / "metrics.jsonl"
    lines = path.read_text(errors="replace").split("\n")[:-1] if path.is_file() else []
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines]


def wait_for_records(process: subprocess.Popen[str], folder: Path, number: int) -> None:
    """Wait until a run has so many records, or has ended."""
    path = folder / "metrics.jsonl"
    while process.poll() is None:
        if path.is_file() and path.read_bytes().count(b"\n") >= number:
            return
        time.sleep(0.02)


def lost_chunks(folder: Path) -> int:
    """Finished chunks that the newest checkpoint does not know."""
    saved = [int(path.stem[5:]) for path in (folder / "checkpoints").glob("step-*.json")]
    made = records(folder)
    if is_complete(folder) or not made:
        return 0
    return round((made[-1]["step"] - max(saved, default=0)) / CHUNK)


def in_namespace(bench: Bench, script: str) -> subprocess.CompletedProcess[str]:
    """A shell script that may mount; `$TUNE` is the command."""
    tune = shlex.join([sys.executable, str(HERE / "fault_child.py")])
    return subprocess.run(
        ["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True,
        env={**bench.environment, "TUNE": tune}, timeout=2 * LIMIT,
    )  # fmt: skip


def can_mount() -> bool:
    """Whether this system lets us have mounts of our own."""
    if shutil.which("unshare") is None:
        return False
    test = ["unshare", "-rm", "sh", "-c", "mount -t tmpfs none /mnt"]
    return subprocess.run(test, capture_output=True).returncode == 0
