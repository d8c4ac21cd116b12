"""Measures of melodies: Table 1, and what shows that a policy has collapsed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from seqtutor.measure import Estimate, Estimates, Measure, MeasureGroup
from seqtutor.measures.diversity import commonest_beginning
from seqtutor.measures.estimates import mean_estimate
from seqtutor.measures.policy import Evaluation, evaluate, policy_measures
from seqtutor.models.base import SequenceModel
from seqtutor.report.evaluation_table import PolicyColumn, evaluation_table, interval_note
from seqtutor.report.style import method_style
from seqtutor.report.tables import Table
from seqtutor.tasks.melody.encoding import STEPS_PER_QUARTER, melody_vocabulary
from seqtutor.tasks.melody.metrics import aggregate, count_melodies
from seqtutor.tasks.melody.rule_settings import MelodyRuleSettings
from seqtutor.tasks.melody.scoring import score
from seqtutor.tasks.melody.settings import MelodyTuning
from seqtutor.tasks.melody.table_1 import PUBLISHED, TABLE_1

FIRST_BEAT = Measure("commonest_first_beat", "Melodies with the commonest first beat", unit="share")
REWARD = Measure("reward_per_step", "Mean reward a step, weighted")
ROWS = (*TABLE_1, *policy_measures("melodies"), FIRST_BEAT, REWARD)
"""The rows of a table of melodies."""


def melody_measures(rules: MelodyRuleSettings | None = None) -> MeasureGroup:
    """The measures of melodies by the key and lengths of the rules; the defaults if left out."""

    def estimate(tokens: np.ndarray, mask: np.ndarray) -> Estimates:
        del mask  # A melody has no end token.
        first_beat = Estimate(commonest_beginning(tokens, STEPS_PER_QUARTER))
        return {**aggregate(count_melodies(tokens, rules)), FIRST_BEAT.name: first_beat}

    return MeasureGroup((*TABLE_1, FIRST_BEAT), estimate)


def evaluate_policy(
    policy: SequenceModel,
    prior: SequenceModel,
    *,
    number: int = 100_000,
    length: int = 32,
    seed: int = 0,
    temperature: float = 1.0,
    rules: MelodyRuleSettings | None = None,
    on_melodies: Callable[[int], None] = lambda done: None,
) -> Evaluation:
    """Sample melodies from a policy and measure them.

    Args:
        policy: generates the melodies.
        prior: the reference of KL and log p(a|s).
        number: of melodies.
        length: of each, in sixteenths.
        seed: of the sampling.
        temperature: of the sampling.
        rules: key and lengths for the measures; the defaults if left out.
        on_melodies: called with the number of melodies sampled so far.
    """
    return evaluate(
        policy,
        prior,
        melody_vocabulary(),
        [melody_measures(rules)],
        number=number,
        length=length,
        seed=seed,
        temperature=temperature,
        on_sequences=on_melodies,
    )


def melody_column(
    name: str,
    evaluations: Sequence[Evaluation],
    tuning: MelodyTuning | None = None,
) -> PolicyColumn:
    """A column of a table of melodies.

    Args:
        name: of the method, or "prior".
        evaluations: one for each seed.
        tuning: gives the rules and weights of the reward, and the settings that are shown; the
            prior is measured by those of the policies beside it.
    """
    title = PUBLISHED.beside["prior"] if name == "prior" else method_style(name).label
    seeds = [one.estimates for one in evaluations]
    if tuning is None:
        return PolicyColumn(name, seeds, title)
    settings = {}
    if name != "prior":
        settings = {"c / γ": f"{tuning.tutor.c:g} / {tuning.tutor.discount:g}"}
    rewards = [_reward_per_step(one, tuning) for one in evaluations]
    seeds = [{**own, REWARD.name: reward} for own, reward in zip(seeds, rewards, strict=True)]
    return PolicyColumn(name, seeds, title, settings)


def _reward_per_step(evaluation: Evaluation, tuning: MelodyTuning) -> Estimate:
    scores = score(evaluation.samples.tokens, tuning.rules, vars(tuning.weights))
    return mean_estimate(scores.total.mean(axis=1))


def melody_table(
    columns: Sequence[PolicyColumn], number: int, title: str = "Melodies", temperature: float = 1.0
) -> Table:
    """The table of policies that were measured on `number` melodies each."""
    return evaluation_table(
        columns,
        ROWS,
        PUBLISHED,
        title=title,
        note=interval_note(columns, number, "melodies", temperature),
        counts_better=True,
    )
