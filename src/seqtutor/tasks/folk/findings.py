"""What the paper found of its generators, and what was measured of it here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from seqtutor.adversarial.evaluation import GeneratorMeasures
from seqtutor.measures.intervals import Interval, difference, interval_over_seeds, mean_interval
from seqtutor.report.tables import format_value
from seqtutor.tasks.folk.table_1 import PAPER_TABLE_1
from seqtutor.tasks.folk.variants import MAXIMUM_LIKELIHOOD, PUBLISHED, REAL, UNTRAINED, title_of

NEAR_ONE = 0.95
"""A precision from which on the discriminator takes hardly a sample for real."""
LEARNED = 0.5
"""Nats a token by which a pretrained generator must be better than chance to be called learned."""

Generators = Mapping[str, Sequence[GeneratorMeasures]]


def findings(generators: Generators, vocabulary_size: int) -> list[str]:
    """Bjare & Meredith's (2020) three findings as Markdown, each with the numbers from here.

    Those of generators that did not play are left out. Likelihood and BLEU that differ, seed by
    seed, by less than their 95 % interval, or not in the digits that are printed, are not decided;
    of one seed there is no interval, and the page says so.
    """
    published = [name for name in PUBLISHED if name in generators]
    page = []
    if UNTRAINED in generators:
        page.append(_without_pretraining(generators, vocabulary_size))
    if published:
        page += [_precision(generators, published), _likeness(generators, published)]
    if not page:
        return []
    is_one_seed = max(len(evaluations) for evaluations in generators.values()) == 1
    note = ["Of one seed: how much another would differ is not known.\n"] if is_one_seed else []
    return ["## The paper's findings, here\n", *note, *page, ""]


def _without_pretraining(generators: Generators, vocabulary_size: int) -> str:
    at_end, before = (
        _mean(generators, name, "cross_entropy") for name in (UNTRAINED, MAXIMUM_LIKELIHOOD)
    )
    uniform = math.log(vocabulary_size)
    holds = at_end > (uniform + before) / 2 if uniform - before > LEARNED else None
    return (
        f"- *Without pretraining nothing is learned.* {_holds(holds)} "
        "a generator that begins with random weights "
        f"ends at H(p_data, p_gen) = {format_value(at_end)} nats; one that takes all tokens for "
        f"equally likely has log |V| = {format_value(uniform)}, the pretrained "
        f"one before any game {format_value(before)}."
    )


def _precision(generators: Generators, names: Sequence[str]) -> str:
    values, recalls = (_listed(generators, names, measure) for measure in ("precision", "recall"))
    holds = _holds(min(_mean(generators, name, "precision") for name in names) >= NEAR_ONE)
    return (
        f"- *The discriminator wins: its precision is near 1.* {holds} {values}. Of held-out real "
        f"sequences it calls this share real, its recall: {recalls} (in the paper "
        f"{_in_the_paper(names, 'recall')})."
    )


def _likeness(generators: Generators, names: Sequence[str]) -> str:
    own = MAXIMUM_LIKELIHOOD
    likelihood = _listed(generators, [own, *names], "cross_entropy")
    bleu = _listed(generators, [own, *names], "bleu")
    verdicts = [_is_above(generators, name, own, "cross_entropy") for name in names]
    verdicts += [_is_above(generators, own, name, "bleu") for name in names]
    are_worse = False if False in verdicts else None if None in verdicts else True
    return (
        f"- *Likelihood and BLEU are worse than those of maximum likelihood.* {_holds(are_worse)} "
        f"H(p_data, p_gen): {likelihood} (in the paper "
        f"{_in_the_paper([own, *names], 'cross_entropy')}). BLEU: {bleu} (in the paper "
        f"{_in_the_paper([own, *names], 'bleu')}).{_bleu_of_real(generators)}"
    )


def _bleu_of_real(generators: Generators) -> str:
    """A BLEU below maximum likelihood's is no fault where that of real tunes is, too."""
    if REAL not in generators:
        return ""
    real, own = (_mean(generators, name, "bleu") for name in (REAL, MAXIMUM_LIKELIHOOD))
    is_lower = real < own and format_value(real) != format_value(own)
    return f" Real tunes in the samples' place have {format_value(real)}." if is_lower else ""


