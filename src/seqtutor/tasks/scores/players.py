"""Processes that play pieces and encode them as Ogg Vorbis, several at the same time.

They are processes because the synthesiser leaves no other thread of its own a turn.
"""

from __future__ import annotations

import importlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from seqtutor.errors import UserError
from seqtutor.machine import usable_cores
from seqtutor.tasks.scores.options import SoundSettings
from seqtutor.tasks.scores.sound import (
    PACKAGES,
    RATE,
    Tone,
    clip_of,
    encoded,
    font_for,
    require_playable,
)
from seqtutor.workers.pool import WorkerPool
from seqtutor.workers.worker import Failure

_SECONDS = 600.0
"""That a piece may take, of an hour at most."""
_AHEAD = 64
"""Pieces that are begun before the first one is asked for."""
_LOADED = (*PACKAGES, "symusic", "scipy.signal", "scipy.ndimage")


def ogg_of(
    pieces: Sequence[Sequence[Tone]],
    settings: SoundSettings | None = None,
    *,
    compact: bool = False,
) -> Iterator[bytes]:
    """OGG files of pieces, one after the other.

    Args:
        pieces: the tones of each.
        settings: how they sound.
        compact: one channel of 24 kHz, about 3 kB a second instead of 17, for pages with many.

    Raises:
        UserError: as `seqtutor.tasks.scores.sound.wav_of` does.
    """
    own = settings or SoundSettings()
    font_for(pieces, require_playable(pieces, own))
    begun = (begin_ogg(piece, own, compact=compact) for piece in pieces)

    def finished() -> Iterator[bytes]:
        waiting = deque(islice(begun, _AHEAD))
        while waiting:
            yield finished_ogg(waiting.popleft())
            waiting.extend(islice(begun, 1))

    return finished()


def begin_ogg(piece: Sequence[Tone], settings: SoundSettings, *, compact: bool) -> Future[Any]:
    """Begin the file that `finished_ogg` gives; arguments as for `ogg_of`."""
    try:
        font = require_playable([piece], settings)
    except UserError as error:
        failed: Future[Any] = Future()
        failed.set_exception(error)
        return failed
    asked = _Asked(tuple(piece), font, settings.loudness, compact)
    return players().submit([asked])


def finished_ogg(begun: Future[Any]) -> bytes:
    """The file, once it is finished.

    Raises:
        UserError: as `ogg_of` does, or if a process failed.
    """
    (found,) = begun.result()
    if isinstance(found, UserError):
        raise found
    if isinstance(found, Failure):
        raise UserError(f"a piece cannot be played: {found.reason}")
    return bytes(found)


@cache
def players() -> WorkerPool:
    """The processes, which start with the first call and end with this one."""
    return WorkerPool(_Player(), usable_cores(), _SECONDS)


@dataclass(frozen=True)
class _Asked:
    tones: tuple[Tone, ...]
    font: Path
    loudness: float
    compact: bool


class _Player:
    """What a process does with a piece."""

    def prepare(self) -> None:
        """Load what takes long to load."""
        for name in _LOADED:
            importlib.import_module(name)

    def __call__(self, asked: _Asked) -> bytes | UserError:
        try:
            font = font_for([asked.tones], asked.font)
        except UserError as error:
            return error
        clip = clip_of(asked.tones, font, asked.loudness, compact=asked.compact)
        rate, level = (RATE // 2, 1.0) if asked.compact else (RATE, 0.6)
        return encoded(clip, rate, "OGG", "VORBIS", level)
