"""Faults that people's own files brought to light; of each kind some siblings."""

import pytest
from small_scores import (
    CAPO,
    barline,
    midi,
    midi_notes,
    musicxml,
    pitches,
    read_score,
    time_signature,
    triples,
    xml_bar,
    xml_note,
    xml_part,
)

from seqtutor.tasks.melody.abc import read_abc
from seqtutor.tasks.melody.folder import SEVERAL_PARTS
from seqtutor.tasks.scores.keys import Key

C, D, E, F, G, A, B, C2 = SCALE = (60, 62, 64, 65, 67, 69, 71, 72)
HEAD = "X:1\nM:4/4\nL:1/4\n"
BACK = barline("right", '<repeat direction="backward"/>')


def abc(text):
    (tune,), report = read_abc(text, "test.abc")
    return tune, report.noted


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("K:E\nK:clef=bass\nEFGA|BCDE|", [64, 66, 68, 69, 71, 61, 63, 64]),
        ("K:D\nDEFG|[K:bass]ABcd|", [62, 64, 66, 67, 69, 71, 73, 74]),
        ("K:D\nDEFG|[K: treble-8]ABcd|", [62, 64, 66, 67, 57, 59, 61, 62]),
        ("K:D\nDEFG|[K:none]ABcd|", [62, 64, 66, 67, 69, 71, 72, 74]),
        ("K:D\nDEFG|[K:G octave=1]ABcd|", [62, 64, 66, 67, 81, 83, 84, 86]),
        ("K:C octave=-1\ncega|", [60, 64, 67, 69]),
        ("K:C clef=treble-8\ncega|", [60, 64, 67, 69]),
        ("K:C treble+8\nCEGA|", [72, 76, 79, 81]),
        ("K:D transpose=-2\nDEFG|", [60, 62, 64, 65]),
        ("V:1 octave=-1 treble+8 transpose=3\nK:C\nV:1\nCEGA|", [63, 67, 70, 72]),
        ("K:C\nV:1 clef=bass-8\nCEGA|", [48, 52, 55, 57]),
        ("V:T treble-8\nV:B bass\nK:C\nV:B\nCDEF|\nV:T\nGABc|", [60, 62, 64, 65]),
    ],
)
def test_keys_and_clefs_in_abc(text, expected):
    tune, _ = abc(f"{HEAD}{text}\n")
    assert pitches(tune) == expected


def test_the_key_is_that_which_sounds():
    assert abc(f"{HEAD}K:D transpose=-2\nDEFG|\n")[0].key == Key(0)
    assert abc(f"{HEAD}K:Em\nV:1 transpose=1 octave=1\nEFGA|\n")[0].key == Key(5, "minor")


def test_a_whole_note_as_the_unit():
    tune, _ = abc("X:1\nM:4/4\nL:1\nK:C\nC/4D/4E/4F/4|G|\n")
    assert triples(tune) == [(0, 4, C), (4, 4, D), (8, 4, E), (12, 4, F), (16, 16, G)]
    tune, noted = abc("X:1\nM:4/4\nL:much\nK:C\nC2D2|\n")
    assert triples(tune) == [(0, 4, C), (4, 4, D)]
    assert noted == {"with a field L: that is not a length": 1}


@pytest.mark.parametrize(
    ("order", "expected", "noted"),
    [
        ("P:ABA", "ABA", None),
        ("P:(AB)3", "ABABAB", None),
        ("P:A2B", "AAB", None),
        ("P:B", "B", None),
        ("N:no order", "AB", None),
        ("P:AB", "AB", None),
        ("P:ACB", "AB", "with order of parts with a part that is missing"),
        ("P:twice", "AB", "with order of parts that is not understood"),
    ],
)
def test_the_order_of_parts(order, expected, noted):
    parts = {"A": [C, D, E, F], "B": [G, A, B, C2]}
    tune, found = abc(f"{HEAD}{order}\nK:C\nP:A\nCDEF|\nP:B\nGABc|\n")
    assert pitches(tune) == [pitch for name in expected for pitch in parts[name]]
    assert list(found) == ([noted] if noted else [])


