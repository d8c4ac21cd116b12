"""Lead sheets from MIDI: one track with the melody, one with the chords."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from seqtutor.errors import UserError
from seqtutor.tasks.folk.lead_sheet import ZERO, Chord, LeadSheet, MelodyNote
from seqtutor.tasks.scores.abc import read_limited
from seqtutor.tasks.scores.files import one_line
from seqtutor.tasks.scores.import_report import ImportReport
from seqtutor.tasks.scores.keys import Key, estimate_key

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
        UserError: if the file is not MIDI, or its melody is missing or polyphonic.
    """
    import symusic

    content = read_limited(path)
    try:
        score: Any = symusic.Score.from_midi(content)
    except Exception as error:  # symusic raises its own C++ exceptions under several names
        raise UserError(f"{path} is not a readable MIDI file: {one_line(error)}") from None
    tracks = [track for track in score.tracks if len(track.notes) and not track.is_drum]
    if not tracks or score.ticks_per_quarter <= 0:
        raise UserError(f"{path} has no notes")
    noted: Counter[str] = Counter()
    melody_track = _named(tracks, "melody") or tracks[0]
    others = [track for track in tracks if track is not melody_track]
    chord_track = _named(others, "chord") or (others[0] if others else None)
    quarter = score.ticks_per_quarter
    notes = _melody(path, _timed(melody_track, quarter, noted))
    chords = _harmony(_timed(chord_track, quarter, noted), noted) if chord_track else ()
    meter: tuple[int, int] | None = None
    if len(score.time_signatures):
        meter = (score.time_signatures[0].numerator, score.time_signatures[0].denominator)
    key = None
    if len(score.key_signatures):
        signature = score.key_signatures[0]
        mode = "minor" if signature.tonality else "major"
        key = Key((7 * signature.key + (9 if mode == "minor" else 0)) % 12, mode)
    noted["with more than two parts"] = int(len(tracks) > 2)
    noted["without chords"] = int(not chords)
    sheet = LeadSheet(
        notes=notes,
        chords=chords,
        length=max(events[-1].end for events in (notes, chords) if events),
        key=key or estimate_key(notes),
        meter=meter,
        title=path.stem,
        source=path.name,
    )
    return [sheet], ImportReport(1, {}, dict(+noted))


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
