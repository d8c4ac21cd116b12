"""Models of tunes with chords: which there are, and what their sequences mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from seqtutor.errors import UserError
from seqtutor.task_records import PriorRecord
from seqtutor.tasks.folk.implied_bars import with_implied_bars
from seqtutor.tasks.folk.tokenisations import tokenisation_named
from seqtutor.tasks.scores.lead_sheet import LeadSheet
from seqtutor.vocabulary import Vocabulary

TASK = "folk"


def require_folk_model(prior: PriorRecord) -> None:
    """Refuse a model that does not say how its tokens are read, or has tokens of another kind.

    Raises:
        UserError: which says how to train one.
    """
    origin = prior.origin
    name, length = origin.get("tokenisation"), origin.get("max_length")
    if origin.get("task") != TASK or not isinstance(name, str) or not isinstance(length, int):
        raise UserError(
            f"the model in {prior.folder} is not one of tunes with chords; train one with: "
            "seqtutor pretrain folk"
        )
    LeadSheetReader(prior.vocabulary, origin)


class LeadSheetReader:
    """Reads sequences of one vocabulary as lead sheets.

    Raises:
        UserError: if a token is not one of the tokenisation that the origin names.
    """

    def __init__(self, vocabulary: Vocabulary, origin: Mapping[str, Any]) -> None:
        self._tokenisation = tokenisation_named(origin["tokenisation"])
        self._tokens = [self._tokenisation.parse(name) for name in vocabulary.tokens]

    def __call__(
        self,
        tokens: Int[np.ndarray, "batch time"],
        mask: Bool[np.ndarray, "batch time"] | None = None,
    ) -> list[LeadSheet]:
        """A lead sheet for each sequence, in the bars that its chords imply."""
        rows = np.asarray(tokens)
        real = np.ones(rows.shape, bool) if mask is None else np.asarray(mask)
        return [
            with_implied_bars(
                self._tokenisation.decode([self._tokens[index] for index in row[own]])
            )
            for row, own in zip(rows, real, strict=True)
        ]


def titled(sheets: Sequence[LeadSheet], title: str = "Tune") -> list[LeadSheet]:
    """The same lead sheets, each with the title and its number."""
    return [
        replace(sheet, title=f"{title} {number}", index=number - 1)
        for number, sheet in enumerate(sheets, start=1)
    ]
