"""Melodies of the folk tunes that music21's package carries."""

from __future__ import annotations

from collections.abc import Sequence

from seqtutor.cache import cache_folder
from seqtutor.tasks.melody.abc import READER_VERSION, AbcOptions, read_abc
from seqtutor.tasks.melody.tune import Tune
from seqtutor.tasks.melody.tune_cache import load_tunes, save_tunes
from seqtutor.tasks.scores.abc import decode_abc
from seqtutor.tasks.scores.corpus import ESSEN, PUBLIC_DOMAIN_BOOKS, book_sources, fingerprint
from seqtutor.tasks.scores.import_report import ImportReport


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
