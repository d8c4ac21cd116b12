"""The report of the adversarial experiment: tables, figures, gallery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from seqtutor.adversarial.evaluation import MEASURES
from seqtutor.files import atomic_write
from seqtutor.measure import Estimates
from seqtutor.report.evaluation_table import PolicyColumn, evaluation_table
from seqtutor.report.plots import Quantity, training_curves
from seqtutor.report.style import save_for_page_and_print
from seqtutor.report.tables import Table, render_markdown, write_csv
from seqtutor.tasks.folk.findings import findings, fresh_judges
from seqtutor.tasks.folk.next_token import next_token_figure, write_next_token
from seqtutor.tasks.folk.plots import quality_and_diversity
from seqtutor.tasks.folk.results import Results
from seqtutor.tasks.folk.table_1 import PUBLISHED
from seqtutor.tasks.folk.variants import UNTRAINED, title_of

Item = TypeVar("Item")

CURVES = (
    Quantity("likeness/cross_entropy", "nats a token", "H(p_data, p_gen)"),
    Quantity("likeness/entropy", "nats a token", "H(p_gen)"),
    Quantity("likeness/self_bleu", "self-BLEU", "Self-BLEU of samples"),
    Quantity("discriminator/mean_generated", "mean D(x)", "D(x) of samples"),
)


def folk_table(
    generators: Mapping[str, Sequence[Estimates]],
    *,
    is_published_data: bool,
    is_trial: bool = False,
    title: str,
) -> Table:
    """The rows of the paper's Table 1 and further ones, beside the paper's figures.

    Cells are marked as better or worse than the paper's only if the sequences are those of the
    paper and it is not a trial.
    """
    seeds = max(len(evaluations) for evaluations in generators.values())
    judges = max(one["judge_mean"].count for found in generators.values() for one in found)
    note = f"± is the 95 % interval over {seeds} seeds of one prior."
    if seeds == 1:
        note = f"One seed. {_over_judges(judges)}".rstrip()
    if not is_published_data and any(map(PUBLISHED.heading_beside, generators)):
        note += (
            " The paper's figures are of other tokens, and of songs that are in two parts of its "
            "split: compare their order, not their size."
        )
    columns = [
        PolicyColumn(name, evaluations, title_of(name)) for name, evaluations in generators.items()
    ]
    is_marked = is_published_data and not is_trial
    return evaluation_table(
        columns, MEASURES, PUBLISHED, title=title, note=note, is_marked=is_marked
    )


def sweep_table(sweep: Mapping[float, Estimates]) -> Table:
    """Maximum likelihood at other temperatures."""
    columns = [PolicyColumn(f"T = {one:g}", [found]) for one, found in sweep.items()]
    note = _over_judges(next(iter(sweep.values()))["judge_mean"].count)
    return evaluation_table(
        columns, MEASURES, title="Maximum likelihood at other temperatures", note=note
    )


def _over_judges(judges: int) -> str:
    if judges < 2:
        return ""
    return f"± of fresh judges is the 95 % interval over {judges} of them."


def write_report(results: Results, folder: Path, remark: str) -> Path:
    """Write tables, figures, samples and the page that links them; gives the path of the page.

    Args:
        results: of the experiment.
        folder: of the files.
        remark: what was run, on which data.

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
        page += findings(results.generators, results.prior.vocabulary.size)
        page += fresh_judges(results.generators)
    if results.sweep:
        sweep = sweep_table(results.sweep)
        write_csv(sweep, folder / "temperatures.csv")
        page += [render_markdown(sweep)]
    page += [*_plane(results, folder), *_training(results, folder), *_one_step(results, folder)]
    page += [
        "## Gallery\n",
        "Of each generator the samples with the highest D(x) by the discriminator of its game "
        "(false positives, if above ½), with the lowest (true negatives), and the most repetitive "
        "ones (collapsed: at most half of their runs of four tokens are different). For maximum "
        "likelihood, which played no game, and for two held-out real sequences it is the D(x) of a "
        "judge. Sequences are cut out of tunes: they begin and end anywhere. Scores are "
        "MusicXML.\n",
    ]
    page += [line for lines in results.write_galleries().values() for line in lines]
    return atomic_write(folder / "report.md", "\n".join(page))


def _plane(results: Results, folder: Path) -> list[str]:
    plane = quality_and_diversity(_drawn(results.generators), results.sweep)
    save_for_page_and_print(plane, folder / "plane")
    return [
        "## Quality and diversity\n",
        "A generator is better than the prior at another temperature only where it lies beyond the "
        f"grey curve.{_far_off(results)}\n",
        "![Quality and diversity](plane.png)\n",
    ]


def _training(results: Results, folder: Path) -> list[str]:
    histories = _drawn(results.histories())
    if not histories:
        return []
    labels = {name: title_of(name) for name in histories}
    curves = training_curves(histories, CURVES, step_label="round", labels=labels)
    save_for_page_and_print(curves, folder / "training")
    page = [
        "## Training\n",
        "Measured on validation sequences and on all samples of a round for the discriminator: "
        "others than in the table, and more of them, with which self-BLEU increases."
        f"{_far_off(results)}\n",
        "![Curves over the rounds](training.png)\n",
    ]
    shares = ", ".join(
        f"{title_of(name)} {100 * float(np.mean(values)):.0f} %"
        for name, values in results.shares_of_learning().items()
    )
    if shares:
        page.append(
            "Share of the rounds, after those of the discriminator alone, whose updates of the "
            f"discriminator were kept: {shares}. In the others they did not lower its "
            "cross-entropy on unseen sequences. With hardly any such round a game is that of "
            f"*{title_of('frozen')}*.\n"
        )
    return page


def _one_step(results: Results, folder: Path) -> list[str]:
    found = results.next_token()
    save_for_page_and_print(next_token_figure(found), folder / "next_token")
    write_next_token(found, folder / "next_token.csv")
    return [
        "## One step\n",
        f"The distribution of each generator of the first seed after {found.given} tokens of a "
        "held-out sequence (like Fig. 2 of the paper). The grey outline is that of maximum "
        f"likelihood, the triangle marks the token that follows, `{found.names[found.real]}`; all "
        "tokens are in [next_token.csv](next_token.csv).\n",
        "![Distributions over the next token](next_token.png)\n",
    ]


def _drawn(by_generator: Mapping[str, Item]) -> dict[str, Item]:
    """Those that can share axes: beside an untrained one, all others would be one point."""
    return {name: one for name, one in by_generator.items() if name != UNTRAINED}


def _far_off(results: Results) -> str:
    is_left_out = UNTRAINED in results.generators
    return f" *{title_of(UNTRAINED)}* is too far off to be drawn." if is_left_out else ""


def table_of(results: Results) -> Table:
    """The table of all generators."""
    return folk_table(
        results.generators,
        is_published_data=results.is_published_data,
        is_trial=results.is_trial,
        title="Table 1 of Bjare & Meredith (2020), and further measures",
    )
