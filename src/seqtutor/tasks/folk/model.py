"""Models of tunes with chords: on disk with what their tokens mean, and what they write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from seqtutor.errors import UserError
from seqtutor.models.files import SavedModel, load_model
from seqtutor.tasks.folk.dataset import FolkData, decode_ids
from seqtutor.tasks.folk.lead_sheet import LeadSheet
from seqtutor.tasks.folk.tokenisations import tokenisation_named

TASK = "folk"


def origin_of(data: FolkData) -> dict[str, Any]:
    """What a model that learned from these data must say of itself to be read again."""
    return {
        "task": TASK,
        "tokenisation": data.tokenisation.name,
        "max_length": data.length,
        "data": data.summary(),
    }


def load_folk_model(folder: Path) -> SavedModel:
    """Read a model of tunes with chords.

    Raises:
        UserError: if the folder holds no model, or one that does not say how its tokens are read.
    """
    saved = load_model(folder)
    name, length = saved.origin.get("tokenisation"), saved.origin.get("max_length")
    is_folk = saved.origin.get("task") == TASK and isinstance(saved.origin.get("data"), dict)
    if not is_folk or not isinstance(name, str) or not _is_length(length):
        raise UserError(
            f"the model in {folder} is not one of tunes with chords; train one with: "
            "seqtutor pretrain folk"
        )
    reader = tokenisation_named(name)
    for token in saved.vocabulary.tokens:
        reader.parse(token)
    return saved


def _is_length(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def length_of(saved: SavedModel) -> int:
    """How many tokens the sequences had that the model was trained on."""
    return int(saved.origin["max_length"])


def sheets_of(
    saved: SavedModel, tokens: Int[np.ndarray, "number time"], title: str = "Tune"
) -> list[LeadSheet]:
    """Read a model's sequences as lead sheets, each with a title and its number."""
    return titled(
        [decode_ids(row, saved.vocabulary, saved.origin["tokenisation"]) for row in tokens], title
    )


def titled(sheets: Sequence[LeadSheet], title: str) -> list[LeadSheet]:
    """The same lead sheets, each with the title and its number."""
    return [
        replace(sheet, title=f"{title} {number}", index=number - 1)
        for number, sheet in enumerate(sheets, start=1)
    ]
