"""A question as a listener's browser is given it: nothing in it tells which model is which."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from seqtutor.study.plan import Media, Plan
from seqtutor.study.sessions import Session
from seqtutor.study.trials import SCREEN, Trial, trial_count

INTERVALS = ("1", "2", "3")
"""What is chosen among in the headphone screen."""
SCALE = {
    -2: "A is much better",
    -1: "A is better",
    0: "No preference",
    1: "B is better",
    2: "B is much better",
}
"""The ratings of a comparison."""


@dataclass(frozen=True)
class ShownClip:
    """An opaque name, the addresses of a clip's files, and its text."""

    id: str
    sound: str | None
    seconds: float
    pictures: tuple[tuple[str, str], ...]
    text: str


@dataclass(frozen=True)
class Side:
    """A or B with its clips."""

    name: str
    clips: tuple[ShownClip, ...]


@dataclass(frozen=True)
class Asked:
    """A question.

    Attributes:
        trial: its identifier, which the answer names.
        number, total: how far the listener has come, from 1.
        is_screen: whether it is one of the headphone screen.
        is_practice: whether the answer does not count.
        instructed: the side that is to be chosen, if the listener is told.
        sides: A and B; of the screen a single one.
    """

    trial: str
    number: int
    total: int
    is_screen: bool
    is_practice: bool
    instructed: str | None
    sides: tuple[Side, ...]

    @property
    def has_sound(self) -> bool:
        """Whether there is something to listen to."""
        return any(clip.sound for side in self.sides for clip in side.clips)


def asked(plan: Plan, session: Session, trial: Trial) -> Asked:
    """What is shown of a trial."""
    if trial.kind == SCREEN:
        stimulus = next(one for one in plan.screen if one.media.file == trial.left[0])
        sound = ShownClip(stimulus.media.file, _address(stimulus.media), stimulus.seconds, (), "")
        sides: tuple[Side, ...] = (Side("the sounds", (sound,)),)
    else:
        sides = tuple(
            Side(name, tuple(_shown(plan, clip) for clip in clips))
            for name, clips in (("A", trial.left), ("B", trial.right))
        )
    return Asked(
        trial.id,
        trial.place + 1,
        trial_count(plan, session),
        trial.kind == SCREEN,
        trial.kind == "practice",
        ("A" if trial.expected < 0 else "B") if trial.is_instructed else None,
        sides,
    )


def _shown(plan: Plan, name: str) -> ShownClip:
    clip = plan.clip[name]
    return ShownClip(
        clip.id,
        _address(clip.sound) if clip.sound else None,
        clip.seconds,
        tuple((_address(one), one.alt) for one in clip.pictures),
        clip.text,
    )


def _address(media: Media) -> str:
    return f"/clips/{quote(media.file)}"
