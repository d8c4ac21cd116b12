"""Scores as MusicXML 4.0 (partwise), the format that notation programs exchange.

Written with the standard library: the elements and their order are those of the W3C's schema,
https://www.w3.org/2021/06/musicxml40/.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from seqtutor.tasks.scores.notation import (
    Accidentals,
    Bar,
    ChordSymbol,
    Group,
    Score,
    Symbol,
    bar_length,
    is_binary,
    odd_part,
    signature_fifths,
    spell,
    tempo_mark,
)
from seqtutor.tasks.scores.values import beam_places

_HEADER = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" '
    '"http://www.musicxml.org/dtds/partwise.dtd">\n'
)
_SHORTEST, _LONGEST = -8, 4
"""Note values from 1024ths to longs, as powers of two of a quarter."""
_NAMES = [
    "long",
    "breve",
    "whole",
    "half",
    "quarter",
    "eighth",
    "16th",
    "32nd",
    "64th",
    "128th",
    "256th",
    "512th",
    "1024th",
]
_DOTS = {1: 0, 3: 1, 7: 2}
"""By the odd part of a note value."""
_ACCIDENTALS = {-2: "flat-flat", -1: "flat", 0: "natural", 1: "sharp", 2: "double-sharp"}


def musicxml(score: Score, program: int = 0, finest: int = 1) -> str:
    """One part in the treble clef, with chord symbols above it.

    Args:
        score: a symbol without a note value looks like the nearest plain one.
        program: General MIDI instrument from 0.
        finest: parts of a quarter in which durations are counted at least.
    """
    divisions = math.lcm(finest, *_denominators(score))
    root = ET.Element("score-partwise", version="4.0")
    if score.title:
        _add(_add(root, "work"), "work-title", score.title)
    _add(_add(_add(root, "identification"), "encoding"), "software", "Sequence Tutor")
    _part_list(root, program)
    part = _add(root, "part", id="P1")
    first = 0 if score.has_upbeat else 1
    names = _Names()
    for number, bar in enumerate(score.bars or [Bar(Fraction(0), ())], start=first):
        measure = _add(part, "measure", number=str(number))
        if bar.length != bar_length(score.meter):
            measure.set("implicit", "yes")
        if number == first:
            _attributes(measure, score, divisions)
            _tempo(measure, score)
        _Measure(measure, bar, score, divisions, names).write()
        if number - first == len(score.bars) - 1:
            _add(_add(measure, "barline", location="right"), "bar-style", "light-heavy")
    ET.indent(root)
    return _HEADER + ET.tostring(root, encoding="unicode") + "\n"


def _denominators(score: Score) -> Iterator[int]:
    for bar in score.bars:
        yield from (chord.start.denominator for chord in bar.chords)
        for group in bar.groups:
            yield from (group.sounding(one).denominator for one in group.symbols)
            yield from (one.start.denominator for one in group.symbols)


def _add(parent: ET.Element, tag: str, text: object = None, **attributes: str) -> ET.Element:
    element = ET.SubElement(parent, tag, attributes)
    if text is not None:
        element.text = str(text)
    return element


def _part_list(root: ET.Element, program: int) -> None:
    part = _add(_add(root, "part-list"), "score-part", id="P1")
    _add(part, "part-name", "Melody").set("print-object", "no")
    _add(_add(part, "score-instrument", id="P1-I1"), "instrument-name", "Melody")
    instrument = _add(part, "midi-instrument", id="P1-I1")
    _add(instrument, "midi-channel", 1)
    # MusicXML counts the programs of General MIDI from 1.
    _add(instrument, "midi-program", program + 1)


def _attributes(measure: ET.Element, score: Score, divisions: int) -> None:
    attributes = _add(measure, "attributes")
    _add(attributes, "divisions", divisions)
    key = _add(attributes, "key")
    _add(key, "fifths", signature_fifths(score.key))
    _add(key, "mode", score.key.mode)
    time = _add(attributes, "time")
    _add(time, "beats", score.meter[0])
    _add(time, "beat-type", score.meter[1])
    clef = _add(attributes, "clef")
    _add(clef, "sign", "G")
    _add(clef, "line", 2)


def _tempo(measure: ET.Element, score: Score) -> None:
    beat, number = tempo_mark(score)
    name, dots = _note_value(beat)
    direction = _add(measure, "direction", placement="above")
    metronome = _add(_add(direction, "direction-type"), "metronome")
    _add(metronome, "beat-unit", name)
    for _ in range(dots):
        _add(metronome, "beat-unit-dot")
    _add(metronome, "per-minute", number)
    _add(direction, "sound", tempo=f"{score.tempo:g}")


@dataclass
class _Names:
    """The names of the note heads: `n0`, `n1` and so on, and `n1-1` of one tied to `n1`.

    By them a picture of the score says which note is where.
    """

    note: int = -1
    part: int = 0

    def next(self, symbol: Symbol) -> str:
        """The name of the next note head."""
        self.note += not symbol.tied_from
        self.part = self.part + 1 if symbol.tied_from else 0
        return f"n{self.note}-{self.part}" if self.part else f"n{self.note}"


class _Measure:
    """The element of a bar, to which notes and chord symbols are added."""

    def __init__(
        self, element: ET.Element, bar: Bar, score: Score, divisions: int, names: _Names
    ) -> None:
        self.element, self.bar, self.score, self.divisions = element, bar, score, divisions
        self.names, self.offset = names, score.offset(bar)
        self.accidentals = Accidentals(score.key)
        self.chords = list(bar.chords)

    def write(self) -> None:
        """Add everything."""
        symbols = self.bar.symbols
        beams = iter(beam_states(symbols, beam_places(symbols, self.score.meter, self.offset)))
        for group in self.bar.groups:
            for symbol in group.symbols:
                self._chords_before(symbol.start + group.sounding(symbol), symbol.start)
                self._note(symbol, group, next(beams))

    def _chords_before(self, end: Fraction, place: Fraction) -> None:
        while self.chords and self.chords[0].start < end:
            chord = self.chords.pop(0)
            self._chord(chord, int((chord.start - place) * self.divisions))

    def _chord(self, chord: ChordSymbol, offset: int) -> None:
        harmony = _add(self.element, "harmony")
        root = _add(harmony, "root")
        _add(root, "root-step", chord.root[0])
        if chord.root[1]:
            _add(root, "root-alter", chord.root[1])
        if chord.kind is None:
            root[0].set("text", "")
            _add(harmony, "kind", "none").set("text", "N.C.")
        else:
            _add(harmony, "kind", chord.kind)
        if chord.bass != chord.root:
            bass = _add(harmony, "bass")
            _add(bass, "bass-step", chord.bass[0])
            if chord.bass[1]:
                _add(bass, "bass-alter", chord.bass[1])
        if offset:
            _add(harmony, "offset", offset)

    def _note(self, symbol: Symbol, group: Group, beam: list[str]) -> None:
        note = _add(self.element, "note")
        is_whole_bar = symbol.duration == bar_length(self.score.meter)
        if symbol.pitch is None:
            rest = _add(note, "rest")
            if is_whole_bar:
                rest.set("measure", "yes")
        else:
            note.set("id", self.names.next(symbol))
            spelled = spell(symbol.pitch, self.score.key)
            pitch = _add(note, "pitch")
            _add(pitch, "step", spelled.letter)
            if spelled.alteration:
                _add(pitch, "alter", spelled.alteration)
            _add(pitch, "octave", spelled.octave)
        _add(note, "duration", int(group.sounding(symbol) * self.divisions))
        ties = [kind for kind, on in (("stop", symbol.tied_from), ("start", symbol.tied_to)) if on]
        for kind in ties:
            _add(note, "tie", type=kind)
        _add(note, "voice", 1)
        # A rest of a whole bar looks the same in every metre.
        if symbol.pitch is not None or not is_whole_bar:
            name, dots = _note_value(symbol.duration)
            _add(note, "type", name)
            for _ in range(dots):
                _add(note, "dot")
        self._accidental(note, symbol)
        if group.tuplet is not None:
            ratio = _add(note, "time-modification")
            _add(ratio, "actual-notes", group.tuplet[0])
            _add(ratio, "normal-notes", group.tuplet[1])
        for number, state in enumerate(beam, start=1):
            _add(note, "beam", state, number=str(number))
        edges = []
        if group.tuplet is not None:
            edges = [
                kind
                for kind, edge in (("start", group.symbols[0]), ("stop", group.symbols[-1]))
                if symbol is edge
            ]
        if ties or edges:
            notations = _add(note, "notations")
            for kind in ties:
                _add(notations, "tied", type=kind)
            for kind in edges:
                _add(notations, "tuplet", type=kind)

    def _accidental(self, note: ET.Element, symbol: Symbol) -> None:
        if symbol.pitch is None:
            return
        spelled = spell(symbol.pitch, self.score.key)
        if symbol.tied_from and symbol.start == 0:
            self.accidentals.carry(spelled)
        elif self.accidentals.needed(spelled):
            _add(note, "accidental", _ACCIDENTALS[spelled.alteration])


def _note_value(duration: Fraction) -> tuple[str, int]:
    """The name of a note value in quarters, and its dots; of another length, the nearest one's."""
    dots = _DOTS.get(odd_part(duration.numerator), 0) if is_binary(duration) else 0
    exponent = round(math.log2(duration * Fraction(2**dots, 2 ** (dots + 1) - 1)))
    return _NAMES[_LONGEST - min(max(exponent, _SHORTEST), _LONGEST)], dots


