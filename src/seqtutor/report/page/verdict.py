"""What a page says of tuned policies in words: every sentence follows from the numbers.

Differences are between means; whether one is larger than its own 95 % interval is said beside it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from seqtutor.measure import Measure, Published
from seqtutor.measures.intervals import Interval, difference
from seqtutor.report.evaluation_table import (
    PolicyColumn,
    count_better,
    shown_bounds,
    shown_distance,
)
from seqtutor.report.reading import listed, shown
from seqtutor.report.tables import format_value

FEW_DISTINCT = 0.5
"""Share of the prior's distinct sequences below which a policy is said to repeat itself."""
_NAMED_TERMS = 3
_SHORT = (
    "A policy that was tuned for this reward and earns less than its prior was most often trained "
    "for too short a time: train longer, with more --steps."
)


def verdict(
    column: PolicyColumn,
    prior: PolicyColumn,
    rows: Sequence[Measure],
    published: Published | None,
    one: str,
    many: str,
) -> list[str]:
    """Sentences about a tuned policy beside its prior.

    Args:
        column: of the policy.
        prior: of the prior.
        rows: the measures of the table.
        published: figures of a published table.
        one: what a sequence is called.
        many: its plural.
    """
    return [
        *_reward(column, prior, one),
        *_distance(column, prior),
        *_optimum(column, one),
        *_diversity(column, prior, many),
        *_published(column, rows, published),
    ]


def _reward(column: PolicyColumn, prior: PolicyColumn, one: str) -> list[str]:
    own, before = column.interval("reward"), prior.interval("reward")
    gain = difference(own, before)
    if math.isnan(gain.value):
        return []
    text = (
        f"{column.heading} earns {shown(own)} a {one}, {prior.heading} {shown(before)}: "
        f"{_compared(gain)}."
    )
    names = [name for name in column.seeds[0] if name.startswith("term_")]
    gains = {name: difference(column.interval(name), prior.interval(name)) for name in names}
    sentences = [text]
    for what, sign in (("More", 1), ("Less", -1)):
        clear = [name for name in names if gains[name].excludes_zero]
        ranked = sorted(clear, key=lambda name: -sign * gains[name].value)
        named = [name for name in ranked if sign * gains[name].value > 0][:_NAMED_TERMS]
        if len(names) > 1 and named:
            parts = [f"{term_title(name)} ({_signed(gains[name].value)})" for name in named]
            sentences.append(f"{what} comes from {listed(parts)}.")
    if gain.excludes_zero and gain.value < 0:
        sentences.append(_SHORT)
    return sentences


def term_title(name: str) -> str:
    """The name of a term in words, from that of its measure or its record."""
    bare = name.removeprefix("term_").removeprefix("reward/")
    # Two numbers are those of a metre.
    return re.sub(r"(?<=\d)_(?=\d)", "/", bare).replace("_", " ").replace("meter ", "metre ")


def _compared(gain: Interval) -> str:
    if not gain.excludes_zero:
        return f"the difference, {shown(gain)}, lies within its interval"
    ends = sorted(map(abs, (gain.low, gain.high)))
    size = shown(Interval(abs(gain.value), *ends))
    return f"{'more' if gain.value > 0 else 'less'} by {size}, beyond the interval"


def _signed(value: float) -> str:
    return ("+" if value > 0 else "") + format_value(value)


def _distance(column: PolicyColumn, prior: PolicyColumn) -> list[str]:
    kl, own = column.interval("kl"), column.interval("log_prior")
    return [
        f"Its distance from the prior is {shown(kl)} nats a step (KL divergence); the prior gives "
        f"its tokens a mean log-probability of {shown(own)}, and its own tokens "
        f"{shown(prior.interval('log_prior'))}."
    ]


def _optimum(column: PolicyColumn, one: str) -> list[str]:
    bounds = column.log_partition
    if bounds is None:
        return []
    text = (
        f"It is {shown_distance(bounds.above(column.interval('objective')))} nats a {one} below "
        f"the best that E[reward]/c − KL can be, log Z, which lies in {shown_bounds(bounds)}"
    )
    return [f"{text}{'.' if bounds.is_trusted else ', as far as the samples can tell.'}"]


def _diversity(column: PolicyColumn, prior: PolicyColumn, many: str) -> list[str]:
    own, before = (one.interval("distinct").value for one in (column, prior))
    text = (
        f"{format_value(own, 'share')} of its {many} are distinct, of the prior's "
        f"{format_value(before, 'share')}."
    )
    if own < FEW_DISTINCT * before:
        return [f"{text} It has collapsed: it writes the same few {many} again and again."]
    return [text]


def _published(
    column: PolicyColumn, rows: Sequence[Measure], published: Published | None
) -> list[str]:
    heading = published.heading_beside(column.name) if published else None
    if published is None or heading is None:
        return []
    better, number = count_better(column, rows, published.figures_beside(column.name))
    if not number:
        return []
    return [f"Of the published figures beside it ({heading}) it is better in {better} of {number}."]
