"""`seqtutor report`: one page of runs to look at and listen to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from seqtutor.cli.options import extended
from seqtutor.errors import UserError

if TYPE_CHECKING:
    from seqtutor.task_spec import TaskSpec

MOST_MEASURED = 2_000
"""Sequences that a page measures by default, unless the task's tables have fewer."""
SUFFIXES = (".html", ".htm")


@dataclass(frozen=True)
class Options:
    """Write one page of runs beside their prior, as a single HTML file.

    The page opens by a double click and needs no network: what was found in words, samples of the
    prior and of the tuned policies beside each other, tables, pictures, and how the runs were made.
    """

    runs: tyro.conf.Positional[
        Annotated[tuple[str, ...], tyro.conf.arg(metavar="RUN [RUN ...]")]
    ] = ()
    """Folders of runs or models, or "prior" for the one that comes with the package. Runs that
    differ in the seed alone are one policy."""
    output: Annotated[Path | None, tyro.conf.arg(metavar="FILE.html")] = None
    """The file; by default page.html in the folder of the first run."""
    samples: int = 12
    """Sequences of each policy that are shown one by one: a quarter each at random, the best, the
    most typical and the worst."""
    number: int = MOST_MEASURED
    """Sequences that each policy is measured on, among which the shown ones are chosen."""
    seed: int = 0
    """Seed of the sampling; the seed of a run is added."""
    study: Annotated[Path | None, tyro.conf.arg(metavar="STUDY")] = None
    """Folder of a listening study of these models, whose results the page has, too."""
    workers: int | None = None
    """Worker processes of a reward or measures that use them; by default one for each core, 0 for
    none."""


def defaults(spec: TaskSpec[Any], arguments: list[str]) -> Options:
    """As many sequences as the task's tables of runs have, if fewer; and its own of `evaluate`."""
    number = min(MOST_MEASURED, spec.numbers.evaluation_of_run)
    return extended(Options, {"number": number}, {"own": spec.evaluate_type()})


def run(spec: TaskSpec[Any], options: Any) -> None:
    """Measure, choose, draw, write; prints the path."""
    if not options.runs:
        raise UserError(f"name the folder of a run, such as: seqtutor report {spec.name} RUN")
    output = options.output or Path(options.runs[0]) / "page.html"
    if output.suffix.lower() not in SUFFIXES:
        raise UserError(f"--output must name an HTML file such as page.html, not {output}")
    spec.require_dependencies()
    spec.prepare_exhibits()
    from seqtutor.files import require_writable
    from seqtutor.report.page.page import write_page
    from seqtutor.runs.page import PageOptions, make_page
    from seqtutor.runs.policies import with_seeds

    require_writable(output)
    sections = []
    if options.study is not None:
        from seqtutor.study.analysis import page_section

        sections = [page_section(options.study, spec.name, spec.prior_title)]
    how = PageOptions(options.number, options.samples, options.seed, options.workers, options.own)
    how = replace(how, sections=sections)
    print(write_page(make_page(spec, with_seeds(options.runs), how), output))
