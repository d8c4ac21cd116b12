"""Read the music of one voice of an ABC tune into measures of notes and rests.

Grammar: the ABC standard 2.1, https://abcnotation.com/wiki/abc:standard:v2.1. What a melody with
chord symbols does not need (slurs, most decorations, grace notes, annotations, lyrics, spacing) is
passed over. An accidental holds for its letter in every octave until the bar line, the standard's
default, which the corpora follow: "EG=cG ECCE" in D has C natural throughout; the directive
`propagate-accidentals` says otherwise. An accidental inside grace notes holds only there.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from seqtutor.tasks.scores.abc_fields import (
    SEMITONES_OF_ACCIDENTAL,
    StaffSettings,
    parse_key_field,
    parse_meter,
    parse_staff,
    parse_unit,
)
from seqtutor.tasks.scores.keys import PITCH_CLASS_OF_LETTER, Signature
from seqtutor.tasks.scores.measures import (
    TICKS_PER_WHOLE,
    Event,
    Measure,
    UnreadableTuneError,
    full_bar,
)
from seqtutor.tasks.scores.playing_order import mark_of, passes_of

# Every repetition is bounded, so that no input makes the scan take more than linear time.
_LENGTH = r"\d{0,3}(?:/{1,6}\d{0,3})?"
_NOTE = rf"(\^\^|\^|__|_|=)?([A-Ga-g])([,']{{0,6}})({_LENGTH})"
_ELEMENT = re.compile(
    rf"""
    (?P<note>{_NOTE})
  | (?P<bar>(?P<sign>:{{0,3}}\[?\|(?:\]:|[|:]){{0,4}}\]?|::)
      (?P<passes>\s{{0,9}}\[?\d[\d,-]{{0,9}})?)
  | \[(?P<ending>\d[\d,-]{{0,9}})
  | \["(?P<named_ending>\d[\d,. -]{{0,9}})[^"\n]{{0,40}}"
  | (?P<field>\[(?P<name>[A-Za-z]):(?P<value>[^\]\n]{{0,200}})\])
  | (?P<broken>>{{1,3}}|<{{1,3}})
  | (?P<tie>-)
  | (?P<rest>(?P<kind>[zxZX])(?P<rest_length>{_LENGTH}))
  | \((?P<tuplet>\d(?::\d{{0,2}}){{0,2}})
  | (?P<chord>\[(?P<notes>[A-Ga-gz^_=,'\d/~. -]{{1,100}})\](?P<chord_length>{_LENGTH}))
  | "(?P<symbol>[^"\n]{{0,200}})"
  | !(?P<decoration>[^!\s|]{{1,40}})!
  | \+(?P<old_decoration>[^+\s|]{{1,40}})\+
  | (?P<grace>\{{[^}}\n]{{0,200}}\}})
  | (?P<overlay>&)
  | (?P<user_symbol>[H-Wh-w])
    """,
    re.VERBOSE,
)
_CHORD_NOTE = re.compile(_NOTE + r"(-?)")
_INVISIBLE_BAR = "[|]"
_ANNOTATION = "^_<>@"
"""First characters of a text above the notes that is not a chord symbol."""
_BROKEN = {1: (3, 1), 2: (7, 1), 3: (15, 1)}
_USER_SYMBOL = re.compile(r"\s*([H-Wh-w])\s*=\s*[!+]?([^!+]*)")
_SHORTHAND = dict.fromkeys("HLMPTuv", "") | {"S": "segno", "O": "coda"}
"""The standard's letters for decorations, those without effect on what is played empty."""
_WHILE_OVERLAID = ("bar", "ending", "named_ending", "field", "user_symbol")
"""What is read after `&`, until the bar line: all but the music of the overlay."""
_HOLDS_FOR = {"not": 0, "octave": 1, "pitch": 2}
"""How far the directive `propagate-accidentals` lets an accidental hold."""


class BodyReader:
    """Scans the elements of a voice in order and collects its measures.

    `noted` holds what was simplified or passed over, such as "chords", "key changes", "tuplets";
    `transposition_at_start` are the semitones by which the first note sounds above what is written,
    and `meter_at_start` is the metre in which it stands.
    """

    def __init__(self, signature: Signature, meter: tuple[int, int] | None, unit: int) -> None:
        self._signature = signature
        self._meter = meter
        self._unit = unit
        self._full_bar = full_bar(meter)
        self._accidentals: dict[tuple[str, int], int] = {}
        self._holds_for = "pitch"
        self._clef_octaves = self._octaves = self._semitones = 0
        self._symbols = dict(_SHORTHAND)
        self._tuplet = (1, 1, 0)  # factor's numerator and denominator, notes left
        self._next_factor: tuple[int, int] | None = None
        self._last: Event | None = None
        self._last_name = ("", "")
        self._chord_symbol: str | None = None
        self._overlaid = False
        self._stray = 0
        self._measures = [Measure(self._full_bar)]
        self.is_percussion = False
        self.transposition_at_start = 0
        self.meter_at_start = meter
        self.noted: set[str] = set()
        self._handlers: dict[str, Callable[[re.Match[str]], object]] = {
            "note": self._read_note,
            "rest": self._read_rest,
            "symbol": self._read_symbol,
            "decoration": lambda match: self._mark(match["decoration"]),
            "old_decoration": lambda match: self._mark(match["old_decoration"]),
            "grace": lambda match: self.noted.add("grace notes"),
            "chord": self._read_chord,
            "bar": self._read_bar,
            "ending": lambda match: self._read_ending(match["ending"]),
            "named_ending": lambda match: self._read_ending(match["named_ending"]),
            "field": self._read_field,
            "broken": self._read_broken,
            "tie": self._read_tie,
            "tuplet": self._read_tuplet,
            "overlay": self._read_overlay,
            "user_symbol": self._read_user_symbol,
        }

    @property
    def transposition(self) -> int:
        """Semitones from what is written to what sounds."""
        return 12 * (self._clef_octaves + self._octaves) + self._semitones

    def read(self, body: str) -> list[Measure]:
        """Read a voice whose field lines have been written as inline fields.

        Raises:
            UnreadableTuneError: for a key, metre or length that makes no sense, and where more
                letters mean nothing than there are notes and rests.
        """
        handlers = self._handlers
        end = 0
        for match in _ELEMENT.finditer(body):
            if end < match.start():
                self._stray += _stray_letters(body[end : match.start()])
            end = match.end()
            kind = match.lastgroup or ""
            if not self._overlaid or kind in _WHILE_OVERLAID:
                handlers[kind](match)
        last = self._measures[-1]
        if not last.events:
            self._measures.pop()
            if self._measures:
                self._measures[-1].marks |= last.marks
        # Prose has notes, too: its letters from a to g.
        self._stray += _stray_letters(body[end:])
        if self._stray > sum(len(one.events) for one in self._measures):
            raise UnreadableTuneError("more text than music")
        return self._measures

    def set_staff(self, staff: StaffSettings) -> None:
        """Take over what `K:` or `V:` say of clef, octave and transposition."""
        if staff.clef_octaves is not None:
            self._clef_octaves = staff.clef_octaves
        if staff.octaves is not None:
            self._octaves = staff.octaves
        if staff.semitones is not None:
            self._semitones = staff.semitones
        self.is_percussion = self.is_percussion or staff.is_percussion
        self.noted |= {f"the parameter {name}= passed over" for name in staff.passed_over}

    def instruct(self, directive: str) -> None:
        """Take over a directive, without its `%%` or `I:`, that changes what the notes mean."""
        name, _, value = directive.strip().partition(" ")
        if name == "propagate-accidentals":
            if value.strip() in _HOLDS_FOR:
                self._holds_for = value.strip()
        elif name == "abc-include" or (name == "MIDI" and "transpose" in value):
            self.noted.add(f"the directive {name} passed over")

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
        if self._last is None:
            self.transposition_at_start = self.transposition
            self.meter_at_start = self._meter
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
        natural = PITCH_CLASS_OF_LETTER[upper] + (60 if letter == upper else 72)
        natural += 12 * (octave.count("'") - octave.count(","))
        place = (upper, natural // 12 if self._holds_for == "octave" else 0)
        if accidental:
            alteration = SEMITONES_OF_ACCIDENTAL[accidental]
            if self._holds_for != "not":
                self._accidentals[place] = alteration
        else:
            alteration = self._accidentals.get(place, self._signature.get(upper, 0))
        return natural + alteration + self.transposition

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
            self.noted.add("chords")
        pitches = [self._pitch(accidental, *name) for accidental, *name, _, _ in notes]
        highest = max(range(len(notes)), key=pitches.__getitem__)
        ticks = self._length(notes[0][3]) * self._length(match["chord_length"]) // self._unit
        self._add(ticks, pitches[highest])
        self._last_name = notes[highest][1:3]
        if self._last is not None:
            self._last.tied = bool(notes[highest][4])

    def _read_symbol(self, match: re.Match[str]) -> None:
        text = match["symbol"].strip()
        if not self._mark(text.lstrip(_ANNOTATION)) and text and text[0] not in _ANNOTATION:
            self._chord_symbol = text

    def _mark(self, text: str) -> bool:
        """Keep what a word or sign says about the order of playing, if it says anything."""
        mark = mark_of(text)
        if mark is not None:
            self._measures[-1].marks.add(mark)
        return mark is not None

    def _read_user_symbol(self, match: re.Match[str]) -> None:
        letter = match["user_symbol"]
        if letter in self._symbols:
            self._mark(self._symbols[letter])
        elif not self._overlaid:
            self._stray += 1

    def _begin_measure(self) -> Measure:
        if self._measures[-1].events:
            self._measures.append(Measure(self._full_bar))
        self._overlaid = False
        return self._measures[-1]

    def _read_bar(self, match: re.Match[str]) -> None:
        sign = match["sign"].removeprefix(_INVISIBLE_BAR) or "|"
        self._accidentals.clear()
        here = self._begin_measure()
        if len(self._measures) > 1:
            left = self._measures[-2]
            if sign.startswith(":"):
                left.plays = 2 if sign == "::" else 1 + len(sign) - len(sign.lstrip(":"))
            left.ends_section = left.ends_section or sign != "|"
        here.starts_repeat = here.starts_repeat or sign.endswith(":")
        if match["passes"]:
            here.ending = passes_of(match["passes"])

    def _read_ending(self, passes: str) -> None:
        self._begin_measure().ending = passes_of(passes)

    def _read_overlay(self, match: re.Match[str]) -> None:
        self._overlaid = True
        self.noted.add("overlays")

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
        self.noted.add("tuplets")
        self._tuplet = (in_time_of, notes, affected)

    def _read_field(self, match: re.Match[str]) -> None:
        name, value = match["name"], match["value"]
        if name == "V":
            self.set_staff(parse_staff(value.strip().partition(" ")[2])[0])
        elif name == "K":
            field = parse_key_field(value)
            self.set_staff(field.staff)
            if field.signature is not None:
                self._signature = field.signature
                self.noted.add("key changes")
        elif name == "L":
            unit = parse_unit(value)
            if unit is None:
                self.noted.add("a field L: that is not a length")
            self._unit = unit or self._unit
        elif name == "M":
            before, self._meter = self._meter, parse_meter(value)
            self._full_bar = full_bar(self._meter)
            if self._meter != before and self._last is not None:
                self.noted.add("metre changes")
            if not self._measures[-1].events:
                self._measures[-1].full_length = self._full_bar
        elif name == "P":
            here = self._begin_measure()
            here.part = value.strip()[:1] or None
        elif name == "I":
            self.instruct(value)
        elif name == "U" and (symbol := _USER_SYMBOL.match(value)):
            self._symbols[symbol[1]] = symbol[2].strip()


def _stray_letters(text: str) -> int:
    """Letters that are neither music nor the spacer `y`."""
    return sum(letter.isalpha() and letter != "y" for letter in text)
