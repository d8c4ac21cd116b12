"""What the actions on a study that is there already share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from seqtutor.settings import check_settings


@dataclass(frozen=True)
class StudyOptions:
    """Which study, and where its votes are."""

    study: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="STUDY")]] = tyro.MISSING
    """The folder that `study new` made."""
    database: str | None = None
    """A URL of SQLAlchemy, such as postgresql://user:password@host/name; by default SQLite in the
    folder of the study."""

    def __post_init__(self) -> None:
        if self.study is not tyro.MISSING:
            check_settings(self)
