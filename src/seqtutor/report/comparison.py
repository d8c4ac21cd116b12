"""A comparison on paper: tidy tables, figures, and a report with a reading in plain words."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from seqtutor.files import atomic_write
from seqtutor.measures.estimates import UNKNOWN
from seqtutor.measures.intervals import Interval
from seqtutor.measures.log_partition import LogPartition
from seqtutor.report import reading
from seqtutor.report.evaluation_table import shown_bounds, shown_distance
from seqtutor.report.frontier import (
    BEST_OF_N,
    CONTROLS,
    MEASURES,
    PRIOR,
    TEMPERATURE,
    Frontier,
    MeasuredPolicy,
    Point,
    common_kls,
    frontiers_of,
    is_of_particles,
    points_of,
)
from seqtutor.report.frontier_figures import diversity_figure, frontier_figure, learning_curves
from seqtutor.report.plots import History
from seqtutor.report.style import save_for_page_and_print
from seqtutor.report.tables import UNDEFINED, Cell, Column, Row, Table, render_markdown

# What a table at equal KL shows: measure, heading, unit.
_COLUMNS = (
    ("reward", "Reward a {sequence}", "number"),
    ("log_prior", "Mean log p(a|s), nats", "number"),
    ("entropy", "Entropy, nats a step", "number"),
    ("distinct", "Distinct {sequences}", "share"),
    ("self_similarity", "Self-similarity", "number"),
    ("seconds", "Wall time, s", "number"),
    ("model_calls", "Model calls a token", "number"),
)


@dataclass(frozen=True)
class Comparison:
    """All that was measured.

    Attributes:
        title: what was compared on.
        remarks: what was run, a paragraph each.
        policies: every policy of every seed, and the controls.
        histories: for each c and method, the records of each seed's run.
        number: sequences that each policy was measured on.
        log_partitions: by c, the bounds on log Z.
        kls: where to compare at equal KL, in nats a sequence; empty: chosen from the frontiers.
        sequence: what a sequence is called.
        sequences: its plural.
    """

    title: str
    remarks: Sequence[str]
    policies: Sequence[MeasuredPolicy]
    histories: Mapping[float, Mapping[str, Sequence[History]]]
    number: int
    kls: Sequence[float] = ()
    sequence: str = "sequence"
    sequences: str = "sequences"
    log_partitions: Mapping[float, LogPartition] = field(default_factory=dict)


def write_comparison(comparison: Comparison, folder: Path) -> Path:
    """Write tables, figures and the report into a folder; returns the report's path.

    Raises:
        UserError: if a file cannot be written.
    """
    points = points_of(comparison.policies)
    frontiers, objectives = frontiers_of(points), _objectives(points)
    kls = list(comparison.kls) or common_kls(frontiers)
    _write_csv(folder / "results.csv", map(_result, comparison.policies))
    _write_csv(folder / "summary.csv", map(_summary, points))
    if comparison.log_partitions:
        _write_csv(folder / "optimum.csv", _optimum(objectives, comparison.log_partitions))
    _write_equal_kl(folder / "equal_kl.csv", _equal_kl(kls, frontiers))
    words = {"sequence": comparison.sequence, "sequences": comparison.sequences}
    for name, figure in {
        "frontier": frontier_figure(points, frontiers, sequence=comparison.sequence),
        "diversity": diversity_figure(points, frontiers, **words),
        "learning": learning_curves(comparison.histories),
    }.items():
        save_for_page_and_print(figure, folder / name)
    page = "\n".join(_page(comparison, points, frontiers, kls, objectives))
    return atomic_write(folder / "report.md", page)


def _result(policy: MeasuredPolicy) -> dict[str, object]:
    return {
        "policy": policy.name,
        "c": policy.c,
        "discount": policy.discount,
        "parameter": policy.parameter,
        "seed": policy.seed,
        **{name: policy.estimates.get(name, UNKNOWN).value for name in MEASURES},
        "collapsed": policy.is_collapsed,
    }


def _summary(point: Point) -> dict[str, object]:
    first = point.policies[0]
    row: dict[str, object] = {
        "policy": point.name,
        "c": first.c,
        "discount": first.discount,
        "parameter": first.parameter,
        "seeds": point.seeds,
    }
    for name in MEASURES:
        interval = point.interval(name)
        row |= {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}
    return row | {"collapsed": point.collapsed}


def _equal_kl(kls: Sequence[float], frontiers: Sequence[Frontier]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for kl in kls:
        for found in (one.at_kl(kl) for one in frontiers):
            if found is not None:
                rows += [
                    {
                        "kl": kl,
                        "policy": found.name,
                        "measure": name,
                        "value": interval.value,
                        "low": interval.low,
                        "high": interval.high,
                    }
                    for name, interval in found.intervals.items()
                ]
    return rows


def _write_equal_kl(path: Path, rows: Sequence[dict[str, object]]) -> None:
    """The tables at equal KL divergence; without any, those of an earlier call go too."""
    if rows:
        _write_csv(path, rows)
    else:
        path.unlink(missing_ok=True)


def _write_csv(path: Path, rows: Iterable[dict[str, object]]) -> None:
    """A line for each of one or more rows; what is not known is empty."""
    listed = list(rows)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(listed[0]), lineterminator="\n")
    writer.writeheader()
    for row in listed:
        writer.writerow({key: None if _is_nan(value) else value for key, value in row.items()})
    atomic_write(path, text.getvalue())


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _page(
    comparison: Comparison,
    points: Sequence[Point],
    frontiers: Sequence[Frontier],
    kls: Sequence[float],
    objectives: Mapping[float, Mapping[str, Interval]],
) -> list[str]:
    sequence, sequences = comparison.sequence, comparison.sequences
    return [
        f"# {comparison.title}\n",
        *[f"{remark}\n" for remark in comparison.remarks],
        f"Each policy is measured on {comparison.number:,} {sequences} that it generates at "
        "temperature 1. Bars, bands and ± are 95 % intervals over seeds, those of controls and of "
        f"single seeds over {sequences}. Who leads below is said by the mean; a lead is beyond the "
        "interval if it is larger than its own. The intervals are not adjusted for the number of "
        "comparisons.\n",
        "## The reward–KL frontier\n",
        "Higher is better at the same distance from the prior. The axis is linear near zero and "
        "logarithmic further out. The KL divergence of best of n is its upper bound, "
        "log n − (n − 1)/n, that of SMC (one of so many particles of the prior, resampled while "
        "they are generated) an upper bound as well, E[r]/c − E[log Ẑ]. A model call is one token "
        "read by one network: what a token of a sequence costs that is kept.\n",
        "![Reward against KL divergence](frontier.png)\n",
        "## At equal KL divergence\n",
        *_equal_kl_section(comparison, frontiers, kls),
        "### An older method ahead of a newer one\n",
        *_bullets(reading.older_beats_newer(kls, frontiers)),
        "### Ahead without training\n",
        "The largest lead of a control on each policy that is further from the prior, of those "
        "beyond the interval if there are any. On policies that are not listed no such control "
        "has a lead, not even by the mean.\n",
        *_bullets(reading.dominated(points)),
        "## The objective at each c\n",
        "E[reward]/c − KL, undiscounted, in nats a "
        + sequence
        + ": what every method with a prior "
        "maximises when γ is 1.\n",
        render_markdown(_objective_table(objectives)),
        *_bullets(reading.objective_winners(objectives)),
        *_optimum_section(objectives, comparison),
        "## Diversity\n",
        f"Self-similarity is the mean over pairs of {sequences} of the cosine of their 4-gram "
        "counts: 1 if all are the same.\n",
        "![Diversity against KL divergence](diversity.png)\n",
        "Collapsed, by the thresholds of the training loop's guard:\n",
        *_bullets(reading.collapsed(points)),
        "## Learning\n",
        "Reward of the collecting policy while it learns, against environment steps and against "
        "the wall time of a run.\n",
        "![Reward during training](learning.png)\n",
        "Every policy is in `results.csv`, every mean with its interval in `summary.csv`"
        + (", the tables above in `equal_kl.csv`.\n" if _equal_kl(kls, frontiers) else ".\n"),
    ]


def _bullets(sentences: Sequence[str]) -> list[str]:
    return [*(f"- {sentence}" for sentence in sentences), ""]


def _optimum(
    objectives: Mapping[float, Mapping[str, Interval]], bounds: Mapping[float, LogPartition]
) -> Iterator[dict[str, object]]:
    """A row for each c and policy: log Z and the distance from it, KL(π‖π*)."""
    for c, found in bounds.items():
        for name, objective in objectives[c].items():
            distance = found.above(objective)
            yield {
                "c": c,
                "policy": name,
                "log_partition_lower": found.lower,
                "log_partition_upper": found.upper,
                "effective_size": found.effective_size,
                "pareto_k": found.pareto_k,
                "objective": objective.value,
                "nats_from_optimum": distance.value,
                "nats_from_optimum_low": distance.low,
                "nats_from_optimum_high": distance.high,
            }


def _optimum_section(
    objectives: Mapping[float, Mapping[str, Interval]], comparison: Comparison
) -> list[str]:
    bounds = comparison.log_partitions
    if not bounds:
        return []
    doubtful = [f"{c:g}" for c, one in bounds.items() if not one.is_trusted]
    remark = (
        f"At c = {', '.join(doubtful)} the weights behind log Z have too heavy a tail: its lower "
        "bound holds, but it may be higher than its upper bound.\n"
    )
    return [
        "## From the optimum\n",
        "The objective of the optimum π* is log Z, and how far that of a policy is below it is "
        f"KL(π‖π*), in nats a {comparison.sequence}. Both have 95 % intervals.\n",
        render_markdown(_distance_table(objectives, bounds)),
        *([remark] if doubtful else []),
    ]


def _distance_table(
    objectives: Mapping[float, Mapping[str, Interval]], bounds: Mapping[float, LogPartition]
) -> Table:
    names = dict.fromkeys(name for c in bounds for name in objectives[c])
    log_z = tuple(Cell(shown_bounds(one)) for one in bounds.values())
    rows = [Row("log Z, at least … at most", log_z)]
    for name in names:
        own = {c: objectives[c].get(name) for c in bounds}
        cells = (
            Cell(UNDEFINED if one is None else shown_distance(bounds[c].above(one)))
            for c, one in own.items()
        )
        rows.append(Row(reading.title_of(name), tuple(cells)))
    return Table("", tuple(Column(f"c = {c:g}") for c in bounds), tuple(rows))


def _equal_kl_section(
    comparison: Comparison, frontiers: Sequence[Frontier], kls: Sequence[float]
) -> list[str]:
    ranges = f"The methods reach, in nats a {comparison.sequence}: {reading.reached(frontiers)}.\n"
    if not kls:
        return [
            "Methods are compared at an equal KL divergence along the lines between their values "
            "of c, through the means over seeds. No two of these lines have a KL divergence in "
            "common, though those of single seeds may; with more values of c they are longer. "
            f"{ranges}"
        ]
    common = [kl for kl in kls if any(one.at_kl(kl) is not None for one in frontiers)]
    return [
        "Each frontier is read off between its values of c, along the lines of the figure.\n",
        *_bullets(reading.winners(kls, frontiers, comparison.sequence)),
        *([] if common == list(kls) else [ranges]),
        *(render_markdown(_equal_kl_table(comparison, frontiers, kl)) for kl in common),
    ]


def _equal_kl_table(comparison: Comparison, frontiers: Sequence[Frontier], kl: float) -> Table:
    """Those that reach the KL divergence, best first; the others are named below."""
    found = [at for one in frontiers if (at := one.at_kl(kl)) is not None]
    rows = [
        Row(
            reading.title_of(at.name),
            tuple(Cell(reading.shown(at.intervals[name], unit)) for name, _, unit in _COLUMNS),
        )
        for at in sorted(found, key=lambda at: -at.reward.value)
    ]
    words = {"sequence": comparison.sequence, "sequences": comparison.sequences}
    columns = tuple(Column(title.format(**words)) for _, title, _ in _COLUMNS)
    missing = reading.not_reached(kl, frontiers)
    note = f"Not reached by {reading.listed(missing)}." if missing else ""
    return Table(f"At {kl:g} nats a {comparison.sequence}", columns, tuple(rows), note)


def _objectives(points: Sequence[Point]) -> dict[float, dict[str, Interval]]:
    """For each c: the objective of each method, and the best of each control."""
    found: dict[float, dict[str, Interval]] = {}
    for point in points:
        if point.name not in CONTROLS:
            found.setdefault(point.setting, {})[point.name] = point.interval("objective")
    for c in found:
        for name in CONTROLS:
            # The prior itself is the prior at a temperature of 1.
            names = (name, PRIOR) if name == TEMPERATURE else (name,)
            own = [_objective(point, c) for point in points if point.name in names]
            if any(point.name == name for point in points):
                title = {TEMPERATURE: reading.BEST_TEMPERATURE, BEST_OF_N: BEST_OF_N}
                best = max(own, key=lambda interval: interval.value)
                found[c][title.get(name, PRIOR)] = best
    return dict(sorted(found.items()))


def _objective(control: Point, c: float) -> Interval:
    reward, kl = control.interval("reward"), control.interval("kl")
    value = reward.value / c - kl.value
    half = math.hypot(reward.half_width / c, kl.half_width)
    return Interval.around(value, half)


def _objective_table(objectives: Mapping[float, Mapping[str, Interval]]) -> Table:
    names = list(dict.fromkeys(name for values in objectives.values() for name in values))
    rows = []
    for name in names:
        intervals = [values.get(name) for values in objectives.values()]
        cells = tuple(
            Cell(UNDEFINED) if one is None else Cell(reading.shown(one)) for one in intervals
        )
        rows.append(Row(reading.title_of(name), cells))
    bounded = [name for name in names if name == BEST_OF_N or is_of_particles(name)]
    note = (
        f"That of {reading.listed(list(map(reading.title_of, bounded)))} is at least this much, "
        "since its KL divergence is at most the bound."
    )
    columns = tuple(Column(f"c = {c:g}") for c in objectives)
    return Table("", columns, tuple(rows), note if bounded else "")
