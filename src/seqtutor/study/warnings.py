"""Defects of a study that its votes show: each in a plain sentence, with what to do.

Each check has a level of its own; together they speak up in fewer than one in twenty studies
without a defect (`benchmarks/study_statistics.py`). Checks of many listeners or clips divide their
level by the number of these (Bonferroni).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, TypeAlias

import numpy as np

from seqtutor.report.reading import listed
from seqtutor.study.agreement import heterogeneity
from seqtutor.study.clip_checks import broken_clips, named_files
from seqtutor.study.inference import Inference, infer
from seqtutor.study.listener_checks import Suspect, duplicates, inattentive, one_sided, robots
from seqtutor.study.tally import Tally, cells_of, tally
from seqtutor.study.votes import Vote

Defect: TypeAlias = Literal[
    "position bias",
    "inattentive listeners",
    "robot",
    "one-sided listener",
    "duplicate accounts",
    "taste groups",
    "unbalanced pairs",
    "broken clip",
    "named file",
]

LEVEL, POSITION_LEVEL, INATTENTION_LEVEL = 0.004, 0.01, 0.03
"""The level of a check; larger for the two most common defects. In fact the checks speak up less
often, as bounds take the place of exact laws."""
LEAST_SPREAD = 0.6
"""Standard deviation of listeners' log-odds below which a difference of tastes is usual."""
LEAST_BALANCE = 0.5
"""Comparisons of the rarest pair beside those of the most frequent one."""
_LEAST_LISTENERS = 4
_SHOWN = 5


@dataclass(frozen=True)
class StudyWarning:
    """A defect of a study.

    Attributes:
        defect: which one.
        sentence: what the votes show.
        remedy: what to do.
        concerns: identifiers of listeners, clips, files or models.
    """

    defect: Defect
    sentence: str
    remedy: str
    concerns: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.sentence} {self.remedy}"


def study_warnings(
    votes: Sequence[Vote],
    models: Sequence[str],
    clip_files: Iterable[str] = (),
    adaptive: bool = False,
    seed: int = 0,
) -> list[StudyWarning]:
    """Look for nine defects.

    Args:
        votes: of all listeners who are not left out, catch trials included.
        models: what is compared.
        clip_files: names under which listeners' browsers get the clips.
        adaptive: whether pairs are chosen by what they tell, and so are not balanced.
        seed: of permutations.

    Raises:
        UserError: if a vote is on a model that is not there.
    """
    found = [_named(clip_files, models)]
    counted = tally(votes, models)
    if counted.listeners:
        inference = infer(counted)
        found += [
            _robots(votes, models),
            _one_sided(votes, inference),
            _duplicates(votes, models),
            _unbalanced(counted, adaptive),
            _broken(votes, inference),
        ]
        if len(counted.listeners) >= _LEAST_LISTENERS:
            found += [
                _position(inference),
                _inattentive(votes, inference),
                _groups(inference, seed),
            ]
    return [one for one in found if one is not None]


def _position(inference: Inference) -> StudyWarning | None:
    contrast = np.eye(len(inference.tally.models) + 1)[-2]
    if inference.test(contrast) >= POSITION_LEVEL:
        return None
    side = "left" if contrast @ inference.fitted.parameters > 0 else "right"
    one = inference.interval(contrast if side == "left" else -contrast)
    share, low, high = (100 / (1 + math.exp(-end)) for end in (one.estimate, one.low, one.high))
    return StudyWarning(
        "position bias",
        f"The {side} side is favoured: between equal models it takes {share:.0f} % "
        f"({low:.0f} … {high:.0f} %) of those with a preference.",
        "The log-odds of models are corrected for it; look whether both sides play equally loud "
        "and whether the page starts one of them first.",
    )


def _inattentive(votes: Sequence[Vote], inference: Inference) -> StudyWarning | None:
    found = inattentive(votes, inference, INATTENTION_LEVEL)
    share = 100 * len(found) / len(inference.tally.listeners)
    return _suspected(
        "inattentive listeners",
        found,
        f"({share:.0f} % of all) answered as if at random",
        "Exclude those who failed catch trials, as the plan says; their votes pull all log-odds "
        "towards zero.",
    )


def _robots(votes: Sequence[Vote], models: Sequence[str]) -> StudyWarning | None:
    return _suspected(
        "robot",
        robots(votes, models, LEVEL),
        "may be a program",
        "Exclude these votes, and ask the platform about the accounts.",
    )


def _one_sided(votes: Sequence[Vote], inference: Inference) -> StudyWarning | None:
    return _suspected(
        "one-sided listener",
        one_sided(votes, inference, LEVEL),
        "always answered for one side",
        "Exclude these votes; a listener who hears both sides does not answer so.",
    )