def fresh_judges(generators: Generators) -> list[str]:
    """Which generators earn more than maximum likelihood from their judges, as Markdown.

    A difference counts where its 95 % interval excludes zero: seed by seed, or of one seed over its
    judges, which leaves out how far another game of that generator would have led.
    """
    others = [name for name in generators if name not in (MAXIMUM_LIKELIHOOD, REAL)]
    if not others:
        return []
    prior = generators[MAXIMUM_LIKELIHOOD]
    own = judged(prior)
    is_one_seed = len(prior) == 1
    gains = {
        name: difference(judged(generators[name]), own)
        if is_one_seed
        else _gain(generators[name], prior, "judge_mean")
        for name in others
    }
    sorts = {
        "More is earned by": [name for name in others if gains[name].low > 0],
        "Less is earned by": [name for name in others if gains[name].high < 0],
        "Not told apart from it:": [name for name in others if not gains[name].excludes_zero],
    }
    told = " ".join(
        f"{sort} {_with_gains(names, generators, gains)}." for sort, names in sorts.items() if names
    )
    return [
        "## What fresh judges say\n",
        "The more a generator's samples are like real tunes, the higher is their D(x) by judges "
        "that were trained afterwards, up to ½. Maximum likelihood's earn "
        f"{format_value(own.value)}. {told} {_how_they_are_told(prior, len(others))}\n",
    ]


def _how_they_are_told(prior: Sequence[GeneratorMeasures], comparisons: int) -> str:
    if len(prior) == 1 and prior[0].judges < 2:
        return "One judge of one game gives no interval: give more with --judges or --seeds."
    how = "In brackets the difference, seed by seed, with its 95 % interval."
    if len(prior) == 1:
        how = (
            "In brackets the difference with its 95 % interval over the judges of one game of "
            "each; another game would differ, as those do whose reward knows nothing of tunes."
        )
    if comparisons > 1:
        how += f" Of {comparisons} such comparisons one in twenty is told apart by chance."
    return how


def _with_gains(names: Sequence[str], generators: Generators, gains: Mapping[str, Interval]) -> str:
    return ", ".join(
        f"{title_of(name)} {format_value(judged(generators[name]).value)} ({_signed(gains[name])})"
        for name in names
    )


def _signed(gain: Interval) -> str:
    sign = "+" if gain.value >= 0 else ""
    return sign + format_value(gain.value, half_width=gain.half_width)


def judged(evaluations: Sequence[GeneratorMeasures]) -> Interval:
    """Mean D(x) by fresh judges with its 95 % interval: over seeds, or of one over its judges."""
    return interval_over_seeds([one.estimates["judge_mean"] for one in evaluations])


def _is_above(generators: Generators, one: str, other: str, measure: str) -> bool | None:
    """Whether one generator has more of a measure than another; `None` if it cannot be told."""
    gain = _gain(generators[one], generators[other], measure)
    first, second = (format_value(_mean(generators, name, measure)) for name in (one, other))
    is_within = not (gain.excludes_zero or math.isnan(gain.low))
    return None if first == second or is_within else gain.value > 0


def _gain(
    one: Sequence[GeneratorMeasures], other: Sequence[GeneratorMeasures], measure: str
) -> Interval:
    """How much more of a measure one generator has, seed by seed: seeds share what chance draws."""
    gains = [
        getattr(its, measure) - getattr(others, measure)
        for its, others in zip(one, other, strict=True)
    ]
    return _mean_of(gains)


def _mean_of(values: Sequence[float]) -> Interval:
    return Interval.around(*map(float, mean_interval(values)))


def _holds(holds: bool | None) -> str:
    if holds is None:
        return "Whether it holds here cannot be told:"
    return "It holds here:" if holds else "It does not hold here, or not for all:"


def _listed(generators: Generators, names: Sequence[str], measure: str) -> str:
    return ", ".join(
        f"{title_of(name)} {format_value(_mean(generators, name, measure))}" for name in names
    )


def _in_the_paper(names: Sequence[str], measure: str) -> str:
    return ", ".join(format_value(PAPER_TABLE_1[name][measure]) for name in names)


def _mean(generators: Generators, name: str, measure: str) -> float:
    return float(np.mean([getattr(one, measure) for one in generators[name]]))
