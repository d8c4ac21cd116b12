"""One of two processes that share a run, which stops after two chunks and goes on.

The arguments are the coordinator, the process and its folder. The first prints what came of it.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import jax

from seqtutor.runs.processes import LeadingTutor, follow, join, leading
from seqtutor.runs.run_folder import RunFolder
from seqtutor.runs.run_on_disk import StoppedError, run_on_disk


def main(coordinator: str, process: int, folder: Path) -> None:
    """Lead or follow."""
    join(coordinator, 2, process)
    # Only now: it computes something as it is imported.
    from sharded_runs import outcome, prioritised

    tutor = prioritised()
    if process:
        follow(replace(tutor, devices=2))
        return
    led = LeadingTutor(tutor.task, tutor.prior, tutor.settings, devices=2)
    run = RunFolder.start(folder, tutor.settings, {})
    asked = iter([False, True])
    with leading():
        try:
            run_on_disk(led, run, is_to_stop=lambda: next(asked))
        except StoppedError:
            policy = run_on_disk(led, run)
        print(json.dumps(outcome(policy, run.records())))


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
