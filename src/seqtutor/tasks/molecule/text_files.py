"""Text files of molecules, compressed or not, of reasonable size."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from pathlib import Path

from seqtutor.errors import UserError

LARGEST_TEXT = 1 << 30
"""Bytes of a file, unpacked; ten times what MOSES has."""

_GZIP_MAGIC = b"\x1f\x8b"
_PIECE = 1 << 20
_STRUCTURES = {".sdf", ".mol", ".mol2", ".pdb", ".cif"}
_NO_TEXT = {".xlsx", ".xls", ".zip", ".svg", ".png", ".pdf"}


def read_text(path: Path) -> str:
    """A whole file as text; gzip is recognised by its content.

    Lines may end as on any system; a byte order mark tells UTF-16 from UTF-8.

    Raises:
        UserError: if it cannot be read, is larger than `LARGEST_TEXT` once unpacked, or is a file
            of another kind by its name.
    """
    kinds = {suffix.lower() for suffix in path.suffixes[-2:]}
    if kinds & (_STRUCTURES | _NO_TEXT):
        way = "give a text file, such as .smi or .csv"
        if kinds & _STRUCTURES:
            way = f"Open Babel converts it: obabel {path.name} -O molecules.smi"
        raise UserError(f"{path} is no text of SMILES strings; {way}")
    try:
        with path.open("rb") as file:
            is_packed = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
            file.seek(0)
            content = _limited(gzip.GzipFile(fileobj=file) if is_packed else file)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"{path} cannot be read: {reason}") from None
    if content is None:
        raise UserError(f"{path} holds more than {LARGEST_TEXT >> 20:,} MiB; split it")
    is_wide = content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    text = content.decode("utf-16" if is_wide else "utf-8-sig", errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _limited(stream: io.BufferedIOBase) -> bytearray | None:
    """All that the stream holds, or `None` if that is too much: a small archive can grow."""
    content = bytearray()
    while piece := stream.read(_PIECE):
        content += piece
        if len(content) > LARGEST_TEXT:
            return None
    return content
