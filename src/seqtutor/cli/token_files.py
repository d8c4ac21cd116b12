"""Files of melodies as tokens: one JSON object `{"tokens": [...]}` a line."""

from __future__ import annotations

import json
from pathlib import Path

from seqtutor.errors import UserError
from seqtutor.tasks.melody.encoding import VOCABULARY_SIZE

LARGEST_FILE = 1 << 30


def read_token_file(path: Path) -> list[list[int]]:
    """Read every melody of a file.

    Raises:
        UserError: if the file cannot be read, is empty, or a line is not a melody; the line's
            number is told.
    """
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise UserError(f"{path} is larger than 1 GiB; split it")
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise UserError(f"cannot read {path}: it is no text in UTF-8") from None
    melodies = [_melody(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not melodies:
        raise UserError(f'{path} holds no melody; each line must be like {{"tokens": [14, 1]}}')
    return melodies


def _melody(path: Path, number: int, line: str) -> list[int]:
    try:
        tokens = json.loads(line)["tokens"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UserError(
            f'{path}, line {number}: not a JSON object with "tokens", such as {{"tokens": [14, 1]}}'
        ) from None
    if not isinstance(tokens, list) or not tokens:
        raise UserError(
            f"{path}, line {number}: tokens must be a list of at least one number from 0 to 37"
        )
    for position, token in enumerate(tokens, 1):
        whole = isinstance(token, int) and not isinstance(token, bool)
        if not whole or not 0 <= token < VOCABULARY_SIZE:
            raise UserError(
                f"{path}, line {number}: token {json.dumps(token)[:40]} at position {position} is "
                f"not a number from 0 to {VOCABULARY_SIZE - 1}"
            )
    return tokens
