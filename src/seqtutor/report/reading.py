"""What a comparison says, in words: every sentence follows from the numbers.

Who leads is said by the mean, and then whether the lead is larger than its own 95 % interval. The
intervals are not adjusted for the number of comparisons.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from seqtutor.measures.intervals import Interval, difference
from seqtutor.methods.registry import is_method, method_named
from seqtutor.report.frontier import (
    BEST_OF_N,
    CONTROLS,
    PRIOR,
    AtKL,
    Frontier,
    Point,
    is_of_particles,
    is_steered,
)
from seqtutor.report.style import method_style
from seqtutor.report.tables import format_interval

BEST_TEMPERATURE = "prior at its best temperature"

_UNTRAINED = (PRIOR, BEST_OF_N, BEST_TEMPERATURE, "cooler prior", "hotter prior")


def year_of(name: str) -> int | None:
    """When a method was first published; `None` for controls."""
    return method_named(name).year if is_method(name) else None


def title_of(name: str) -> str:
    """What text calls a method or a control."""
    return {BEST_OF_N: "best of n"}.get(name, method_style(name).label)


def shown(interval: Interval, unit: str = "number") -> str:
    """A value with half of its interval."""
    return format_interval(interval, unit)  # type: ignore[arg-type]


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
    sentences = [f"{start} {_leader(best.name)} earns most: {shown(best.reward)}."]
    gains = [(title_of(one.name), difference(best.reward, one.reward)) for one in others]
    ahead = [f"{name} (by {shown(gain)})" for name, gain in gains if gain.excludes_zero]
    level = [f"{name} (by {shown(gain)})" for name, gain in gains if not gain.excludes_zero]
    if ahead:
        sentences.append(f"It is ahead of {listed(ahead)}: more than the interval.")
    if level:
        sentences.append(f"Not settled, within the interval: its lead on {listed(level)}.")
    return " ".join(sentences)


def _leader(name: str) -> str:
    is_untrained = name in _UNTRAINED or is_of_particles(name)
    return title_of(name) + (", without any training," if is_untrained else "")


def _ranked(found: Sequence[AtKL | None]) -> list[AtKL]:
    reached = [one for one in found if one is not None]
    return sorted(reached, key=lambda one: -one.reward.value)


def not_reached(kl: float, frontiers: Sequence[Frontier]) -> list[str]:
    """The methods and controls whose frontiers have no such KL divergence."""
    return [title_of(one.name) for one in frontiers if one.at_kl(kl) is None]


def reached(frontiers: Sequence[Frontier]) -> str:
    """Which KL divergences each method's frontier has."""
    ranges = [
        f"{title_of(one.name)} {_from_to(*one.range)}" for one in frontiers if not one.is_control
    ]
    return listed(ranges)


def _from_to(low: float, high: float) -> str:
    ends = dict.fromkeys(f"{end:.2g}" for end in (low, high))
    return " to ".join(ends)


def older_beats_newer(kls: Sequence[float], frontiers: Sequence[Frontier]) -> list[str]:
    """For each method the newer ones that earn less at the same KL, by more than the interval."""
    years = {one.name: year for one in frontiers if (year := year_of(one.name)) is not None}
    dated = sorted((one for one in frontiers if one.name in years), key=lambda f: years[f.name])
    gains = {
        (older.name, newer.name): _gains(kls, older, newer)
        for older in dated
        for newer in dated
        if years[older.name] < years[newer.name]
    }
    if not any(gains.values()):
        return ["No older and newer method were compared at the same KL divergence."]
    clear = _leads(gains, lambda gain: gain.low > 0)
    if clear:
        return [f"{older} earns more than {'; '.join(newer)}." for older, newer in clear.items()]
    level = _leads(gains, lambda gain: gain.value > 0)
    return [
        "Nowhere does an older method earn more than a newer one by more than the interval.",
        *(
            f"By the mean, within the interval, {older} earns more than {'; '.join(newer)}."
            for older, newer in level.items()
        ),
    ]


def _leads(
    gains: Mapping[tuple[str, str], Mapping[float, Interval]], counts: Callable[[Interval], bool]
) -> dict[str, list[str]]:
    """For each older method the newer ones that it leads, by how much, and where."""
    leads: dict[str, list[str]] = {}
    for (older, newer), at_kls in gains.items():
        counted = {kl: gain for kl, gain in at_kls.items() if counts(gain)}
        if counted:
            largest = max(counted.values(), key=lambda gain: gain.value)
            reach = "up to " if len(counted) > 1 else ""
            lead = f"{_dated(newer)} by {reach}{shown(largest)} at {_numbers(counted)} nats"
            leads.setdefault(_dated(older), []).append(lead)
    return leads


def _gains(kls: Sequence[float], one: Frontier, other: Frontier) -> dict[float, Interval]:
    """By how much one earns more than another, at each KL divergence that both reach."""
    pairs = {kl: (one.at_kl(kl), other.at_kl(kl)) for kl in kls}
    return {
        kl: difference(mine.reward, theirs.reward)
        for kl, (mine, theirs) in pairs.items()
        if mine is not None and theirs is not None
    }


