"""Read MusicXML as the measures of one voice.

Elements: https://www.w3.org/2021/06/musicxml40/. Pitches are those that sound: those of a
transposing instrument are moved by what `transpose` says.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from seqtutor.errors import UserError
from seqtutor.tasks.scores.keys import FIFTHS_OF_MODE, Key, key_of_signature
from seqtutor.tasks.scores.measures import (
    TICKS_PER_QUARTER,
    TICKS_PER_SIXTEENTH,
    Measure,
    PlayedTune,
    UnreadableTuneError,
    full_bar,
)
from seqtutor.tasks.scores.musicxml_file import (
    measures_of_parts,
    read_root,
    tempo_of,
    title_of,
)
from seqtutor.tasks.scores.musicxml_signs import read_barline, read_direction, read_sound, united
from seqtutor.tasks.scores.notation import SpelledPitch
from seqtutor.tasks.scores.parts import Parts, parts_of
from seqtutor.tasks.scores.playing_order import playing_order
from seqtutor.tasks.scores.voices import PolyphonicError, Sound, events_of, one_voice

LONGEST_MEASURE = 65_536 * TICKS_PER_SIXTEENTH
_MODES = {"aeolian": "minor", "ionian": "major"}
_NUMBER = re.compile(r"\s*[+-]?\d{1,9}(?:\.\d{1,6})?\s*")
_TOLERANCE = TICKS_PER_SIXTEENTH // 8
"""By how much a measure of rounded durations may miss the length that the metre asks for."""

VoiceName = tuple[str, str]
"""Staff and voice."""


class _NonsenseError(ValueError):
    """What cannot be in a score, in words for people."""


@dataclass
class _Written:
    """What a `measure` element of one part holds.

    Attributes:
        number: as it is printed.
        full_length: of a bar by the metre, in ticks.
        voices: the notes of each voice, in the order in which the voices begin.
        length: to where the furthest voice reaches, in ticks.
        signs: repeats, endings and marks, on a measure without events.
    """

    number: str
    full_length: int | None
    voices: dict[VoiceName, list[Sound]] = field(default_factory=dict)
    length: int = 0
    signs: Measure = field(default_factory=lambda: Measure(None))


def read_musicxml(path: Path, wanted: str | None = None) -> tuple[PlayedTune, Parts]:
    """Read the first voice with notes of a part with notes, the first one unless another is wanted.

    Of a chord the highest note is kept; grace notes and cues are left out; a key without a mode is
    major. Repeats and marks of any part hold for all.

    Raises:
        UserError: if the file is not MusicXML, or has no part of that name or number.
        PolyphonicError: if its voice is polyphonic.
        UnreadableTuneError: if nothing sounds in it, or a measure is far too long.
    """
    root = read_root(path)
    is_concert = root.find("defaults/concert-score") is not None
    named = [(name, _Part(path, one, is_concert)) for name, one in measures_of_parts(root)]
    parts = [part for _, part in named]
    with_notes = [(name, part) for name, part in named if part.voices()]
    if not with_notes:
        raise UnreadableTuneError("no notes")
    found = parts_of(path, [name for name, _ in with_notes], wanted)
    chosen = with_notes[found.read][1]
    voices = chosen.voices()
    noted = set(chosen.noted)
    if len(voices) > 1:
        noted.add("voices")
    try:
        measures = list(_measures(chosen, parts, voices[0], noted))
    except PolyphonicError as error:
        raise PolyphonicError(*error.args, found) from None
    played, assumed = playing_order(measures)
    noted |= assumed
    given = (title_of(root), chosen.key, chosen.meter, played, frozenset(noted), tempo_of(root))
    return PlayedTune(*given), found


def _measures(
    chosen: _Part, parts: Sequence[_Part], voice: VoiceName, noted: set[str]
) -> Iterator[Measure]:
    """The voice's measures; one that is empty in every part is left out, but not its signs."""
    carried = Measure(None)
    previous: Measure | None = None
    for place, written in enumerate(chosen.written):
        everywhere = [part.written[place] for part in parts if place < len(part.written)]
        length = written.length or max(one.length for one in everywhere)
        full = written.full_length
        if full is not None and abs(length - full) <= _TOLERANCE:
            length = full
        try:
            sounds, has_chords = one_voice(written.voices.get(voice, ()))
        except PolyphonicError:
            raise PolyphonicError(f"in measure {written.number[:20]}") from None
        if has_chords:
            noted.add("chords")
        signs = united([carried, *(one.signs for one in everywhere)], full)
        signs.events = list(events_of(sounds, length))
        if signs.events:
            yield signs
            carried, previous = Measure(None), signs
            continue
        if previous is not None and signs.plays:
            previous.plays, previous.ends_section = signs.plays, True
            signs.plays, signs.ends_section = 0, False
        carried = signs


