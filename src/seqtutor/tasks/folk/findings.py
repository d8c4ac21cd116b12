"""The findings of Bjare & Meredith (2020), beside the numbers measured here, as Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from seqtutor.measure import Estimates
from seqtutor.measures.intervals import Interval, difference, interval_over_seeds, mean_interval
from seqtutor.report.tables import format_interval, format_value
from seqtutor.tasks.folk.table_1 import PAPER_TABLE_1
from seqtutor.tasks.folk.variants import MAXIMUM_LIKELIHOOD, PUBLISHED, REAL, UNTRAINED, title_of

NEAR_ONE = 0.95
"""A precision from which the discriminator takes hardly a sample for real."""
LEARNED = 0.5
"""Nats a token by which a pretrained generator must be better than chance to count as trained."""

Generators = Mapping[str, Sequence[Estimates]]


def findings(generators: Generators, vocabulary_size: int) -> list[str]:
    """The paper's three findings, and whether they hold for the generators that played.

    Whether likelihood and BLEU differ is undecided where the difference, seed by seed, lies within
    its 95 % interval, or in digits that are not printed. A single seed has no interval.
    """
    published = [name for name in PUBLISHED if name in generators]
    page = []
    if UNTRAINED in generators:
        page.append(_without_pretraining(generators, vocabulary_size))
    if published:
        page += [_precision(generators, published), _likeness(generators, published)]
    if not page:
        return []
    is_one_seed = max(map(len, generators.values())) == 1
    note = ["Of one seed: how much another would differ is not known.\n"] if is_one_seed else []
    return ["## The paper's findings, here\n", *note, *page, ""]


def _without_pretraining(generators: Generators, vocabulary_size: int) -> str:
    names = (UNTRAINED, MAXIMUM_LIKELIHOOD)
    at_end, before = (_mean(generators, name, "cross_entropy") for name in names)
    uniform = math.log(vocabulary_size)
    holds = at_end > (uniform + before) / 2 if uniform - before > LEARNED else None
    return (
        f"- *Without pretraining nothing is learned.* {_verdict(holds)} a generator that begins "
        f"with random weights ends at H(p_data, p_gen) = {format_value(at_end)} nats; one for "
        f"which all tokens are equally likely has log |V| = {format_value(uniform)}, the "
        f"pretrained one before any game {format_value(before)}."
    )


def _precision(generators: Generators, names: Sequence[str]) -> str:
    values, recalls = (_listed(generators, names, measure) for measure in ("precision", "recall"))
    holds = min(_mean(generators, name, "precision") for name in names) >= NEAR_ONE
    return (
        f"- *The discriminator wins: its precision is near 1.* {_verdict(holds)} {values}. Its "
        f"recall, the share of held-out real sequences that it calls real: {recalls} (in the paper "
        f"{_in_the_paper(names, 'recall')})."
    )


def _likeness(generators: Generators, names: Sequence[str]) -> str:
    prior = MAXIMUM_LIKELIHOOD
    are_worse = [_is_above(generators, name, prior, "cross_entropy") for name in names]
    are_worse += [_is_above(generators, prior, name, "bleu") for name in names]
    holds = False if False in are_worse else None if None in are_worse else True
    texts = {
        measure: f"{_listed(generators, [prior, *names], measure)} (in the paper "
        f"{_in_the_paper([prior, *names], measure)})"
        for measure in ("cross_entropy", "bleu")
    }
    return (
        f"- *Likelihood and BLEU are worse than those of maximum likelihood.* {_verdict(holds)} "
        f"H(p_data, p_gen): {texts['cross_entropy']}. BLEU: {texts['bleu']}."
        f"{_bleu_of_real(generators)}"
    )


def _bleu_of_real(generators: Generators) -> str:
    """A BLEU below maximum likelihood's is not a fault if that of real tunes is below it too."""
    if REAL not in generators:
        return ""
    real, own = (_mean(generators, name, "bleu") for name in (REAL, MAXIMUM_LIKELIHOOD))
    is_lower = real < own and format_value(real) != format_value(own)
    return f" Real tunes in the samples' place have {format_value(real)}." if is_lower else ""