def beam_states(symbols: Sequence[Symbol], places: Sequence[Fraction]) -> list[list[str]]:
    """For each symbol of a bar, the states of its beams in MusicXML's words, the first one first.

    Neighbouring notes shorter than a quarter are beamed where their places, those of `beam_places`,
    are the same; rests part them.
    """
    states: list[list[str]] = [[] for _ in symbols]
    group: list[int] = []
    for index, symbol in enumerate([*symbols, None]):
        beamable = symbol is not None and symbol.pitch is not None and _flags(symbol) > 0
        if group and not (beamable and places[index] == places[group[0]]):
            _beam_group([_flags(symbols[place]) for place in group], group, states)
            group = []
        if beamable:
            group.append(index)
    return states


def _flags(symbol: Symbol) -> int:
    """Beams or flags of a note value: 1 for an eighth, 2 for a sixteenth."""
    return max(0, _NAMES.index(_note_value(symbol.duration)[0]) - _NAMES.index("quarter"))


def _beam_group(flags: list[int], group: list[int], states: list[list[str]]) -> None:
    if len(group) < 2:
        return
    last = len(group) - 1
    for place, index in enumerate(group):
        for level in range(flags[place]):
            before = place > 0 and flags[place - 1] > level
            after = place < last and flags[place + 1] > level
            if before or after:
                state = "continue" if before and after else "end" if before else "begin"
            else:
                state = "forward hook" if place == 0 else "backward hook"
            states[index].append(state)
