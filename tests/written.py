"""One piece of music as a file with a name of our choice."""

from pathlib import Path

from seqtutor.tasks.melody.render import write_melodies
from seqtutor.tasks.scores.lead_sheet_files import write_tunes


def write_melody(tokens, path: Path, settings=None) -> Path:
    (made,) = write_melodies([tokens], path.parent, [path.suffix], path.stem, settings)
    return made.rename(path)


def write_lead_sheet(sheet, path: Path) -> Path:
    (made,) = write_tunes([sheet], path.parent, [path.suffix], path.stem)
    return made.rename(path)
