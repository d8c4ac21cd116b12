"""How a tune is to begin: words that are typed, or the first bars of a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Int

from seqtutor.tasks.tunes.data import TOKENS_PER_BAR
from seqtutor.tasks.tunes.given import read_known_phrases
from seqtutor.tasks.tunes.sections import Cutting
from seqtutor.tasks.tunes.tokens import BAR, table_of
from seqtutor.vocabulary import Vocabulary

MOST_SEMITONES = 24
"""By which tunes are moved from the white keys, up or down."""


@dataclass(frozen=True)
class Beginning:
    """The first tokens, and how they are to be heard.

    Attributes:
        tokens: `Int["time"]`.
        transposition: semitones from the white keys to what is heard, as the file has it.
        notes: what was done to the file, in words.
        tempo: quarter notes a minute, if the file names them.
        parts: names of the file's parts, of which one was read.
        title: of the tune.
    """

    tokens: Int[np.ndarray, " time"]
    transposition: int
    notes: list[str] = field(default_factory=list)
    tempo: float | None = None
    parts: tuple[str, ...] = ()
    title: str = ""


def read_beginning(
    path: Path, vocabulary: Vocabulary, bars: int | None = None, part: str | None = None
) -> Beginning:
    """The first bars of the first phrase in a file that a model knows.

    A file without a whole phrase, such as two bars that someone made up, is a beginning itself.

    Args:
        path: of the file.
        vocabulary: of the model.
        bars: so many; by default half a phrase, which the model completes.
        part: of the file, by number or name; by default the first with notes.

    Raises:
        UserError: if the file cannot be read or holds no phrase in the tokens of the model.
    """
    whole = int(table_of(vocabulary).bar.max())
    longest = TOKENS_PER_BAR * whole
    cutting = Cutting(whole, takes_beginnings=True)
    found, remarks = read_known_phrases(path, vocabulary, cutting, longest, part)
    first, *others = found
    taken = min(whole // 2 if bars is None else bars, first.bars)
    tokens = first.tokens
    if taken < first.bars:
        tokens = tokens[: tokens.index(f"{BAR}{taken + 1}")]
    notes = [f"begins with {taken} of the {first.of} bars of {first.name}"]
    notes += [f"the file holds {len(others) + 1} phrases; one is read"] if others else []
    notes += remarks
    octaves = max(0, (abs(first.shift) - MOST_SEMITONES + 11) // 12)
    back = -first.shift + 12 * octaves * (1 if first.shift > 0 else -1)
    if octaves:
        notes.append(f"it is heard {octaves} octaves {'higher' if first.shift > 0 else 'lower'}")
    given = (back, notes, first.tempo, first.parts, first.title)
    return Beginning(vocabulary.encode(tokens), *given)
