"""Measured numbers: a value with its standard error, and what a table says about it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from seqtutor.settings import require

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike

Unit = Literal["number", "share", "integer"]
"""How a value is formatted; a share, from 0 to 1, is shown in per cent."""

OF_EVERY_POLICY = ("entropy", "kl", "log_prior", "distinct", "reward", "objective")
"""The names of the measures that every policy has; the terms of its reward are `term_NAME`."""

Better = Literal["higher", "lower", "near zero"]
"""Which way a value improves; near zero: the smaller its absolute value."""


@dataclass(frozen=True)
class Estimate:
    """A value estimated from samples.

    Attributes:
        value: NaN where it is undefined.
        standard_error: NaN where it is not known.
        count: how many independent values the standard error comes from. The confidence interval
            is Student's t with `count` − 1 degrees of freedom; there is none below two.
        trials: of a share, how many independent trials of that chance would tell as much about it.
            Its interval is that of Clopper and Pearson. NaN for what is not a share.
    """

    value: float
    standard_error: float = math.nan
    count: int = 0
    trials: float = math.nan


Estimates: TypeAlias = Mapping[str, Estimate]
"""Estimates by the names of their measures."""


@dataclass(frozen=True)
class Measure:
    """A measured quantity: a row of a table.

    At most one of `of_tokens` and `of_strings` computes it, one number per sequence; the estimate
    is their mean, over the sequences where it is not NaN. A measure without either is computed
    elsewhere, such as by a `MeasureGroup`.

    Attributes:
        name: its key in JSON.
        title: its label in tables.
        better: which way it improves; `None` if neither way is better.
        unit: how it is formatted.
        of_tokens: a function of `tokens: Int["sequence time"]` and `mask: Bool["sequence time"]`,
            which is true up to and including the last token of a sequence.
        of_strings: a function of the sequences as strings: their tokens without the end token,
            joined by `Vocabulary.join`, as a string reward sees them.
    """

    name: str
    title: str
    better: Better | None = None
    unit: Unit = "number"
    of_tokens: Callable[[np.ndarray, np.ndarray], ArrayLike] | None = None
    of_strings: Callable[[list[str]], ArrayLike] | None = None

    def __post_init__(self) -> None:
        require(isinstance(self.name, str) and self.name != "", "a measure needs a name")
        for given, known in ((self.better, (None, *get_args(Better))), (self.unit, get_args(Unit))):
            accepted = " or ".join(map(repr, known))
            require(given in known, f"of the measure {self.name!r}, {given!r} is not {accepted}")
        functions = [f for f in (self.of_tokens, self.of_strings) if f is not None]
        require(
            len(functions) < 2 and all(map(callable, functions)),
            f"the measure {self.name!r} takes a function, of_tokens or of_strings",
        )

    def improves(self, value: float, reference: float) -> bool:
        """Whether `value` is better than `reference`; false if they are equal or one is NaN."""
        return self.better is not None and gain(value, reference, self.better) > 0


@dataclass(frozen=True)
class MeasureGroup:
    """Measures that are computed together, with standard errors of their own.

    One of `estimate` and `of_strings` returns an estimate for the name of each measure.

    Attributes:
        measures: the rows.
        estimate: a function of tokens and mask, as in `Measure.of_tokens`.
        of_strings: a function of the sequences as strings, as in `Measure.of_strings`.
        join: makes a string of the tokens of a sequence, in place of `Vocabulary.join`.
        note: stands below a table with these rows.
    """

    measures: tuple[Measure, ...]
    estimate: Callable[[np.ndarray, np.ndarray], Estimates] | None = None
    of_strings: Callable[[list[str]], Estimates] | None = None
    join: Callable[[Sequence[str]], str] | None = None
    note: str = ""


@dataclass(frozen=True)
class Published:
    """The figures of a published table, to be set beside our own.

    Attributes:
        columns: by title of the column, the figures by name of the measure; shares from 0 to 1.
        beside: by name of a policy, the title of the column that it is compared with.
        heading: heads a column of figures; `{column}` stands for its title.
    """

    columns: Mapping[str, Mapping[str, float]]
    beside: Mapping[str, str]
    heading: str = "paper"

    def heading_beside(self, policy: str) -> str | None:
        """The heading of the figures that a policy is compared with; `None` if there are none."""
        column = self.beside.get(policy)
        return None if column is None else self.heading.format(column=column)

    def figures_beside(self, policy: str) -> Mapping[str, float]:
        """The figures that a policy is compared with; empty if there are none."""
        return self.columns.get(self.beside.get(policy, ""), {})

    def best(self, measures: Iterable[Measure]) -> dict[str, float]:
        """The best figure of all columns, for each measure that has a better direction."""
        found: dict[str, float] = {}
        for measure in measures:
            for column in self.columns.values():
                if measure.better is None or measure.name not in column:
                    continue
                value = column[measure.name]
                if measure.name not in found or measure.improves(value, found[measure.name]):
                    found[measure.name] = value
        return found


def rows_of(measures: Iterable[Measure | MeasureGroup]) -> tuple[Measure, ...]:
    """All measures in order, those of groups one by one."""
    return tuple(
        row
        for measure in measures
        for row in (measure.measures if isinstance(measure, MeasureGroup) else (measure,))
    )


def checked_measures(measures: Any) -> tuple[Measure | MeasureGroup, ...]:
    """The measures of a task.

    Raises:
        UserError: if they are no such, or two have a name, or one has that of a measure of every
            policy.
    """
    is_many = isinstance(measures, Iterable) and not isinstance(measures, str)
    chosen = tuple(measures) if is_many else (measures,)
    for one in chosen:
        require(
            isinstance(one, Measure | MeasureGroup),
            f"the measures of a task must be seqtutor.Measure or MeasureGroup, not {one!r}",
        )
    names = [row.name for row in rows_of(chosen)]
    for name in names:
        require(names.count(name) == 1, f"two measures of the task have the name {name!r}")
        require(
            name not in OF_EVERY_POLICY and not name.startswith("term_"),
            f"the measure {name!r} needs another name: every policy has one of that name",
        )
    return chosen


def gain(value: float, reference: float, better: Better) -> float:
    """How much `value` improves on `reference`; negative if it is worse, NaN if one is NaN."""
    if better == "higher":
        return value - reference
    if better == "lower":
        return reference - value
    return abs(reference) - abs(value)
