"""Lead sheets from ABC: the notes of a tune and the chord symbols above them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

from seqtutor.tasks.scores.abc import decode_abc, read_tunes
from seqtutor.tasks.scores.chord_names import NO_CHORD, chord_pitches, parse_chord_name
from seqtutor.tasks.scores.files import read_limited
from seqtutor.tasks.scores.import_report import ImportReport
from seqtutor.tasks.scores.keys import estimate_key
from seqtutor.tasks.scores.lead_sheet import Chord, LeadSheet, MelodyNote
from seqtutor.tasks.scores.measures import (
    TICKS_PER_QUARTER,
    Measure,
    PlayedTune,
    UnreadableTuneError,
    bar_starts,
    sounding_notes,
)

MAXIMUM_QUARTERS = 16_384
FEATURES = {"chords": "notes that sound together, of which the highest is kept"}
"""What was simplified, where its name alone would be mistaken for something else."""


def read_abc(text: str, source: str) -> tuple[list[LeadSheet], ImportReport]:
    """Read every tune of an ABC file's text, repeats played out, triplets exact.

    A chord lasts from its symbol to the next one, or to the end of the tune; a symbol that is
    written again strikes the chord again. It sounds in close position, its lowest note between C3
    and B3. Symbols that name no known chord are passed over and counted. A tune that cannot be
    read is left out and counted with the reason.
    """
    return read_tunes(text, lambda tune, index: _sheet_of(tune, source, index))


def read_abc_file(path: Path, source: str | None = None) -> tuple[list[LeadSheet], ImportReport]:
    """Read an ABC file; see `read_abc`.

    Raises:
        UserError: if the file cannot be opened or is far too large.
    """
    return read_abc(decode_abc(read_limited(path)), source or path.name)


def _sheet_of(tune: PlayedTune, source: str, index: int) -> tuple[LeadSheet, Counter[str]]:
    notes, length = _melody(tune.measures)
    if not notes:
        raise UnreadableTuneError("no notes")
    chords, changes = _harmony(tune.measures, length)
    changes.update({f"with {FEATURES.get(feature, feature)}": 1 for feature in sorted(tune.noted)})
    changes["without chord symbols"] = int(not chords)
    sheet = LeadSheet(
        notes=notes,
        chords=chords,
        length=length,
        key=tune.key or estimate_key(notes),
        meter=tune.meter,
        pickup=_pickup(tune.measures),
        title=tune.title,
        source=source,
        index=index,
    )
    return sheet, +changes


@lru_cache(maxsize=65_536)
def quarters(ticks: int) -> Fraction:
    """Ticks as an exact number of quarter notes."""
    return Fraction(ticks, TICKS_PER_QUARTER)


def _melody(measures: Sequence[Measure]) -> tuple[tuple[MelodyNote, ...], Fraction]:
    """The notes with their ties resolved, and the length of the tune."""
    time = 0
    for measure in measures:
        time += measure.length
        if time > MAXIMUM_QUARTERS * TICKS_PER_QUARTER:
            raise UnreadableTuneError("too long")
    sounding = sounding_notes(measures)
    if not all(0 <= pitch <= 127 for _, _, pitch in sounding):
        raise UnreadableTuneError("notes outside MIDI's range")
    notes = (
        MelodyNote(quarters(start), quarters(end - start), pitch) for start, end, pitch in sounding
    )
    return tuple(notes), quarters(time)


def _harmony(
    measures: Sequence[Measure], length: Fraction
) -> tuple[tuple[Chord, ...], Counter[str]]:
    noted: Counter[str] = Counter()
    struck: list[tuple[Fraction, tuple[int, ...]]] = []
    time = 0
    for measure in measures:
        for event in measure.events:
            text = event.chord_symbol
            if text is not None:
                name = parse_chord_name(text)
                if name is not None:
                    struck.append((quarters(time), chord_pitches(name)))
                elif text in NO_CHORD:
                    struck.append((quarters(time), ()))
                else:
                    noted["texts above the notes that name no chord"] += 1
            time += event.duration
    ends = [*(onset for onset, _ in struck), length][1:]
    chords = (
        Chord(onset, end - onset, pitches)
        for (onset, pitches), end in zip(struck, ends, strict=True)
        if pitches
    )
    return tuple(chords), noted


def _pickup(measures: Sequence[Measure]) -> Fraction:
    """The length of the measures before the first that begins a bar."""
    time = 0
    for measure, starts in zip(measures, bar_starts(measures), strict=True):
        if starts:
            return quarters(time + starts[0])
        time += measure.length
    return quarters(0)