def fresh_judges(generators: Generators) -> list[str]:
    """Which generators have a higher D(x) by their judges than maximum likelihood.

    A difference counts where its 95 % interval excludes zero: seed by seed, or for one seed over
    its judges, which does not say how far another game of that generator would differ.
    """
    others = [name for name in generators if name not in (MAXIMUM_LIKELIHOOD, REAL)]
    if not others:
        return []
    prior = generators[MAXIMUM_LIKELIHOOD]
    own = mean_of_judges(prior)
    gains = {
        name: difference(mean_of_judges(generators[name]), own)
        if len(prior) == 1
        else _gain(generators[name], prior, "judge_mean")
        for name in others
    }
    groups = {
        "Higher:": [name for name in others if gains[name].low > 0],
        "Lower:": [name for name in others if gains[name].high < 0],
        "Not told apart from it:": [name for name in others if not gains[name].excludes_zero],
    }
    compared = " ".join(
        f"{group} {', '.join(_with_gain(name, generators, gains[name]) for name in names)}."
        for group, names in groups.items()
        if names
    )
    return [
        "## Fresh judges\n",
        "The more a generator's samples are like real tunes, the higher is their mean D(x) by "
        "judges that were trained afterwards, up to ½. Maximum likelihood has "
        f"{format_value(own.value)}. {compared} {_about_intervals(prior, len(others))}\n",
    ]


def _about_intervals(prior: Sequence[Estimates], comparisons: int) -> str:
    if len(prior) == 1 and prior[0]["judge_mean"].count < 2:
        return "One judge of one game gives no interval: give more with --judges or --seeds."
    text = "In brackets the difference, seed by seed, with its 95 % interval."
    if len(prior) == 1:
        text = (
            "In brackets the difference with its 95 % interval over the judges of one game each; "
            "another game would differ, as games with constant and random rewards do."
        )
    if comparisons > 1:
        text += f" Of {comparisons} such comparisons one in twenty is told apart by chance."
    return text


def _with_gain(name: str, generators: Generators, gain: Interval) -> str:
    sign = "+" if gain.value >= 0 else ""
    change = sign + format_interval(gain)
    return f"{title_of(name)} {format_value(mean_of_judges(generators[name]).value)} ({change})"


def mean_of_judges(evaluations: Sequence[Estimates]) -> Interval:
    """Mean D(x) by judges with its 95 % interval: over seeds, or for one seed over its judges."""
    return interval_over_seeds([one["judge_mean"] for one in evaluations])


def _is_above(generators: Generators, one: str, other: str, measure: str) -> bool | None:
    """Whether one generator has more of a measure than another; `None` if it is undecided."""
    gain = _gain(generators[one], generators[other], measure)
    first, second = (format_value(_mean(generators, name, measure)) for name in (one, other))
    is_within = not (gain.excludes_zero or math.isnan(gain.low))
    return None if first == second or is_within else gain.value > 0


def _gain(one: Sequence[Estimates], other: Sequence[Estimates], measure: str) -> Interval:
    """The mean difference in a measure, seed by seed: equal seeds share random numbers."""
    pairs = zip(one, other, strict=True)
    gains = [its[measure].value - others[measure].value for its, others in pairs]
    return Interval.around(*map(float, mean_interval(gains)))


def _verdict(holds: bool | None) -> str:
    if holds is None:
        return "Undecided here:"
    return "It holds here:" if holds else "It does not hold here, or not for all:"


def _listed(generators: Generators, names: Sequence[str], measure: str) -> str:
    values = ((name, format_value(_mean(generators, name, measure))) for name in names)
    return ", ".join(f"{title_of(name)} {value}" for name, value in values)


def _in_the_paper(names: Sequence[str], measure: str) -> str:
    return ", ".join(format_value(PAPER_TABLE_1[name][measure]) for name in names)


def _mean(generators: Generators, name: str, measure: str) -> float:
    return float(np.mean([one[measure].value for one in generators[name]]))
