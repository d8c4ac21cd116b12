"""Models that write tunes."""

from __future__ import annotations

from pathlib import Path

from seqtutor.errors import UserError
from seqtutor.task_records import PriorRecord
from seqtutor.tasks.tunes.tokens import table_of

SHIPPED_PRIOR = Path(__file__).parent / "prior"
"""The prior of eight bars that comes with the package; `config.json` says how it was made."""


def bars_of(prior: PriorRecord) -> int:
    """The bars of the phrases that a prior writes.

    Raises:
        UserError: if it does not write tunes.
    """
    bars = prior.origin.get("bars")
    if type(bars) is not int or bars < 2 or bars % 2 or "max_length" not in prior.origin:
        raise UserError(
            f"the model in {prior.folder} does not write tunes; train one with: "
            "seqtutor pretrain tunes"
        )
    table_of(prior.vocabulary)
    return bars


def source_of(prior: PriorRecord) -> Path | None:
    """The user's file or folder on whose tunes a prior was trained; `None` for music21's.

    What is no longer there, or was trained elsewhere, is taken for music21's.
    """
    source = (prior.origin.get("data") or {}).get("source")
    if not isinstance(source, str) or not Path(source).exists():
        return None
    return Path(source)
