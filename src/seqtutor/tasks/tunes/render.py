"""Tunes as lead sheets, which are written, engraved and played as those of the folk task."""

from __future__ import annotations

from seqtutor.task_records import Drawn, Gallery
from seqtutor.tasks.scores.lead_sheet import LeadSheet
from seqtutor.tasks.scores.lead_sheet_files import write_tunes
from seqtutor.tasks.scores.rendering import scores_in_report
from seqtutor.tasks.tunes.phrase import lead_sheet_of
from seqtutor.tasks.tunes.tokens import phrase_of


def sheets_of(drawn: Drawn, transposition: int = 0, title: str | None = None) -> list[LeadSheet]:
    """The tunes that a policy generated, with a number in the title, moved by so many semitones."""
    rows = zip(drawn.sequences.tokens, drawn.sequences.mask, strict=True)
    return [
        lead_sheet_of(
            phrase_of(drawn.vocabulary.decode(row[real])),
            transposition,
            f"tune {number:03d}" if title is None else f"{title} {number}",
        )
        for number, (row, real) in enumerate(rows, start=1)
    ]


def illustrate(gallery: Gallery) -> list[str]:
    """Write scores of the first tunes of each policy; gives paragraphs of Markdown with them."""
    return scores_in_report(
        gallery, lambda drawn, folder: write_tunes(sheets_of(drawn), folder, ("svg",))
    )
