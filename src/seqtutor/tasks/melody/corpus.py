"""Melodies of the folk tunes that music21's package carries, read once and kept in a file."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice, starmap
from pathlib import Path
from typing import Any

import numpy as np

from seqtutor.cache import cache_folder
from seqtutor.tasks.melody.abc import READER_VERSION, AbcOptions, read_abc
from seqtutor.tasks.melody.encoding import Note
from seqtutor.tasks.melody.tune import Tune
from seqtutor.tasks.scores.abc import decode_abc
from seqtutor.tasks.scores.corpus import ESSEN, PUBLIC_DOMAIN_BOOKS, book_sources, fingerprint
from seqtutor.tasks.scores.import_report import ImportReport
from seqtutor.tasks.scores.keys import MODES, Key
from seqtutor.tasks.scores.read_cache import Arrays, load_read, save_read

FORMAT = 1


def read_corpus(
    books: Sequence[str] = PUBLIC_DOMAIN_BOOKS,
    options: AbcOptions | None = None,
    use_cache: bool = True,
) -> tuple[list[Tune], ImportReport]:
    """Read books of the corpus, each a folder of ABC files, at their written pitch.

    The result is cached under a name that depends on the files' contents, the reader's version
    and the options. A cache that cannot be read is made again.

    Raises:
        UserError: if the corpus, or one of the books, is missing.
    """
    options = options or AbcOptions()
    sources = book_sources(books)
    cache = cache_folder() / f"tunes-{fingerprint(sources, READER_VERSION, options)[:32]}.npz"
    cached = load_tunes(cache) if use_cache else None
    if cached is not None:
        return cached
    tunes: list[Tune] = []
    report = ImportReport()
    for name, content in sources:
        chosen = AbcOptions(options.off_grid, "thirds") if name.startswith(ESSEN) else options
        of_file, file_report = read_abc(decode_abc(content), name, chosen)
        tunes += of_file
        report += file_report
    if use_cache:
        save_tunes(cache, tunes, report)
    return tunes, report


def save_tunes(path: Path, tunes: Sequence[Tune], report: ImportReport) -> None:
    """Write tunes and their report; a cache that cannot be written is not an error."""
    facts = [
        (
            tune.index,
            tune.length,
            tune.key.tonic,
            MODES.index(tune.key.mode),
            *(tune.meter or (0, 0)),
            len(tune.notes),
            len(tune.downbeats),
        )
        for tune in tunes
    ]
    notes = [(note.onset, note.duration, note.pitch) for tune in tunes for note in tune.notes]
    names = {
        "titles": [tune.title for tune in tunes],
        "sources": [tune.source for tune in tunes],
    }
    arrays = {
        "facts": np.array(facts, dtype=np.int32).reshape(-1, 8),
        "notes": np.array(notes, dtype=np.int32).reshape(-1, 3),
        "downbeats": np.array([beat for tune in tunes for beat in tune.downbeats], dtype=np.int32),
    }
    save_read(path, FORMAT, names, report, arrays)


def load_tunes(path: Path) -> tuple[list[Tune], ImportReport] | None:
    """Read what `save_tunes` wrote, or `None` if it is missing, damaged or of another format."""
    return load_read(path, FORMAT, _unpack)


def _unpack(arrays: Arrays, names: dict[str, Any]) -> list[Tune]:
    notes = starmap(Note, arrays["notes"].tolist())
    downbeats = iter(arrays["downbeats"].tolist())
    tunes = []
    for title, source, facts in zip(
        names["titles"], names["sources"], arrays["facts"].tolist(), strict=True
    ):
        index, length, tonic, mode, beats, unit, note_count, downbeat_count = facts
        tunes.append(
            Tune(
                title=title,
                source=source,
                index=index,
                notes=tuple(islice(notes, note_count)),
                length=length,
                key=Key(tonic, MODES[mode]),
                meter=(beats, unit) if unit else None,
                downbeats=tuple(islice(downbeats, downbeat_count)),
            )
        )
    return tunes
