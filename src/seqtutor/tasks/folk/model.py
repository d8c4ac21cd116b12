"""Models of tunes with chords: which there are, and what their sequences mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from seqtutor.errors import UserError
from seqtutor.task_records import PriorRecord
from seqtutor.tasks.folk.tokenisation import Span, Tokenisation
from seqtutor.tasks.folk.tokenisations import tokenisation_named
from seqtutor.tasks.scores.lead_sheet import ZERO, LeadSheet, in_units
from seqtutor.tasks.scores.notation import Meter, bar_length
from seqtutor.vocabulary import Vocabulary

TASK = "folk"
MOST_KEPT = 2500
"""Lead sheets that are kept: reward, measures and page read the same thousand tunes of a policy."""
_FOUR, _THREE, _SIX_EIGHTHS = (4, 4), (3, 4), (6, 8)


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


@lru_cache(maxsize=4)
def _reading(
    vocabulary: Vocabulary, name: str
) -> tuple[Tokenisation[Any], list[Any], Callable[[bytes], LeadSheet]]:
    """A tokenisation, its tokens of a vocabulary, and what reads their ids as 32-bit integers."""
    tokenisation = tokenisation_named(name)
    tokens = [tokenisation.parse(token) for token in vocabulary.tokens]

    @lru_cache(maxsize=MOST_KEPT)
    def sheet_of(row: bytes) -> LeadSheet:
        ids = np.frombuffer(row, np.int32)
        return with_implied_bars(tokenisation.decode([tokens[index] for index in ids]))

    return tokenisation, tokens, sheet_of


class LeadSheetReader:
    """Reads sequences of one vocabulary as lead sheets, those that it read lately sooner.

    Raises:
        UserError: if a token is not one of the tokenisation that the origin names.
    """

    def __init__(self, vocabulary: Vocabulary, origin: Mapping[str, Any]) -> None:
        found = _reading(vocabulary, origin["tokenisation"])
        self._tokenisation, self._tokens, self._sheet_of = found

    def __call__(
        self,
        tokens: Int[np.ndarray, "batch time"],
        mask: Bool[np.ndarray, "batch time"] | None = None,
    ) -> list[LeadSheet]:
        """A lead sheet for each sequence, in the bars that its chords imply."""
        rows = np.asarray(tokens, np.int32)
        real = np.ones(rows.shape, bool) if mask is None else np.asarray(mask)
        return [self._sheet_of(row[own].tobytes()) for row, own in zip(rows, real, strict=True)]

    def spans(self, tokens: Int[np.ndarray, " time"]) -> list[Span | None]:
        """When each token of a sequence is heard; `None` of one that takes no time."""
        return self._tokenisation.spans([self._tokens[index] for index in tokens])

    def melody(self, semitones: int = 0) -> list[int | str | None]:
        """What each token of the vocabulary writes in a melody that is moved by so many semitones.

        A pitch, "rest" or "hold"; `None` for a chord.
        """
        found = map(self._tokenisation.melody, self._tokens)
        return [one + semitones if isinstance(one, int) else one for one in found]


def titled(sheets: Sequence[LeadSheet], title: str = "Tune") -> list[LeadSheet]:
    """The same lead sheets, each with the title and its number."""
    return [
        replace(sheet, title=f"{title} {number}", index=number - 1)
        for number, sheet in enumerate(sheets, start=1)
    ]


def with_implied_bars(sheet: LeadSheet) -> LeadSheet:
    """The sheet with a metre (4/4, 3/4 or 6/8) and an upbeat, where it has no metre but chords.

    Harmony changes at bar lines: of Nottingham's tunes with chords 96 % have their first chord at
    the first bar line, so that what lies before it is the upbeat (`benchmarks/implied_bars.py`).
    """
    if sheet.meter is not None or not sheet.chords:
        return sheet
    first = sheet.chords[0].onset
    meter = _metre(sheet, first)
    return replace(sheet, meter=meter, pickup=first if first < bar_length(meter) else ZERO)


def _metre(sheet: LeadSheet, first: Fraction) -> Meter:
    """Bars of four quarters or, if more chords begin with those, of three."""
    onsets = [*(chord.onset for chord in sheet.chords), *(note.onset for note in sheet.notes)]
    (start, *times), quarter = in_units([first, *onsets])
    chords, notes = times[: len(sheet.chords)], times[len(sheet.chords) :]

    def beginning(bar: int) -> int:
        return sum((time - start) % (bar * quarter) == 0 for time in chords)

    if beginning(3) <= beginning(4):
        return _FOUR
    # The second beat of 6/8 lies in the middle of the bar, those of 3/4 around it.
    places = [2 * ((time - start) % (3 * quarter)) for time in notes]
    beside = places.count(2 * quarter) + places.count(4 * quarter)
    return _SIX_EIGHTHS if 2 * places.count(3 * quarter) > beside else _THREE
