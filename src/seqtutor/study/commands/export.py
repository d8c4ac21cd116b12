"""`seqtutor study export`: the votes of a study as tables for other programs."""

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
    """Write the votes of a study as CSV files: all answers, and the votes that count.

    They are those of the researcher's page. Neither says whom a recruiting service sent.
    """

    output: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER")] = None
    """A new folder; it gets votes-raw.csv (every answer, with who is left out and why) and
    votes-tidy.csv (the votes that the statistics use)."""


def run(spec: Any, options: Options) -> None:
    """Read the votes, write both files, say how many lines they have."""
    from seqtutor.errors import UserError
    from seqtutor.files import require_unused, write_together
    from seqtutor.runs.terminal import counted
    from seqtutor.study.export import raw_csv, tidy_csv
    from seqtutor.study.plan import read_study
    from seqtutor.study.stored import collect_votes

    if options.output is None:
        raise UserError("name the folder of the tables with --output")
    require_unused(options.output)
    collected = collect_votes(read_study(options.study), options.database)
    whose = " of simulated listeners" if collected.is_simulated else ""
    compared = sum(vote.kind == "comparison" for vote in collected.counted)
    # With the mark without which spreadsheets do not read UTF-8, as on the researcher's page.
    tables = {"raw": raw_csv(collected), "tidy": tidy_csv(collected)}
    raw, tidy = write_together(
        (options.output / f"votes-{name}.csv", f"\ufeff{text}") for name, text in tables.items()
    )
    print(f"{raw}: {counted(len(collected.votes), 'answer', 'answers')}{whose}")
    print(f"{tidy}: {counted(compared, 'vote', 'votes')}{whose}")
