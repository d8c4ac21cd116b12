"""`seqtutor study votes`: the votes of a study for models that learn from them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from seqtutor.study.commands.shared import StudyOptions

TASK = None
"""The study says what it is about."""


@dataclass(frozen=True)
class Options(StudyOptions):
    """Write the votes of a study as pairs of sequences, a JSON object a line.

    `seqtutor prefer` learns a model of preference from them, `seqtutor tune --method dpo` a policy.
    Listeners who are left out of the results are left out here. Simulated votes count only as long
    as there are no others.
    """

    output: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """The file, a new one; by default votes.jsonl in the folder of the study, which is written
    anew each time."""


def run(spec: Any, options: Options) -> None:
    """Read the votes, write them, say how many."""
    from seqtutor.files import atomic_write
    from seqtutor.runs.terminal import counted
    from seqtutor.settings import require
    from seqtutor.study.export import compared_sequences
    from seqtutor.study.plan import read_study
    from seqtutor.study.stored import collect_votes

    study = read_study(options.study)
    own = study.folder / "votes.jsonl"
    path = options.output or own
    require(
        path.absolute() == own.absolute() or not path.exists(),
        f"{path} exists already; choose another --output",
    )
    collected = collect_votes(study, options.database)
    lines = compared_sequences(collected, study.plan)
    collected.require_counted()
    atomic_write(path, "".join(lines))
    whose = " of simulated listeners" if collected.is_simulated else ""
    print(f"{path}: {counted(len(lines), 'vote', 'votes')}{whose}")
