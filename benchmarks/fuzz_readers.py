"""What `benchmarks/fuzz.py` fuzzes: every reader, by name."""

from __future__ import annotations

from fuzz_folders import FOLDER_READERS
from fuzz_scores import SCORE_READERS
from fuzz_text import TEXT_READERS

READERS = {reader.name: reader for reader in (*SCORE_READERS, *TEXT_READERS, *FOLDER_READERS)}
