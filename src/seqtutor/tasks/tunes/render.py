"""Tunes as lead sheets, which are written, engraved and played as those of the folk task."""

from __future__ import annotations

from dataclasses import replace

from seqtutor.task_records import Drawn, Gallery
from seqtutor.tasks.scores.lead_sheet import LeadSheet
from seqtutor.tasks.scores.lead_sheet_files import write_tunes
from seqtutor.tasks.tunes.phrase import lead_sheet_of
from seqtutor.tasks.tunes.tokens import phrase_of


def sheets_of(drawn: Drawn, transposition: int = 0) -> list[LeadSheet]:
    """The tunes that a policy generated, with a number in the title, moved by so many semitones."""
    rows = zip(drawn.sequences.tokens, drawn.sequences.mask, strict=True)
    return [
        lead_sheet_of(
            phrase_of(drawn.vocabulary.decode(row[real])), transposition, f"tune {number:03d}"
        )
        for number, (row, real) in enumerate(rows, start=1)
    ]


SHOWN = 6
"""Tunes of each policy whose scores are in the report of an experiment."""


def illustrate(gallery: Gallery) -> list[str]:
    """Write scores of the first tunes of each policy; gives paragraphs of Markdown with them."""
    paragraphs = []
    for policy, drawn in gallery.samples.items():
        few = replace(drawn, sequences=drawn.sequences[:SHOWN])
        folder = gallery.folder / f"scores-{policy}"
        paths = write_tunes(sheets_of(few), folder, ("svg",))
        paragraphs.append(f"**{policy}**, the first {len(paths)} tunes\n")
        paragraphs += [
            f"![{policy}, {path.stem}]({gallery.folder.name}/{folder.name}/{path.name})\n"
            for path in paths
        ]
    return paragraphs
