"""Encoded strings in one `.npz` file: flat arrays and JSON, no pickle."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from seqtutor.data import Sequences
from seqtutor.errors import UserError
from seqtutor.files import atomic_write
from seqtutor.tasks.molecule.import_report import ImportReport
from seqtutor.vocabulary import Vocabulary

FORMAT = 1


@dataclass(frozen=True)
class EncodedSource:
    """All strings of a source, not yet split.

    Attributes:
        sequences: the strings; those that the source reserves for testing come last.
        own_test: how many these are, or `None` if the source has no test set.
        vocabulary: of the strings.
        report: what was read and dropped.
    """

    sequences: Sequences
    own_test: int | None
    vocabulary: Vocabulary
    report: ImportReport


def save_encoded(path: Path, encoded: EncodedSource) -> None:
    """Write encoded strings; a cache that cannot be written is not an error."""
    content = {
        "format": FORMAT,
        "own_test": encoded.own_test,
        "tokens": encoded.vocabulary.tokens,
        "end_token": encoded.vocabulary.end_token,
        "report": asdict(encoded.report),
    }
    buffer = io.BytesIO()
    np.savez(
        buffer,
        tokens=encoded.sequences.tokens,
        lengths=encoded.sequences.mask.sum(1, dtype=np.int32),
        names=np.frombuffer(json.dumps(content).encode(), dtype=np.uint8),
    )
    with contextlib.suppress(UserError):
        atomic_write(path, buffer.getvalue())


def load_encoded(path: Path) -> EncodedSource | None:
    """Read what `save_encoded` wrote; `None` if it is missing, damaged or of another format."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            content = json.loads(arrays["names"].tobytes())
            if content["format"] != FORMAT:
                return None
            tokens, lengths = arrays["tokens"], arrays["lengths"]
        report = content["report"]
        examples = {reason: tuple(shown) for reason, shown in report["examples"].items()}
        return EncodedSource(
            Sequences(tokens, np.arange(tokens.shape[1]) < lengths[:, None]),
            content["own_test"],
            Vocabulary(tuple(content["tokens"]), content["end_token"]),
            ImportReport(report["read"], report["dropped"], examples),
        )
    except Exception:  # zipfile, zlib, numpy and json each raise their own; all mean "read again"
        return None
