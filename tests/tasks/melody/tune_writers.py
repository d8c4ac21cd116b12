"""Generated tunes as ABC, MusicXML and MIDI."""

from __future__ import annotations

from fractions import Fraction

from generated_tunes import Bar, Piece, sixteenths, sounding
from small_scores import key_signature, midi, time_signature

from seqtutor.tasks.scores.keys import FIFTHS_OF_MODE, signature_of_fifths

DIVISIONS = 24
SHARP = ("C", "^C", "D", "^D", "E", "F", "^F", "G", "^G", "A", "^A", "B")
DECORATIONS = {
    "fine": "!fine!",
    "to coda": "!dacoda!",
    "D.C.": "!D.C.!",
    "D.C. al Fine": "!D.C.alfine!",
    "D.S.": '"^D.S."',
    "D.C. al Coda": '"^D.C. al Coda"',
}
LEADING = ("segno", "coda")
TONICS = ["Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B"]
TONICS += ["F#", "C#", "G#", "D#", "A#", "E#"]


def abc(piece: Piece) -> str:
    """With the unit of a quarter; a transposing instrument is written with `transpose=`."""
    fifths = piece.fifths - 7 * piece.transposition
    fifths = (fifths + 6) % 12 - 6
    move = f" transpose={piece.transposition}" if piece.transposition else ""
    name = TONICS[fifths - FIFTHS_OF_MODE[piece.mode] + 7]
    meter = f"{piece.meter[0]}/{piece.meter[1]}"
    lines = [f"X:1\nM:{meter}\nL:1/16\nK:{name} {piece.mode}{move}"]
    before = piece.meter
    signature = signature_of_fifths(fifths)
    for place, bar in enumerate(piece.bars):
        head = ""
        if bar.meter != before:
            head += f"[M:{bar.meter[0]}/{bar.meter[1]}]"
            before = bar.meter
        if bar.fifths is not None:
            own = (bar.fifths - 7 * piece.transposition + 6) % 12 - 6
            head += f"[K:{TONICS[own + 7]}]"
            signature = signature_of_fifths(own)
        sign = "|:" if bar.forward and not piece.bars[place - 1].back else ""
        sign = ":" if bar.forward and place and piece.bars[place - 1].back else sign
        head = sign + (f"[{bar.ending} " if bar.ending else "") + head
        head += "".join(f"!{mark}!" for mark in bar.marks if mark in LEADING)
        lines.append(head + _abc_notes(bar, signature, piece.transposition))
        lines.append("".join(DECORATIONS[m] for m in bar.marks if m not in LEADING))
        lines.append(":|" if bar.back else "||" if bar.ends_bracket else "|")
    return "\n".join([lines[0], "".join(lines[1:])]) + "\n"


def _abc_notes(bar: Bar, signature: dict[str, int], transposition: int) -> str:
    text, held = "", {}
    for note in bar.notes:
        if note.tuplet:
            text += f"({note.tuplet}"
            written = note.length * 3 / 2
        elif note.length.denominator == 3:
            written = note.length * 3 / 2
        else:
            written = note.length
        if note.grace:
            text += "{^c}"
        length = str(written) if written != 1 else ""
        if note.pitch is None:
            text += f"z{length} "
            continue
        spelled = SHARP[(note.pitch - transposition) % 12]
        letter, alteration = spelled[-1], len(spelled) - 1
        octave = (note.pitch - transposition) // 12 - 5
        sign = ""
        # The first note says it anyway: a tie over the bar line may or may not reach it.
        if held.get(letter, signature.get(letter, 0)) != alteration or note is bar.notes[0]:
            sign = "^" if alteration else "="
            held[letter] = alteration
        name = letter + "," * -octave if octave <= 0 else letter.lower() + "'" * (octave - 1)
        text += f"{sign}{name}{length}{'-' if note.tied else ''} "
    return text


