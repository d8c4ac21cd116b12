"""Clips: what listeners hear and see of sequences, under names that tell nothing of the model."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from seqtutor.exhibits import Exhibit
from seqtutor.study.plan import Clip, Media, Stimulus, Use
from seqtutor.study.sounds import (
    SCREEN_INTERVALS,
    SCREEN_TRIALS,
    SCREEN_TYPE,
    SOUND_TYPE,
    broken,
    decoded,
    flac_of,
    screen_file,
)

_SVG_TYPE = "image/svg+xml"
_NAMESPACE = 'xmlns="http://www.w3.org/2000/svg"'


@dataclass
class ClipWriter:
    """Makes clips, and keeps the content of their files until they are written.

    Attributes:
        seed: of the identifiers; who knows some of them does not learn the others, nor the seed.
        with_score: whether a picture is shown beside a sound.
        files: by name, the content of every file so far.
    """

    seed: int
    with_score: bool = False
    files: dict[str, bytes] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=count)

    def clip(
        self, exhibit: Exhibit, model: str, number: int, use: Use, tokens: Sequence[str] = ()
    ) -> Clip:
        """The clip of a sequence of a model; `tokens` are those of the sequence, by name."""
        own = Clip(self._name(), model, number, tokens=tuple(tokens), use=use)
        pictures = exhibit.pictures
        if exhibit.sound is not None:
            sound = decoded(exhibit.sound)
            media = self._kept(f"{own.id}.flac", SOUND_TYPE, flac_of(sound))
            own = replace(own, sound=media, seconds=round(sound.seconds, 3))
            pictures = pictures[:1] if self.with_score else ()
        shown = []
        for place, picture in enumerate(pictures):
            svg = picture.svg
            if "xmlns=" not in svg:
                svg = svg.replace("<svg", f"<svg {_NAMESPACE}", 1)
            name = f"{own.id}-{place}.svg"
            shown.append(self._kept(name, _SVG_TYPE, svg.encode(), picture.alt))
        has_media = bool(shown) or own.sound is not None
        return replace(own, pictures=tuple(shown), text="" if has_media else exhibit.text)

    def broken(self, clip: Clip, seed: int) -> Clip:
        """A broken version of a clip that has a sound."""
        assert clip.sound is not None
        content = flac_of(broken(decoded(self.files[clip.sound.file]), seed))
        own = replace(clip, id=self._name(), use="broken", pictures=())
        return replace(own, sound=self._kept(f"{own.id}.flac", SOUND_TYPE, content))

    def screen(self, seed: int) -> tuple[Stimulus, ...]:
        """The stimuli of the headphone screen; each answer is right equally often."""
        chance = random.Random(seed)
        answers = [1 + place % SCREEN_INTERVALS for place in range(SCREEN_TRIALS)]
        chance.shuffle(answers)
        found = []
        for answer in answers:
            content, seconds = screen_file(answer, chance.getrandbits(32))
            media = self._kept(f"{self._name()}.wav", SCREEN_TYPE, content)
            found.append(Stimulus(media, answer, seconds))
        return tuple(found)

    def _name(self) -> str:
        named = f"{self.seed} {next(self._numbers)}"
        return hashlib.sha256(named.encode()).hexdigest()[:20]

    def _kept(self, file: str, kind: str, content: bytes, alt: str = "") -> Media:
        self.files[file] = content
        return Media(file, kind, hashlib.sha256(content).hexdigest(), alt)


def clips_by_model(clips: Sequence[Clip]) -> Mapping[str, list[str]]:
    """By model, the identifiers of its clips that are compared."""
    found: dict[str, list[str]] = {}
    for clip in clips:
        if clip.use == "compared":
            found.setdefault(clip.model, []).append(clip.id)
    return found
