"""One part of a piece while it is being decoded."""

from __future__ import annotations

from collections.abc import Hashable
from fractions import Fraction
from typing import Generic, TypeVar

from seqtutor.tasks.scores.lead_sheet import ZERO

Sound = TypeVar("Sound", bound=Hashable)


class Voice(Generic[Sound]):
    """Collects events that begin one after the other and never overlap."""

    def __init__(self) -> None:
        self._events: list[tuple[Fraction, Fraction, Sound]] = []
        self._last_end = ZERO  # Of the last event, if there is one.
        self.end = ZERO
        """When the last event or rest is over."""

    def begin(self, time: Fraction, duration: Fraction, sound: Sound | None) -> None:
        """Begin a sound, or a rest (`None`); whatever still sounds is cut short."""
        if self._events:
            onset, _, last = self._events[-1]
            if onset == time:
                self._events.pop()
                self._last_end = sum(self._events[-1][:2], ZERO) if self._events else ZERO
            elif self._last_end != time and self._last_end > time:
                self._events[-1] = (onset, time - onset, last)
                self._last_end = time
        self.end = time + duration
        if sound is not None:
            self._events.append((time, duration, sound))
            self._last_end = self.end

    def prolong(self, time: Fraction, duration: Fraction) -> None:
        """Go on with what sounds until `time`, or with silence."""
        is_sounding = bool(self._events) and self._last_end == time
        self.end = time + duration
        if is_sounding:
            onset, sounded, sound = self._events[-1]
            self._events[-1] = (onset, sounded + duration, sound)
            self._last_end = self.end

    def events(self) -> list[tuple[Fraction, Fraction, Sound]]:
        """Onset, duration and sound of all that sounded."""
        return list(self._events)
