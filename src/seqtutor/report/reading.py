"""What a comparison says, in words: every sentence follows from the numbers.

A difference counts if it is larger than its own 95 % interval. The intervals are not adjusted for
the number of comparisons.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from seqtutor.report.frontier import BEST_OF_N, CONTROLS, PRIOR, AtKL, Frontier, Point
from seqtutor.report.intervals import Interval, difference
from seqtutor.report.style import method_style
from seqtutor.report.tables import format_value

YEARS = {
    "reinforce": 1992,  # Williams
    "reinforce-baseline": 1992,  # Williams
    "psi": 2012,  # Rawlik, Toussaint & Vijayakumar
    "g": 2015,  # Fox, Pakman & Tishby
    "q": 2016,  # Jaques et al., RL Tuner
    "path": 2017,  # Nachum et al., Trust-PCL
    "ppo": 2017,  # Schulman et al.
    "rloo": 2019,  # Kool, van Hoof & Welling
    "merl": 2020,  # Bjare & Meredith
}
"""When each method was first published; `rl-only` is a control and has no year."""

BEST_TEMPERATURE = "prior at its best temperature"

_UNTRAINED = (PRIOR, BEST_OF_N, BEST_TEMPERATURE, "cooler prior", "hotter prior")


def title_of(name: str) -> str:
    """What text calls a method or a control."""
    return {BEST_OF_N: "best of n"}.get(name, method_style(name).label)


def shown(interval: Interval, unit: str = "number") -> str:
    """A value with half of its interval."""
    return format_value(interval.value, unit, interval.half_width)  # type: ignore[arg-type]


def listed(items: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, [", ".join(items[:-1]), *items[-1:]]))


def winners(
    kls: Sequence[float], frontiers: Sequence[Frontier], sequence: str = "sequence"
) -> list[str]:
    """For each KL divergence: who earns most, and whether by more than the interval."""
    return [_winner(kl, frontiers, sequence) for kl in kls]


def _winner(kl: float, frontiers: Sequence[Frontier], sequence: str) -> str:
    reached = _ranked([one.at_kl(kl) for one in frontiers])
    start = f"**At {kl:g} nats a {sequence}**"
    if not reached:
        return f"{start}: not reached by any."
    best, *others = reached
    untrained = ", without any training," if best.name in _UNTRAINED else ""
    sentences = [f"{start} {title_of(best.name)}{untrained} earns most: {shown(best.reward)}."]
    gains = [(title_of(one.name), difference(best.reward, one.reward)) for one in others]
    ahead = [f"{name} (by {shown(gain)})" for name, gain in gains if gain.excludes_zero]
    level = [f"{name} (by {shown(gain)})" for name, gain in gains if not gain.excludes_zero]
    if ahead:
        sentences.append(f"It is ahead of {listed(ahead)}: more than the interval.")
    if level:
        sentences.append(f"Not settled, within the interval: its lead on {listed(level)}.")
    return " ".join(sentences)


def _ranked(found: Sequence[AtKL | None]) -> list[AtKL]:
    reached = [one for one in found if one is not None]
    return sorted(reached, key=lambda one: -one.reward.value)


def not_reached(kl: float, frontiers: Sequence[Frontier]) -> list[str]:
    """The methods and controls whose frontiers have no such KL divergence."""
    return [title_of(one.name) for one in frontiers if one.at_kl(kl) is None]


def older_beats_newer(kls: Sequence[float], frontiers: Sequence[Frontier]) -> list[str]:
    """For each method the newer ones that earn less at the same KL, by more than the interval."""
    dated = sorted((one for one in frontiers if one.name in YEARS), key=lambda f: YEARS[f.name])
    sentences = []
    for older in dated:
        beaten = []
        for newer in dated:
            if YEARS[older.name] < YEARS[newer.name]:
                gains = _clear_gains(kls, older, newer)
                if gains:
                    largest = max(gains.values(), key=lambda gain: gain.value)
                    where = listed([f"{kl:g}" for kl in gains])
                    reach = "up to " if len(gains) > 1 else ""
                    beaten.append(
                        f"{_dated(newer.name)} by {reach}{shown(largest)} at {where} nats"
                    )
        if beaten:
            sentences.append(f"{_dated(older.name)} earns more than {'; '.join(beaten)}.")
    return sentences or ["Nowhere does an older method earn more than a newer one beyond doubt."]


def _clear_gains(kls: Sequence[float], one: Frontier, other: Frontier) -> dict[float, Interval]:
    """By how much one earns more than another, where that is more than the interval."""
    gains = {}
    for kl in kls:
        mine, theirs = one.at_kl(kl), other.at_kl(kl)
        if mine is not None and theirs is not None:
            gains[kl] = difference(mine.reward, theirs.reward)
    return {kl: gain for kl, gain in gains.items() if gain.low > 0}


def _dated(name: str) -> str:
    return f"{title_of(name)} ({YEARS[name]})"


def objective_winners(objectives: Mapping[float, Mapping[str, Interval]]) -> list[str]:
    """For each c: which method comes nearest to the optimum of E[r]/c − KL."""
    sentences = []
    for c, values in objectives.items():
        methods = {name: one for name, one in values.items() if name in method_names(values)}
        if not methods:
            continue
        best, *others = sorted(methods, key=lambda name: -methods[name].value)
        sentence = f"**c = {c:g}**: {title_of(best)} has the highest, {shown(methods[best])}"
        level = [
            title_of(name)
            for name in others
            if not difference(methods[best], methods[name]).excludes_zero
        ]
        sentence += f"; within the interval: {listed(level)}." if level else "."
        beaten_by = [
            title_of(name)
            for name, one in values.items()
            if name not in methods and difference(one, methods[best]).low > 0
        ]
        if beaten_by:
            sentence += f" A control has more: {listed(beaten_by)}."
        sentences.append(sentence)
    return sentences


def method_names(values: Mapping[str, object]) -> list[str]:
    """The names that are methods, not controls."""
    return [name for name in values if name not in _UNTRAINED]


def dominated(points: Sequence[Point]) -> list[str]:
    """Each method with a policy that a control beats: more reward at a smaller KL divergence."""
    controls = [point for point in points if point.name in CONTROLS]
    methods = dict.fromkeys(point.name for point in points if point.name not in CONTROLS)
    sentences = []
    for name in methods:
        own = [point for point in points if point.name == name]
        better = {point.setting: _better_control(point, controls) for point in own}
        found = {c: control for c, control in better.items() if control is not None}
        if found:
            which = "every c" if len(found) == len(own) else f"c = {_numbers(found)}"
            one = max(found.values(), key=lambda control: control.interval("reward").value)
            sentences.append(
                f"{title_of(name)} at {which}: {_control_title(one)} earns "
                f"{shown(one.interval('reward'))} at {one.kl:.2g} nats."
            )
    return sentences or ["No trained policy is beaten by a control at a smaller KL divergence."]


def _better_control(point: Point, controls: Sequence[Point]) -> Point | None:
    """The one of smallest KL that earns more, beyond doubt, at less KL."""
    better = [
        control
        for control in controls
        if control.kl < point.kl
        and difference(control.interval("reward"), point.interval("reward")).low > 0
    ]
    return min(better, key=lambda control: control.kl, default=None)


def _control_title(point: Point) -> str:
    if point.name == BEST_OF_N:
        return f"the best of {point.setting:g}"
    return "the prior" if point.name == PRIOR else f"the prior at temperature {point.setting:g}"


def collapsed(points: Sequence[Point]) -> list[str]:
    """Each method with a collapsed policy: at which c, and in how many seeds."""
    methods = dict.fromkeys(point.name for point in points if point.collapsed)
    sentences = []
    for name in methods:
        own = [point for point in points if point.name == name and point.collapsed]
        places = [f"c = {p.setting:g} ({p.collapsed} of {p.seeds} seeds)" for p in own]
        sentences.append(f"{title_of(name)} at {listed(places)}.")
    return sentences or ["No policy has collapsed."]


def _numbers(values: Mapping[float, object]) -> str:
    return listed([f"{value:g}" for value in values])
