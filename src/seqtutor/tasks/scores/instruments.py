"""The instruments of General MIDI, level 1, by name or number."""

from __future__ import annotations

import difflib

from seqtutor.errors import UserError

INSTRUMENTS = tuple(
    """\
acoustic grand piano, bright acoustic piano, electric grand piano, honky-tonk piano,
electric piano 1, electric piano 2, harpsichord, clavinet, celesta, glockenspiel, music box,
vibraphone, marimba, xylophone, tubular bells, dulcimer, drawbar organ, percussive organ,
rock organ, church organ, reed organ, accordion, harmonica, tango accordion,
acoustic guitar (nylon), acoustic guitar (steel), electric guitar (jazz), electric guitar (clean),
electric guitar (muted), overdriven guitar, distortion guitar, guitar harmonics, acoustic bass,
electric bass (finger), electric bass (pick), fretless bass, slap bass 1, slap bass 2,
synth bass 1, synth bass 2, violin, viola, cello, contrabass, tremolo strings, pizzicato strings,
orchestral harp, timpani, string ensemble 1, string ensemble 2, synth strings 1, synth strings 2,
choir aahs, voice oohs, synth voice, orchestra hit, trumpet, trombone, tuba, muted trumpet,
french horn, brass section, synth brass 1, synth brass 2, soprano sax, alto sax, tenor sax,
baritone sax, oboe, english horn, bassoon, clarinet, piccolo, flute, recorder, pan flute,
blown bottle, shakuhachi, whistle, ocarina, square lead, sawtooth lead, calliope lead, chiff lead,
charang lead, voice lead, fifths lead, bass and lead, new age pad, warm pad, polysynth pad,
choir pad, bowed pad, metallic pad, halo pad, sweep pad, rain, soundtrack, crystal, atmosphere,
brightness, goblins, echoes, sci-fi, sitar, banjo, shamisen, koto, kalimba, bagpipe, fiddle,
shanai, tinkle bell, agogo, steel drums, woodblock, taiko drum, melodic tom, synth drum,
reverse cymbal, guitar fret noise, breath noise, seashore, bird tweet, telephone ring, helicopter,
applause, gunshot""".replace("\n", " ").split(", ")
)
"""In the order of their numbers, of which the first is 1."""


def program_of(instrument: str) -> int:
    """The MIDI program, from 0, of an instrument.

    Args:
        instrument: a number from 1 to 128, a name, or a part of names, which means the first one.

    Raises:
        UserError: if there is none.
    """
    wanted = " ".join(instrument.lower().split())
    if wanted.isdecimal():
        number = int(wanted)
        if not 1 <= number <= len(INSTRUMENTS):
            raise UserError(f"there is no instrument {number}; General MIDI counts from 1 to 128")
        return number - 1
    if wanted in INSTRUMENTS:
        return INSTRUMENTS.index(wanted)
    for number, name in enumerate(INSTRUMENTS):
        if wanted and wanted in name:
            return number
    near = _near(wanted)
    meant = f"; did you mean {' or '.join(map(repr, near))}?" if near else ";"
    raise UserError(
        f"there is no instrument {instrument!r}{meant} give a name of General MIDI, such as "
        "violin, or its number, 1 to 128"
    )


def _near(wanted: str) -> list[str]:
    """Instruments whose name is in what was wanted, as "whistle" in "tin whistle", or like it."""
    contained = [name for name in INSTRUMENTS if f" {name} " in f" {wanted} "]
    words = {word for word in wanted.split() if len(word) > 2}
    sharing = [name for name in INSTRUMENTS if words & set(name.split())]
    return (contained or sharing or difflib.get_close_matches(wanted, INSTRUMENTS))[:3]
