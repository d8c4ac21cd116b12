"""What becomes of a collection of tunes with chords: tokens, vocabularies, losses, exactness.

Prints, for a folder of ABC or MIDI files, the tunes that were read and dropped; for each
tokenisation its token types, how many are rare, what each way to treat them leaves, and whether
every tune comes back from its tokens; and whether every tune sounds the same from MIDI and ABC.

    python benchmarks/folk_data.py nottingham-dataset/ABC_cleaned

Lee et al. (2017) and Bjare & Meredith (2020) have 3,216 types on another edition of the Nottingham
Music Database, before any were removed.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from seqtutor.errors import UserError
from seqtutor.tasks.folk.abc import read_abc
from seqtutor.tasks.folk.data_settings import FolkDataSettings
from seqtutor.tasks.folk.dataset import build_folk_data
from seqtutor.tasks.folk.midi import read_midi_file
from seqtutor.tasks.folk.rare import EncodedTunes
from seqtutor.tasks.folk.sources import read_sources
from seqtutor.tasks.folk.tokenisation import Tokenisation
from seqtutor.tasks.folk.tokenisations import TOKENISATIONS
from seqtutor.tasks.scores.chord_names import chord_pitches, name_of
from seqtutor.tasks.scores.import_report import ImportReport
from seqtutor.tasks.scores.lead_sheet import LeadSheet
from seqtutor.tasks.scores.lead_sheet_files import render_abc, render_midi

PUBLISHED_TYPES = 3216


def inversions(sheets: Sequence[LeadSheet], tokenisation: Tokenisation[Any]) -> tuple[int, int]:
    """How many tunes fail: events → tokens → events, and tokens → events → tokens."""
    events = tokens = 0
    for sheet in sheets:
        encoded = tokenisation.encode(sheet)
        decoded = tokenisation.decode(encoded)
        events += decoded.music != tokenisation.prepare(sheet).music
        tokens += tokenisation.encode(decoded) != encoded
    return events, tokens


def describe(
    sheets: Sequence[LeadSheet], imported: ImportReport, tokenisation: Tokenisation[Any]
) -> None:
    """Print a tokenisation's figures."""
    encoded = EncodedTunes.of([tokenisation.encode(sheet) for sheet in sheets])
    counts = encoded.counts()
    lengths = [len(tune) for tune in encoded.tunes]
    print(f"\n{tokenisation.name}")
    print(f"  tokens {counts.sum():,}, a tune {np.median(lengths):.0f} (median)")
    print(f"  token types {len(counts):,} (published: {PUBLISHED_TYPES:,})")
    print(
        f"  seen once {(counts == 1).sum():,}; under 10 times {(counts < 10).sum():,}, "
        f"{counts[counts < 10].sum() / counts.sum():.1%} of the tokens"
    )
    events, tokens = inversions(sheets, tokenisation)
    print(f"  tunes not inverted: events {events}, tokens {tokens}, of {len(sheets):,}")
    for rare in ("map", "keep", "drop-tunes"):
        settings = FolkDataSettings(tokenisation=tokenisation.name, rare=rare)  # type: ignore[arg-type]
        try:
            data = build_folk_data(sheets, imported, settings)
        except UserError as error:
            print(f"  --rare {rare}: {error}")
            continue
        report = data.report
        sequences = " / ".join(f"{count:,}" for count in report.sequences.values())
        print(
            f"  --rare {rare}: {report.vocabulary_size:,} types, "
            f"{sum(report.tunes.values()):,} tunes, "
            f"{sequences} sequences of {data.length}, "
            f"{report.replaced:,} tokens replaced, "
            f"{report.imported.dropped.get('with rare tokens', 0):,} tunes dropped"
        )


def heard(sheets: Sequence[LeadSheet]) -> None:
    """Print how many tunes do not come back from their MIDI and their ABC."""
    midi = abc = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "tune.mid")
        for sheet in sheets:
            path.write_bytes(render_midi(sheet))
            (again,), _ = read_midi_file(path)
            midi += (again.notes, again.chords) != (sheet.notes, sheet.chords)
            # What a symbol can say of a chord.
            named = [replace(c, pitches=chord_pitches(name_of(c.pitches))) for c in sheet.chords]
            (read,), _ = read_abc(render_abc(sheet), "again")
            abc += read.music != (sheet.notes, tuple(named), sheet.length)
    print(f"\ntunes that differ when read back: MIDI {midi}, ABC {abc}, of {len(sheets):,}")


def main() -> None:
    """Read and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="a file or folder of ABC or MIDI")
    folder = parser.parse_args().data
    start = time.perf_counter()
    sheets, imported = read_sources(folder)
    print("\n".join(imported.lines()))
    print(f"read in {time.perf_counter() - start:.1f} s")
    chords = Counter(chord.pitches for sheet in sheets for chord in sheet.chords)
    notes = sum(len(sheet.notes) for sheet in sheets)
    print(f"{notes:,} notes, {chords.total():,} chords of {len(chords)} kinds")
    for tokenisation in TOKENISATIONS.values():
        describe(sheets, imported, tokenisation)
    heard(sheets)


if __name__ == "__main__":
    main()
