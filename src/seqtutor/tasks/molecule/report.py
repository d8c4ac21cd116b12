"""The molecule experiment on paper: tables, curves, distributions of properties, pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seqtutor.files import atomic_write
from seqtutor.measure import Estimate, Measure
from seqtutor.measures.estimates import mean_estimate
from seqtutor.report.evaluation_table import PolicyColumn, evaluation_table
from seqtutor.report.plots import History, Quantity, training_curves
from seqtutor.report.style import method_style, save_for_page_and_print
from seqtutor.report.tables import Table, render_markdown, write_csv
from seqtutor.tasks.molecule.evaluation import MoleculeEvaluation
from seqtutor.tasks.molecule.plots import property_distributions
from seqtutor.tasks.molecule.table_2 import MOSES, TABLE_2
from seqtutor.tasks.molecule.terms import Scores

CURVES = (
    Quantity("reward", "mean reward a token", "Reward, weighted"),
    Quantity("kl", "nats a token", "KL from the prior"),
    Quantity("distinct", "share of a collection", "Distinct strings"),
)
TRAINING_SET = "training set"

_TRADE_OFF = ("valid", "logp", "qed", "sa_penalty", "unique@10000", "novelty", "internal_diversity")
TRADE_OFF = (
    Measure("reward", "Mean reward a string"),
    Measure("kl_per_string", "KL from the prior, nats a string"),
    *(row for row in (*TABLE_2, *MOSES) if row.name in _TRADE_OFF),
)
"""The rows of the table of reward against KL divergence."""


@dataclass(frozen=True)
class MoleculeReport:
    """All that is to be shown of one preset.

    Attributes:
        preset: its name, and that of its folder.
        rewarded: what it pays for, in words.
        table: of the prior and the policies.
        histories: of the runs, by method.
        properties: of drawn molecules, by whose they are, with all columns that are drawn.
        samples: folders with files of molecules, by whose they are.
    """

    preset: str
    rewarded: str
    table: Table
    histories: Mapping[str, Sequence[History]]
    properties: Mapping[str, Scores]
    samples: Mapping[str, Path]


@dataclass(frozen=True)
class TradeOffPoint:
    """A policy of one c, or the prior, with its name and its mean reward."""

    name: str
    reward: Estimate
    evaluation: MoleculeEvaluation


def trade_off_table(points: Sequence[TradeOffPoint], title: str, note: str) -> Table:
    """Reward against KL divergence, a column for each point, and measures of the molecules."""
    columns = []
    for point in points:
        own = {"reward": point.reward, "kl_per_string": mean_estimate(point.evaluation.samples.kl)}
        columns.append(PolicyColumn(point.name, [{**point.evaluation.estimates, **own}]))
    return evaluation_table(columns, TRADE_OFF, title=title, note=note)


def write_report(
    reports: Sequence[MoleculeReport], trade_off: Table | None, folder: Path, remark: str
) -> Path:
    """Write everything into a folder and return the page that leads through it.

    `remark` says how much was run.

    Raises:
        UserError: if a file cannot be written.
    """
    page = [
        "# Molecules: the prior and what tuning makes of it\n",
        "SMILES strings, token by token, rewarded by RDKit. The samples open in any chemistry "
        "program (SDF), table (CSV) or browser (SVG).\n",
        f"{remark}\n",
    ]
    for report in reports:
        page += _section(report, folder)
    if trade_off is not None:
        write_csv(trade_off, folder / "trade_off.csv")
        page += ["## Trade-off\n", render_markdown(trade_off), ""]
    return atomic_write(folder / "report.md", "\n".join(page))


def _section(report: MoleculeReport, folder: Path) -> list[str]:
    own = folder / report.preset
    write_csv(report.table, own / "table.csv")
    columns = {name: scores.columns for name, scores in report.properties.items()}
    save_for_page_and_print(training_curves(report.histories, CURVES), own / "training")
    distributions = property_distributions(columns, background=TRAINING_SET)
    save_for_page_and_print(distributions, own / "properties")
    return [
        f"## Preset {report.preset}\n",
        f"{report.rewarded}\n",
        render_markdown(report.table),
        f"\n![Reward, divergence and distinct strings]({report.preset}/training.png)\n",
        f"![Distributions of properties]({report.preset}/properties.png)\n",
        "Samples, drawn at random, not chosen:\n",
        *(_links(name, path.relative_to(folder)) for name, path in report.samples.items()),
        "",
    ]


def _links(name: str, path: Path) -> str:
    label = method_style(name).label
    files = ", ".join(f"[{one}]({path}/molecules.{one})" for one in ("csv", "smi", "sdf"))
    return f"- {label}: {files}\n\n  ![Molecules]({path}/molecules.svg)\n"