class _Part:
    """The measures of a part, with what holds from one to the next.

    Attributes:
        written: the measures in order.
        key: the first one, as it sounds.
        meter: the first one.
        noted: what was simplified.
    """

    def __init__(self, path: Path, elements: Sequence[ET.Element], is_concert: bool) -> None:
        self._is_concert = is_concert
        self._division = Fraction(TICKS_PER_QUARTER)
        self._full_bar: int | None = None
        self._transposition = 0
        self._now = self._last_start = Fraction(0)
        self._fifths: tuple[int, str] | None = None
        self.written: list[_Written] = []
        self.key: Key | None = None
        self.meter: tuple[int, int] | None = None
        self.noted: set[str] = set()
        self._handlers: dict[str, Callable[[ET.Element], None]] = {
            "attributes": self._read_attributes,
            "note": self._read_note,
            "backup": lambda element: self._move(-self._duration(element)),
            "forward": lambda element: self._move(self._duration(element)),
            "barline": lambda element: read_barline(element, self.written[-1].signs),
            "direction": lambda element: read_direction(element, self.written[-1].signs),
            "sound": lambda element: read_sound(element, self.written[-1].signs),
        }
        for element in elements:
            number = element.get("number", str(len(self.written) + 1))
            self.written.append(_Written(number, self._full_bar))
            self._now = self._last_start = Fraction(0)
            try:
                for child in element:
                    if child.tag in self._handlers:
                        self._handlers[child.tag](child)
            except (ValueError, KeyError, ZeroDivisionError) as error:
                why = f": {error}" if isinstance(error, _NonsenseError) else " makes no sense"
                raise UserError(
                    f"{path} is not a readable score: measure {number[:20]}{why}"
                ) from None
            if self.written[-1].length > LONGEST_MEASURE:
                raise UnreadableTuneError("too long")

    def voices(self) -> list[VoiceName]:
        """Those that have notes, in the order in which they begin, if only with a rest."""
        named = dict.fromkeys(voice for one in self.written for voice in one.voices)
        return [v for v in named if any(one.voices.get(v) for one in self.written)]

    def _move(self, ticks: Fraction) -> None:
        self._now = max(Fraction(0), self._now + ticks)
        here = self.written[-1]
        here.length = max(here.length, round(self._now))

    def _duration(self, element: ET.Element) -> Fraction:
        return _number(element, "duration", 0) * self._division

    def _read_note(self, note: ET.Element) -> None:
        if note.find("grace") is not None:
            self.noted.add("grace notes")
            return
        duration = self._duration(note)
        if note.find("chord") is None:
            self._last_start = self._now
            self._move(duration)
        if note.find("time-modification") is not None:
            self.noted.add("tuplets")
        voice = (note.findtext("staff", "1").strip(), note.findtext("voice", "1").strip())
        sounds = self.written[-1].voices.setdefault(voice, [])
        pitch = note.find("pitch")
        if pitch is None:
            return
        if note.find("cue") is not None:
            self.noted.add("cues")
        elif duration <= 0:
            self.noted.add("notes of length zero")
        else:
            start = self._last_start
            # Programs that read pages write the sign alone, without what sounds.
            ties = [*note.iterfind("tie"), *note.iterfind("notations/tied")]
            tied = any(tie.get("type") == "start" for tie in ties)
            sounds.append(Sound(round(start), round(start + duration), self._pitch(pitch), tied))

    def _pitch(self, pitch: ET.Element) -> int:
        letter = pitch.findtext("step", "").strip()
        alteration = _number(pitch, "alter", 0)
        if alteration.denominator != 1:
            self.noted.add("quarter tones rounded")
        octave = int(_number(pitch, "octave", 4))
        return SpelledPitch(letter, round(alteration), octave).midi + self._transposition

    def _read_attributes(self, attributes: ET.Element) -> None:
        if attributes.find("divisions") is not None:
            divisions = _number(attributes, "divisions", 1)
            if divisions <= 0:
                raise _NonsenseError("divisions must be above zero")
            self._division = TICKS_PER_QUARTER / divisions
        for transpose in attributes.iterfind("transpose"):
            if not self._is_concert:
                octaves = _number(transpose, "octave-change", 0)
                self._transposition = round(_number(transpose, "chromatic", 0) + 12 * octaves)
        for key in attributes.iterfind("key"):
            self._read_key(key)
        for time in attributes.iterfind("time"):
            self._read_time(time)
        if attributes.find("measure-style/measure-repeat") is not None:
            self.noted.add("measure repeat signs, read as rests")

    def _read_key(self, element: ET.Element) -> None:
        if element.find("fifths") is None:
            self.noted.add("key signatures that are not of fifths")
            return
        fifths = int(_number(element, "fifths", 0))
        word = element.findtext("mode", "").strip().lower()
        mode = _MODES.get(word, word if word in FIFTHS_OF_MODE else "major")
        if self.key is None:
            self.key = key_of_signature(fifths, mode).transposed(self._transposition)
        elif (fifths, mode) != self._fifths:
            self.noted.add("key changes")
        self._fifths = (fifths, mode)

    def _read_time(self, element: ET.Element) -> None:
        beats = [one.text or "" for one in element.iterfind("beats")]
        types = [int(one.text or "") for one in element.iterfind("beat-type")]
        meter = None
        if beats and element.find("senza-misura") is None:
            unit = max(types)
            counts = [sum(map(int, text.split("+"))) for text in beats]
            total = sum(Fraction(n, d) for n, d in zip(counts, types, strict=True)) * unit
            if not (0 < unit < 1000 and 0 < total < 1000 and total.denominator == 1):
                raise _NonsenseError("the time signature makes no sense")
            meter = int(total), unit
        if not any(one.voices for one in self.written):
            self.meter = meter
        elif meter != self.meter:
            self.noted.add("metre changes")
        self._full_bar = full_bar(meter)
        if self._now == 0:
            self.written[-1].full_length = self._full_bar


def _number(element: ET.Element, tag: str, default: int) -> Fraction:
    """The number in a child element.

    Raises:
        _NonsenseError: if something else is in it.
    """
    text = element.findtext(tag)
    if text is None:
        return Fraction(default)
    if not _NUMBER.fullmatch(text):
        raise _NonsenseError(f"<{tag}> must be a number, not {text.strip()[:20]!r}")
    return Fraction(text)
