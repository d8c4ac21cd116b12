"""Phrases as tokens: metre, mode, then one token a note and one at the beginning of each bar.

A phrase in 6/8 reads `6/8 major G4:1/2 |1 C5:1 D5:1/2 … |2 … end`: what stands before `|1` is the
upbeat. A note is one token, its pitch and its length in quarters, so that eight bars are some sixty
tokens instead of 128 sixteenths, and what comes back comes back a few tokens later. `|5` begins the
fifth bar, and so keeps the place in the bar and in the form; a note that sounds across a bar line
goes on with `tie:1/2`. A rest is `rest:1/2`.

A bar that is the same as an earlier one is written as the sign of its first occurrence, `|5 =1`, as
musicians write a repeat sign instead of the notes. Two bars of eleven of real tunes are such, and
more than half of the fifth bars; an LSTM of this size that has to write them out does not learn to
repeat them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Int

from seqtutor.errors import UserError
from seqtutor.tasks.scores.keys import NOTE_NAME, Key, pitch_name, pitch_of_name
from seqtutor.tasks.scores.notation import spelled_name
from seqtutor.tasks.tunes.phrase import METERS, MODES, UNITS_PER_QUARTER, Event, Phrase, tonic_of
from seqtutor.tasks.tunes.phrase import units_in_bar as units_of
from seqtutor.vocabulary import Vocabulary

BAR, END, REST, TIE, COPY = "|", "end", "rest", "tie", "="
HEADER = 2
"""Tokens before the first note: metre and mode."""
DANCES = {
    "jig": "6/8",
    "reel": "2/2",
    "slip jig": "9/8",
    "hornpipe": "2/2",
    "march": "4/4",
    "polka": "2/4",
    "waltz": "3/4",
}
"""The metre in which the corpus, and so a prior, has most tunes of a dance."""
_METERS = {f"{beats}/{unit}": (beats, unit) for beats, unit in METERS}
_NOTE = re.compile(rf"{NOTE_NAME}:(?P<length>\d+(?:/\d+)?)", re.IGNORECASE)
_LONGEST_SHOWN = 60
PITCHES = {pitch_name(pitch): pitch for pitch in range(128)}


def tokens_of(phrase: Phrase) -> list[str]:
    """The tokens of a phrase, without the one that ends it."""
    meter = f"{phrase.meter[0]}/{phrase.meter[1]}"
    tokens = [meter, phrase.mode, *map(name_of, phrase.upbeat)]
    for place, bar in enumerate(phrase.bars):
        first = phrase.bars.index(bar)
        is_copy = first < place and not bar[0].is_tied
        tokens += [f"{BAR}{place + 1}", *([f"{COPY}{first + 1}"] if is_copy else map(name_of, bar))]
    return tokens


def phrase_of(tokens: Sequence[str]) -> Phrase:
    """Read tokens as a phrase, whatever they are: what makes no sense is passed over.

    Without a metre, or a mode, the phrase is in 4/4, or major. A policy seldom writes such.
    """
    meter, mode = (4, 4), MODES[0]
    bars: list[list[Event]] = [[]]
    for token in tokens:
        if token == END:
            break
        if token in _METERS:
            meter = _METERS[token]
        elif token in MODES:
            mode = token
        elif is_bar(token):
            bars.append([])
        elif number := copied_bar(token):
            if number < len(bars) - 1:
                bars[-1] = list(bars[number])
        else:
            event = _event(token)
            is_first = not any(bars)
            bars[-1].append(Event(event.duration, None) if is_first and event.is_tied else event)
    upbeat, *others = map(tuple, bars)
    return Phrase(meter, mode, upbeat, tuple(others))


def names_for(vocabulary: Vocabulary, transposition: int) -> tuple[str, ...]:
    """How people call each token of tunes that are heard so many semitones above the white keys."""
    key = Key(transposition % 12)

    def name(token: str) -> str:
        what, sign, length = token.partition(":")
        if what not in PITCHES:
            return token
        return f"{spelled_name(PITCHES[what] + transposition, key)}{sign}{length}"

    return tuple(map(name, vocabulary.tokens))


def typed_tokens(text: str, vocabulary: Vocabulary, transposition: int) -> Int[np.ndarray, " time"]:
    """The tokens that a person means by names of dances, metres, modes, bars and notes.

    Args:
        text: such as "slip jig minor" or "3/4 |1 D5:1 Bb4:1/2", notes as they are heard.
        vocabulary: of the model.
        transposition: semitones from what the model writes up to what is heard.

    Raises:
        UserError: if a word is none of these, or the model knows no such token.
    """
    words = text.split()
    for count in (2, 1):
        if meter := DANCES.get(" ".join(words[:count]).lower()):
            words = [meter, *words[count:]]
            break
    return np.array([_typed(word, vocabulary, transposition) for word in words], np.int32)


def _typed(word: str, vocabulary: Vocabulary, transposition: int) -> int:
    """The id of the token that a word means."""
    token = word
    if found := _NOTE.fullmatch(word):
        token = f"{pitch_name(pitch_of_name(found) - transposition)}:{found['length']}"
    if token in vocabulary.tokens:
        return vocabulary.tokens.index(token)
    if found:
        raise UserError(
            f"the model knows no note {word!r}: its training tunes have none, or too few, of this "
            "pitch and length; a length is in quarters, such as D5:1 or D5:1/2"
        )
    raise UserError(
        f"{word[:_LONGEST_SHOWN]!r} begins no tune; give a dance ({', '.join(DANCES)}) or a metre "
        f"({', '.join(_METERS)}), then a mode ({', '.join(MODES)}), {BAR}1, and notes such as "
        "D5:1/2"
    )


def copied_bar(token: str) -> int:
    """The number of the bar that a token copies, from 1; 0 for another token."""
    return _number(token, COPY)


def _number(token: str, sign: str) -> int:
    """The number after a sign; 0 for a token without it."""
    return int(token[1:]) if token.startswith(sign) and token[1:].isdecimal() else 0


def is_bar(token: str) -> bool:
    """Whether a token begins a bar."""
    return token.startswith(BAR)


def name_of(event: Event) -> str:
    """The token of an event."""
    what = TIE if event.is_tied else REST if event.pitch is None else pitch_name(event.pitch)
    return f"{what}:{Fraction(event.duration, UNITS_PER_QUARTER)}"


def _event(token: str) -> Event:
    """The inverse of `name_of`.

    Raises:
        UserError: if the token is no event.
    """
    what, _, length = token.partition(":")
    try:
        units = Fraction(length) * UNITS_PER_QUARTER
        if units <= 0 or units.denominator != 1:
            raise ValueError
        pitch = None if what in (REST, TIE) else PITCHES[what]
    except (KeyError, ValueError, ZeroDivisionError):
        raise UserError(
            f"{token!r} is no token of a tune; use a metre, a mode, {BAR}1, {END}, or a note such "
            "as G4:1/2"
        ) from None
    return Event(int(units), pitch, what == TIE)


def vocabulary_of(sequences: Iterable[Sequence[str]], bars: int) -> Vocabulary:
    """Metres, modes, bar, end, copies of all bars but the last, and the events of the sequences."""
    found = {token for tokens in sequences for token in tokens}
    fixed = [*_METERS, *MODES, END, *(f"{BAR}{number}" for number in range(1, bars + 1))]
    fixed += [f"{COPY}{number}" for number in range(1, bars)]
    events = sorted(found.difference(fixed), key=_order)
    return Vocabulary((*fixed, *events), END)


def _order(token: str) -> tuple[int, int]:
    event = _event(token)
    low = -2 if event.is_tied else -1
    return low if event.pitch is None else event.pitch, event.duration


@dataclass(frozen=True, eq=False)
class TokenTable:
    """What each token of a vocabulary is.

    Attributes:
        duration: units of an event, else 0.
        pitch: MIDI number of a note, else 0.
        is_note: whether it begins a note.
        is_tie: whether it prolongs what sounds.
        bar: the number of the bar that it begins, from 1; else 0.
        copied: the number of the bar that it copies, from 1; else 0.
        bar_units: units in a full bar, of a metre, else 0.
        beat_units: units in what is felt as a beat, of a metre, else 0.
        tonic: pitch class of the tonic, of a mode, else −1.
        end: the id of the end token.
        headers: the ids of metres and modes.
    """

    duration: Int[np.ndarray, " token"]
    pitch: Int[np.ndarray, " token"]
    is_note: Bool[np.ndarray, " token"]
    is_tie: Bool[np.ndarray, " token"]
    bar: Int[np.ndarray, " token"]
    copied: Int[np.ndarray, " token"]
    bar_units: Int[np.ndarray, " token"]
    beat_units: Int[np.ndarray, " token"]
    tonic: Int[np.ndarray, " token"]
    end: int
    headers: Mapping[str, int]


@lru_cache(maxsize=8)
def table_of(vocabulary: Vocabulary) -> TokenTable:
    """The table of a vocabulary.

    Raises:
        UserError: if a token is none of a tune.
    """
    from seqtutor.tasks.scores.notation import beat_length

    tokens = vocabulary.tokens
    copied = [copied_bar(token) for token in tokens]
    events = [
        None if t in _FIXED or copy or is_bar(t) else _event(t)
        for t, copy in zip(tokens, copied, strict=True)
    ]
    meters = [_METERS.get(token) for token in tokens]
    if BAR in tokens:
        raise UserError(
            f"bars of tunes have numbers, such as {BAR}1; this model writes {BAR!r} for all of "
            "them: train it again with: seqtutor pretrain tunes"
        )
    missing = [one for one in (*_FIXED, f"{BAR}1") if one not in tokens]
    if missing or vocabulary.end is None:
        raise UserError(f"the vocabulary of a tune needs the token {[*missing, END][0]!r}")
    return TokenTable(
        duration=np.array([0 if e is None else e.duration for e in events], np.int32),
        pitch=np.array([(e and e.pitch) or 0 for e in events], np.int32),
        is_note=np.array([e is not None and e.pitch is not None for e in events]),
        is_tie=np.array([e is not None and e.is_tied for e in events]),
        bar=np.array([_number(token, BAR) for token in tokens], np.int32),
        copied=np.array(copied, np.int32),
        bar_units=np.array([units_of(m) if m else 0 for m in meters], np.int32),
        beat_units=np.array(
            [int(UNITS_PER_QUARTER * beat_length(m)) if m else 0 for m in meters], np.int32
        ),
        tonic=np.array([tonic_of(t) if t in MODES else -1 for t in tokens], np.int32),
        end=vocabulary.end,
        headers={token: tokens.index(token) for token in (*_METERS, *MODES)},
    )


_FIXED = (*_METERS, *MODES, END)
