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
from seqtutor.tasks.scores.files import read_limited

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


def book_sources(books: Sequence[str]) -> list[tuple[str, bytes]]:
    """The names and contents of the files of books, each a folder of ABC files.

    Raises:
        UserError: if the corpus, or one of the books, is missing.
    """
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


def fingerprint(sources: Sequence[tuple[str, bytes]], *reader: object) -> str:
    """A digest of files and of what else their reading depends on, to name a cache by."""
    digest = hashlib.sha256(repr(reader).encode())
    for name, content in sources:
        digest.update(f"\0{name}\0".encode())
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()
