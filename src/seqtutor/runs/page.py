"""The page of runs: measured, sampled and shown by their task."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from seqtutor.exhibits import Distribution, Exhibit, Exhibition, Fact, Shown
from seqtutor.report.page.charts import Ink
from seqtutor.report.page.choosing import Rule, choose
from seqtutor.report.page.figures import Drawn as DrawnCharts
from seqtutor.report.page.figures import figure_groups
from seqtutor.report.page.page import (
    NO_SCORE,
    Card,
    CardGroup,
    ListedRow,
    Listing,
    Page,
    RunRecord,
    Section,
    cards_of,
    write_page,
)
from seqtutor.report.page.verdict import term_title, verdict
from seqtutor.report.reading import listed
from seqtutor.report.style import method_style
from seqtutor.runs.evaluating import (
    Evaluator,
    Known,
    measured_groups,
    open_evaluator,
    table_of,
    terms_of,
)
from seqtutor.runs.event_logs import LogName, log_samples
from seqtutor.runs.page_members import Member, histories_of, members_of, run_record
from seqtutor.runs.policies import PRIOR, distinct_settings
from seqtutor.runs.progress import console, progress_bar
from seqtutor.runs.provenance import made_by_in_words
from seqtutor.settings import require, require_seed, require_workers
from seqtutor.task_records import Drawn
from seqtutor.task_spec import TaskSpec

Unscored = Mapping[str, Mapping[int, str]]
"""By the name of a term, by row, why it has no value."""

AMONG_SCORED = "What has no score can only be drawn at random."
COUNTED = "Without a score: {}; a mean of the reward counts a neutral value for each of them."


@dataclass(frozen=True)
class PageOptions:
    """How a page is made.

    Attributes:
        number: sequences that each policy is measured on.
        samples: of each policy that are shown one by one.
        seed: of the sampling.
        reward_workers: worker processes of the reward, and of measures that use them.
        measuring: an instance of the task's `evaluate_type`.
        may_run_code: whether code that the runs' settings name may run without being allowed by
            `measuring`; see `open_evaluator`.
        sections: of other parts of the program that the page has, too.
        known: evaluations of its policies that need not be made again.

    Raises:
        UserError: if a number is out of range.
    """

    number: int = 2000
    samples: int = 12
    seed: int = 0
    reward_workers: int | None = None
    measuring: Any = None
    may_run_code: bool = False
    sections: Sequence[Section] = ()
    known: Known = field(default_factory=Known)

    def __post_init__(self) -> None:
        require(self.number >= 2, f"--number must be at least 2, not {self.number}")
        require(
            1 <= self.samples <= self.number,
            f"--samples must lie between 1 and --number ({self.number}), not {self.samples}",
        )
        require_workers(self.reward_workers)
        require_seed("--seed", self.seed)


def make_page(spec: TaskSpec[Any], names: Sequence[str], options: PageOptions) -> Page:
    """Measure runs and models, and collect all that their page shows.

    Args:
        spec: the task.
        names: of runs or models, each once; the priors are added.
        options: how much is measured and shown.

    Raises:
        UserError: if a run cannot be read or is not finished, a run and its copy are named, or the
            runs cannot be measured side by side.
    """
    spec.prepare_exhibits()
    members = members_of(spec, names)
    policies = [policy for member in members for policy in member.policies]
    with open_evaluator(
        spec,
        policies,
        number=options.number,
        options=options.measuring,
        reward_workers=options.reward_workers,
        may_run_code=options.may_run_code,
        known=options.known.first(options.number),
    ) as evaluator:
        for caution in evaluator.cautions:
            console.print(caution, style="yellow")
        groups = [member.group for member in members]
        found = measured_groups(evaluator, groups, options.seed)
        measured = [
            replace(member, measured=own) for member, own in zip(members, found, strict=True)
        ]
        return _page(spec, _as_measured(evaluator, measured, options), measured, options)


def _as_measured(
    evaluator: Evaluator, members: Sequence[Member], options: PageOptions
) -> Evaluator:
    """The evaluator with the number of sequences that were measured, which may have been more."""
    known, policies = options.known, [one for member in members for one in member.policies]
    if not all(known.find(one, options.seed + one.seed) for one in policies):
        return evaluator
    notes = list(evaluator.notes)
    if any(one.column.log_partition for one in members) and known.number > options.number:
        few = f"the first {options.number:,} {evaluator.spec.many}"
        notes.append(f"The objective and the bounds on log Z are of {few}.")
    return replace(evaluator, number=known.number, notes=notes)


def write_run_page(
    spec: TaskSpec[Any],
    runs: Sequence[Path],
    folder: Path,
    *,
    most: int,
    reward_workers: int | None = None,
    measuring: Any = None,
    logs: Sequence[LogName] = (),
    known: Known | None = None,
) -> Path:
    """Write page.html of runs that the user has just had made.

    Args:
        spec: the task.
        runs: their folders.
        folder: where the page is written.
        most: sequences that a policy may be measured on; a page has its own number otherwise.
        reward_workers: as for `PageOptions`.
        measuring: as for `PageOptions`.
        logs: names of other programs that show the samples of the page.
        known: evaluations of the runs and their prior that need not be made again.

    Returns:
        The path of the page.

    Raises:
        UserError: as `make_page`, or if the page cannot be written.
    """
    number = max(2, min(most, PageOptions.number))
    options = PageOptions(
        number,
        min(number, PageOptions.samples),
        0,
        reward_workers,
        measuring=measuring,
        may_run_code=True,
        known=known or Known(),
    )
    page = make_page(spec, [str(run) for run in runs], options)
    path = write_page(page, folder / "page.html")
    cards = [card for group in page.groups for own in group.cards.values() for card in own]
    log_samples(logs, cards, folder)
    return path


def _page(
    spec: TaskSpec[Any], evaluator: Evaluator, members: Sequence[Member], options: PageOptions
) -> Page:
    settings = _settings(spec, members)
    drawn_by = {one.title: one.drawn(settings, options.may_run_code) for one in members}
    unscored = {title: _unscored(evaluator, own) for title, own in drawn_by.items()}
    chosen = {
        one.title: choose(one.tokens, _scores(one, unscored[one.title]), options.samples)
        for one in members
    }
    shown = {
        one.title: _shown(evaluator, one, drawn_by[one.title], chosen[one.title]) for one in members
    }
    with progress_bar() as progress:
        bar = progress.add_task("Drawing", total=1, unit="pages", note="")
        exhibition = spec.exhibits(shown)
        progress.update(bar, completed=1)
    columns = [one.column for one in members]
    evaluations = [found for one in members for found in one.evaluations]
    rows = evaluator.rows(terms_of(spec, evaluations, evaluator.shows_preference))
    inks, colors = _inks(members)
    titles = ", ".join(one.title for one in members if one.name != PRIOR) or spec.prior_title
    without = _without_score(members, spec.many, unscored)
    drawn = DrawnCharts(
        inks,
        columns[0],
        [one for one in columns if one.name != PRIOR],
        {one.title: h for one in members if (h := histories_of(one.folders))},
        [*_reward_distribution(members, spec.one, unscored), *exhibition.distributions],
        exhibition.maps,
        spec.one,
        COUNTED.format(without) if without else "",
        f"Without a score, and left out: {without}." if without else "",
    )
    table = table_of(evaluator, columns, rows)
    return Page(
        title=f"{spec.heading}: {titles}",
        subtitle=(
            f"Task {spec.name}. {evaluator.number:,} {spec.many} of each policy were generated, "
            "measured, and some of them chosen by rule to be shown."
        ),
        one=spec.one,
        many=spec.many,
        inks=inks,
        colors=colors,
        verdict=_verdicts(spec, members, evaluator, unscored),
        number=options.number,
        groups=_groups(chosen, shown, exhibition),
        table=replace(table, note=" ".join(filter(None, [table.note, drawn.counted]))),
        figures=figure_groups(drawn),
        listing=_listing(members, exhibition, unscored),
        runs=list(_run_records(members)),
        notes=[*exhibition.notes, *([AMONG_SCORED] if without else [])],
        keys=exhibition.keys,
        sections=options.sections,
        made_by=made_by_in_words(),
    )


def _settings(spec: TaskSpec[Any], members: Sequence[Member]) -> Any:
    """The settings of the task of the first run; defaults where there is none."""
    found = distinct_settings([policy for member in members for policy in member.policies])
    return found[0] if found else spec.settings_type()


def _shown(
    evaluator: Evaluator,
    member: Member,
    drawn: Drawn,
    chosen: Mapping[Rule, Sequence[int]],
) -> Shown:
    rows = np.array([row for own in chosen.values() for row in own], np.int64)
    task = evaluator.tasks.get(drawn.vocabulary)
    terms: dict[str, np.ndarray] = {}
    missing: Unscored = {}
    if task is not None and len(rows):
        few = drawn.sequences[rows]
        found = task.reward(few.tokens, few.mask)
        terms = {name: np.asarray(term, np.float64) for name, term in found.terms.items()}
        missing = task.reward.unscored(few.tokens, few.mask)
    titles = [
        card_title(member.title, rule, number)
        for rule, own in chosen.items()
        for number in range(1, len(own) + 1)
    ]
    probabilities = partial(member.probabilities, rows)
    return Shown(drawn, rows, terms, titles=titles, probabilities=probabilities, unscored=missing)


def _unscored(evaluator: Evaluator, drawn: Drawn) -> Unscored:
    """Which terms of all sequences have no value."""
    task = evaluator.tasks.get(drawn.vocabulary)
    every = drawn.sequences
    return {} if task is None else task.reward.unscored(every.tokens, every.mask)


def _rows_without(unscored: Unscored) -> list[int]:
    """The sequences of which a term has no value."""
    return sorted({row for rows in unscored.values() for row in rows})


def _known(values: np.ndarray, missing: Iterable[int]) -> np.ndarray:
    """Rewards with NaN in place of neutral values."""
    found = np.array(values, np.float64)
    found[list(missing)] = np.nan
    return found


def _scores(member: Member, unscored: Unscored) -> np.ndarray | None:
    """The rewards of a policy's sequences, NaN for those of which a term has no value."""
    return None if member.rewards is None else _known(member.rewards, _rows_without(unscored))


