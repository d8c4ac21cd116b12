"""Policies of a task, measured side by side: the columns of a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from seqtutor.data import Sequences
from seqtutor.measure import Estimates, Measure, MeasureGroup, Published, rows_of
from seqtutor.measures.estimates import estimates_of
from seqtutor.measures.log_partition import LogPartition
from seqtutor.measures.policy import (
    Evaluation,
    evaluate,
    objective_estimate,
    policy_measures,
    reward_measures,
)
from seqtutor.measures.sampling import BATCH, require_room
from seqtutor.methods.registry import symbol_of
from seqtutor.preferences.reward import TERM as PREFERENCE
from seqtutor.preferences.settings import PreferenceTerm
from seqtutor.report.evaluation_table import PolicyColumn, evaluation_table, interval_note
from seqtutor.report.tables import Table
from seqtutor.runs.costs import announce_cost, rewarded_to_measure
from seqtutor.runs.grouping import PolicyGroup, grouped, remarks_on
from seqtutor.runs.optimum import (
    SEARCHED,
    log_partitions,
    optimum_at,
    optimum_measures,
    remarks_on_run,
)
from seqtutor.runs.policies import (
    PRIOR,
    NamedPolicy,
    common_settings,
    distinct_settings,
    find_policy,
    usual_settings,
)
from seqtutor.runs.preferred import opened_task
from seqtutor.runs.progress import progress_bar
from seqtutor.runs.steering_settings import require_weight
from seqtutor.settings import require
from seqtutor.task import Task
from seqtutor.task_spec import TaskSpec
from seqtutor.vocabulary import Vocabulary


@dataclass(frozen=True)
class Known:
    """Evaluations that were made before, of policies that have not changed since.

    Attributes:
        number: sequences that each was made on; an evaluation may hold the first of them alone.
        evaluations: by the folder of the model and the seed of the sampling.
    """

    number: int = 0
    evaluations: Mapping[tuple[Path, int], Evaluation] = field(default_factory=dict)

    @staticmethod
    def of(number: int, found: Iterable[tuple[NamedPolicy, Evaluation]]) -> Known:
        """Evaluations of policies, each sampled with the seed of its run."""
        return Known(
            number,
            {
                (policy.saved.folder.resolve(), policy.seed): evaluation
                for policy, evaluation in found
                if policy.saved.folder is not None
            },
        )

    def find(self, policy: NamedPolicy, seed: int) -> Evaluation | None:
        """The evaluation of a policy, if it was made."""
        folder = policy.saved.folder
        return None if folder is None else self.evaluations.get((folder.resolve(), seed))

    def first(self, number: int) -> Known:
        """The same measures, with so many of the sequences at most."""
        cut = {
            key: Evaluation(one.samples[:number], one.estimates)
            for key, one in self.evaluations.items()
        }
        return Known(self.number, cut)


@dataclass(frozen=True)
class Evaluator:
    """Measures policies of one task.

    Attributes:
        spec: the task.
        measures: of the task.
        number: sequences that each policy is measured on.
        temperature: of the sampling.
        tasks: by vocabulary, the tasks whose reward is measured; empty for none.
        notes: stand below tables.
        remarks: about the policies; they stand there, too.
        c: at which the optimum is estimated of models that are no runs; `None` for not at all.
        shows_preference: whether the reward has the term of a preference model.
        known: evaluations by this reward and these measures that need not be made again.
        cautions: notes on what the rewards are without, among the others, which a reader must not
            miss.
        published: figures of policies with the reward of all runs.
    """

    spec: TaskSpec[Any]
    measures: Sequence[Measure | MeasureGroup]
    number: int
    temperature: float = 1.0
    tasks: Mapping[Vocabulary, Task] = field(default_factory=dict)
    notes: Sequence[str] = ()
    remarks: Sequence[str] = ()
    c: float | None = None
    shows_preference: bool = False
    known: Known = field(default_factory=Known)
    cautions: Sequence[str] = ()
    published: Published | None = None

    def evaluate(self, policy: NamedPolicy, seed: int) -> Evaluation:
        """Sample from a policy and measure it, with a progress bar.

        Raises:
            UserError: if its sequences are longer than memory has room for.
        """
        known = self.known.find(policy, seed)
        if known is not None:
            return known
        vocabulary = policy.saved.vocabulary
        require_room(min(self.number, BATCH), policy.length, vocabulary.size)
        with progress_bar() as progress:
            bar = progress.add_task(
                f"Sampling {policy.name}", total=self.number, unit=self.spec.many, note=""
            )
            return evaluate(
                policy.model,
                policy.prior().model,
                vocabulary,
                self.measures,
                number=self.number,
                length=policy.length,
                seed=seed,
                temperature=self.temperature,
                reward=self.tasks[vocabulary].reward if self.tasks else None,
                on_sequences=lambda done: progress.update(
                    bar, completed=done, note="measuring" if done == self.number else ""
                ),
            )

    def rows(self, terms: Sequence[str] = ()) -> list[Measure]:
        """The rows of a table: the task's measures, those of every policy, the reward's terms."""
        rows = [*rows_of(self.measures), *policy_measures(self.spec.many)]
        if not self.tasks:
            return rows
        # In the order of the weights: a compiled program sorts the terms by name.
        weights = next(iter(self.tasks.values())).reward.weights
        weighted = [name for name in weights if name in terms]
        ordered = dict.fromkeys((*weighted, *terms))
        rows += reward_measures(ordered, self.spec.one)
        is_asked = self.c is not None
        return rows + (optimum_measures(self.spec.one, self.spec.many) if is_asked else [])


@contextmanager
def open_evaluator(
    spec: TaskSpec[Any],
    policies: Sequence[NamedPolicy],
    *,
    number: int,
    temperature: float = 1.0,
    options: Any = None,
    has_rewards: bool = True,
    reward_workers: int | None = None,
    may_run_code: bool = False,
    c: float | None = None,
    known: Known | None = None,
) -> Iterator[Evaluator]:
    """An evaluator of policies; what it started ends with the context.

    Args:
        spec: the task.
        policies: to be measured; the reward is that of the runs among them.
        number: sequences for each.
        temperature: of the sampling.
        options: an instance of the task's `evaluate_type`.
        has_rewards: whether rewards are measured, where the runs share one.
        reward_workers: worker processes of the reward, and of measures that use them.
        may_run_code: whether code that the runs' settings name may run without being allowed by
            the options: a folder may be a stranger's, unless the user has just had it made.
        c: at which the optimum is estimated of the models that are no runs; without a run, the
            reward is that which `tune` begins with.
        known: evaluations by the same reward and measures.

    Raises:
        UserError: if `c` is given and all policies are runs, or the runs were tuned with different
            settings of the task, and its measures depend on them.
    """
    runs = [policy for policy in policies if policy.config is not None]
    preferences = {policy.config.preference for policy in policies if policy.config is not None}
    is_shared = len(distinct_settings(policies)) < 2 and len(preferences) < 2
    if is_shared or spec.measures_need_settings:
        settings = common_settings(policies, "measure them one by one")
    else:
        settings = spec.settings_type()
    if c is not None:
        _require_optimum(policies, c, temperature, has_rewards)
        settings = settings if runs else usual_settings(policies[0])
    own = spec.evaluate_type() if options is None else options
    priors = [policy.prior() for policy in policies]
    remarks = remarks_on(policies)
    tasks: dict[Vocabulary, Task] = {}
    preference = PreferenceTerm()
    reward_notes: list[str] = []
    cautions: list[str] = []
    if len(preferences) > 1:
        reward_notes.append(
            "The runs differ in the preference term of their rewards, which are not measured."
        )
    with ExitStack() as stack:
        if has_rewards and (runs or c is not None) and is_shared:
            of_reward = spec.settings_for_evaluation(settings)
            if not may_run_code:
                of_reward, note = spec.without_code(of_reward, own)
                cautions += [] if note is None else [note]
                reward_notes += cautions
            preference = next(iter(preferences), preference)
            # A run's first: its settings fit its own prior.
            for prior in (*(run.prior() for run in runs[:1]), *priors):
                if prior.vocabulary not in tasks:
                    opened = opened_task(spec, of_reward, prior, reward_workers, preference)
                    task = stack.enter_context(opened)
                    task.reward.use_records([run.folder for run in runs if run.folder])
                    tasks[prior.vocabulary] = task
            if not (known and known.evaluations):
                first = next(iter(tasks.values()))
                announce_cost(first.reward, rewarded_to_measure(policies, number))
            if spec.shows_terms:
                reward_notes.append("The mean reward is the sum of the terms, which are weighted.")
        measures = stack.enter_context(spec.measures(settings, own, priors, number, reward_workers))
        notes = [one.note for one in measures if isinstance(one, MeasureGroup) and one.note]
        notes += reward_notes
        has_term = bool(tasks) and preference.model is not None
        yield Evaluator(
            spec,
            measures,
            number,
            temperature,
            tasks,
            notes,
            remarks,
            c,
            has_term,
            known or Known(),
            cautions,
            spec.published if all(map(spec.is_published, distinct_settings(policies))) else None,
        )


def _require_optimum(
    policies: Sequence[NamedPolicy], c: float, temperature: float, has_rewards: bool
) -> None:
    require_weight(c)
    require(has_rewards, "--c estimates the optimum of a reward; leave out --no-rewards")
    require(temperature == 1, "--c estimates the optimum at temperature 1")
    require(
        any(policy.config is None for policy in policies),
        "--c is for the prior and other models; a run is measured at its own c",
    )


@dataclass(frozen=True)
class MeasuredGroup:
    """The policies of one column, measured.

    Attributes:
        column: their column in a table.
        evaluations: of each of them.
    """

    column: PolicyColumn
    evaluations: Sequence[Evaluation]


def measured_groups(
    evaluator: Evaluator, groups: Sequence[PolicyGroup], seed: int = 0
) -> list[MeasuredGroup]:
    """Measure policies; those of a group are the seeds of one column.

    Args:
        evaluator: measures them.
        groups: in the order of the columns.
        seed: of the sampling; the seed of a run is added, so that runs differ in that, too.
    """
    in_order = [one for group in groups for one in group.policies]
    evaluations = [evaluator.evaluate(one, seed + one.seed) for one in in_order]
    samples = [found.samples for found in evaluations]
    log_z = log_partitions(in_order, samples, evaluator.tasks, evaluator.temperature, seed)
    measured: list[MeasuredGroup] = []
    first = 0
    for group in groups:
        found = evaluations[first : first + len(group.policies)]
        column = _column(evaluator.spec, group, found, log_z[first])
        if evaluator.c is not None and group.policies[0].config is None:
            column = _with_optimum(evaluator, column, group.policies[0], found[0], seed)
        measured.append(MeasuredGroup(column, found))
        first += len(found)
    return measured


def columns_of(
    evaluator: Evaluator, policies: Sequence[NamedPolicy], seed: int = 0
) -> tuple[list[PolicyColumn], list[Measure]]:
    """Measure policies; runs that differ in their seed alone are the seeds of one column.

    Args:
        evaluator: measures them.
        policies: in the order of the columns.
        seed: of the sampling; the seed of a run is added.

    Returns:
        The columns, and the rows of a table of them.

    Raises:
        UserError: if a policy is named twice, or a run and its copy.
    """
    return _columns_of_groups(evaluator, measured_groups(evaluator, grouped(policies), seed))


def _columns_of_groups(
    evaluator: Evaluator, measured: Sequence[MeasuredGroup]
) -> tuple[list[PolicyColumn], list[Measure]]:
    evaluations = [one for group in measured for one in group.evaluations]
    terms = terms_of(evaluator.spec, evaluations, evaluator.shows_preference)
    return [group.column for group in measured], evaluator.rows(terms)


def _column(
    spec: TaskSpec[Any],
    group: PolicyGroup,
    evaluations: Sequence[Evaluation],
    log_z: LogPartition | None,
) -> PolicyColumn:
    config = group.policies[0].config
    estimates: list[Estimates] = [one.estimates for one in evaluations]
    settings, remarks = {}, []
    if config is not None:
        c, discount = config.tutor.c, config.tutor.discount
        settings["c / γ"] = f"{c:g} / {discount:g}"
        remarks = remarks_on_run(config.tutor, log_z)
        if log_z is not None:
            objectives = [objective_estimate(one.samples, c) for one in evaluations]
            estimates = [
                {**one, "objective": own} for one, own in zip(estimates, objectives, strict=True)
            ]
    title = title_of(spec, group.name)
    return PolicyColumn(group.name, estimates, title, settings, group.variant, log_z, remarks)


def _with_optimum(
    evaluator: Evaluator, column: PolicyColumn, policy: NamedPolicy, found: Evaluation, seed: int
) -> PolicyColumn:
    """The column of a model with what is known of the optimum at the evaluator's c."""
    assert evaluator.c is not None
    task = evaluator.tasks[policy.saved.vocabulary]
    total = evaluator.number * (1 + len(SEARCHED))
    with progress_bar() as progress:
        bar = progress.add_task("The optimum", total=total, unit="particles", note="")
        optimum = optimum_at(
            policy,
            found.samples,
            task,
            evaluator.c,
            seed,
            lambda more: progress.update(bar, advance=more),
        )
        progress.update(bar, completed=total)
    return replace(
        column,
        seeds=[{**found.estimates, **optimum.estimates}],
        settings={"c / γ": f"{evaluator.c:g} / 1"},
        log_partition=optimum.bounds,
        remarks=optimum.remarks,
    )


