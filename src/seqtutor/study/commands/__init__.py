"""`seqtutor study`: ask listeners which model's samples they prefer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from seqtutor.errors import UserError

TASK = None
"""The actions say themselves which task they are for."""

ACTIONS = {
    name: f"seqtutor.study.commands.{name}"
    for name in ("new", "serve", "simulate", "results", "export", "votes", "purge")
}
"""The modules of what follows `study`."""


@dataclass(frozen=True)
class Options:
    """Ask listeners which model's samples they prefer, without telling which is which.

    seqtutor study new MODEL MODEL … --output S

    draws samples of each model and fixes who compares what;

    seqtutor study serve S

    asks, in a browser, and keeps each answer;

    seqtutor study results S

    says what was found, with intervals and tests;

    seqtutor study export S --output FOLDER

    writes all answers, and the votes that count, as tables (CSV);

    seqtutor study votes S --output FILE

    writes the votes for `seqtutor prefer` and `seqtutor tune --method dpo`;

    seqtutor study simulate S

    answers as listeners of known preference would, to try a study before people come;

    seqtutor study purge S

    erases what recruited listeners were identified by. Each prints its options with --help.
    """


def run(spec: Any, options: Options) -> None:
    """Say what is missing."""
    raise UserError(f"say what to do: seqtutor study {', '.join(ACTIONS)}; see: study --help")
