"""What is written as MusicXML is what other programs read.

    python benchmarks/engraving.py --tunes FOLDER [--musescore musescore3]

Writes melodies (of the corpus, and random ones in all keys and several metres) and lead sheets (of
a folder of ABC files with chords, such as the Nottingham Music Database), reads each back with
music21 and compares: notes, chords, lengths of bars, ties, and what the accidentals on the page
say. With --musescore each is also imported by MuseScore, without a screen, which must not complain
and must play the same notes. In Debian: apt-get install musescore3. Nothing printed below the
counts means that nothing was found.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import music21
import symusic
import tyro

from seqtutor.tasks.folk.abc import read_abc
from seqtutor.tasks.melody.data import MelodyData, read_melodies
from seqtutor.tasks.melody.encoding import tokens_to_notes
from seqtutor.tasks.melody.notation import Meter
from seqtutor.tasks.melody.render import RenderSettings, render_score
from seqtutor.tasks.scores.chord_names import name_of
from seqtutor.tasks.scores.keys import MODES, Key
from seqtutor.tasks.scores.lead_sheet import LeadSheet
from seqtutor.tasks.scores.lead_sheet_files import render_musicxml
from seqtutor.tasks.scores.notation import bar_length, signature_alteration

METERS = [Meter(*m) for m in ((4, 4), (3, 4), (6, 8), (2, 2), (9, 8), (7, 8))]
_ALTERATIONS = {"flat-flat": -2, "flat": -1, "natural": 0, "sharp": 1, "double-sharp": 2}
_PROGRAM_NOTES = ("QStandardPaths", "convert <", "\tto <", "... success")
_NO_MODE = "Unsupported mode"
"""MuseScore 3 has no name for a key such as D dorian, and reads its signature alone."""

Notes = list[tuple[Fraction, Fraction, int]]
"""Onset and duration in quarters, and pitch."""


@dataclass(frozen=True)
class Case:
    """A score and what is in it."""

    name: str
    document: str
    key: Key
    meter: tuple[int, int]
    notes: Notes
    chords: list[tuple[Fraction, frozenset[int]]]
    upbeat: Fraction
    length: Fraction


def melody_case(name: str, tokens: list[int], key: Key, meter: Meter) -> Case:
    document = render_score(tokens, RenderSettings(key=key, meter=meter, title=name))
    notes = [
        (Fraction(note.onset, 4), Fraction(note.duration, 4), note.pitch)
        for note in tokens_to_notes(tokens)
    ]
    length = Fraction(len(tokens), 4)
    return Case(name, document, key, meter.signature, notes, [], Fraction(0), length)


def sheet_case(sheet: LeadSheet) -> Case:
    notes = [(note.onset, note.duration, note.pitch) for note in sheet.notes]
    chords = [(chord.onset, name_of(chord.pitches).pitch_classes) for chord in sheet.chords]
    return Case(
        sheet.title,
        render_musicxml(sheet),
        sheet.key,
        sheet.meter or (4, 4),
        notes,
        chords,
        sheet.pickup,
        sheet.length,
    )


def melody_cases(number: int, generator: random.Random) -> Iterator[Case]:
    real = read_melodies(MelodyData()).train.tokens
    for index in range(number // 2):
        row = real[generator.randrange(len(real))].tolist()
        yield melody_case(f"corpus {index}", row, Key(0), Meter())
    for index in range(number - number // 2):
        often = [0, 1, 1, 1, 1, *generator.choices(range(2, 38), k=9)]
        row = generator.choices(often, k=64)
        key = Key(generator.randrange(12), generator.choice(MODES))
        yield melody_case(f"random {index}", row, key, generator.choice(METERS))


def problems_with_music21(case: Case) -> Iterator[str]:
    """What music21 reads otherwise than it was meant."""
    part = music21.converter.parseData(case.document, format="musicxml").parts[0]
    flat = part.flatten()
    heard = flat.stripTies().getElementsByClass(music21.note.Note)
    found = [(_exact(n.offset), _exact(n.quarterLength), n.pitch.midi) for n in heard]
    if not _same(found, case.notes):
        yield f"notes: {found[:8]} … instead of {case.notes[:8]} …"
    symbols = flat.getElementsByClass(music21.harmony.ChordSymbol)
    chords = [
        (_exact(one.offset), frozenset(pitch.pitchClass for pitch in one.pitches))
        for one in symbols
        if one.chordKind != "none"
    ]
    for (start, found_classes), (meant, classes) in zip(chords, case.chords, strict=False):
        if abs(start - meant) > Fraction(1, 1000) or found_classes != classes:
            yield f"chords: {sorted(found_classes)} at {start}, not {sorted(classes)} at {meant}"
    if len(chords) != len(case.chords):
        yield f"{len(chords)} chords instead of {len(case.chords)}"
    measures = list(part.getElementsByClass(music21.stream.Measure))
    full = bar_length(case.meter)
    lengths = [_exact(one.duration.quarterLength) for one in measures]
    inner = lengths[1:-1] if case.upbeat else lengths[:-1]
    if any(abs(length - full) > Fraction(1, 1000) for length in inner):
        yield f"bars of {set(inner)} quarters in {case.meter}"
    if abs(sum(lengths) - case.length) > Fraction(1, 100):
        yield f"bars of {sum(lengths)} quarters in all instead of {case.length}"


def problems_on_paper(case: Case) -> Iterator[str]:
    """Ties without an end, and notes whose accidentals say another pitch."""
    root = ET.fromstring(case.document.split("\n", 2)[2])
    open_tie = None
    for measure in root.iter("measure"):
        in_force: dict[tuple[str, str], int] = {}
        for note in measure.iter("note"):
            ties = {tie.get("type") for tie in note.iter("tie")}
            place = (note.findtext("pitch/step", ""), note.findtext("pitch/octave", ""))
            if ("stop" in ties) != (open_tie is not None):
                yield f"a tie that ends nowhere in bar {measure.get('number')}"
            if open_tie is not None and place != open_tie:
                yield f"a tie between two pitches in bar {measure.get('number')}"
            is_carried = open_tie is not None
            open_tie = place if "start" in ties else None
            if not place[0]:
                continue
            sign = note.findtext("accidental")
            if sign:
                in_force[place] = _ALTERATIONS[sign]
            elif is_carried:
                continue
            seen = in_force.get(place, signature_alteration(place[0], case.key))
            if seen != int(note.findtext("pitch/alter", "0")):
                yield f"{place} in bar {measure.get('number')} reads as another pitch"
    if open_tie is not None:
        yield "a tie at the end"


def problems_with_musescore(program: str, cases: list[Case]) -> Iterator[str]:
    """What MuseScore says of each file, and where it plays other notes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        jobs = []
        for index, case in enumerate(cases):
            score, midi = folder / f"{index:04d}.musicxml", folder / f"{index:04d}.mid"
            score.write_text(case.document, encoding="utf-8")
            jobs.append({"in": str(score), "out": str(midi)})
        (folder / "jobs.json").write_text(json.dumps(jobs))
        environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
        done = subprocess.run(
            [program, "-j", str(folder / "jobs.json")],
            capture_output=True,
            text=True,
            env=environment,
        )
        for line in (done.stdout + done.stderr).splitlines():
            if line and not line.startswith(_PROGRAM_NOTES) and _NO_MODE not in line:
                yield f"MuseScore: {line}"
        for index, case in enumerate(cases):
            midi = folder / f"{index:04d}.mid"
            if not midi.is_file():
                yield f"{case.name}: MuseScore wrote nothing"
                continue
            score = symusic.Score(midi)
            quarter = score.ticks_per_quarter
            played = sorted(
                (Fraction(n.time, quarter), n.pitch) for track in score.tracks for n in track.notes
            )
            meant = [(onset, pitch) for onset, _, pitch in case.notes]
            # Its clock is 1/480 of a quarter, and it begins a short last bar as a full one.
            if [p for _, p in played] != [p for _, p in meant] or any(
                abs(a - b) > Fraction(1, 240) for (a, _), (b, _) in zip(played, meant, strict=True)
            ):
                yield f"{case.name}: MuseScore plays {played[:6]} … instead of {meant[:6]} …"


