"""The charts of a page: training, the terms of the reward, distance and reward, distributions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from seqtutor.exhibits import Distribution, Map
from seqtutor.report.evaluation_table import PolicyColumn
from seqtutor.report.page.charts import (
    Ink,
    bar_chart,
    category_chart,
    histogram,
    line_chart,
    map_chart,
    point_chart,
)
from seqtutor.report.page.verdict import term_title
from seqtutor.report.plots import History, bin_edges, seed_band
from seqtutor.report.tables import format_value

CURVES = (
    ("reward", "Reward", "mean reward a step"),
    ("kl", "KL divergence from the prior", "nats a step"),
    ("log_prior", "Likelihood under the prior", "mean log p(a|s), nats"),
)
"""What is drawn of training: the name in the records, the title and the axis."""
_COUNTERS = {"step": "environment steps", "round": "rounds"}


@dataclass(frozen=True)
class Figure:
    """A chart with its title; a legend names the policies in it where there are several."""

    title: str
    svg: str
    policies: Sequence[str] = ()


@dataclass(frozen=True)
class FigureGroup:
    """Charts under one heading, with a sentence on how to read them."""

    heading: str
    note: str
    figures: Sequence[Figure]


@dataclass(frozen=True)
class Drawn:
    """What the charts are drawn of.

    Attributes:
        inks: of each policy by its title.
        prior: the column of the prior.
        tuned: the columns of the others.
        histories: by title of a policy, the records of each seed's run.
        distributions: of the task.
        maps: of the task.
        one: what a sequence is called.
        counted: a sentence on sequences without a score and what they count in means, if there
            are any.
        left_out: a sentence on the same, whose rewards are not in the distributions.
    """

    inks: Mapping[str, Ink]
    prior: PolicyColumn
    tuned: Sequence[PolicyColumn]
    histories: Mapping[str, Sequence[History]] = field(default_factory=dict)
    distributions: Sequence[Distribution] = ()
    maps: Sequence[Map] = ()
    one: str = "sequence"
    counted: str = ""
    left_out: str = ""


def figure_groups(drawn: Drawn) -> list[FigureGroup]:
    """All charts that there are numbers for."""
    groups = [_training(drawn), _terms_in_training(drawn), _outcome(drawn), _distributions(drawn)]
    groups += [_map(drawn, one) for one in drawn.maps]
    return [group for group in groups if group.figures]


def _training(drawn: Drawn) -> FigureGroup:
    figures = []
    for name, title, axis in CURVES:
        reference = drawn.prior.interval("log_prior").value if name == "log_prior" else None
        figures += _curves(drawn, name, title, axis, reference)
    note = (
        "Of the sequences that are collected during training, some of which have random tokens at "
        "first. Lines are means over seeds, bands reach from the lowest to the highest seed; the "
        f"dashed line is the likelihood of the prior's own samples. {_in_training(drawn)}"
    )
    return FigureGroup("Training", note, figures)


def _in_training(drawn: Drawn) -> str:
    return "Where a score failed, they count a neutral value, too." if drawn.counted else ""


def _terms_in_training(drawn: Drawn) -> FigureGroup:
    runs = [run for seeds in drawn.histories.values() for run in seeds]
    names = dict.fromkeys(name for run in runs for name in run if name.startswith("reward/"))
    figures = [
        figure
        for name in names
        for figure in _curves(drawn, name, term_title(name), "mean a step")
        if any(np.any(run[name]) for run in runs if name in run)
    ]
    note = (
        "What each term of the reward contributes on average, weighted; their sum is the reward. "
        f"Terms that were always zero are left out. {_in_training(drawn)}"
    )
    return FigureGroup("Terms of the reward in training", note, figures)


def _curves(
    drawn: Drawn, name: str, title: str, axis: str, reference: float | None = None
) -> list[Figure]:
    counter = next((c for c in _COUNTERS if _have(drawn.histories, c)), None)
    if counter is None:
        return []
    found = {
        policy: [{"step": run[counter], name: run[name]} for run in seeds]
        for policy, seeds in drawn.histories.items()
        if all(name in run and counter in run for run in seeds)
    }
    if not found:
        return []
    bands = {policy: seed_band(seeds, name) for policy, seeds in found.items()}
    said = "; ".join(
        f"{policy} from {format_value(float(band.mean[0]))} to {format_value(float(band.mean[-1]))}"
        for policy, band in bands.items()
    )
    alt = f"{title} during training: {said}"
    lines = [(drawn.inks[policy], band) for policy, band in bands.items()]
    svg = line_chart(lines, alt, _COUNTERS[counter], axis, reference)
    return [Figure(title, svg, tuple(bands))]


def _have(histories: Mapping[str, Sequence[History]], counter: str) -> bool:
    return any(counter in run for seeds in histories.values() for run in seeds)


def _outcome(drawn: Drawn) -> FigureGroup:
    return FigureGroup(
        "What was gained, and at what distance from the prior",
        f"Measured after training. Whiskers are 95 % intervals. {drawn.counted}",
        [*_terms(drawn), *_frontier(drawn)],
    )


def _terms(drawn: Drawn) -> list[Figure]:
    columns = [drawn.prior, *drawn.tuned]
    names = dict.fromkeys(
        name for column in columns for name in column.seeds[0] if name.startswith("term_")
    )
    if not names:
        return []
    rows = [
        (
            term_title(name),
            [(drawn.inks[one.heading], one.interval(name)) for one in columns],
        )
        for name in names
    ]
    alt = "Mean of each term: " + "; ".join(
        f"{label} "
        + ", ".join(
            f"{one.heading} {format_value(bar.value)}"
            for one, (_, bar) in zip(columns, bars, strict=True)
        )
        for label, bars in rows
    )
    svg = bar_chart(rows, alt, f"mean reward a {drawn.one}")
    return [Figure("Terms of the reward", svg, [one.heading for one in columns])]


def _frontier(drawn: Drawn) -> list[Figure]:
    points = [
        (drawn.inks[one.heading], one.heading, one.interval("kl"), one.interval("reward"))
        for one in [drawn.prior, *drawn.tuned]
    ]
    if any(np.isnan(reward.value) for *_, reward in points):
        return []
    alt = "Reward against KL divergence: " + "; ".join(
        f"{label} earns {format_value(reward.value)} at {format_value(kl.value)} nats"
        for _, label, kl, reward in points
    )
    axis = "KL from the prior, nats a step"
    svg = point_chart(points, alt, axis, f"mean reward a {drawn.one}")
    return [Figure("Reward and distance from the prior", svg)]


def _distributions(drawn: Drawn) -> FigureGroup:
    figures = [_distribution(drawn, one) for one in drawn.distributions]
    note = f"The share of each value among all that were generated. {drawn.left_out}"
    return FigureGroup("Distributions", note, [one for one in figures if one is not None])


def _distribution(drawn: Drawn, one: Distribution) -> Figure | None:
    values = {
        policy: own[np.isfinite(own)]
        for policy, own in ((p, np.asarray(v, np.float64)) for p, v in one.values.items())
    }
    values = {policy: own for policy, own in values.items() if len(own)}
    if not values:
        return None
    inked = [(drawn.inks[policy], own) for policy, own in values.items()]
    if one.categories:
        alt = f"{one.title}, the commonest: " + "; ".join(
            f"{policy} {one.categories[int(np.bincount(own.astype(int)).argmax())]}"
            for policy, own in values.items()
        )
        return Figure(
            one.title, category_chart(inked, one.categories, alt, one.axis), tuple(values)
        )
    alt = f"{one.title}, median: " + "; ".join(
        f"{policy} {format_value(float(np.median(own)))}" for policy, own in values.items()
    )
    edges = bin_edges(list(values.values()), one.is_count)
    return Figure(one.title, histogram(inked, edges, alt, one.axis, one.is_count), tuple(values))


def _map(drawn: Drawn, one: Map) -> FigureGroup:
    """Every policy together, and then each by itself in the same frame."""
    known = {policy: points for policy, points in one.points.items() if len(points)}
    if not known:
        return FigureGroup(one.title, one.note, ())
    every = np.concatenate(list(known.values()))
    groups = {"All": known, **({p: {p: own} for p, own in known.items()} if len(known) > 1 else {})}
    figures = []
    for title, shown in groups.items():
        alt = f"{one.title}, the middle of each: " + "; ".join(
            f"{policy} at " + ", ".join(format_value(float(v)) for v in own.mean(axis=0))
            for policy, own in shown.items()
        )
        inked = [(drawn.inks[policy], own) for policy, own in shown.items()]
        svg = map_chart(inked, every, alt, one.x_axis, one.y_axis)
        figures.append(Figure(title, svg, tuple(shown)))
    return FigureGroup(one.title, one.note, figures)
