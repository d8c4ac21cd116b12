"""Results of a study as tables, sentences and a figure."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seqtutor.measures.intervals import Interval
from seqtutor.report.reading import listed
from seqtutor.report.style import INK, figure_style, method_style, save_figure
from seqtutor.report.tables import Cell, Column, Row, Table, format_cell, format_interval
from seqtutor.runs.terminal import counted
from seqtutor.study.inference import Bounded
from seqtutor.study.rank_tests import KruskalWallis, pairs_factor
from seqtutor.study.results import Difference, Results, Wins

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEVEL = 0.05
"""From which p on a difference is not called one."""


def tables(results: Results) -> list[Table]:
    """All tables of a study."""
    return [models_table(results), pairs_table(results), rank_table(results)]


def models_table(results: Results) -> Table:
    """A column for each model: wins, ties, share and log-odds against the first model."""
    wins, first = results.wins, results.models[0]
    rows = (
        Row("wins", tuple(Cell(wins[m].wins) for m in results.models), "integer"),
        Row("no preference", tuple(Cell(wins[m].ties) for m in results.models), "integer"),
        Row("comparisons", tuple(Cell(wins[m].comparisons) for m in results.models), "integer"),
        Row(
            "preferred, of those with a preference",
            tuple(Cell.of_interval(wins[m].share) for m in results.models),
            "share",
        ),
        Row(f"log-odds against {first}", tuple(_cells(results.strengths, results.models))),
    )
    note = f"{_whose(results)}. Intervals of shares take votes for independent; " + (
        "log-odds have none." if results.listeners < 2 else "those of log-odds are over listeners."
    )
    return Table("Models", tuple(Column(m) for m in results.models), rows, note)


def _cells(strengths: Mapping[str, Bounded], models: Sequence[str]) -> list[Cell]:
    others = [strengths[model] for model in models[1:]]
    shown = [
        Cell(bounded_in_words(one)) if one.is_one_sided else Cell(one.estimate, one.low, one.high)
        for one in others
    ]
    return [Cell("0"), *shown]


def bounded_in_words(one: Bounded) -> str:
    """`1.42 ± 0.47`, `1.42` of one listener, `more than 2.1` where votes set no upper bound."""
    if not one.has_interval:
        return shown_number(one.estimate)
    if math.isfinite(one.low) and math.isfinite(one.high):
        return format_interval(Interval(one.estimate, one.low, one.high))
    if math.isfinite(one.low):
        return f"more than {shown_number(one.low)}"
    if math.isfinite(one.high):
        return f"less than {shown_number(one.high)}"
    return "not known"


def pairs_table(results: Results) -> Table:
    """A row for each pair of models: log-odds of the first over the second, and p."""
    rows = [
        Row(
            f"{one.first} over {one.second}",
            (Cell(bounded_in_words(one.value)), Cell(p_alone(one.p_holm))),
        )
        for one in results.differences
    ]
    note = "p by Student's t over listeners, after Holm's correction."
    return Table("Pairs of models", (Column("log-odds"), Column("p")), tuple(rows), note)


def rank_table(results: Results) -> Table:
    """A row for each pair of models: the tests of Jaques et al. (2017)."""
    columns = ("U", "p", "p over listeners", "effect")
    rows = [
        Row(
            f"{one.first} over {one.second}",
            (
                Cell(f"{one.U:,.1f}"),
                Cell(p_alone(one.p_holm)),
                Cell(p_alone(one.p_listeners)),
                Cell(one.effect),
            ),
        )
        for one in results.mann_whitney
    ]
    whole = results.kruskal_wallis
    note = (
        f"Kruskal–Wallis H({whole.df}) = {shown_number(whole.H)}, p {p_in_words(whole.p)}"
        f"{_over_listeners(whole)}. Mann–Whitney's U is of the ratings of both "
        "models in all of their comparisons, its effect the rank-biserial correlation; each p is "
        "after Holm's correction."
    )
    titles = tuple(Column(title) for title in columns)
    return Table("Pairs of models as the paper tests them", titles, tuple(rows), note)


def verdict_lines(results: Results, warned: Collection[str] = ()) -> list[str]:
    """What the study says, in sentences that follow from its numbers.

    Args:
        results: of the study.
        warned: defects that the reader is warned of, and that are not told a second time.
    """
    return [
        _counted(results),
        _leading(results),
        *_separated(results),
        *_pairs(results),
        *([] if "position bias" in warned else [_position(results)]),
        *_listeners(results),
        _as_the_paper(results),
    ]


def _whose(results: Results) -> str:
    votes = counted(results.votes, "vote", "votes")
    return f"{votes} of {counted(results.listeners, 'listener', 'listeners')}"


def _counted(results: Results) -> str:
    text = f"{_whose(results)} {'counts' if results.votes == 1 else 'count'}."
    if not results.excluded:
        return f"{text} Nobody is excluded."
    reasons: dict[str, int] = {}
    for reason in results.excluded.values():
        reasons[reason] = reasons.get(reason, 0) + 1
    told = listed([f"{count} ({reason})" for reason, count in reasons.items()])
    return f"{text} Excluded: {told}."


def _leading(results: Results) -> str:
    order = sorted(results.models, key=lambda model: -results.strengths[model].estimate)
    over = _difference(results, order[0], order[1])
    second = f"{order[0]} is preferred most, before {order[1]}"
    share = 100 / (1 + math.exp(-over.value.estimate))
    if not over.value.has_interval:
        return (
            f"{second} (log-odds {shown_number(over.value.estimate)}), by one listener; intervals "
            "and tests over listeners take at least two."
        )
    odds = f"log-odds {bounded_in_words(over.value)}: of those with a preference {share:.0f} %"
    if over.p_holm < LEVEL and over.value.excludes_zero:
        return f"{second} ({odds})."
    return f"{second}, but not clearly ({odds}); the study does not tell them apart."


def _difference(results: Results, one: str, other: str) -> Difference:
    """The difference of two models in this order."""
    for found in results.differences:
        if (found.first, found.second) == (one, other):
            return found
        if (found.first, found.second) == (other, one):
            return Difference(one, other, found.value.opposite, found.p, found.p_holm)
    raise KeyError((one, other))


def _separated(results: Results) -> list[str]:
    return [
        f"{one.first} and {one.second}: votes set no bound on one side, as one of them won or lost "
        f"always; the log-odds are {bounded_in_words(one.value)}, and the estimate "
        f"{shown_number(one.value.estimate)} stands for a value that may be much larger."
        for one in results.differences
        if one.value.is_one_sided
    ]


def _pairs(results: Results) -> list[str]:
    turned = [
        one if one.value.estimate >= 0 else _difference(results, one.second, one.first)
        for one in results.differences
    ]
    clear = [f"{one.first} over {one.second}" for one in turned if one.p_holm < LEVEL]
    open_ones = [f"{one.first}–{one.second}" for one in turned if one.p_holm >= LEVEL]
    lines = []
    if clear:
        lines.append(f"Clear at {LEVEL:g} after Holm's correction: {listed(clear)}.")
    if open_ones:
        lines.append(f"Not told apart: {listed(open_ones)}.")
    return lines


def _position(results: Results) -> str:
    one = results.position
    ends = [100 / (1 + math.exp(-value)) for value in (one.estimate, one.low, one.high)]
    if not one.has_interval:
        return f"Between equal models the left side takes {ends[0]:.0f} % by this estimate."
    said = (
        f"between equal models the left side takes {ends[0]:.0f} % "
        f"({ends[1]:.0f} … {ends[2]:.0f} %) of those with a preference"
    )
    if one.excludes_zero:
        return f"A side is favoured: {said}; the log-odds of models are corrected for it."
    return f"No side is clearly favoured: {said}."


def _listeners(results: Results) -> list[str]:
    found = results.agreement
    lines = []
    if not math.isnan(found.alpha.estimate):
        what = counted(found.units, f"pair of {found.unit}", f"pairs of {found.unit}")
        alpha = found.alpha
        ends = (
            f" ({shown_number(alpha.low)} … {shown_number(alpha.high)})"
            if alpha.has_interval
            else ""
        )
        lines.append(
            f"Agreement on the {what} that several listeners rated: Krippendorff's α = "
            f"{shown_number(alpha.estimate)}{ends}."
        )
    taste = results.heterogeneity
    if math.isnan(taste.p):
        return lines
    if taste.p < LEVEL:
        lines.append(
            f"Listeners differ in taste (p {p_in_words(taste.p)}): their own log-odds vary by "
            f"about {shown_number(taste.spread)} around the mean."
        )
    else:
        along = ""
        if taste.p_direction < LEVEL:
            p = p_in_words(taste.p_direction)
            along = f"; in the one direction in which they differ most, p {p}"
        lines.append(
            f"No difference in taste was shown over all models (p {p_in_words(taste.p)}{along})."
        )
    return lines


def _as_the_paper(results: Results) -> str:
    whole = results.kruskal_wallis
    factor = pairs_factor(len(results.models))
    return (
        f"As the paper of 2017 tests it: Kruskal–Wallis H({whole.df}) = {shown_number(whole.H)}, p "
        f"{p_in_words(whole.p)}. It takes the two ratings of a comparison for independent, which "
        f"makes H about {factor:.2f} times too large where models do not differ"
        f"{_over_listeners(whole)}."
    )


def _over_listeners(whole: KruskalWallis) -> str:
    p = whole.p_listeners
    return "" if math.isnan(p) else f"; over listeners p {p_in_words(p)}"


def p_in_words(p: float) -> str:
    """`0.03`, `< 0.001`; with "=" where it stands after a "p"."""
    if math.isnan(p):
        return "not known"
    return "< 0.001" if p < 0.001 else f"= {p:.2g}"


def p_alone(p: float) -> str:
    """`0.03`, `< 0.001`."""
    return p_in_words(p).removeprefix("= ")


def shown_number(value: float) -> str:
    """A number with the digits that a table shows."""
    return format_cell(Cell(value), "number")


def wins_figure(
    wins: Mapping[str, Wins],
    path: str | Path | None = None,
    strengths: Mapping[str, Bounded] | None = None,
) -> Figure:
    """Figure 3 of Jaques et al. (2017): wins of each model, bars of the binomial deviation.

    Models have the names that the study gives them.

    Args:
        wins: of each model, in the order of the bars.
        path: where the figure is written (SVG, PNG or PDF).
        strengths: log-odds with their intervals, drawn beside the wins.

    Raises:
        UserError: if the file cannot be written.
    """
    from matplotlib.figure import Figure

    names = tuple(wins)
    with figure_style():
        panels_needed = 1 if strengths is None else 2
        figure = Figure(figsize=(1.6 + 2.9 * panels_needed, 3.3), layout="constrained")
        panels = figure.subplots(1, panels_needed, squeeze=False)[0]
        _draw_wins(panels[0], wins)
        if strengths is not None:
            _draw_strengths(panels[1], strengths, names)
        if path is not None:
            save_figure(figure, path)
    return figure


def _draw_wins(panel: Axes, wins: Mapping[str, Wins]) -> None:
    names = tuple(wins)
    places = np.arange(len(names))
    panel.bar(
        places,
        [own.wins for own in wins.values()],
        width=0.62,
        color=[method_style(name, names).color for name in names],
        yerr=[own.deviation for own in wins.values()],
        error_kw={"ecolor": INK, "elinewidth": 1.1, "capsize": 3},
    )
    panel.set_xticks(places, names)
    panel.set_xlabel("error bars: ± 1 binomial standard deviation", fontsize="small")
    panel.set_title("Wins")
    heard = {own.comparisons for own in wins.values()}
    each = f"{min(heard)}" if len(heard) == 1 else f"{min(heard)}–{max(heard)}"
    panel.set_ylabel(f"times preferred, of {each}")
    panel.grid(axis="y")


def _draw_strengths(panel: Axes, strengths: Mapping[str, Bounded], names: tuple[str, ...]) -> None:
    finite = [end for one in strengths.values() for end in (one.low, one.high, one.estimate)]
    finite = [end for end in finite if math.isfinite(end)]
    low, high = min(finite), max(finite)
    margin = 0.08 * (high - low) or 1.0
    panel.axhline(0.0, color=INK, linewidth=0.8)
    for place, name in enumerate(names):
        one, color = strengths[name], method_style(name, names).color
        # An end that votes do not bound runs out of the panel.
        ends = np.clip((one.low, one.high), low - 9 * margin, high + 9 * margin)
        panel.plot((place, place), ends, color=color)
        panel.plot(place, one.estimate, "o", color=color, markersize=6)
    panel.set_ylim(low - margin, high + margin)
    panel.set_xlim(-0.6, len(names) - 0.4)
    panel.set_xticks(range(len(names)), names)
    has_interval = all(one.has_interval for one in strengths.values())
    bars = "bars: 95 % interval over listeners" if has_interval else "one listener: no interval"
    panel.set_xlabel(bars, fontsize="small")
    panel.set_title("Bradley–Terry")
    panel.set_ylabel(f"log-odds against {names[0]}")
    panel.grid(axis="y")