def terms_of(
    spec: TaskSpec[Any], evaluations: Iterable[Evaluation], shows_preference: bool = False
) -> list[str]:
    """The terms of the reward that tables have rows for; that of a preference model always."""
    terms = dict.fromkeys(term for one in evaluations for term in one.samples.terms)
    return [term for term in terms if spec.shows_terms or (shows_preference and term == PREFERENCE)]


def title_of(spec: TaskSpec[Any], name: str) -> str:
    """The heading of a policy's column: the symbol of a method, the task's word for its prior."""
    return spec.prior_title if name == PRIOR else symbol_of(name)


def table_of(
    evaluator: Evaluator,
    columns: Sequence[PolicyColumn],
    rows: Sequence[Measure],
    title: str | None = None,
    has_published: bool = True,
) -> Table:
    """The table of measured policies, beside published figures, where the task has some."""
    spec = evaluator.spec
    published = evaluator.published if has_published else None
    note = interval_note(columns, evaluator.number, spec.many, evaluator.temperature)
    return evaluation_table(
        columns,
        rows,
        published,
        title=title or spec.heading,
        note=" ".join((note, *evaluator.notes, *evaluator.remarks)),
        is_marked=evaluator.temperature == 1,
        counts_better=published is not None,
    )


def evaluate_runs(
    spec: TaskSpec[Any], folders: Sequence[Path], number: int, reward_workers: int | None = None
) -> tuple[Table, Known]:
    """The table that ends a tuning: the prior and the runs, which differ in their seed alone.

    Gives also the evaluations that it is made of.
    """
    policies = [find_policy(spec, str(folder)) for folder in folders]
    first = policies[0]
    named = [first.as_prior(first.prior()), *policies]
    with open_evaluator(
        spec, named, number=number, reward_workers=reward_workers, may_run_code=True
    ) as evaluator:
        groups = grouped(named)
        measured = measured_groups(evaluator, groups)
        columns, rows = _columns_of_groups(evaluator, measured)
        published = spec.published_beside_runs
        table = table_of(evaluator, columns, rows, has_published=published)
    evaluations = [one for group in measured for one in group.evaluations]
    in_order = [policy for group in groups for policy in group.policies]
    return table, Known.of(number, zip(in_order, evaluations, strict=True))


def given_sequences(
    spec: TaskSpec[Any], measures: Sequence[Measure | MeasureGroup], rows: list[list[int]]
) -> PolicyColumn:
    """The measures of given sequences of token ids, which may differ in length."""
    width = max(map(len, rows))
    mask = np.arange(width) < np.array([[len(row)] for row in rows])
    tokens = np.zeros(mask.shape, np.int32)
    tokens[mask] = np.concatenate(rows)
    sequences = Sequences(tokens, mask)
    vocabulary = spec.usual_task().vocabulary
    found = estimates_of(measures, sequences.tokens, sequences.mask, vocabulary)
    return PolicyColumn("measured", [found])