def test_repeats_belong_to_their_part():
    tune, _ = abc(f"{HEAD}P:ABA\nK:C\nC4|[P:A]D4:|[P:B]|:E4|1F4:|2G4|]\n")
    assert pitches(tune) == [C, D, D, E, F, E, G, D, D]


def test_an_order_of_parts_that_are_not_there():
    tune, noted = abc(f"{HEAD}P:AAB\nK:C\nCDEF|\n")
    assert pitches(tune) == [C, D, E, F]
    assert noted == {"with order of parts without parts": 1}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("|:C2E2&G4:|D4|]", [C, E, C, E, D]),
        ("C4&[EG]4|1 D4&^c2e2:|2 E4 & {g}a2(3bag|]", [C, D, C, E]),
        ("C2E2&G4 [K:D]||F4|]", [C, E, 66]),
        ("C2 E2 & G4 && B4 | D4 |]", [C, E, D]),
    ],
)
def test_overlays_keep_their_bar_lines(body, expected):
    tune, noted = abc(f"{HEAD}K:C\n{body}\n")
    assert pitches(tune) == expected
    assert noted["with overlays"] == 1


@pytest.mark.parametrize(
    ("directive", "expected"),
    [
        ("N:no directive", [66, 66, 78, 65]),
        ("%%propagate-accidentals pitch", [66, 66, 78, 65]),
        ("%%propagate-accidentals octave", [66, 66, 77, 65]),
        ("I:propagate-accidentals not", [66, 65, 77, 65]),
    ],
)
def test_how_far_accidentals_hold(directive, expected):
    for text in (
        f"{HEAD}{directive}\nK:C\n",
        f"{directive}\n\n{HEAD}K:C\n",
        f"{HEAD}K:C\n{directive}\n",
    ):
        assert pitches(abc(f"{text}^FFf|F|\n")[0]) == expected


def test_a_first_voice_of_rests_or_percussion_hides_none():
    for first in ("V:1\nz4|", "V:1 clef=perc\nBBBB|", "V:1 perc\nBBBB|"):
        tune, noted = abc(f"{HEAD}K:C\n{first}\nV:2\nCDEF|\n")
        assert pitches(tune) == [C, D, E, F]
        assert noted["with voices"] == 1


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("C4!fine!|D4!D.C.alfine!|]", [C, D, C]),
        ('C4"^Fine"|D4"D.C. al Fine"|]', [C, D, C]),
        ("C4|D4!D.C.!|]", [C, D, C, D]),
        ('C4|D4"Da Capo"|]', [C, D, C, D]),
        ("C4|!segno!D4|E4!fine!|F4!D.S.!|]", [C, D, E, F, D, E]),
        ("C4|SD4|E4|F4!D.S.!|]", [C, D, E, F, D, E, F]),
        ("C4|D4!dacoda!|E4!D.C.alcoda!|!coda!F4|]", [C, D, E, C, D, F]),
        ("C4|D4!coda!|E4!D.C.alcoda!|!coda!F4|]", [C, D, E, C, D, F]),
        ("|:C4|1 D4:|2 E4!fine!|F4!D.C.!|]", [C, D, C, E, F, C, E]),
        ("U:W=!D.C.!\nC4|D4W|]", [C, D, C, D]),
    ],
)
def test_da_capo_in_abc(body, expected):
    assert pitches(abc(f"{HEAD}K:C\n{body}\n")[0]) == expected


def test_what_is_not_read_of_abc_is_counted_by_name():
    _, noted = abc(
        f"{HEAD}m:~n2=n/o/n\nK:C sound=A\n%%MIDI transpose 12\nCD{{e}}EF|[CE]4|\ns:!trill!\n"
        "[M:3/4]C3|[K:G]D3|(3EFG A2|\n"
    )
    assert set(noted) >= {
        "with macros passed over",
        "with symbol lines passed over",
        "with the parameter sound= passed over",
        "with the directive MIDI passed over",
        *("with grace notes", "with chords", "with metre changes", "with key changes"),
        "with tuplets",
    }


THIRTY_SECONDS = [(0, 4, C), (4, 4, D), (8, 4, E), (12, 0.5, F), (12.5, 0.5, G), (13, 1, A)]
THIRTY_SECONDS += [(14, 2, B)]
FIVE = [(0.8 * place, 0.8, 60 + place) for place in range(5)]


