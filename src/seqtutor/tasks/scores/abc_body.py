"""Read the music of one ABC tune into measures of notes and rests.

Grammar: the ABC standard 2.1, https://abcnotation.com/wiki/abc:standard:v2.1. What a melody with
chord symbols does not need (slurs, decorations, grace notes, annotations, lyrics, spacing) is
passed over. An accidental holds for its letter in every octave until the bar line, the standard's
default, which the corpora follow: "EG=cG ECCE" in D has C natural throughout. An accidental inside
grace notes holds only there.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

from seqtutor.tasks.scores.abc_repeats import TICKS_PER_SIXTEENTH, Event, Measure
from seqtutor.tasks.scores.keys import (
    PITCH_CLASS_OF_LETTER,
    SEMITONES_OF_ACCIDENTAL,
    Signature,
    parse_key_field,
)

TICKS_PER_WHOLE = 16 * TICKS_PER_SIXTEENTH

# Every repetition is bounded, so that no input makes the scan take more than linear time.
_LENGTH = r"\d{0,3}(?:/{1,6}\d{0,3})?"
_NOTE = rf"(\^\^|\^|__|_|=)?([A-Ga-g])([,']{{0,6}})({_LENGTH})"
_ELEMENT = re.compile(
    rf"""
    (?P<note>{_NOTE})
  | (?P<bar>(?P<sign>:{{0,3}}\[?\|(?:\]:|[|:]){{0,4}}\]?|::)
      (?P<passes>\s{{0,9}}\[?\d[\d,-]{{0,9}})?)
  | \[(?P<ending>\d[\d,-]{{0,9}})
  | (?P<field>\[(?P<name>[A-Za-z]):(?P<value>[^\]\n]{{0,200}})\])
  | (?P<broken>>{{1,3}}|<{{1,3}})
  | (?P<tie>-)
  | (?P<rest>(?P<kind>[zxZX])(?P<rest_length>{_LENGTH}))
  | \((?P<tuplet>\d(?::\d{{0,2}}){{0,2}})
  | (?P<chord>\[(?P<notes>[A-Ga-gz^_=,'\d/~. -]{{1,100}})\](?P<chord_length>{_LENGTH}))
  | "(?P<symbol>[^"\n]{{0,200}})"
  | (?P<skipped>\{{[^}}\n]{{0,200}}\}}|![^!\s|]{{1,40}}!|\+[^+\s|]{{1,40}}\+
      |&[^|\n]{{0,400}})
    """,
    re.VERBOSE,
)
_CHORD_NOTE = re.compile(_NOTE)
_METER = re.compile(r"\(?(\d{1,3}(?:\s?\+\s?\d{1,3}){0,9})\)?\s?/\s?(\d{1,3})")
_UNIT = re.compile(r"\s*(\d{1,3})\s?/\s?(\d{1,3})")
_ANNOTATION = tuple("^_<>@")
"""First characters of a text above the notes that is not a chord symbol."""
_BROKEN = {1: (3, 1), 2: (7, 1), 3: (15, 1)}


class UnreadableTuneError(Exception):
    """A tune that cannot be understood; the message is the reason that is counted."""


def parse_meter(value: str) -> tuple[int, int] | None:
    """Read what follows `M:`; `None` is free metre.

    Raises:
        UnreadableTuneError: for a metre of zero.
    """
    value = value.strip()
    if value.startswith("C|"):
        return 2, 2
    if value.startswith("C"):
        return 4, 4
    match = _METER.match(value)
    if match is None:  # empty, "none", "FREI4/4"
        return None
    meter = sum(map(int, match[1].split("+"))), int(match[2])
    if 0 in meter:
        raise UnreadableTuneError("unreadable metre")
    return meter


def default_unit(meter: tuple[int, int] | None) -> int:
    """The unit note length in ticks where `L:` is missing: 1/16 for metres under 3/4, else 1/8."""
    if meter is not None and 4 * meter[0] < 3 * meter[1]:
        return TICKS_PER_WHOLE // 16
    return TICKS_PER_WHOLE // 8


def parse_unit(value: str) -> int | None:
    """Read what follows `L:`, in ticks; `None` if it is not a length."""
    match = _UNIT.match(value)
    if match is None or int(match[2]) == 0:
        return None
    return TICKS_PER_WHOLE * int(match[1]) // int(match[2]) or None


def full_bar(meter: tuple[int, int] | None) -> int | None:
    """A bar's length in ticks, or `None` for free metre."""
    return None if meter is None else TICKS_PER_WHOLE * meter[0] // meter[1]


class BodyReader:
    """Scans the elements of a tune in order and collects its measures.

    `noted` holds what was simplified: "chords", "voices", "key changes", "tuplets".
    """

    def __init__(self, signature: Signature, meter: tuple[int, int] | None, unit: int) -> None:
        self._signature = signature
        self._meter = meter
        self._unit = unit
        self._full_bar = full_bar(meter)
        self._accidentals: dict[str, int] = {}
        self._tuplet = (1, 1, 0)  # factor's numerator and denominator, notes left
        self._next_factor: tuple[int, int] | None = None
        self._last: Event | None = None
        self._last_name = ("", "")
        self._chord_symbol: str | None = None
        self._first_voice: str | None = None
        self._silenced = False
        self._measures = [Measure(self._full_bar)]
        self.noted: Counter[str] = Counter()
        self._handlers: dict[str, Callable[[re.Match[str]], None]] = {
            "note": self._read_note,
            "rest": self._read_rest,
            "symbol": self._read_symbol,
            "chord": self._read_chord,
            "bar": self._read_bar,
            "ending": self._read_ending,
            "field": self._read_field,
            "broken": self._read_broken,
            "tie": self._read_tie,
            "tuplet": self._read_tuplet,
        }

    def read(self, body: str) -> list[Measure]:
        """Read a body whose field lines have been written as inline fields.

        Raises:
            UnreadableTuneError: for a key, metre or length that makes no sense, and where more
                letters mean nothing than there are notes and rests.
        """
        handlers = self._handlers
        end = stray = 0
        for match in _ELEMENT.finditer(body):
            if end < match.start() and not self._silenced:
                stray += _stray_letters(body[end : match.start()])
            end = match.end()
            handle = handlers.get(match.lastgroup or "")
            if handle is not None and (not self._silenced or match.lastgroup == "field"):
                handle(match)
        if not self._measures[-1].events:
            self._measures.pop()
        # Prose has notes, too: its letters from a to g.
        if not self._silenced:
            stray += _stray_letters(body[end:])
        if stray > sum(len(one.events) for one in self._measures):
            raise UnreadableTuneError("more text than music")
        return self._measures

    def _length(self, text: str) -> int:
        """A written length as ticks, before tuplets and broken rhythm."""
        if not text:
            return self._unit
        numerator, slash, denominator = text.partition("/")
        ticks = self._unit * int(numerator or 1)
        if slash:
            halvings = denominator.count("/")
            divisor = int(denominator[halvings:] or 2) << halvings
            if divisor == 0:
                raise UnreadableTuneError("unreadable length")
            ticks //= divisor
        return ticks

    def _add(self, ticks: int, pitch: int | None) -> None:
        numerator, denominator, left = self._tuplet
        if left:
            ticks = ticks * numerator // denominator
            self._tuplet = (numerator, denominator, left - 1)
        if self._next_factor is not None:
            ticks = ticks * self._next_factor[0] // self._next_factor[1]
            self._next_factor = None
        if ticks == 0:
            raise UnreadableTuneError("unreadable length")
        self._last = Event(ticks, pitch, chord_symbol=self._chord_symbol)
        self._chord_symbol = None
        self._measures[-1].events.append(self._last)

    def _pitch(self, accidental: str | None, letter: str, octave: str) -> int:
        upper = letter.upper()
        if accidental:
            alteration = self._accidentals[upper] = SEMITONES_OF_ACCIDENTAL[accidental]
        else:
            alteration = self._accidentals.get(upper, self._signature.get(upper, 0))
        natural = PITCH_CLASS_OF_LETTER[upper] + (60 if letter == upper else 72)
        return natural + 12 * (octave.count("'") - octave.count(",")) + alteration

    def _read_note(self, match: re.Match[str]) -> None:
        _, accidental, letter, octave, length = match.group(1, 2, 3, 4, 5)
        name = (letter, octave)
        last = self._last
        if last is not None and last.tied and not accidental and self._last_name == name:
            pitch = last.pitch  # a tie carries an accidental over the bar line
        else:
            pitch = self._pitch(accidental, letter, octave)
        self._add(self._length(length), pitch)
        self._last_name = name

    def _read_rest(self, match: re.Match[str]) -> None:
        length = match["rest_length"]
        if match["kind"] in "ZX":
            bars = int(length) if length.isdigit() else 1
            self._add((self._full_bar or TICKS_PER_WHOLE) * bars, None)
        else:
            self._add(self._length(length), None)

    def _read_chord(self, match: re.Match[str]) -> None:
        notes = _CHORD_NOTE.findall(match["notes"])
        if not notes:
            return
        if len(notes) > 1:
            self.noted["chords"] += 1
        pitches = [self._pitch(accidental, *name) for accidental, *name, _ in notes]
        highest = max(range(len(notes)), key=pitches.__getitem__)
        ticks = self._length(notes[0][3]) * self._length(match["chord_length"]) // self._unit
        self._add(ticks, pitches[highest])
        self._last_name = notes[highest][1:3]
        if self._last is not None and match["notes"].rstrip().endswith("-"):
            self._last.tied = True

    def _read_symbol(self, match: re.Match[str]) -> None:
        text = match["symbol"].strip()
        if text and not text.startswith(_ANNOTATION):
            self._chord_symbol = text

    def _read_bar(self, match: re.Match[str]) -> None:
        sign = match["sign"]
        self._accidentals.clear()
        if self._measures[-1].events:
            self._measures.append(Measure(self._full_bar))
        here = self._measures[-1]
        if len(self._measures) > 1:
            left = self._measures[-2]
            left.ends_repeat = left.ends_repeat or sign.startswith(":")
            left.ends_section = left.ends_section or sign != "|"
        here.starts_repeat = here.starts_repeat or sign.endswith(":")
        if match["passes"]:
            here.ending = _passes_of(match["passes"])

    def _read_ending(self, match: re.Match[str]) -> None:
        if self._measures[-1].events:
            self._measures.append(Measure(self._full_bar))
        self._measures[-1].ending = _passes_of(match["ending"])

    def _read_broken(self, match: re.Match[str]) -> None:
        if self._last is None:
            return
        sign = match["broken"]
        long, short = _BROKEN[len(sign)]
        half = 1 << len(sign)
        first, second = (long, short) if sign[0] == ">" else (short, long)
        self._last.duration = self._last.duration * first // half
        self._next_factor = (second, half)
        if self._last.duration == 0:
            raise UnreadableTuneError("unreadable length")

    def _read_tie(self, match: re.Match[str]) -> None:
        if self._last is not None and self._last.pitch is not None:
            self._last.tied = True

    def _read_tuplet(self, match: re.Match[str]) -> None:
        count, *others = match["tuplet"].split(":")
        notes = int(count)
        compound = self._meter is not None and self._meter[0] % 3 == 0 and self._meter[0] > 3
        in_time_of = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}.get(notes, 3 if compound else 2)
        if others and others[0]:
            in_time_of = int(others[0])
        affected = int(others[1]) if len(others) > 1 and others[1] else notes
        if notes == 0 or in_time_of == 0:
            raise UnreadableTuneError("unreadable tuplet")
        self.noted["tuplets"] += 1
        self._tuplet = (in_time_of, notes, affected)

    def _read_field(self, match: re.Match[str]) -> None:
        name, value = match["name"], match["value"]
        if name == "V":
            voice = value.split()[0] if value.split() else ""
            self._first_voice = voice if self._first_voice is None else self._first_voice
            self._silenced = voice != self._first_voice
            if self._silenced:
                self.noted["voices"] += 1
        elif self._silenced:
            return
        elif name == "K":
            parsed = parse_key_field(value)
            if parsed is None:
                raise UnreadableTuneError("unreadable key")
            self._signature = parsed[1]
            self.noted["key changes"] += 1
        elif name == "L":
            self._unit = parse_unit(value) or self._unit
        elif name == "M":
            self._meter = parse_meter(value)
            self._full_bar = full_bar(self._meter)
            if not self._measures[-1].events:
                self._measures[-1].full_length = self._full_bar


def _stray_letters(text: str) -> int:
    """Letters that are neither music nor a decoration's shorthand or a spacer."""
    return sum(letter.isalpha() and letter not in "HLMOPSTuvy" for letter in text)


def _passes_of(ending: str) -> frozenset[int]:
    """Read `1`, `2`, `1,3` or `1-3`."""
    passes: set[int] = set()
    for part in ending.strip(" \t\n[").split(","):
        first, _, last = part.partition("-")
        if first.isdigit():
            low = min(int(first), 99)
            high = min(int(last), 99) if last.isdigit() else low
            passes.update(range(low, high + 1))
    return frozenset(passes or {1})