def _duplicates(votes: Sequence[Vote], models: Sequence[str]) -> StudyWarning | None:
    return _suspected(
        "duplicate accounts",
        duplicates(votes, models, LEVEL),
        "may be one person or one file sent twice",
        "Keep one of the accounts; votes that are counted twice make intervals too narrow.",
    )


def _suspected(
    defect: Defect, found: Sequence[Suspect], what: str, remedy: str
) -> StudyWarning | None:
    if not found:
        return None
    names = tuple(dict.fromkeys(name for one in found for name in one.listener.split("\n")))
    who = f"Listener{'s' if len(names) > 1 else ''} {_shortened(names)}"
    return StudyWarning(defect, f"{who} {what}: {found[0].why}.", remedy, names)


def _groups(inference: Inference, seed: int) -> StudyWarning | None:
    found = heterogeneity(inference, np.random.default_rng(seed))
    if found.p_direction >= LEVEL or found.spread_along < LEAST_SPREAD:
        return None
    models = inference.tally.models
    liked, disliked = (models[int(place(found.direction))] for place in (np.argmax, np.argmin))
    leaning = int((found.leanings > 0).sum())
    rest = len(found.leanings) - leaning
    return StudyWarning(
        "taste groups",
        f"Listeners differ in taste: beside the mean, {leaning} lean to {liked} and {rest} to "
        f"{disliked}; their log-odds vary by about {found.spread_along:.1f} in this direction.",
        "One ranking does not describe them all: give the results of both groups, and say whom "
        "the listeners stand for.",
        (liked, disliked),
    )


def _unbalanced(counted: Tally, adaptive: bool) -> StudyWarning | None:
    problems = [*([] if adaptive else _pair_problems(counted)), *_side_problems(counted)]
    if not problems:
        return None
    return StudyWarning(
        "unbalanced pairs",
        f"The comparisons are not balanced: {problems[0][0]}.",
        "Let the study go on with the rare pairs; the log-odds allow for it, but the wins and the "
        "tests of the paper compare models that had other opponents or sides.",
        problems[0][1],
    )


def _pair_problems(counted: Tally) -> list[tuple[str, tuple[str, ...]]]:
    from scipy.special import chdtrc

    pairs = list(combinations(range(len(counted.models)), 2))
    numbers = np.array([counted.pairs[pair] for pair in pairs])
    rarest, most = pairs[int(numbers.argmin())], pairs[int(numbers.argmax())]
    names = [tuple(counted.models[place] for place in pair) for pair in (rarest, most)]
    statistic = ((numbers - numbers.mean()) ** 2).sum() / numbers.mean()
    by_chance = len(pairs) > 1 and chdtrc(len(pairs) - 1, statistic) >= LEVEL
    never = numbers.min() == 0 and numbers.mean() >= 5
    if not never and (by_chance or numbers.min() >= LEAST_BALANCE * numbers.max()):
        return []
    told = (
        f"{names[0][0]} and {names[0][1]} met {numbers.min():.0f} times, {names[1][0]} and "
        f"{names[1][1]} {numbers.max():.0f} times"
    )
    return [(told, names[0])]


def _side_problems(counted: Tally) -> list[tuple[str, tuple[str, ...]]]:
    from scipy.stats import binomtest

    lefts = np.array([left for left, _ in cells_of(len(counted.models))])
    cast = counted.total.sum(axis=-1)
    found = []
    for place, model in enumerate(counted.models):
        heard = int(counted.comparisons.sum(axis=0)[place])
        left = int(cast[lefts == place].sum())
        if heard and not 0.35 <= left / heard <= 0.65:
            p = binomtest(left, heard).pvalue * len(counted.models)
            if p < LEVEL:
                share = 100 * left / heard
                told = f"{model} stood on the left in {share:.0f} % of its comparisons"
                found.append((p, told, (model,)))
    return [(told, names) for _, told, names in sorted(found)]


def _broken(votes: Sequence[Vote], inference: Inference) -> StudyWarning | None:
    found = broken_clips(votes, inference, LEVEL)
    if not found:
        return None
    names = tuple(clip for clip, _ in found)
    many = "Clips" if len(found) > 1 else "Clip"
    return StudyWarning(
        "broken clip",
        f"{many} {_shortened(names)} may be broken: {found[0][1]}.",
        "Listen to it; if it is silent, cut or distorted, replace it and leave its votes out.",
        names,
    )


def _named(clip_files: Iterable[str], models: Sequence[str]) -> StudyWarning | None:
    found = named_files(clip_files, models)
    if not found:
        return None
    file, model = found[0]
    many = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return StudyWarning(
        "named file",
        f"The file name {file!r}{many} tells which model a clip is from ({model}).",
        "Serve clips under names that say nothing; votes given so far were perhaps not blind.",
        tuple(file for file, _ in found),
    )


def _shortened(names: Sequence[str]) -> str:
    if len(names) <= _SHOWN:
        return listed(list(names))
    return f"{', '.join(names[:_SHOWN])} and {len(names) - _SHOWN} more"