def test_thirty_seconds_are_the_same_in_every_format(tmp_path):
    xml = musicxml(xml_part(["".join(xml_note(p, length) for _, length, p in THIRTY_SECONDS)]))
    texts = {
        ".abc": HEAD + "K:C\nCDEF/8G/8A/4B/2|\n",
        ".musicxml": xml,
        ".mid": midi(midi_notes(THIRTY_SECONDS)),
        ".krn": "**kern\n*M4/4\n4c\n4d\n4e\n32f\n32g\n16a\n8b\n=\n*-\n",
    }
    for suffix, text in texts.items():
        tune, report = read_score(tmp_path, text, suffix)
        assert triples(tune)[3:] == [(12, 1, F), (13, 1, A), (14, 2, B)], suffix
        assert report.noted["notes merged with another"] == 1


@pytest.mark.parametrize(
    ("played", "kept", "merged"),
    [
        # A triplet of sixteenths: the second and the third meet.
        ([(0, 2 / 3, C), (2 / 3, 2 / 3, D), (4 / 3, 2 / 3, E)], [(0, 1, C), (1, 1, D)], 1),
        # Five in the time of a quarter.
        (FIVE, [(0, 1, 60), (1, 1, 61), (2, 1, 62), (3, 1, 64)], 1),
        # The longest stays: a main note, not the grace note before it.
        ([(0, 1 / 6, D), (1 / 6, 23 / 6, C)], [(0, 4, C)], 1),
        ([(0, 4 - 1 / 6, D), (4 - 1 / 6, 1 / 6, F), (4, 4, E)], [(0, 4, D), (4, 4, E)], 1),
        ([(0, 0.5, C), (0.5, 1.5, D)], [(0, 2, D)], 1),
        ([(0, 0.25, C), (0.25, 0.25, D), (0.5, 0.5, E)], [(0, 1, E)], 2),
    ],
)
def test_notes_that_meet_at_one_sixteenth(tmp_path, played, kept, merged):
    tune, report = read_score(tmp_path, midi(midi_notes(played)), ".mid")
    assert triples(tune) == kept
    assert report.noted["notes merged with another"] == merged


def test_a_note_without_length_is_left_out(tmp_path):
    notes = [(0, 0, 59), *((4 * i, 4, pitch) for i, pitch in enumerate(SCALE))]
    tune, report = read_score(tmp_path, midi(midi_notes(notes)), ".mid")
    assert pitches(tune) == list(SCALE)
    assert report.noted["notes of length zero left out"] == 1


def test_a_change_of_program_is_no_new_part(tmp_path):
    notes = midi_notes([(4 * i, 4, pitch) for i, pitch in enumerate(SCALE)])
    changes = [(0, b"\xc0\x49"), *notes[:8], (1920, b"\xb0\x00\x01"), (1920, b"\xc0\x4a")]
    tune, report = read_score(tmp_path, midi([*changes, *notes[8:]]), ".mid")
    assert pitches(tune) == list(SCALE)
    assert not report.noted
    second = midi_notes([(0, 32, 48)], channel=1)
    tune, report = read_score(tmp_path, midi(changes + notes[8:], second), ".mid")
    assert pitches(tune) == list(SCALE)
    assert report.noted == {SEVERAL_PARTS: 1}


def test_an_upbeat_in_midi_is_a_short_first_metre(tmp_path):
    meters = [(0, time_signature(1, 4)), (480, time_signature(3, 4))]
    notes = [(4 * i, 4, pitch) for i, pitch in enumerate(SCALE[:7])]
    tune, _ = read_score(tmp_path, midi(meters, midi_notes(notes)), ".mid")
    assert (tune.pickup, tune.meter, tune.downbeats) == (4, (3, 4), (4, 16))
    meters = [(0, time_signature(3, 4)), (1440, time_signature(2, 4))]
    tune, report = read_score(tmp_path, midi(meters, midi_notes(notes)), ".mid")
    assert (tune.pickup, tune.meter, tune.downbeats) == (0, (3, 4), (0, 12, 20))
    assert report.noted == {"with metre changes": 1}


def xml_pitches(folder, *parts):
    return pitches(read_score(folder, musicxml(*parts), ".musicxml")[0])


