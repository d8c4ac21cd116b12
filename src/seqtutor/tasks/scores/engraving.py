"""Scores as pictures: MusicXML engraved by verovio as SVG, and that as PNG."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from seqtutor.errors import UserError
from seqtutor.tasks.scores.engraver_process import ENGRAVER
from seqtutor.tasks.scores.requirements import imported

FIRST_SECONDS, SECONDS_EACH = 60.0, 2.0
"""How long engraving may take: in any case, and for each score."""
PAGE_WIDTH = 2100
"""That of A4."""
PNG_ZOOM = 2


def svg_of(scores: Sequence[str | Path], width: int = PAGE_WIDTH, first: int = 0) -> list[str]:
    """Engrave scores, all of them in one other process, as one picture each.

    Every note head is a `<g data-note="N" class="note">`, where N is the note's number in its
    piece, from 0; tied ones have the same. Lines and text have the colour of the text around. No
    two pictures of one call share an `id`, so that all of them fit on one page.

    Args:
        scores: MusicXML documents, or paths of files that hold one.
        width: of the widest picture, in tenths of a millimetre.
        first: how many pictures of earlier calls stand on the same page.

    Raises:
        UserError: if verovio is missing, cannot read a score or takes too long, or a file cannot
            be read.
    """
    if not scores:
        return []
    if importlib.util.find_spec("verovio") is None:
        imported("verovio", "engraving")
    documents = [_read(score) if isinstance(score, Path) else score for score in scores]
    for number, document in enumerate(documents, start=1):
        # verovio also reads ABC, at which it can fail beyond repair.
        if "<score-partwise" not in document:
            raise UserError(f"score {number} of {len(documents)} is not MusicXML of parts")
    limit = FIRST_SECONDS + SECONDS_EACH * len(documents)
    return ENGRAVER.engrave(documents, width, limit, first)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the score {path}: {error}") from None


def png_of(svg: str) -> bytes:
    """A picture of `svg_of` as PNG, black on white, with fonts that come with matplotlib.

    Raises:
        UserError: if resvg_py is missing.
    """
    resvg = imported("resvg_py", "PNG")
    return bytes(
        resvg.svg_to_bytes(
            svg_string=svg,
            background="white",
            zoom=PNG_ZOOM,
            skip_system_fonts=True,
            font_files=_fonts(),
            serif_family="STIXGeneral",
            font_family="STIXGeneral",
        )
    )


@cache
def _fonts() -> list[str]:
    import matplotlib

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    # The last one for the signs that the others lack.
    return [str(folder / f"{name}.ttf") for name in ("STIXGeneral", "STIXGeneralBol", "DejaVuSans")]