def _exact(number: float | Fraction) -> Fraction:
    return Fraction(number).limit_denominator(10_080)


def _same(found: Notes, meant: Notes) -> bool:
    """Whether notes are the same but for the rounding to MusicXML's divisions."""
    return len(found) == len(meant) and all(
        a[2] == b[2] and max(abs(a[0] - b[0]), abs(a[1] - b[1])) <= Fraction(1, 1000)
        for a, b in zip(found, meant, strict=True)
    )


def main(
    tunes: Path | None = None,
    melodies: int = 200,
    sheets: int = 50,
    musescore: str | None = None,
    seed: int = 0,
) -> None:
    """Write, read back, compare.

    Args:
        tunes: folder of ABC files with chords; without it only melodies are written.
        melodies: how many.
        sheets: how many lead sheets.
        musescore: the program to import them with.
        seed: of the choice.
    """
    generator = random.Random(seed)
    cases = list(melody_cases(melodies, generator))
    if tunes is not None:
        files = sorted(tunes.rglob("*.abc"))
        texts = [path.read_text(encoding="utf-8", errors="replace") for path in files]
        every = [sheet for text in texts for sheet in read_abc(text, "tunes")[0]]
        cases += map(sheet_case, generator.sample(every, min(sheets, len(every))))
    found = 0
    for case in cases:
        for problem in (*problems_with_music21(case), *problems_on_paper(case)):
            print(f"{case.name}: {problem}")
            found += 1
    print(f"{len(cases)} scores read by music21 and by eye: {found} differences")
    if musescore is not None:
        complaints = list(problems_with_musescore(musescore, cases))
        print("\n".join(complaints) or f"{len(cases)} scores imported by {musescore}: no complaint")


if __name__ == "__main__":
    tyro.cli(main)