def xml_measures(piece: Piece) -> list[str]:
    """The measures of a part."""
    measures, before = [], None
    for place, bar in enumerate(piece.bars):
        text = ""
        if place == 0 or bar.meter != before or bar.fifths is not None:
            text += _attributes(piece, bar, place == 0, bar.meter != before)
        before = bar.meter
        left = f'<ending number="{bar.ending}" type="start"/>' if bar.ending else ""
        left += '<repeat direction="forward"/>' if bar.forward else ""
        text += f'<barline location="left">{left}</barline>' if left else ""
        text += "".join(
            f"<direction><direction-type><{mark}/></direction-type></direction>"
            for mark in bar.marks
            if mark in LEADING
        )
        text += "".join(_xml_note(note, piece.transposition) for note in bar.notes)
        text += "".join(
            f"<direction><direction-type><words>{mark.title()}</words></direction-type></direction>"
            for mark in bar.marks
            if mark not in LEADING
        )
        right = f'<ending number="{bar.ending}" type="stop"/>' if bar.ends_bracket else ""
        right += '<repeat direction="backward"/>' if bar.back else ""
        measures.append(text + (f'<barline location="right">{right}</barline>' if right else ""))
    return measures


def _attributes(piece: Piece, bar: Bar, is_first: bool, new_meter: bool) -> str:
    text = f"<divisions>{DIVISIONS}</divisions>" if is_first else ""
    fifths = piece.fifths if is_first else bar.fifths
    if fifths is not None:
        written = (fifths - 7 * piece.transposition + 6) % 12 - 6
        mode = piece.mode if is_first else "major"
        text += f"<key><fifths>{written}</fifths><mode>{mode}</mode></key>"
    if new_meter:
        text += f"<time><beats>{bar.meter[0]}</beats><beat-type>{bar.meter[1]}</beat-type></time>"
    if is_first and piece.transposition:
        octaves, semitones = divmod(piece.transposition, 12)
        text += f"<transpose><chromatic>{semitones}</chromatic>"
        text += f"<octave-change>{octaves}</octave-change></transpose>"
    return f"<attributes>{text}</attributes>"


def _xml_note(note, transposition: int) -> str:
    duration = f"<duration>{int(note.length * DIVISIONS / 4)}</duration>"
    if note.pitch is None:
        return f"<note><rest/>{duration}</note>"
    name = SHARP[(note.pitch - transposition) % 12]
    alter = "<alter>1</alter>" if len(name) > 1 else ""
    octave = (note.pitch - transposition) // 12 - 1
    pitch = f"<pitch><step>{name[-1]}</step>{alter}<octave>{octave}</octave></pitch>"
    grace = "<note><grace/><pitch><step>C</step><octave>5</octave></pitch></note>"
    tie = '<tie type="start"/>' if note.tied else ""
    return f"{grace if note.grace else ''}<note>{pitch}{duration}{tie}</note>"


def midi_file(piece: Piece) -> bytes:
    """As it is played; a grace note takes 20 ticks of its main note."""
    setup = [(0, key_signature(piece.fifths))]
    upbeat = int(piece.bars[0].length) if piece.bars[0].is_upbeat else 0
    if upbeat:
        setup.append((0, time_signature(upbeat, 16)))
    time, before = Fraction(0), None
    for place in piece.order:
        bar = piece.bars[place]
        if bar.meter != before and not (time == 0 and upbeat):
            setup.append((round(120 * time), time_signature(*bar.meter)))
            before = bar.meter
        time += bar.length
        assert upbeat or bar.length == sixteenths(bar.meter)
    notes = []
    for onset, end, pitch, grace in sounding(piece):
        start, stop = round(120 * onset), round(120 * end)
        if grace:
            notes += [(start, 1, bytes([0x90, 73, 80])), (start + 20, 0, bytes([0x80, 73, 0]))]
            start += 20
        notes += [(start, 1, bytes([0x90, pitch, 80])), (stop, 0, bytes([0x80, pitch, 0]))]
    ordered = [(time, message) for time, _, message in sorted(notes, key=lambda one: one[:2])]
    return midi(setup, ordered)
