"""Results of a study as a section of a page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from seqtutor.measures.intervals import Interval
from seqtutor.report.page.charts import Ink, bar_chart
from seqtutor.report.style import method_style
from seqtutor.report.tables import Table, format_cell
from seqtutor.study.inference import Bounded
from seqtutor.study.presentation import shown_number, tables
from seqtutor.study.results import Results


def ink_colors(models: Sequence[str]) -> dict[str, str]:
    """The colour that a page's style sheet gives each name that `section_html` draws with."""
    return {
        f"--ink-{place}": method_style(model, tuple(models)).color
        for place, model in enumerate(models)
    }


def section_html(
    results: Results,
    lines: Sequence[str],
    *,
    remarks: Sequence[str] = (),
    warnings: Sequence[str] = (),
    facts: Mapping[str, str] | None = None,
) -> str:
    """A `<section>` of a page: sentences, charts and tables, without any style of its own.

    Its classes are those of `report/page/page.css`; colours are `ink_colors`, for which the page
    has other values in the dark.

    Args:
        results: of the study.
        lines: what was found, in sentences.
        remarks: what a reader has to know before.
        warnings: sentences on defects.
        facts: of the study's plan, by name.
    """
    inks = {model: Ink(place) for place, model in enumerate(results.models)}
    shares = [(m, [(inks[m], results.wins[m].share)]) for m in results.models]
    strengths = [(m, [(inks[m], _drawn(results.strengths[m]))]) for m in results.models]
    first = results.models[0]
    parts = ['<section id="study" aria-labelledby="study-title">']
    parts.append('<h2 id="study-title">Listening study</h2>')
    parts += [f'<p class="remark">{escape(line)}</p>' for line in remarks]
    parts.append("<ul>")
    parts += [f"<li>{escape(line)}</li>" for line in lines]
    parts.append("</ul>")
    parts += [f'<p class="remark">{escape(line)}</p>' for line in warnings]
    parts.append('<div class="columns">')
    for title, rows, axis in (
        ("Share preferred", shares, "of comparisons with a preference"),
        ("Bradley–Terry", strengths, f"log-odds against {first}"),
    ):
        chart = bar_chart(rows, f"{title}: {_aloud(rows)}", axis)
        parts.append(f'<figure class="column"><figcaption>{title}</figcaption>{chart}</figure>')
    parts.append("</div>")
    parts += [_table_html(table) for table in tables(results)]
    if facts:
        parts.append('<h3>How the study was made</h3><dl class="facts">')
        parts += [
            f"<div><dt>{escape(name)}</dt><dd>{escape(fact)}</dd></div>"
            for name, fact in facts.items()
        ]
        parts.append("</dl>")
    parts.append("</section>")
    return "\n".join(parts)


def _drawn(one: Bounded) -> Interval:
    """The interval of a chart; an end that is not bounded ends at the estimate."""
    low = one.low if math.isfinite(one.low) else one.estimate
    high = one.high if math.isfinite(one.high) else one.estimate
    return Interval(one.estimate, low, high)


def _aloud(rows: Sequence[tuple[str, Sequence[tuple[Ink, Interval]]]]) -> str:
    return ", ".join(f"{label} {shown_number(bars[0][1].value)}" for label, bars in rows)


def _table_html(table: Table) -> str:
    head = "".join(f'<th scope="col">{escape(column.title)}</th>' for column in table.columns)
    lines = [
        f'<tr><th scope="row">{escape(row.label)}</th>'
        + "".join(f"<td>{escape(format_cell(cell, row.unit))}</td>" for cell in row.cells)
        + "</tr>"
        for row in table.rows
    ]
    return (
        f'<div class="scroll"><table><caption>{escape(table.title)}</caption>'
        f"<thead><tr><th></th>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
        f'<p class="quiet">{escape(table.note)}</p>'
    )
