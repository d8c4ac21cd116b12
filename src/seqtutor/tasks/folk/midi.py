"""Lead sheets from MIDI: one track with the melody, one with the chords."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from seqtutor.errors import UserError
from seqtutor.tasks.folk.abc import MAXIMUM_QUARTERS
from seqtutor.tasks.scores.import_report import ImportReport
from seqtutor.tasks.scores.keys import estimate_key
from seqtutor.tasks.scores.lead_sheet import ZERO, Chord, LeadSheet, MelodyNote
from seqtutor.tasks.scores.midi import MidiTracks, read_midi_tracks

LARGEST_DENOMINATOR = 16
"""Times that are such fractions of a quarter note stay as they are; others are rounded."""
GRIDS = (8, 6)
"""To the nearest thirty-second or sixteenth triplet, these many to the quarter."""
LEGATO = Fraction(1, 4)
"""By how many quarters a note may reach into the next one and still be the same voice."""


def read_midi_file(path: Path) -> tuple[list[LeadSheet], ImportReport]:
    """Read one MIDI file as one lead sheet.

    Of the tracks with notes, drums aside, the melody is one named so, else the first; the chords
    are one named so, else the next. Notes that begin together in the chord track are a chord; it
    ends where the next begins, or with its last note; of notes an octave apart the lowest is kept.

    Raises:
        UserError: if the file is not MIDI or far too long, or its melody is missing or polyphonic.
    """
    midi = read_midi_tracks(path)
    noted: Counter[str] = Counter()
    melody_track = _named(midi.tracks, "melody") or midi.tracks[0]
    others = [track for track in midi.tracks if track is not melody_track]
    chord_track = _named(others, "chord") or (others[0] if others else None)
    notes = _melody(path, _timed(melody_track, midi.quarter, noted))
    chords = _harmony(_timed(chord_track, midi.quarter, noted), noted) if chord_track else ()
    length = max(events[-1].end for events in (notes, chords) if events)
    if length > MAXIMUM_QUARTERS:
        raise UserError(f"{path} is longer than {MAXIMUM_QUARTERS:,} quarter notes; split it")
    noted["with more than two parts"] = int(len(midi.tracks) > 2)
    noted["without a chord track"] = int(not chords)
    sheet = LeadSheet(
        notes=notes,
        chords=chords,
        length=length,
        key=midi.key or estimate_key(notes),
        meter=midi.meter,
        pickup=_pickup(midi, length),
        title=path.stem,
        source=path.name,
    )
    return [sheet], ImportReport(1, {}, dict(+noted))


def _pickup(midi: MidiTracks, length: Fraction) -> Fraction:
    """The length of the upbeat, which a first time signature tells."""
    bars = midi.bars(math.ceil(length * midi.quarter)) if midi.has_upbeat else []
    return Fraction(bars[0], midi.quarter) if bars else ZERO


def _named(tracks: Sequence[Any], name: str) -> Any | None:
    return next((track for track in tracks if name in track.name.lower()), None)


def _timed(track: Any, quarter: int, noted: Counter[str]) -> list[tuple[Fraction, Fraction, int]]:
    """Onset, end and pitch of a track's notes in order, in quarter notes on a sensible grid."""
    notes: list[tuple[Fraction, Fraction, int]] = []
    for note in track.notes:
        onset, end = Fraction(note.time, quarter), Fraction(note.time + note.duration, quarter)
        near_onset, near_end = _nearest(onset), _nearest(end)
        noted["notes moved to the grid"] += (near_onset, near_end) != (onset, end)
        if near_end > near_onset:
            notes.append((near_onset, near_end, note.pitch))
        else:
            noted["notes too short to keep"] += 1
    return sorted(notes)


def _nearest(time: Fraction) -> Fraction:
    if time.denominator <= LARGEST_DENOMINATOR:
        return time
    candidates = (Fraction(round(time * grid), grid) for grid in GRIDS)
    return min(candidates, key=lambda candidate: abs(candidate - time))


def _melody(path: Path, timed: Sequence[tuple[Fraction, Fraction, int]]) -> tuple[MelodyNote, ...]:
    notes: list[MelodyNote] = []
    for onset, end, pitch in timed:
        if notes:
            last = notes[-1]
            if onset == last.onset or last.end - onset > LEGATO:
                raise UserError(
                    f"{path} has a polyphonic melody: several notes sound at once at quarter note "
                    f"{float(onset):g}; put the melody into a track of its own, named Melody"
                )
            notes[-1] = replace(last, duration=min(last.duration, onset - last.onset))
        notes.append(MelodyNote(onset, end - onset, pitch))
    if not notes:
        raise UserError(f"{path} has no melody")
    return tuple(notes)


def _harmony(
    timed: Sequence[tuple[Fraction, Fraction, int]], noted: Counter[str]
) -> tuple[Chord, ...]:
    together: defaultdict[Fraction, list[tuple[int, Fraction]]] = defaultdict(list)
    for onset, end, pitch in timed:
        together[onset].append((pitch, end))
    onsets = sorted(together)
    chords: list[Chord] = []
    for onset, following in zip(onsets, [*onsets[1:], None], strict=True):
        sounding = sorted(together[onset])
        lowest: dict[int, int] = {}
        for pitch, _ in sounding:
            lowest.setdefault(pitch % 12, pitch)
        noted["chord notes left out, an octave above another"] += len(sounding) - len(lowest)
        end = max((end for _, end in sounding), default=ZERO)
        end = end if following is None else min(end, following)
        chords.append(Chord(onset, end - onset, tuple(sorted(lowest.values()))))
    return tuple(chords)
