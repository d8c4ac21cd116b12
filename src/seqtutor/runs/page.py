"""The page of runs: measured, sampled and shown by their task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from seqtutor.data import Sequences
from seqtutor.exhibits import Distribution, Exhibit, Exhibition, Fact, Shown
from seqtutor.measures.policy import Evaluation
from seqtutor.methods.registry import symbol_of
from seqtutor.report.evaluation_table import PolicyColumn
from seqtutor.report.page.charts import Ink
from seqtutor.report.page.choosing import Rule, choose
from seqtutor.report.page.figures import Drawn as DrawnCharts
from seqtutor.report.page.figures import figure_groups
from seqtutor.report.page.page import (
    Card,
    CardGroup,
    ListedRow,
    Listing,
    Page,
    RunRecord,
    write_page,
)
from seqtutor.report.page.verdict import term_title, verdict
from seqtutor.report.style import method_style
from seqtutor.runs.evaluating import (
    Evaluator,
    MeasuredGroup,
    measured_groups,
    open_evaluator,
    table_of,
    terms_of,
)
from seqtutor.runs.event_logs import LogName, log_samples
from seqtutor.runs.grouping import PolicyGroup, grouped
from seqtutor.runs.page_records import histories_of, run_record
from seqtutor.runs.policies import (
    PRIOR,
    NamedPolicy,
    distinct_settings,
    distinct_titles,
    find_policy,
)
from seqtutor.runs.progress import progress_bar
from seqtutor.runs.provenance import made_by_in_words
from seqtutor.task_records import Drawn
from seqtutor.task_spec import TaskSpec


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
    """

    number: int = 2000
    samples: int = 12
    seed: int = 0
    reward_workers: int | None = None
    measuring: Any = None
    may_run_code: bool = False


@dataclass(frozen=True)
class _Member:
    """A policy of the page with its seeds: runs that differ in nothing else."""

    title: str
    folders: Sequence[Path | None]
    group: PolicyGroup
    measured: MeasuredGroup | None = None

    @property
    def name(self) -> str:
        return self.group.name

    @property
    def policies(self) -> Sequence[NamedPolicy]:
        return self.group.policies

    @property
    def evaluations(self) -> Sequence[Evaluation]:
        assert self.measured is not None
        return self.measured.evaluations

    @property
    def column(self) -> PolicyColumn:
        """Under the title of the page, which tells it from the others."""
        assert self.measured is not None
        return replace(self.measured.column, title=self.title, variant="")

    @property
    def tokens(self) -> np.ndarray:
        """The samples of all seeds."""
        return np.concatenate([one.samples.tokens for one in self.evaluations])

    @property
    def rewards(self) -> np.ndarray | None:
        parts = [one.samples.reward for one in self.evaluations]
        return None if any(one is None for one in parts) else np.concatenate(parts)  # type: ignore[arg-type]

    @property
    def terms(self) -> Mapping[str, np.ndarray]:
        """The terms of every sample."""
        parts = [one.samples.terms for one in self.evaluations]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def drawn(self, settings: Any, may_run_code: bool = False) -> Drawn:
        """The samples as a task takes them."""
        mask = np.concatenate([one.samples.mask for one in self.evaluations])
        first = self.policies[0]
        saved = first.saved
        sequences = Sequences(self.tokens, mask)
        has_reward = self.rewards is not None
        return Drawn(
            sequences,
            saved.vocabulary,
            saved.origin,
            settings,
            first.seed,
            has_reward,
            may_run_code,
        )


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
    members = _members(spec, names)
    policies = [policy for member in members for policy in member.policies]
    with open_evaluator(
        spec,
        policies,
        number=options.number,
        options=options.measuring,
        reward_workers=options.reward_workers,
        may_run_code=options.may_run_code,
    ) as evaluator:
        groups = [member.group for member in members]
        found = measured_groups(evaluator, groups, options.seed)
        measured = [
            replace(member, measured=own) for member, own in zip(members, found, strict=True)
        ]
        return _page(spec, evaluator, measured, options)


