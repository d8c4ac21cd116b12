"""What the votes of a study's folder say, for the command line and for a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seqtutor.report.page.page import Section
from seqtutor.report.style import method_style
from seqtutor.settings import require, require_seed
from seqtutor.study.plan import Study, read_study
from seqtutor.study.planned import Progress, facts_of, progress_of
from seqtutor.study.presentation import verdict_lines
from seqtutor.study.results import Results, results_of
from seqtutor.study.section import ink_colors, section_html
from seqtutor.study.stored import collect_votes
from seqtutor.study.warnings import study_warnings

SIMULATED = "These are the votes of simulated listeners."


@dataclass(frozen=True)
class Analysis:
    """The results of a study with what a reader should know of them.

    Attributes:
        study: with its plan.
        progress: what was planned beside what has come.
        results: of the votes that count.
        lines: what was found, in sentences.
        warnings: on defects of the study, in sentences.
        is_simulated: whether no person answered.
    """

    study: Study
    progress: Progress
    results: Results
    lines: Sequence[str]
    warnings: Sequence[str]
    is_simulated: bool


def analyse(folder: Path, database: str | None = None, seed: int = 0) -> Analysis:
    """Read the votes of a study and analyse them.

    Args:
        folder: of the study.
        database: URL of the database with its votes, if that is not in the folder.
        seed: of the permutations of tests.

    Raises:
        UserError: if the folder holds no study, or no vote counts.
    """
    require_seed("--seed", seed)
    study = read_study(folder)
    plan = study.plan
    collected = collect_votes(study, database)
    collected.require_counted()
    votes = [one.vote for one in collected.votes]
    excluded = {name: "; ".join(reasons) for name, reasons in collected.excluded.items()}
    results = results_of(votes, plan.model_names, excluded, seed)
    warnings = study_warnings(
        collected.counted, plan.model_names, plan.media, plan.is_adaptive, seed
    )
    told = [*collected.remarks, *map(str, warnings)]
    progress = progress_of(plan, results.listeners, results.votes)
    counted, *others = verdict_lines(results, [one.defect for one in warnings])
    lines = [counted, str(progress), *others]
    return Analysis(study, progress, results, lines, told, collected.is_simulated)


def page_section(folder: Path, task: str, prior_title: str = "prior") -> Section:
    """The results of a study as a section of the page of a task's runs.

    Models have the names of the study; the rest of the page names them by their methods, and the
    prior by `prior_title`, which is told beside.

    Raises:
        UserError: as `analyse`, or if the study is one of another task.
    """
    found = analyse(folder)
    own = found.study.plan.task
    require(own == task, f"the study in {folder} is of the task {own}, not of {task}")
    names = found.results.models
    html = section_html(
        found.results,
        found.lines,
        remarks=[SIMULATED] if found.is_simulated else [],
        warnings=found.warnings,
        facts=facts_of(found.study) | {"Models": _with_titles(names, prior_title)},
    )
    return Section("study", "Listening study", html, ink_colors(names))


def _with_titles(names: Sequence[str], prior_title: str) -> str:
    titles = [prior_title if name == "prior" else method_style(name).label for name in names]
    return ", ".join(
        name if name == title else f"{name} ({title} elsewhere on this page)"
        for name, title in zip(names, titles, strict=True)
    )