def _without_score(members: Iterable[Member], many: str, unscored: Mapping[str, Unscored]) -> str:
    """How many sequences of each policy have no score; empty for none at all."""
    counts = [(one, len(_rows_without(unscored[one.title]))) for one in members]
    if not any(count for _, count in counts):
        return ""
    return listed(
        [f"{count:,} of {len(one.tokens):,} {many} of {one.title}" for one, count in counts]
    )


def card_title(policy: str, rule: Rule, number: int) -> str:
    """The title of a sample that a rule chose, the first with number 1."""
    return f"{policy}, {rule.name} {number}"


def _inks(members: Sequence[Member]) -> tuple[dict[str, Ink], dict[str, str]]:
    """A colour and dashes for each policy; a method that is there twice gets another colour."""
    names: list[str] = []
    for one in members:
        names.append(one.title if one.name in names else one.name)
    inks, colors = {}, {}
    for number, (name, one) in enumerate(zip(names, members, strict=True)):
        style = method_style(name, tuple(names))
        dashes = "" if style.line == "-" else " ".join(f"{2 * d:g}" for d in _dashes(style.line))
        inks[one.title], colors[one.title] = Ink(number, dashes), style.color
    return inks, colors


def _dashes(line: Any) -> Sequence[float]:
    named = {"--": (3.7, 1.6), ":": (1.0, 1.6), "-.": (6.4, 1.6, 1.0, 1.6)}
    return named.get(line, (3.7, 1.6)) if isinstance(line, str) else line[1]


