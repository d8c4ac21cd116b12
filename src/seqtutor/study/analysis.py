"""What the votes of a study's folder say, for the command line and for a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seqtutor.report.page.page import Section
from seqtutor.settings import require, require_seed
from seqtutor.study.plan import read_study
from seqtutor.study.presentation import ink_colors, section_html
from seqtutor.study.results import Results, results_of
from seqtutor.study.stored import collect_votes
from seqtutor.study.warnings import study_warnings

SIMULATED = "These are the votes of simulated listeners."


@dataclass(frozen=True)
class Analysis:
    """The results of a study with what a reader should know of them.

    Attributes:
        task: the name of the study's task.
        results: of the votes that count.
        warnings: on defects of the study, in sentences.
        is_simulated: whether no person answered.
    """

    task: str
    results: Results
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
    return Analysis(plan.task, results, told, collected.is_simulated)


def page_section(folder: Path, task: str) -> Section:
    """The results of a study as a section of the page of a task's runs.

    Raises:
        UserError: as `analyse`, or if the study is one of another task.
    """
    found = analyse(folder)
    require(found.task == task, f"the study in {folder} is of the task {found.task}, not of {task}")
    remarks = [*([SIMULATED] if found.is_simulated else []), *found.warnings]
    colors = ink_colors(found.results.models)
    return Section("study", "Listening study", section_html(found.results, remarks), colors)