def write_run_page(
    spec: TaskSpec[Any],
    runs: Sequence[Path],
    folder: Path,
    *,
    most: int,
    reward_workers: int | None = None,
    measuring: Any = None,
    logs: Sequence[LogName] = (),
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

    Returns:
        The path of the page.

    Raises:
        UserError: as `make_page`, or if the page cannot be written.
    """
    number = min(most, PageOptions.number)
    samples = min(number, PageOptions.samples)
    options = PageOptions(
        number, samples, 0, reward_workers, measuring=measuring, may_run_code=True
    )
    page = make_page(spec, [str(run) for run in runs], options)
    path = write_page(page, folder / "page.html")
    cards = [card for group in page.groups for own in group.cards.values() for card in own]
    log_samples(logs, cards, folder)
    return path


def _members(spec: TaskSpec[Any], names: Sequence[str]) -> list[_Member]:
    """The priors, and then the runs and models, with runs that differ in the seed together."""
    policies = [find_policy(spec, name) for name in names]
    folders = {id(policy): Path(name) for policy, name in zip(policies, names, strict=True)}
    priors = _priors(spec, [(folders[id(policy)], policy) for policy in policies])
    members = list(priors.values())
    for group in grouped(policies):
        first = group.policies[0]
        if first.config is not None or str(first.saved.folder) not in priors:
            own = [folders[id(policy)] for policy in group.policies]
            members.append(_Member(symbol_of(group.name), own, group))
    return _distinct(members)


def _priors(
    spec: TaskSpec[Any], policies: Sequence[tuple[Path, NamedPolicy]]
) -> dict[str, _Member]:
    """By folder, the policies that the others are compared with.

    A model that is not compared with another, such as a prior of the user's, is one by itself.
    """
    found: dict[str, NamedPolicy] = {}
    given: dict[str, Path] = {}
    tuned_from: set[str] = set()
    for folder, policy in policies:
        own = policy.prior()
        found.setdefault(str(own.folder), policy.as_prior(own))
        if own.folder == policy.saved.folder:
            given[str(own.folder)] = folder
        else:
            tuned_from.add(str(own.folder))
    members = {}
    for key, prior in found.items():
        is_given = key in given and key not in tuned_from and given[key].name != PRIOR
        title = given[key].name if is_given else spec.prior_title
        members[key] = _Member(title, [given.get(key)], PolicyGroup(PRIOR, (prior,)))
    return members


def _distinct(members: Sequence[_Member]) -> list[_Member]:
    """The same with titles that differ: where several are equal, their folders are named."""
    folders = [one.folders[0] or one.policies[0].saved.folder for one in members]
    titles = distinct_titles([one.title for one in members], folders)
    return [replace(one, title=title) for one, title in zip(members, titles, strict=True)]


def _page(
    spec: TaskSpec[Any], evaluator: Evaluator, members: Sequence[_Member], options: PageOptions
) -> Page:
    settings = _settings(spec, members)
    chosen = {one.title: choose(one.tokens, one.rewards, options.samples) for one in members}
    shown = {
        one.title: _shown(evaluator, one.drawn(settings, options.may_run_code), chosen[one.title])
        for one in members
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
    drawn = DrawnCharts(
        inks,
        columns[0],
        [one for one in columns if one.name != PRIOR],
        {one.title: h for one in members if (h := histories_of(one.folders))},
        [*_reward_distribution(members, spec.one), *exhibition.distributions],
        exhibition.maps,
        spec.one,
    )
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
        verdict=_verdicts(spec, members, columns, evaluator),
        number=evaluator.number,
        groups=_groups(chosen, shown, exhibition),
        table=table_of(evaluator, columns, rows),
        figures=figure_groups(drawn),
        listing=_listing(members, exhibition),
        runs=list(_run_records(members)),
        notes=exhibition.notes,
        made_by=made_by_in_words(),
    )


def _settings(spec: TaskSpec[Any], members: Sequence[_Member]) -> Any:
    """The settings of the task of the first run; defaults where there is none."""
    found = distinct_settings([policy for member in members for policy in member.policies])
    return found[0] if found else spec.settings_type()


def _shown(evaluator: Evaluator, drawn: Drawn, chosen: Mapping[Rule, Sequence[int]]) -> Shown:
    rows = np.array([row for own in chosen.values() for row in own], np.int64)
    task = evaluator.tasks.get(drawn.vocabulary)
    terms: dict[str, np.ndarray] = {}
    if task is not None and len(rows):
        few = drawn.sequences[rows]
        found = task.reward(few.tokens, few.mask)
        terms = {name: np.asarray(term, np.float64) for name, term in found.terms.items()}
    return Shown(drawn, rows, terms)


def _inks(members: Sequence[_Member]) -> tuple[dict[str, Ink], dict[str, str]]:
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
    members: Sequence[_Member],
    columns: Sequence[PolicyColumn],
    evaluator: Evaluator,
) -> dict[str, list[str]]:
    rows = evaluator.rows()
    first = [member.policies[0] for member in members]
    priors = {
        policy.saved.folder: column
        for policy, column in zip(first, columns, strict=True)
        if column.name == PRIOR
    }
    return {
        column.heading: verdict(
            column, priors[policy.prior().folder], rows, spec.published, spec.one, spec.many
        )
        for policy, column in zip(first, columns, strict=True)
        if column.name != PRIOR
    }


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
    lengths = shown.drawn.sequences.mask[shown.chosen].sum(1)
    places = iter(range(len(lengths)))
    return {
        rule: [
            Card(
                title,
                f"{title}, {rule.name} {number}",
                exhibits[place],
                {
                    name: term[place, : lengths[place]].tolist()
                    for name, term in shown.terms.items()
                },
            )
            for number, place in enumerate(islice(places, len(rows)), start=1)
        ]
        for rule, rows in chosen.items()
    }


def _listing(members: Sequence[_Member], exhibition: Exhibition) -> Listing:
    rows, records = [], []
    for member in members:
        rewards, terms = member.rewards, member.terms
        for place, one in enumerate(exhibition.listed[member.title]):
            cells: dict[str, Fact] = dict(one.facts)
            if rewards is not None:
                cells["reward"] = float(rewards[place])
                cells |= {f"for {term_title(n)}": float(term[place]) for n, term in terms.items()}
            rows.append(ListedRow(member.title, one.text, cells))
            records.append(one.records)
    columns = list(dict.fromkeys(name for row in rows for name in row.cells))
    suffixes = dict.fromkeys(suffix for record in records for suffix in record)
    return Listing(
        columns, rows, {suffix: [r.get(suffix, "") for r in records] for suffix in suffixes}
    )


def _run_records(members: Sequence[_Member]) -> Iterator[RunRecord]:
    for member in members:
        for folder, policy in zip(member.folders, member.policies, strict=True):
            yield run_record(member.title, folder, policy)


def _reward_distribution(members: Sequence[_Member], one: str) -> list[Distribution]:
    values = {m.title: m.rewards for m in members if m.rewards is not None}
    return [Distribution("Rewards", f"reward of a {one}", values)] if values else []
