"""Phrases of a user's file in the tokens of a model."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from seqtutor.data import Sequences, pad
from seqtutor.errors import UserError
from seqtutor.task_records import PriorRecord
from seqtutor.tasks.scores.notation import spelled_name
from seqtutor.tasks.tunes.phrase import UNITS_PER_QUARTER, Bar, Event, Phrase, key_of
from seqtutor.tasks.tunes.priors import bars_of
from seqtutor.tasks.tunes.reader import SEVERAL_PARTS, read_sources
from seqtutor.tasks.tunes.sections import LENGTHS, Cutting, Tune
from seqtutor.tasks.tunes.tokens import name_of, tokens_of
from seqtutor.vocabulary import Vocabulary


@dataclass(frozen=True)
class KnownPhrase:
    """A phrase of a user's in the tokens of a model.

    Attributes:
        name: the title of its tune, with the number of the phrase if there are several.
        title: of its tune, or the name of the file without its suffix.
        tokens: without the one that ends it.
        shift: semitones by which it was moved to the white keys.
        bars: that are begun; all of the model's, but of a beginning.
        of: bars of the tune, or of the phrase if the tune has several.
        tempo: quarter notes a minute, if the file names them.
        parts: names of the file's parts, of which one was read.
    """

    name: str
    title: str
    tokens: list[str]
    shift: int
    bars: int
    of: int
    tempo: float | None = None
    parts: tuple[str, ...] = ()


def read_given(
    path: Path, vocabulary: Vocabulary, max_length: int, prior: PriorRecord
) -> tuple[list[str], Sequences, list[str]]:
    """Phrases of a user's file as tokens of a prior.

    Returns:
        The title of each tune, with the number of the phrase if there are several, the phrases, and
        how the file was read and what was left out, a line each.

    Raises:
        UserError: if the file cannot be read, or no phrase of it can be written in these tokens.
    """
    phrases, notes = read_known_phrases(path, vocabulary, Cutting(bars_of(prior)), max_length)
    rows = pad(vocabulary, max_length, [one.tokens for one in phrases])
    return [one.name for one in phrases], rows, notes


def read_known_phrases(
    path: Path, vocabulary: Vocabulary, cutting: Cutting, max_length: int, part: str | None = None
) -> tuple[list[KnownPhrase], list[str]]:
    """Phrases of a file that a model can write; how it was read and what was left out, in lines.

    A note whose length is rare is written as shorter ones, tied together.

    Args:
        path: of the file.
        vocabulary: of the model.
        cutting: how tunes become phrases.
        max_length: of the model's sequences.
        part: of the file, as for `read_tune_file`.

    Raises:
        UserError: if the file cannot be read, or there is no such phrase.
    """
    tunes, report = read_sources(path, cutting, part)
    known = frozenset(vocabulary.tokens)
    found: list[KnownPhrase] = []
    notes: list[str] = []
    for tune in tunes:
        notes += tune.remarks
        for number, phrase in enumerate(tune.phrases, start=1):
            several = f", phrase {number}" if len(tune.phrases) > 1 else ""
            name = f"{tune.title or tune.source}{several}"
            tokens = tokens_of(_in_known_lengths(phrase, known))
            if unknown := _unknown_notes(phrase, tune, known):
                notes.append(f"{name} is left out: {unknown}")
            elif len(tokens) >= max_length:
                notes.append(f"{name} is left out: it has too many notes for the model")
            else:
                bars = len(phrase.bars)
                of = bars if several else max(bars, tune.bars)
                given = (tune.shift, bars, of, tune.tempo, tune.parts)
                title = tune.title or Path(tune.source).stem
                found.append(KnownPhrase(name, title, tokens, *given))
    noted = {what: count for what, count in report.noted.items() if what != SEVERAL_PARTS}
    notes += [f"left out: {count} {reason}" for reason, count in noted.items()]
    if not found:
        reasons = "; ".join(filter(None, [report.reasons, *notes]))
        raise UserError(
            f"{path} holds no phrase of {cutting.bars} bars that the model knows ({reasons})"
        )
    return found, notes + report.names()


def _in_known_lengths(phrase: Phrase, known: Set[str]) -> Phrase:
    """The phrase with notes of lengths that the model does not know as tied ones that it knows."""

    def rewritten(bar: Bar) -> Bar:
        return tuple(part for event in bar for part in _parts(event, known) or [event])

    return replace(phrase, upbeat=rewritten(phrase.upbeat), bars=tuple(map(rewritten, phrase.bars)))


def _parts(event: Event, known: Set[str]) -> list[Event]:
    """An event as the longest that the model knows; nothing if it knows none that fill it."""
    if name_of(event) in known:
        return [event]
    for units in reversed([length for length in LENGTHS if length < event.duration]):
        first = replace(event, duration=units)
        if name_of(first) in known:
            is_tied = event.is_tied or event.pitch is not None
            rest = _parts(Event(event.duration - units, None, is_tied), known)
            if rest:
                return [first, *rest]
    return []


def _unknown_notes(phrase: Phrase, tune: Tune, known: Set[str]) -> str:
    """The first note that the model cannot write, as it is heard, and its bar; or nothing."""
    key = key_of(phrase.mode).transposed(-tune.shift)
    for number, bar in enumerate([phrase.upbeat, *phrase.bars]):
        for event in bar:
            if not _parts(event, known):
                what = "a tie" if event.is_tied else "a rest"
                if event.pitch is not None:
                    what = spelled_name(event.pitch - tune.shift, key)
                quarters = Fraction(event.duration, UNITS_PER_QUARTER)
                where = f"bar {number}" if number else "the upbeat"
                return (
                    f"{where}: {what} of {quarters} quarter{'s' if quarters > 1 else ''} is not in "
                    "the vocabulary of the model"
                )
    return ""
