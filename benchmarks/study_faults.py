"""Whether a listening study loses an answer: 100 listeners at once, and a server killed 50 times.

    python benchmarks/study_faults.py [--listeners 100] [--kills 50] [--databases sqlite postgresql]

Each listener answers a whole session over HTTP and sends each answer again until it is
acknowledged, as the page does. Meanwhile the server is killed (SIGKILL) each time that a random
number of answers more were acknowledged, and started again. At the end every acknowledged answer
must be in the database once, and no other. PostgreSQL is that of Debian's package.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listeners", type=int, default=100)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--comparisons", type=int, default=10)
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    sys.path.insert(0, str(HELPERS))
    for database in options.databases:
        for kills in (0, options.kills):
            measure(database, options.listeners, kills, options.comparisons, options.seed)


if __name__ == "__main__":
    main()
