"""Melodies of a user's file as they were read, beside the tokens that the rules count in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqtutor.errors import UserError
from seqtutor.tasks.melody.encoding import VOCABULARY_SIZE, Note, notes_to_tokens, tokens_to_notes
from seqtutor.tasks.melody.folder import read_melody_file
from seqtutor.tasks.melody.marks import Bars
from seqtutor.tasks.melody.tune import Tune
from seqtutor.tasks.scores.keys import Key
from seqtutor.text_sequences import read_token_file


@dataclass(frozen=True)
class Given:
    """One melody.

    Attributes:
        title: the file, and the tune's own title.
        key: `None` for tokens.
        tokens: `None` if the melody is out of their range.
        reason: why there are no tokens, with the file and the tune.
        bars: where its bars begin; those of tokens are in 4/4.
        facts: what JSON tells of it.
    """

    title: str
    key: Key | None
    tokens: Sequence[int] | None
    reason: str
    bars: Bars
    facts: dict[str, Any]


def read_given(path: Path, tell: Callable[[str], None], semitones: int = 0) -> list[Given]:
    """Read a file of music, or of tokens if its name ends in `.jsonl`.

    Args:
        path: of the file.
        tell: is given each line about what was changed or dropped on the way in.
        semitones: from the tokens of music up to its pitches.

    Raises:
        UserError: if the file cannot be read or holds no usable melody.
    """
    if path.suffix.lower() == ".jsonl":
        melodies = read_token_file(path, VOCABULARY_SIZE)
        return [_of_tokens(path, number, tokens) for number, tokens in enumerate(melodies, 1)]
    tunes, report = read_melody_file(path)
    for line in report.lines()[1:]:
        tell(f"{path}: {line}")
    for tune in tunes:
        if tune.parts.remark:
            tell(f"{path}: {tune.parts.remark}")
    return [_of_tune(path, tune, semitones) for tune in tunes]


def _of_tokens(path: Path, number: int, tokens: Sequence[int]) -> Given:
    title = f"{path}, line {number}"
    facts = _facts(title, tokens_to_notes(tokens)) | {"tokens": list(tokens)}
    return Given(title, None, tokens, "", Bars.regular((4, 4), len(tokens)), facts)


def _of_tune(path: Path, tune: Tune, semitones: int) -> Given:
    title = str(path) if tune.title in ("", path.stem) else f"{path}: {tune.title}"
    tokens, reason = None, ""
    try:
        tokens = notes_to_tokens(tune.transposed(-semitones).notes, tune.length).tolist()
    except UserError as error:
        reason = f"{title}: {error}"
    metre = None if tune.meter is None else f"{tune.meter[0]}/{tune.meter[1]}"
    facts = _facts(title, tune.notes) | {
        "key": str(tune.key),
        "metre": metre,
        "pickup": tune.pickup,
        "downbeats": list(tune.downbeats),
        "tokens": tokens,
    }
    facts |= {"reason": reason} if reason else {}
    return Given(title, tune.key, tokens, reason, Bars.of_tune(tune), facts)


def _facts(title: str, notes: Sequence[Note]) -> dict[str, Any]:
    triples = [[note.onset, note.duration, note.pitch] for note in notes]
    return {"sequence": title, "notes": triples, "key": None, "metre": None, "pickup": None}
