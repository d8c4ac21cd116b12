"""The plan of a study, a file that never changes: models, clips, and what listeners compare."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeAlias

from seqtutor.errors import UserError, in_one_line, printable
from seqtutor.files import parse_json, read_regular, read_whole
from seqtutor.settings import LARGEST_SEED
from seqtutor.study.votes import Kind

PLAN = "plan.json"
CLIPS = "clips"
FORMAT = 1
LARGEST_PLAN = LARGEST_CLIP = 256 << 20
LONGEST_CLIP = 86_400
"""Seconds."""
_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+", re.ASCII)

Use: TypeAlias = Literal["compared", "spare", "broken"]
"""What a clip is for."""

Form: TypeAlias = Literal["pairs", "sets"]
"""Whether a side of a comparison is one clip or a set of clips."""


Goal: TypeAlias = Literal["best", "order", "all"]
"""What an adaptive study is to find out with the fewest votes: which model is best, which of any
two models is better, or how far apart all of them are."""


@dataclass(frozen=True)
class Model:
    """A model whose sequences are compared.

    Attributes:
        name: as the researcher called it; listeners never see it.
        sha256: of its weights.
        seed: of the sampling.
    """

    name: str
    sha256: str
    seed: int


@dataclass(frozen=True)
class Media:
    """A file of a clip: its name in the folder of clips, its type, what it shows, and its hash."""

    file: str
    type: str
    sha256: str
    alt: str = ""


@dataclass(frozen=True)
class Clip:
    """What is heard or seen of one sequence.

    Attributes:
        id: opaque; it tells nothing of the model.
        model: the name of the model that generated the sequence.
        number: of the sequence among those of its model, in the order of generation.
        seconds: how long the sound lasts; 0 without sound.
        sound: a file, if it has one.
        pictures: files, in the order in which they are shown.
        text: shown where there is neither sound nor picture.
        tokens: of the sequence, by name; they are no part of what a listener is sent.
        use: whether it is compared, kept for practice and catch trials, or a broken version of
            another clip, for a catch trial.
    """

    id: str
    model: str
    number: int
    seconds: float = 0.0
    sound: Media | None = None
    pictures: tuple[Media, ...] = ()
    text: str = ""
    tokens: tuple[str, ...] = ()
    use: Use = "compared"

    @property
    def is_broken(self) -> bool:
        """Whether it stands for what nobody can prefer."""
        return self.use == "broken"

    @property
    def media(self) -> tuple[Media, ...]:
        """All of its files."""
        return (*self.pictures, *([self.sound] if self.sound else []))


@dataclass(frozen=True)
class Comparison:
    """What stands on the left (A) and on the right (B), by identifiers of clips.

    Attributes:
        kind: what it is for.
        left, right: clips; empty where they are chosen only when the comparison is due.
        expected: of a catch trial, the sign of the right rating.
        is_instructed: whether the listener is told which side to choose.
    """

    kind: Kind
    left: tuple[str, ...] = ()
    right: tuple[str, ...] = ()
    expected: int = 0
    is_instructed: bool = False


@dataclass(frozen=True)
class Stimulus:
    """A sound of the headphone screen; `answer` counts its intervals from 1."""

    media: Media
    answer: int
    seconds: float


@dataclass(frozen=True)
class Rules:
    """When a listener's votes are left out, and what counts as having heard a clip.

    Attributes:
        heard: share of each clip that is heard before a rating is possible.
        catch_failures: wrong answers to catch trials from which on a listener is left out.
        fastest: seconds; a listener whose median answer is quicker is left out.
        one_side: share of ratings on one side, or equal, above which a listener is left out.
        unheard: share of comparisons with a side that was never started above which a listener is
            left out; by default that of plans that do not tell it.
        partial: whether votes of sessions that were not finished count.
        screen_passes: right answers that pass the headphone screen.
    """

    heard: float = 0.5
    catch_failures: int = 2
    fastest: float = 0.5
    one_side: float = 0.95
    unheard: float = 1.0
    partial: Literal["keep", "drop"] = "keep"
    screen_passes: int = 5


@dataclass(frozen=True)
class Words:
    """What listeners read.

    Attributes:
        title: of the study.
        question: above each comparison.
        noun: what a side is called, such as "melody".
        consent: paragraphs that a listener agrees to.
    """

    title: str
    question: str
    noun: str
    consent: tuple[str, ...]

    @property
    def consent_version(self) -> str:
        """Changes with the text."""
        return hashlib.sha256("\n\n".join(self.consent).encode()).hexdigest()[:8]


@dataclass(frozen=True)
class Plan:
    """All that a study is made of.

    Attributes:
        task: the name of the task.
        form: pairs of clips or of sets.
        is_adaptive: whether the models of a comparison are chosen when it is due.
        seed: of the sampling and of the order.
        rule: how the clips were chosen, in words.
        models: whose sequences are compared; the first is what the others are compared with.
        clips: of all models.
        sheets: the comparisons of one listener each, in order.
        screen: the headphone screen; empty without one.
        words: what listeners read.
        rules: who is left out.
        set_size: clips of a set.
        goal: of an adaptive study; by default that of plans that do not tell it.
        temperature: of the sampling; `None` in plans of older versions.
        effect: log-odds between two models that the number of listeners was planned for; `None` in
            plans of older versions.
    """

    task: str
    form: Form
    is_adaptive: bool
    seed: int
    rule: str
    models: tuple[Model, ...]
    clips: tuple[Clip, ...]
    sheets: tuple[tuple[Comparison, ...], ...]
    words: Words
    screen: tuple[Stimulus, ...] = ()
    rules: Rules = field(default_factory=Rules)
    set_size: int = 1
    goal: Goal = "order"
    temperature: float | None = None
    effect: float | None = None

    @cached_property
    def clip(self) -> Mapping[str, Clip]:
        """Clips by their identifiers."""
        return {one.id: one for one in self.clips}

    @cached_property
    def media(self) -> Mapping[str, Media]:
        """Every file that a listener may be sent, by its name."""
        of_clips = [one for clip in self.clips for one in clip.media]
        return {one.file: one for one in (*of_clips, *(s.media for s in self.screen))}

    @property
    def model_names(self) -> tuple[str, ...]:
        """Names of the models, in order."""
        return tuple(one.name for one in self.models)

    def model_of(self, clips: tuple[str, ...]) -> str:
        """The model whose clips stand on a side."""
        return self.clip[clips[0]].model

    @property
    def side(self) -> int:
        """Clips on a side of a comparison."""
        return self.set_size if self.form == "sets" else 1

    @property
    def has_sound(self) -> bool:
        """Whether there is something to be heard."""
        return any(clip.sound for clip in self.clips)

    def content(self) -> bytes:
        """The plan as the bytes of its file, without what does not apply."""
        found = {"format": FORMAT} | asdict(self)
        if self.form != "sets":
            del found["set_size"]
        if not self.is_adaptive:
            del found["goal"]
        return (json.dumps(found, indent=1) + "\n").encode()


@dataclass(frozen=True)
class Study:
    """A plan in its folder."""

    folder: Path
    plan: Plan
    sha256: str

    def path_of(self, media: Media) -> Path:
        """Where a file of a clip lies."""
        return self.folder / CLIPS / media.file


def read_study(folder: Path, *, checks_clips: bool = False) -> Study:
    """Read the plan of a study.

    Args:
        folder: of the study.
        checks_clips: whether the files of clips are compared with their hashes.

    Raises:
        UserError: if it is no study, is broken, or a file of a clip is missing or was changed.
    """
    from dacite import DaciteError

    path = folder / PLAN
    if not path.is_file():
        raise UserError(f"{folder} holds no study; make one with: seqtutor study new")
    try:
        content = read_regular(path, LARGEST_PLAN)
        plan = _plan_of(parse_json(content.decode()))
    except (OSError, ValueError, TypeError, RecursionError, DaciteError) as error:
        raise UserError(f"cannot read {path}: {in_one_line(error)}") from None
    study = Study(folder, plan, hashlib.sha256(content).hexdigest())
    if checks_clips:
        _check_clips(study)
    return study


def _plan_of(found: Any) -> Plan:
    """The inverse of `Plan.content`."""
    import dacite

    if not isinstance(found, dict) or found.pop("format", None) != FORMAT:
        raise ValueError("it is not a plan of this version")
    for model in found.get("models", ()):
        # Older versions also kept the path, which differs between machines.
        if isinstance(model, dict):
            model.pop("folder", None)
    config = dacite.Config(cast=[tuple], strict=True)
    plan = dacite.from_dict(Plan, found, config)
    for name, is_wrong in _faults(plan).items():
        if is_wrong:
            raise ValueError(name)
    return plan


def _faults(plan: Plan) -> dict[str, bool]:
    """What a plan may not be, and whether it is so; nothing that the pages do can fail then."""
    names = plan.model_names
    numbers = [1.0 if one is None else one for one in (plan.temperature, plan.effect)]
    asked = [one for sheet in plan.sheets for one in sheet]
    sides = [side for one in asked for side in (one.left, one.right)]
    lengths = [*(clip.seconds for clip in plan.clips), *(one.seconds for one in plan.screen)]
    files = [*(m for clip in plan.clips for m in clip.media), *(s.media for s in plan.screen)]
    compared = Counter(clip.model for clip in plan.clips if clip.use == "compared")
    return {
        "it has fewer than two models": len(names) < 2,
        "a model's name, or the title, cannot be shown": not all(
            map(is_shown, (*names, plan.words.title))
        ),
        "two models have the same name": len(set(names)) < len(names),
        "it has no clips": not plan.clips,
        "two clips have the same identifier": len(plan.clip) < len(plan.clips),
        "a clip is of a model that is not there": any(c.model not in names for c in plan.clips),
        "it has no sheets, or an empty one": not plan.sheets or not all(plan.sheets),
        "a set has no clips": plan.set_size < 1,
        "a comparison names a clip that is not there": any(
            clip not in plan.clip for side in sides for clip in side
        ),
        "a side of a comparison is empty": any(
            not one.left or not one.right for one in asked if not _is_left_open(plan, one)
        ),
        "a model has too few clips": plan.is_adaptive
        and any(compared[name] < plan.side for name in names),
        "an expected rating is not -1, 0 or 1": any(abs(one.expected) > 1 for one in asked),
        "a clip lasts no possible time": any(not 0 <= one <= LONGEST_CLIP for one in lengths),
        "an answer of the headphone screen is not 1, 2 or 3": any(
            one.answer not in (1, 2, 3) for one in plan.screen
        ),
        "a rule is out of its range": not _are_possible(plan.rules, len(plan.screen)),
        "its temperature or its effect is none": not all(0 < one < math.inf for one in numbers),
        "its seed is none": not 0 <= plan.seed <= LARGEST_SEED,
        "a clip's file lies elsewhere": not all(_is_plain(one.file) for one in files),
        "a clip's type is none": not all(_MEDIA_TYPE.fullmatch(one.type) for one in files),
    }


def is_shown(text: str) -> bool:
    """Whether a name is one line that a terminal shows and does not obey."""
    return printable(text) == text and not set("\t\n") & set(text)


def _are_possible(rules: Rules, screens: int) -> bool:
    """Whether every number of the rules is one that a listener can meet."""
    return (
        0 <= rules.heard <= 1
        and rules.catch_failures >= 1
        and 0 <= rules.fastest <= LONGEST_CLIP
        and 0 <= rules.one_side <= 1
        and 0 <= rules.unheard <= 1
        and (screens == 0 or 0 <= rules.screen_passes <= screens)
    )


def _is_left_open(plan: Plan, one: Comparison) -> bool:
    """Whether both sides are chosen when the comparison is due."""
    return plan.is_adaptive and one.kind == "comparison" and not one.left and not one.right


def _is_plain(name: str) -> bool:
    """Whether a file of that name lies in the folder of clips itself."""
    return name.isprintable() and Path(name).name == name and not name.startswith(".")


def _check_clips(study: Study) -> None:
    for media in study.plan.media.values():
        path = study.path_of(media)
        found = hashlib.sha256(read_whole(path, LARGEST_CLIP)).hexdigest()
        if found != media.sha256:
            raise UserError(f"{path} was changed since the study was made; make it anew")
