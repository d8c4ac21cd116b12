"""`seqtutor study purge`: erase whom a recruiting service sent."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from seqtutor.settings import NotNegative, check_settings

TASK = None
"""The study says what it is about."""


@dataclass(frozen=True)
class Options:
    """Erase the numbers that a recruiting service gave to listeners; their votes stay.

    `study serve` does the same when their time is over; this is for a study that has ended.
    """

    study: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="STUDY")]]
    """The folder of the study."""
    days: NotNegative = 0.0
    """Keep those of the last days."""
    database: str | None = None
    """As for `study serve`."""

    def __post_init__(self) -> None:
        if self.study is not tyro.MISSING:
            check_settings(self)


def defaults(spec: Any, arguments: list[str]) -> Options:
    """The study has to be named."""
    return Options(tyro.MISSING)


def run(spec: Any, options: Options) -> None:
    """Erase, and say how many."""
    from seqtutor.runs.terminal import counted
    from seqtutor.settings import require
    from seqtutor.study.database import open_database
    from seqtutor.study.plan import read_study
    from seqtutor.study.sessions import purge_recruits

    study = read_study(options.study)
    database = open_database(study.folder, options.database, study.sha256, must_exist=True)
    try:
        gone = purge_recruits(database, options.days)
        require(
            not database.has_to_forget,
            "the log of the database still holds what was erased, as another program reads there; "
            "run this again when that has ended",
        )
    finally:
        database.close()
    print(f"{counted(gone, 'recruited listener is', 'recruited listeners are')} no longer named.")