def _verdicts(
    spec: TaskSpec[Any],
    members: Sequence[Member],
    evaluator: Evaluator,
    unscored: Mapping[str, Unscored],
) -> dict[str, list[str]]:
    rows, published = evaluator.rows(), evaluator.published
    priors = {one.policies[0].saved.folder: one for one in members if one.name == PRIOR}
    found = {}
    for member in members:
        if member.name == PRIOR:
            continue
        prior = priors[member.policies[0].prior().folder]
        without = _without_score([member, prior], spec.many, unscored)
        found[member.column.heading] = [
            *evaluator.cautions,
            *([COUNTED.format(without)] if without else []),
            *verdict(member.column, prior.column, rows, published, spec.one, spec.many),
        ]
    return found


def _groups(
    chosen: Mapping[str, Mapping[Rule, Sequence[int]]],
    shown: Mapping[str, Shown],
    exhibition: Exhibition,
) -> list[CardGroup]:
    cards = {
        title: _cards(title, own, shown[title], exhibition.exhibits[title])
        for title, own in chosen.items()
    }
    rules = dict.fromkeys(rule for own in chosen.values() for rule in own)
    groups = [
        CardGroup(rule, {title: own.get(rule, []) for title, own in cards.items()})
        for rule in rules
    ]
    return [one for one in groups if any(one.cards.values())]


def _cards(
    title: str,
    chosen: Mapping[Rule, Sequence[int]],
    shown: Shown,
    exhibits: Sequence[Exhibit],
) -> dict[Rule, list[Card]]:
    """The cards of a policy; what is shown of it is in the order of the rules."""
    cards = iter(cards_of(title, shown, exhibits))
    return {rule: list(islice(cards, len(rows))) for rule, rows in chosen.items()}


def _listing(
    members: Sequence[Member], exhibition: Exhibition, unscored: Mapping[str, Unscored]
) -> Listing:
    rows, records = [], []
    for member in members:
        rewards, terms = member.rewards, member.terms
        for place, one in enumerate(exhibition.listed[member.title]):
            cells: dict[str, Fact] = dict(one.facts)
            if rewards is not None:
                missing = {n for n, why in unscored[member.title].items() if place in why}
                cells["reward"] = NO_SCORE if missing else float(rewards[place])
                cells |= {
                    f"for {term_title(n)}": NO_SCORE if n in missing else float(term[place])
                    for n, term in terms.items()
                }
            rows.append(ListedRow(member.title, one.text, cells))
            records.append(one.records)
    columns = list(dict.fromkeys(name for row in rows for name in row.cells))
    suffixes = dict.fromkeys(suffix for record in records for suffix in record)
    return Listing(
        columns, rows, {suffix: [r.get(suffix, "") for r in records] for suffix in suffixes}
    )


def _run_records(members: Sequence[Member]) -> Iterator[RunRecord]:
    for member in members:
        for folder, policy in zip(member.folders, member.policies, strict=True):
            yield run_record(member.title, folder, policy)


def _reward_distribution(
    members: Sequence[Member], one: str, unscored: Mapping[str, Unscored]
) -> list[Distribution]:
    found = {one.title: _scores(one, unscored[one.title]) for one in members}
    values = {title: own for title, own in found.items() if own is not None}
    return [Distribution("Rewards", f"reward of a {one}", values)] if values else []
