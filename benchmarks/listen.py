"""How soon `seqtutor listen` is ready, and how soon it answers.

    python benchmarks/listen.py
    python benchmarks/listen.py --task molecule --runs runs/molecule-psi

Without runs, those of the prior that comes with the package are shown with the reward of a short
run of melodies, which is tuned first and not counted. The page is started by the command as a
process: first with nothing compiled, as on another machine, and then with what JAX has kept. Then
it is asked again and again, as a browser does, once all its programs are compiled. The CPU seconds
are those of the server and of the process that engraves; on an idle machine an answer takes about
as long, on a busy one longer. The bounds, 10 s and 1 s, are those of two idle cores.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

MOST_TO_START, MOST_TO_ANSWER = 10.0, 1.0
SHORT = ["--steps", "20000", "--evaluate", "0", "--samples", "2"]
_READY = re.compile(r"Open (http://\S+/) in a browser \(ready after ([\d.]+) s\)")
_IDLE = 0.05
"""Of a core, below which a server is done with its preparations."""


@dataclass(frozen=True)
class Options:
    """Measure and print; the exit code is 1 if something takes too much of the CPU."""

    task: str = "melody"
    """The task, or FILE.py:ATTRIBUTE."""
    runs: tuple[str, ...] = ()
    """Folders of runs."""
    number: tuple[int, ...] = (1, 3, 8)
    """Sequences of a request."""
    repetitions: int = 15
    """Of each request; the median is printed."""


@dataclass(frozen=True)
class Server:
    """A running page: its address, its process, and the seconds until it was ready."""

    address: str
    process: int
    seconds: float

    def ask(self, path: str, content: Any) -> Any:
        """The answer to a request."""
        body = json.dumps(content).encode()
        request = urllib.request.Request(self.address + path, body)
        with urllib.request.urlopen(request) as answer:
            return json.loads(answer.read())

    @property
    def cpu(self) -> float:
        """Seconds of the CPU that the process and its children have used."""
        children = Path(f"/proc/{self.process}/task/{self.process}/children").read_text().split()
        return sum(map(_cpu_of, [str(self.process), *children]))


def _cpu_of(process: str) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def served(task: str, runs: list[str], scratch: Path, programs: Path) -> Iterator[Server]:
    """A page that the command serves."""
    command = [sys.executable, "-m", "seqtutor", "listen", task, *runs, "--port", "0"]
    command += ["--favourites", str(scratch / "favourites.json")]
    environment = {**os.environ, "JAX_COMPILATION_CACHE_DIR": str(programs)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)
    try:
        assert process.stdout is not None
        found = _READY.search(process.stdout.readline())
        assert found, "the command says that the page is ready"
        yield Server(found[1], process.pid, float(found[2]))
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def wait_until_idle(server: Server) -> float:
    """Seconds of the CPU until the server has prepared everything."""
    while True:
        before = server.cpu
        time.sleep(2)
        if server.cpu - before < 2 * _IDLE:
            return server.cpu


def main(options: Options) -> int:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        runs = list(options.runs)
        if not runs:
            runs = [str(scratch / "run")]
            tune = [sys.executable, "-m", "seqtutor", "tune", options.task, "--output", runs[0]]
            subprocess.run([*tune, *SHORT], check=True, stdout=subprocess.DEVNULL)
        programs = scratch / "programs"
        with served(options.task, runs, scratch, programs) as server:
            print(f"ready after {server.seconds:.1f} s with nothing compiled", end="")
            print(f", {server.cpu:.1f} CPU s; everything compiled after", end="")
            print(f" {wait_until_idle(server):.1f} CPU s")
        with served(options.task, runs, scratch, programs) as server:
            used = server.cpu
            print(f"ready after {server.seconds:.1f} s, {used:.1f} CPU s, the next time")
            wait_until_idle(server)
            is_slow = used > MOST_TO_START
            for number in options.number:
                seconds, cpu = asked(server, number, options.repetitions)
                print(f"{number} at a time: {seconds:.2f} s, {cpu:.2f} CPU s")
                is_slow |= cpu > MOST_TO_ANSWER
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", end="")
    print(f"; {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10:,} MiB at most")
    return int(is_slow)


def asked(server: Server, number: int, repetitions: int) -> tuple[float, float]:
    """Median seconds of a request, and seconds of the CPU of each."""
    server.ask("api/samples", {"number": number})
    times, before = [], server.cpu
    for seed in range(repetitions):
        start = time.perf_counter()
        server.ask("api/samples", {"number": number, "seed": seed + 1})
        times.append(time.perf_counter() - start)
    return sorted(times)[repetitions // 2], (server.cpu - before) / repetitions


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Options)))
