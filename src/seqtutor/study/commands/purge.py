"""`seqtutor study purge`: erase whom a recruiting service sent."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import Any

from seqtutor.settings import NotNegative
from seqtutor.study.commands.shared import StudyOptions

TASK = None
"""The study says what it is about."""


@dataclass(frozen=True)
class Options(StudyOptions):
    """Erase the numbers that a recruiting service gave to listeners; their votes stay.

    `study serve` does the same when their time is over; this is for a study that has ended.
    """

    days: NotNegative = 0.0
    """Keep those of the last days."""


def run(spec: Any, options: Options) -> None:
    """Erase, and say how many."""
    from seqtutor.runs.terminal import counted
    from seqtutor.settings import require
    from seqtutor.study.database import open_database
    from seqtutor.study.plan import read_study
    from seqtutor.study.sessions import purge_recruits

    study = read_study(options.study)
    opened = open_database(study.folder, options.database, study.sha256, must_exist=True)
    with closing(opened) as database:
        gone = purge_recruits(database, options.days)
        require(
            not database.has_to_forget,
            "the log of the database still holds what was erased, as another program reads there; "
            "run this again when that has ended",
        )
    print(f"{counted(gone, 'recruited listener is', 'recruited listeners are')} no longer named.")
