"""Whether a listening study loses an answer: many at once, a killed server, a full disk.

    python benchmarks/study_faults.py [--listeners 100] [--kills 50] [--databases sqlite postgresql]
    sudo python benchmarks/study_faults.py --databases disk [--fills 10]

Each listener answers a whole session over HTTP and sends each answer again until it is
acknowledged, as the page does. Meanwhile the server is killed (SIGKILL) each time that a random
number of answers more were acknowledged, and started again. At the end every acknowledged answer
must be in the database once, and no other. PostgreSQL is that of Debian's package.

`disk` puts SQLite on a disk of 1 MB in memory (tmpfs), which sessions and votes themselves fill.
Once answers were refused the disk is made larger by 256 KB, filled again, and so on. (From 4 MB on
the log is used again from its start, and some 150 answers fit a disk without room.) Who mounts a
disk must be root.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from crashing import Crashes

HELPERS = Path(__file__).parents[1] / "tests" / "study"


def measure(database: str, listeners: int, kills: int, comparisons: int, seed: int) -> None:
    from crashing import Crashes
    from postgres import postgres
    from small_study import QUICK, small_study

    questions = comparisons + 2
    opened = postgres() if database == "postgresql" else nullcontext(None)
    with opened as url, tempfile.TemporaryDirectory() as folder:
        study = small_study(
            Path(folder) / "s", rules=QUICK, comparisons=comparisons, listeners=listeners
        )
        crashes = Crashes(study, kills, url, seed)
        start = time.perf_counter()
        crashes.run(listeners, questions)
        seconds = time.perf_counter() - start
        stored = crashes.check()
    assert stored == listeners * questions
    print(
        f"{database}: {listeners} listeners at once, {kills} kills: {stored:,} answers "
        f"acknowledged, each stored once; {crashes.resent} requests without an answer; "
        f"{seconds:.0f} s, {stored / seconds:.0f} answers/s",
        flush=True,
    )


@contextmanager
def small_disk(megabytes: int) -> Iterator[Path]:
    """A folder that is a disk of its own."""
    with tempfile.TemporaryDirectory() as folder:
        _run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", folder)
        try:
            yield Path(folder)
        finally:
            _run("umount", folder)


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


def measure_full_disk(listeners: int, fills: int, comparisons: int, seed: int) -> None:
    from crashing import Crashes
    from small_study import QUICK, serving, small_study

    questions = comparisons + 2
    with tempfile.TemporaryDirectory() as folder, small_disk(1) as disk:
        study = small_study(
            Path(folder) / "s", rules=QUICK, comparisons=comparisons, listeners=listeners
        )
        url = f"sqlite:///{disk}/votes.sqlite3"
        crashes = Crashes(study, 0, url, seed, comment="x" * 1500)
        with serving(study, "--database", url) as (_, address, _):
            with ThreadPoolExecutor(listeners) as pool:
                done = crashes.begin(address, listeners, pool)
                held, refused = held_by_a_full_disk(crashes)
                for number in range(1, fills + 1):
                    _run("mount", "-o", f"remount,size={1024 + 256 * number}k", str(disk))
                    _await(crashes, "acknowledged", 1)
                    _await(crashes, "refused", 5)
                _run("mount", "-o", "remount,size=64m", str(disk))
                for one in done:
                    one.result(120)
            stored = crashes.check()
    assert stored == listeners * questions
    print(
        f"sqlite on a disk of 1 MB, {listeners} listeners at once: full after they had begun and "
        f"{held:,} answers, {refused} refused in the 5 s after; filled {fills} times more, 256 KB "
        f"larger each time: {stored:,} answers acknowledged, each stored once; "
        f"{crashes.refused} refused",
        flush=True,
    )


def held_by_a_full_disk(crashes: Crashes) -> tuple[int, int]:
    """Answers until votes fill the disk, and how many were refused in the five seconds after."""
    _await(crashes, "refused", 1)
    time.sleep(5)
    return len(crashes.acknowledged), crashes.refused


def _await(crashes: Crashes, what: Literal["acknowledged", "refused"], more: int) -> None:
    """Wait until so many answers more are acknowledged, or refused."""

    def number() -> int:
        return len(crashes.acknowledged) if what == "acknowledged" else crashes.refused

    goal, end = number() + more, time.monotonic() + 120
    while number() < goal:
        assert time.monotonic() < end, f"{len(crashes.acknowledged)} acknowledged"
        time.sleep(0.01)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listeners", type=int, default=100)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--comparisons", type=int, default=10)
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"])
    parser.add_argument("--fills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    sys.path.insert(0, str(HELPERS))
    for database in options.databases:
        if database == "disk":
            measure_full_disk(options.listeners, options.fills, options.comparisons, options.seed)
            continue
        for kills in (0, options.kills):
            measure(database, options.listeners, kills, options.comparisons, options.seed)


if __name__ == "__main__":
    main()
