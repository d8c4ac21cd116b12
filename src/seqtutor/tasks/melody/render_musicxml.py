"""A melody as MusicXML 4.0 (partwise), the format that notation programs exchange.

Written with the standard library: the elements and their order are those of the W3C's schema,
https://www.w3.org/2021/06/musicxml40/.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass

from seqtutor.tasks.melody.encoding import STEPS_PER_QUARTER
from seqtutor.tasks.melody.notation import (
    Accidentals,
    Meter,
    Symbol,
    signature_fifths,
)
from seqtutor.tasks.scores.keys import Key

_HEADER = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" '
    '"http://www.musicxml.org/dtds/partwise.dtd">\n'
)

# Type and number of dots of each of notation.NOTE_VALUES.
_TYPES = {
    24: ("whole", 1),
    16: ("whole", 0),
    12: ("half", 1),
    8: ("half", 0),
    6: ("quarter", 1),
    4: ("quarter", 0),
    3: ("eighth", 1),
    2: ("eighth", 0),
    1: ("16th", 0),
}
_ACCIDENTALS = {-2: "flat-flat", -1: "flat", 0: "natural", 1: "sharp", 2: "double-sharp"}


@dataclass(frozen=True)
class ScoreHeader:
    """What stands at the head of a score. `tempo` is in quarter notes a minute."""

    key: Key
    meter: Meter
    tempo: float
    title: str
    program: int


def render_musicxml(bars: Sequence[Sequence[Symbol]], header: ScoreHeader) -> str:
    """Write bars of symbols as one MusicXML document, one part in the treble clef."""
    root = ET.Element("score-partwise", version="4.0")
    if header.title:
        _add(_add(root, "work"), "work-title", header.title)
    _add(_add(_add(root, "identification"), "encoding"), "software", "Sequence Tutor")
    _part_list(root, header)
    part = _add(root, "part", id="P1")
    for number, bar in enumerate(bars or [[]], start=1):
        measure = _add(part, "measure", number=str(number))
        if sum(symbol.duration for symbol in bar) != header.meter.bar_length:
            measure.set("implicit", "yes")
        if number == 1:
            _attributes(measure, header)
            _tempo(measure, header.tempo)
        _notes(measure, bar, header)
        if number == len(bars):
            _add(_add(measure, "barline", location="right"), "bar-style", "light-heavy")
    ET.indent(root)
    return _HEADER + ET.tostring(root, encoding="unicode") + "\n"


def _add(parent: ET.Element, tag: str, text: object = None, **attributes: str) -> ET.Element:
    element = ET.SubElement(parent, tag, attributes)
    if text is not None:
        element.text = str(text)
    return element


def _part_list(root: ET.Element, header: ScoreHeader) -> None:
    part = _add(_add(root, "part-list"), "score-part", id="P1")
    _add(part, "part-name", "Melody").set("print-object", "no")
    _add(_add(part, "score-instrument", id="P1-I1"), "instrument-name", "Melody")
    instrument = _add(part, "midi-instrument", id="P1-I1")
    _add(instrument, "midi-channel", 1)
    # MusicXML counts the programs of General MIDI from 1.
    _add(instrument, "midi-program", header.program + 1)


def _attributes(measure: ET.Element, header: ScoreHeader) -> None:
    attributes = _add(measure, "attributes")
    _add(attributes, "divisions", STEPS_PER_QUARTER)
    key = _add(attributes, "key")
    _add(key, "fifths", signature_fifths(header.key))
    _add(key, "mode", header.key.mode)
    time = _add(attributes, "time")
    _add(time, "beats", header.meter.beats)
    _add(time, "beat-type", header.meter.beat_type)
    clef = _add(attributes, "clef")
    _add(clef, "sign", "G")
    _add(clef, "line", 2)


def _tempo(measure: ET.Element, tempo: float) -> None:
    direction = _add(measure, "direction", placement="above")
    metronome = _add(_add(direction, "direction-type"), "metronome")
    _add(metronome, "beat-unit", "quarter")
    _add(metronome, "per-minute", f"{tempo:g}")
    _add(direction, "sound", tempo=f"{tempo:g}")


def _notes(measure: ET.Element, bar: Sequence[Symbol], header: ScoreHeader) -> None:
    accidentals = Accidentals(header.key)
    beams = beam_states(bar, header.meter)
    for symbol, beam in zip(bar, beams, strict=True):
        note = _add(measure, "note")
        if symbol.pitch is None:
            rest = _add(note, "rest")
            if symbol.duration == header.meter.bar_length:
                rest.set("measure", "yes")
        else:
            pitch = _add(note, "pitch")
            _add(pitch, "step", symbol.pitch.letter)
            if symbol.pitch.alteration:
                _add(pitch, "alter", symbol.pitch.alteration)
            _add(pitch, "octave", symbol.pitch.octave)
        _add(note, "duration", symbol.duration)
        ties = [kind for kind, on in (("stop", symbol.tied_from), ("start", symbol.tied_to)) if on]
        for kind in ties:
            _add(note, "tie", type=kind)
        _add(note, "voice", 1)
        name, dots = _TYPES[symbol.duration]
        _add(note, "type", name)
        for _ in range(dots):
            _add(note, "dot")
        _accidental(note, symbol, accidentals)
        for number, state in enumerate(beam, start=1):
            _add(note, "beam", state, number=str(number))
        if ties:
            notations = _add(note, "notations")
            for kind in ties:
                _add(notations, "tied", type=kind)


def _accidental(note: ET.Element, symbol: Symbol, accidentals: Accidentals) -> None:
    if symbol.pitch is None:
        return
    if symbol.tied_from and symbol.start == 0:
        accidentals.carry(symbol.pitch)
    elif accidentals.needed(symbol.pitch):
        _add(note, "accidental", _ACCIDENTALS[symbol.pitch.alteration])


def beam_states(bar: Sequence[Symbol], meter: Meter) -> list[list[str]]:
    """For each symbol of a bar, the state of its first and second beam (MusicXML's words).

    Neighbouring notes shorter than a quarter are beamed within a beat; rests part them.
    """
    states: list[list[str]] = [[] for _ in bar]
    group: list[int] = []
    for index, symbol in enumerate([*bar, None]):
        beamable = symbol is not None and symbol.pitch is not None and symbol.duration < 4
        if group and (
            symbol is None
            or not beamable
            or symbol.start // meter.beat_length != bar[group[0]].start // meter.beat_length
        ):
            _beam_group(bar, group, states)
            group = []
        if beamable:
            group.append(index)
    return states


def _beam_group(bar: Sequence[Symbol], group: list[int], states: list[list[str]]) -> None:
    if len(group) < 2:
        return
    last = len(group) - 1
    short = [bar[index].duration == 1 for index in group]
    for place, index in enumerate(group):
        states[index].append("begin" if place == 0 else "end" if place == last else "continue")
        if not short[place]:
            continue
        before = place > 0 and short[place - 1]
        after = place < last and short[place + 1]
        if before or after:
            states[index].append("continue" if before and after else "end" if before else "begin")
        else:
            states[index].append("forward hook" if place == 0 else "backward hook")
