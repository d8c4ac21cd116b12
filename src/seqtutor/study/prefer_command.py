"""`seqtutor prefer`: votes in, a model of preference out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from seqtutor.errors import UserError

if TYPE_CHECKING:
    from seqtutor.task_spec import TaskSpec


@dataclass(frozen=True)
class Options:
    """Learn from votes on pairs of sequences which ones listeners prefer, and how sure that is.

    The model is a term of the reward of tune: --preference.model FOLDER. A vote is a line of JSON,
    {"left": [tokens], "right": [tokens], "score": 1, 0.5 or 0}.
    """

    votes: tyro.conf.Positional[Annotated[Path | None, tyro.conf.arg(metavar="VOTES")]] = None
    """A file of votes."""
    output: Path = Path("preference")
    """Folder of the model."""
    basis: Literal["auto", "features", "network", "both"] = "auto"
    """What is read of a sequence: numbers that describe it, what the prior's network computes of
    it, both, or (auto) what predicts held-out votes best."""
    prior: Path | None = None
    """Folder of the prior, or a run, whose network is read; the one that comes with the package if
    not given."""


def run(spec: TaskSpec[Any], options: Options) -> None:
    """Learn, measure, write."""
    if options.votes is None:
        raise UserError(f"name a file of votes: seqtutor prefer {spec.reference} VOTES")
    from seqtutor.runs.preferring import Preferring, prefer_and_print

    spec.require_dependencies()
    basis: Any = None if options.basis == "auto" else options.basis
    prefer_and_print(Preferring(spec, options.votes, options.output, basis, options.prior))
