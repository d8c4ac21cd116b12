"""The folk experiment on paper: table, plane of quality and diversity, curves, gallery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from seqtutor.adversarial.evaluation import GeneratorMeasures
from seqtutor.files import atomic_write
from seqtutor.report.evaluation_table import PolicyColumn, evaluation_table
from seqtutor.report.plots import History, Quantity, training_curves
from seqtutor.report.style import save_for_page_and_print
from seqtutor.report.tables import Table, format_value, render_markdown, write_csv
from seqtutor.tasks.folk.findings import findings, fresh_judges
from seqtutor.tasks.folk.gallery import Gallery
from seqtutor.tasks.folk.next_token import NextToken
from seqtutor.tasks.folk.next_token_figure import next_token_figure, write_next_token
from seqtutor.tasks.folk.plots import quality_and_diversity
from seqtutor.tasks.folk.table_1 import PUBLISHED, ROWS
from seqtutor.tasks.folk.variants import UNTRAINED, title_of

Item = TypeVar("Item")

CURVES = (
    Quantity("likeness/cross_entropy", "nats a token", "H(p_data, p_gen)"),
    Quantity("likeness/entropy", "nats a token", "H(p_gen)"),
    Quantity("likeness/self_bleu", "self-BLEU", "Self-BLEU of samples"),
    Quantity("discriminator/mean_generated", "mean D(x)", "What samples earn"),
)


@dataclass(frozen=True)
class FolkResults:
    """All that is to be shown.

    Attributes:
        generators: by name, an evaluation for each seed; maximum likelihood comes first.
        sweep: maximum likelihood at other temperatures.
        histories: of the games, by generator; `step` is the round.
        galleries: by generator.
        learning: by generator, for each seed the share of rounds, after the first ones of the
            discriminator alone, in which it kept what it had learned; of games in which that may be
            taken back.
        is_published_data: whether the sequences are those that the paper's figures are about.
        is_trial: whether too little was run to learn anything, so that nothing is judged.
        next_token: what the generators of the first seed expect at a step of a held-out sequence.
    """

    generators: Mapping[str, Sequence[GeneratorMeasures]]
    sweep: Mapping[float, GeneratorMeasures]
    histories: Mapping[str, Sequence[History]]
    galleries: Mapping[str, Gallery]
    learning: Mapping[str, Sequence[float]]
    is_published_data: bool
    is_trial: bool
    next_token: NextToken


def folk_table(
    generators: Mapping[str, Sequence[GeneratorMeasures]],
    *,
    is_published_data: bool,
    is_trial: bool = False,
    title: str,
) -> Table:
    """The paper's Table 1 with what it lacks, the paper's own figures beside.

    Only where the sequences are those of the paper, and it is no trial, is a cell marked as better
    or worse than the paper's.
    """
    seeds = max(len(evaluations) for evaluations in generators.values())
    judges = round(max(one.judges for found in generators.values() for one in found))
    note = f"± is the 95 % interval over {seeds} seeds of one prior."
    if seeds == 1:
        note = f"One seed. {_over_judges(judges)}".rstrip()
    if not is_published_data and any(map(PUBLISHED.heading_beside, generators)):
        note += (
            " The paper's figures are of other tokens and of songs that straddle its split: they "
            "show an order, not a mark to reach."
        )
    columns = [
        PolicyColumn(name, [one.estimates for one in evaluations], title_of(name))
        for name, evaluations in generators.items()
    ]
    is_marked = is_published_data and not is_trial
    return evaluation_table(columns, ROWS, PUBLISHED, title=title, note=note, is_marked=is_marked)


def sweep_table(sweep: Mapping[float, GeneratorMeasures]) -> Table:
    """Maximum likelihood at other temperatures."""
    columns = [PolicyColumn(f"T = {one:g}", [found.estimates]) for one, found in sweep.items()]
    note = _over_judges(round(next(iter(sweep.values())).judges))
    return evaluation_table(
        columns, ROWS, title="Maximum likelihood at other temperatures", note=note
    )


def _over_judges(judges: int) -> str:
    if judges < 2:
        return ""
    return f"± of fresh judges is the 95 % interval over {judges} of them."


def write_report(results: FolkResults, folder: Path, remark: str) -> Path:
    """Write everything into a folder and return the page that leads through it.

    `remark` says how much was run, on what.

    Raises:
        UserError: if a file cannot be written.
    """
    table = table_of(results)
    write_csv(table, folder / "table.csv")
    page = [
        "# Tunes with chords: adversarial generators beside maximum likelihood\n",
        f"{remark}\n",
        render_markdown(table),
    ]
    if not results.is_trial:
        page += findings(results.generators, len(results.next_token.names))
        page += fresh_judges(results.generators)
    if results.sweep:
        sweep = sweep_table(results.sweep)
        write_csv(sweep, folder / "temperatures.csv")
        page += [render_markdown(sweep)]
    page += _figures(results, folder)
    page += _galleries(results, folder)
    return atomic_write(folder / "report.md", "\n".join(page))


def _figures(results: FolkResults, folder: Path) -> list[str]:
    """Draw them, and what the page says around them."""
    plane = quality_and_diversity(_drawn(results.generators), results.sweep)
    save_for_page_and_print(plane, folder / "plane")
    histories = _drawn(results.histories)
    if histories:
        curves = training_curves(
            histories,
            CURVES,
            step_label="round",
            labels={name: title_of(name) for name in histories},
        )
        save_for_page_and_print(curves, folder / "training")
    save_for_page_and_print(next_token_figure(results.next_token), folder / "next_token")
    write_next_token(results.next_token, folder / "next_token.csv")
    is_far_off = len(_drawn(results.generators)) < len(results.generators)
    far_off = f" *{title_of(UNTRAINED)}* is too far off to be drawn." if is_far_off else ""
    page = [
        "## Quality and diversity\n",
        "A generator is better than the prior at another temperature only where it lies beyond the "
        f"grey curve.{far_off}\n",
        "![Quality and diversity](plane.png)\n",
    ]
    if histories:
        page += [
            "## Training\n",
            "Measured on validation sequences and on all samples that a round makes for the "
            "discriminator: other ones than in the table, and more, with which self-BLEU rises."
            f"{far_off}\n",
            "![Curves over the rounds](training.png)\n",
        ]
        page += _learning(results.learning)
    page += [
        "## One step\n",
        f"What each generator of the first seed expects after {results.next_token.given} tokens of "
        "a held-out sequence (Fig. 2 of the paper is of this kind). The grey outline is maximum "
        "likelihood's distribution, the triangle marks the token that follows, "
        f"`{results.next_token.names[results.next_token.real]}`; all tokens are in "
        "[next_token.csv](next_token.csv).\n",
        "![Distributions over the next token](next_token.png)\n",
    ]
    return page


def table_of(results: FolkResults) -> Table:
    """The table of all generators."""
    return folk_table(
        results.generators,
        is_published_data=results.is_published_data,
        is_trial=results.is_trial,
        title="Table 1 of Bjare & Meredith (2020), and what it lacks",
    )


def _drawn(by_generator: Mapping[str, Item]) -> dict[str, Item]:
    """Those that can share axes: beside one that knows nothing, all others would be one point."""
    return {name: one for name, one in by_generator.items() if name != UNTRAINED}


def _learning(learning: Mapping[str, Sequence[float]]) -> list[str]:
    """How often the discriminators became better, of all rounds."""
    if not learning:
        return []
    shares = ", ".join(
        f"{title_of(name)} {100 * float(np.mean(values)):.0f} %"
        for name, values in learning.items()
    )
    return [
        "Rounds, after those of the discriminator alone, in which it kept what it had learned: "
        f"{shares}. In the other rounds the discriminator "
        "told unseen sequences apart no better than before, and what it had learned was taken "
        f"back. With hardly any such round a game is that of *{title_of('frozen')}*.\n"
    ]


def _galleries(results: FolkResults, folder: Path) -> list[str]:
    page = [
        "## Gallery\n",
        "Of each generator's samples those with the highest D(x) by the discriminator of its game "
        "(false positives, if above ½), with the lowest (true negatives), and those that repeat "
        "most (collapsed: at most half of their runs of four tokens are different). Maximum "
        "likelihood, which played no game, stands before its judge, and so do two real sequences "
        "that were held out. Sequences are cut out of tunes: they begin and end anywhere. Scores "
        "are MusicXML.\n",
    ]
    for name, gallery in results.galleries.items():
        page += [f"### {title_of(name)} ([ABC]({gallery.book.relative_to(folder)}))\n"]
        page += [
            f"- {entry.kind}, D(x) = {format_value(entry.probability)}, "
            f"{100 * entry.distinct:.0f} % of runs different: "
            f"[MIDI]({entry.midi.relative_to(folder)}), [WAV]({entry.sound.relative_to(folder)}), "
            f"[score]({entry.score.relative_to(folder)})"
            for entry in gallery.entries
        ]
        page += [""]
    return page
