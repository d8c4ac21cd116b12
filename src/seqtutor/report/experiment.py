"""The report of an experiment: a page of Markdown with tables, curves, pictures and samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seqtutor.files import atomic_write
from seqtutor.report.plots import History, Quantity, training_curves
from seqtutor.report.style import method_style, save_for_page_and_print
from seqtutor.report.tables import Table, render_markdown, write_csv


@dataclass(frozen=True)
class Section:
    """One preset of an experiment.

    Attributes:
        name: of the preset and its folder.
        description: what the reward pays for.
        table: of the prior and the policies.
        histories: for each method, the records of each seed's run.
        prior_log_prior: mean log p(a|s) of the prior's own samples, in nats.
        samples: folders of files that were written of each policy's samples.
        illustrations: further paragraphs of Markdown, with links relative to the report.
    """

    name: str
    description: str
    table: Table
    histories: Mapping[str, Sequence[History]]
    prior_log_prior: float
    samples: Mapping[str, Path]
    illustrations: Sequence[str] = ()


@dataclass(frozen=True)
class ExperimentReport:
    """A whole experiment.

    Attributes:
        title: heads the page.
        remark: what was run.
        sections: one for each preset.
        trade_off: reward against divergence over c, if it was measured.
    """

    title: str
    remark: str
    sections: Sequence[Section]
    trade_off: Table | None = None


def write_report(report: ExperimentReport, folder: Path) -> Path:
    """Write tables, figures and the page that leads through them; gives the path of the page.

    Raises:
        UserError: if a file cannot be written.
    """
    page = [f"# {report.title}\n", f"{report.remark}\n"]
    for section in report.sections:
        page += _section(section, folder)
    if report.trade_off is not None:
        write_csv(report.trade_off, folder / "trade_off.csv")
        page += ["## Reward against divergence\n", render_markdown(report.trade_off), ""]
    return atomic_write(folder / "report.md", "\n".join(page))


def _section(section: Section, folder: Path) -> list[str]:
    own = folder / section.name
    write_csv(section.table, own / "table.csv")
    figure = training_curves(section.histories, _quantities(section))
    save_for_page_and_print(figure, own / "training")
    return [
        f"## Preset {section.name}\n",
        *([f"{section.description}\n"] if section.description else []),
        render_markdown(section.table),
        f"\n![Likelihood, reward and divergence during training]({section.name}/training.png)\n",
        "Sequences that are collected during training may have random tokens at first (ε-greedy), "
        "which lowers their reward. The dashed line is the likelihood of the prior's own "
        "samples.\n",
        *section.illustrations,
        "Samples, drawn at random, not chosen:\n",
        *(_links(name, path, folder) for name, path in section.samples.items()),
        "",
    ]


def _quantities(section: Section) -> tuple[Quantity, ...]:
    return (
        Quantity(
            "log_prior",
            "mean log p(a|s), nats",
            "Likelihood under the prior",
            (section.prior_log_prior, "the prior's own"),
        ),
        Quantity("reward", "mean reward a step", "Reward, weighted"),
        Quantity("kl", "nats a step", "KL divergence from the prior"),
    )


def _links(name: str, path: Path, folder: Path) -> str:
    relative = path.relative_to(folder)
    return f"- [{method_style(name).label}]({relative})"