def test_backward_repeats_without_a_forward_one(tmp_path):
    first, second = xml_bar(C, D, E, F), xml_bar(G, A, B, C2)
    found = xml_pitches(tmp_path, xml_part([first + BACK, second + BACK]))
    assert found == [C, D, E, F] * 2 + [G, A, B, C2] * 2
    many = [xml_note(60 + i, 16) + BACK for i in range(10)]
    assert xml_pitches(tmp_path, xml_part(many)) == [60 + i // 2 for i in range(20)]
    thrice = barline("right", '<repeat direction="backward" times="3"/>')
    assert xml_pitches(tmp_path, xml_part([first + thrice])) == [C, D, E, F] * 3
    # After a second ending, the start is where it is over.
    ended = [
        xml_note(C, 16),
        barline("left", '<ending number="1" type="start"/>') + xml_note(D, 16)
        + barline("right", '<ending number="1" type="stop"/><repeat direction="backward"/>'),
        barline("left", '<ending number="2" type="start"/>') + xml_note(E, 16)
        + barline("right", '<ending number="2" type="stop"/>'),
        xml_note(F, 16) + BACK,
    ]  # fmt: skip
    assert xml_pitches(tmp_path, xml_part(ended)) == [C, D, C, E, F, F]


def ending(number, content, last="stop", repeat=""):
    return (
        barline("left", f'<ending number="{number}" type="start"/>')
        + content
        + barline("right", f'<ending number="{number}" type="{last}"/>{repeat}')
    )


def test_endings_without_dots(tmp_path):
    forward = barline("left", '<repeat direction="forward"/>')
    bars = [xml_note(C, 16), ending(1, xml_note(D, 16)), ending(2, xml_note(E, 16), "discontinue")]
    for start in ("", forward):
        content = musicxml(xml_part([start + bars[0], *bars[1:]]))
        tune, report = read_score(tmp_path, content, ".musicxml")
        assert pitches(tune) == [C, D, C, E]
        assert report.noted == {"with endings without a repeat sign": 1}
    three = [*bars[:2], ending(2, xml_note(E, 16)), ending(3, xml_note(F, 16)), xml_note(G, 16)]
    assert xml_pitches(tmp_path, xml_part(three)) == [C, D, C, E, C, F, G]
    back = '<repeat direction="backward"/>'
    passes = [bars[0], ending("1, 2", xml_note(D, 16), repeat=back), ending(3, xml_note(E, 16))]
    assert xml_pitches(tmp_path, xml_part(passes)) == [C, D, C, D, C, E]
    tune, noted = abc(f"{HEAD}K:C\nC4|1 D4|2 E4|]F4|]\n")
    assert pitches(tune) == [C, D, C, E, F]
    assert noted == {"with endings without a repeat sign": 1}


def test_da_capo_without_a_repeat(tmp_path):
    first, second = xml_bar(C, D, E, F), xml_bar(G, A, B, C2)
    for mark in (
        CAPO.format("D.C.", '<sound dacapo="yes"/>'),
        CAPO.format("D.C.", ""),
        CAPO.format("Da Capo", ""),
        '<sound dacapo="yes"/>',
    ):
        assert xml_pitches(tmp_path, xml_part([first, second + mark])) == [*SCALE, *SCALE]
    fine = CAPO.format("Fine", '<sound fine="yes"/>')
    until = CAPO.format("D.C. al Fine", '<sound dacapo="yes"/>')
    found = xml_pitches(tmp_path, xml_part([first + fine, second + until]))
    assert found == [*SCALE, C, D, E, F]


def test_dal_segno_and_coda(tmp_path):
    sign = "<direction><direction-type><{0}/></direction-type></direction>"
    notes = [xml_note(pitch, 16) for pitch in (C, D, E, F, G)]
    segno, coda = sign.format("segno"), sign.format("coda")
    expected = [C, D, E, F, D, E, G]
    for leave in (CAPO.format("To Coda", ""), '<sound tocoda="coda"/>', coda):
        measures = [notes[0], segno + notes[1], notes[2] + leave]
        measures += [notes[3] + CAPO.format("D.S. al Coda", ""), coda + notes[4]]
        assert xml_pitches(tmp_path, xml_part(measures)) == expected


def test_signs_of_another_part_hold_for_the_melody(tmp_path):
    rests = [xml_note(None, 16), xml_note(None, 16) + BACK]
    melody = [xml_bar(C, D, E, F), xml_bar(G, A, B, C2)]
    assert xml_pitches(tmp_path, xml_part(rests), xml_part(melody)) == [*SCALE, *SCALE]


def test_a_first_part_without_pitches_hides_none(tmp_path):
    drum = (
        "<note><unpitched><display-step>C</display-step></unpitched><duration>96</duration></note>"
    )
    for first in (xml_note(None, 16), drum, ""):
        parts = xml_part([first]), xml_part([xml_bar(C, D, E, F)])
        tune, report = read_score(tmp_path, musicxml(*parts), ".musicxml")
        assert pitches(tune) == [C, D, E, F]
        assert SEVERAL_PARTS not in report.noted, "there is no other that could be read"
    voice = xml_note(None, 16) + "<backup><duration>96</duration></backup>"
    second = xml_bar(C, D, E, F).replace("<voice>1", "<voice>2")
    assert xml_pitches(tmp_path, xml_part([voice + second])) == [C, D, E, F]


@pytest.mark.parametrize(
    ("signature", "key"),
    [
        ("<fifths>0</fifths><mode>dorian</mode>", Key(2, "dorian")),
        ("<fifths>-1</fifths><mode>Mixolydian</mode>", Key(0, "mixolydian")),
        ("<fifths>3</fifths><mode>minor</mode>", Key(6, "minor")),
        ("<fifths>3</fifths><mode>aeolian</mode>", Key(6, "minor")),
        ("<fifths>2</fifths><mode>ionian</mode>", Key(2)),
        ("<fifths>2</fifths>", Key(2)),
        ("<fifths>-3</fifths><mode>none</mode>", Key(3)),
    ],
)
def test_the_key_of_a_score_is_its_signatures(tmp_path, signature, key):
    content = musicxml(xml_part([xml_bar(D, E, F, G)], key=signature))
    assert read_score(tmp_path, content, ".musicxml")[0].key == key


def test_transposing_instruments_sound(tmp_path):
    clarinet = "<transpose><diatonic>-1</diatonic><chromatic>-2</chromatic></transpose>"
    part = xml_part([xml_bar(D, E, 66, G)], key="<fifths>2</fifths>", transpose=clarinet)
    tune, _ = read_score(tmp_path, musicxml(part), ".musicxml")
    assert (pitches(tune), tune.key) == ([C, D, E, F], Key(0))
    octave = "<transpose><chromatic>0</chromatic><octave-change>-1</octave-change></transpose>"
    part = xml_part([xml_bar(C, D, E, F)], transpose=octave)
    assert xml_pitches(tmp_path, part) == [48, 50, 52, 53]


@pytest.mark.parametrize("between", ["", "<direction/>", "<harmony/>", "<attributes/>", "<print/>"])
def test_a_chord_is_a_chord_whatever_stands_in_it(tmp_path, between):
    chord = xml_note(C, 8) + between + xml_note(E, 8, before="<chord/>")
    tune, report = read_score(tmp_path, musicxml(xml_part([chord + xml_bar(G, A)])), ".musicxml")
    assert triples(tune) == [(0, 8, E), (8, 4, G), (12, 4, A)]
    assert report.noted == {"with chords": 1}


def test_a_chord_is_the_same_in_every_format(tmp_path):
    chords = [(0, 8, C), (0, 8, E), (8, 8, G)]
    texts = {
        ".abc": HEAD + "K:C\n[CE]2G2|\n",
        ".musicxml": musicxml(
            xml_part([xml_note(C, 8) + xml_note(E, 8, before="<chord/>") + xml_note(G, 8)])
        ),
        ".mid": midi(midi_notes(chords)),
        ".krn": "**kern\n*M4/4\n2c 2e\n2g\n=\n*-\n",
    }
    for suffix, text in texts.items():
        tune, report = read_score(tmp_path, text, suffix)
        assert triples(tune) == [(0, 8, E), (8, 8, G)]
        assert report.noted == {"with chords": 1}
