"""The folk tunes in ABC that music21's package carries, read without importing music21.

O'Neill's Music of Ireland (1903), Ryan's Mammoth Collection (1883) and Aird's Selection of Airs
(1778–1801) are in the public domain. The Essen folk-song collection may be used for
non-commercial purposes only, so it is read only when asked for.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path

from seqtutor.errors import UserError
from seqtutor.tasks.cache import cache_folder
from seqtutor.tasks.melody.abc import (
    READER_VERSION,
    AbcOptions,
    decode_abc,
    read_abc,
    read_limited,
)
from seqtutor.tasks.melody.import_report import ImportReport
from seqtutor.tasks.melody.tune import Tune
from seqtutor.tasks.melody.tune_cache import load_tunes, save_tunes

PUBLIC_DOMAIN_BOOKS = ("oneills1850", "ryansMammoth", "airdsAirs")
ESSEN = "essenFolksong"


def corpus_folder() -> Path:
    """The folder of music21's corpus.

    Raises:
        UserError: if music21 is not installed or its corpus has been taken out.
    """
    found = importlib.util.find_spec("music21")
    for location in (found.submodule_search_locations or ()) if found else ():
        folder = Path(location) / "corpus"
        if folder.is_dir():
            return folder
    raise UserError("music21's corpus of tunes is missing; install it: pip install music21")


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
    sources = _book_sources(books)
    cache = cache_folder() / f"tunes-{_fingerprint(sources, options)[:32]}.npz"
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


def _book_sources(books: Sequence[str]) -> list[tuple[str, bytes]]:
    folder = corpus_folder()
    sources: list[tuple[str, bytes]] = []
    for book in books:
        paths = sorted((folder / book).glob("*.abc"))
        if not paths:
            raise UserError(
                f"the book {book!r} is not in music21's corpus; "
                f"use {', '.join(PUBLIC_DOMAIN_BOOKS)} or {ESSEN}"
            )
        sources += [(f"{book}/{path.name}", read_limited(path)) for path in paths]
    return sources


def _fingerprint(sources: Sequence[tuple[str, bytes]], options: AbcOptions) -> str:
    digest = hashlib.sha256(repr((READER_VERSION, options)).encode())
    for name, content in sources:
        digest.update(f"\0{name}\0".encode())
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()