def _dated(name: str) -> str:
    return f"{title_of(name)} ({year_of(name)})"


def objective_winners(objectives: Mapping[float, Mapping[str, Interval]]) -> list[str]:
    """For each c: which method comes nearest to the optimum of E[r]/c − KL, controls beside it."""
    return [
        f"**c = {c:g}**: {_objective_winner(values)}"
        for c, values in objectives.items()
        if method_names(values)
    ]


def _objective_winner(values: Mapping[str, Interval]) -> str:
    ranked = sorted(values, key=lambda name: -values[name].value)
    methods = method_names(dict.fromkeys(ranked))
    controls = [name for name in ranked if name not in methods]
    best, method = ranked[0], methods[0]
    sentences = [f"{_leader(best)} has the highest, {shown(values[best])}."]
    if best != method:
        lag = difference(values[best], values[method])
        sentences.append(
            f"The highest of a method is {title_of(method)}'s, {shown(values[method])}: "
            f"lower by {shown(lag)}, {_doubt(lag)}."
        )
    elif controls:
        lead = difference(values[method], values[controls[0]])
        sentences.append(
            f"Of the controls {title_of(controls[0])} has the highest, "
            f"{shown(values[controls[0]])}: lower by {shown(lead)}, {_doubt(lead)}."
        )
    gains = {name: difference(values[method], values[name]) for name in methods[1:]}
    level = [name for name, gain in gains.items() if not gain.excludes_zero]
    if level:
        leads = [f"{title_of(name)} (by {shown(gains[name])})" for name in level]
        sentences.append(f"Within the interval: {title_of(method)}'s lead on {listed(leads)}.")
    return " ".join(sentences)


def _doubt(gain: Interval) -> str:
    return "beyond the interval" if gain.excludes_zero else "within the interval"


def method_names(values: Mapping[str, object]) -> list[str]:
    """The names that are methods trained at each c, not controls."""
    return [name for name in values if name not in _UNTRAINED and not is_steered(name)]


def dominated(points: Sequence[Point]) -> list[str]:
    """Each method with policies than which a control has more reward at a smaller KL divergence."""
    controls = [one for one in points if one.name in CONTROLS or is_of_particles(one.name)]
    trained = [one for one in points if one.name not in CONTROLS and not is_steered(one.name)]
    if not controls:
        return ["No control was measured."]
    sentences = []
    for name in dict.fromkeys(point.name for point in trained):
        own = [point for point in trained if point.name == name]
        ahead = [lead for point in own if (lead := _largest_lead(point, controls)) is not None]
        sentences += [
            _dominance(name, control, [lead for lead in ahead if lead.control is control])
            for control in controls
            if any(lead.control is control for lead in ahead)
        ]
    return sentences or [
        "No control earns more than a trained policy at a smaller KL divergence, not even by the "
        "mean."
    ]


class _Lead(NamedTuple):
    """A control that has more reward at a smaller KL divergence than a trained policy, by means."""

    control: Point
    point: Point

    @property
    def gain(self) -> Interval:
        return difference(self.control.interval("reward"), self.point.interval("reward"))

    @property
    def is_nearer(self) -> bool:
        """Whether its KL divergence is smaller beyond the interval."""
        return difference(self.point.interval("kl"), self.control.interval("kl")).low > 0

    @property
    def doubt(self) -> str:
        if not self.gain.excludes_zero:
            return "within the interval"
        return "beyond the interval" + (
            "" if self.is_nearer else ", at a KL divergence that is smaller by the mean alone"
        )


def _largest_lead(point: Point, controls: Sequence[Point]) -> _Lead | None:
    """The largest lead on a policy, one beyond the intervals before any within them."""
    leads = [_Lead(control, point) for control in controls if control.kl < point.kl]
    ahead = [lead for lead in leads if lead.gain.value > 0]
    clear = [lead for lead in ahead if lead.gain.excludes_zero and lead.is_nearer]
    return max(clear or ahead, key=lambda lead: lead.gain.value, default=None)


def _dominance(name: str, control: Point, leads: Sequence[_Lead]) -> str:
    places: dict[str, list[str]] = {}
    for lead in leads:
        place = f"at c = {lead.point.setting:g} ({lead.point.kl:.2g} nats; by {shown(lead.gain)})"
        places.setdefault(lead.doubt, []).append(place)
    parts = [f"{listed(found)}, {doubt}" for doubt, found in places.items()]
    return (
        f"{title_of(name)}: {_control_title(control)} earns "
        f"{shown(control.interval('reward'))} at {control.kl:.2g} nats, more than "
        f"{title_of(name)} {'; '.join(parts)}."
    )


def _control_title(point: Point) -> str:
    if point.name == BEST_OF_N:
        return f"the best of {point.setting:g}"
    if is_of_particles(point.name):
        return f"{point.name} at c = {point.setting:g}"
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
