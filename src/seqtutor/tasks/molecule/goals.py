"""Goals: the one number of a molecule that a run is to drive up, which no reward weight changes.

Imports nothing heavy, so that help texts stay quick.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Literal

from seqtutor.errors import UserError

if TYPE_CHECKING:
    from seqtutor.tasks.molecule.terms import Values

GoalName = Literal["qed", "penalized-logp", "celecoxib", "isomers"]

CELECOXIB = "CC1=CC=C(C=C1)C1=CC(=NN1C1=CC=C(C=C1)S(N)(=O)=O)C(F)(F)F"
ISOMER = "C9H10N2O2PF2Cl"

BUDGET = 10_000
"""Calls of the oracle, as in PMO."""

PMO = "PMO (Gao et al. 2022)"
GCPN = "GCPN (You et al. 2018)"


@dataclass(frozen=True)
class Standard:
    """The mean and the standard deviation of a property over a set of molecules."""

    mean: float
    deviation: float

    def of(self, values: Values) -> Values:
        """Values in standard deviations from the mean."""
        return (values - self.mean) / self.deviation


LOGP, SA_PENALTY, RING_PENALTY = (
    Standard(2.4571, 1.4343),
    Standard(-3.0526, 0.8335),
    Standard(-0.0486, 0.2860),
)
"""Of ZINC-250k, the normalisation of penalised logP by You et al. (2018)."""


@dataclass(frozen=True)
class PublishedValue:
    """A figure with its source."""

    value: float
    source: str


@dataclass(frozen=True)
class Goal:
    """A number to maximise.

    Attributes:
        title: for tables.
        label: of an axis.
        value: its value for each molecule, in its natural unit, from columns of measurements; NaN
            where not measured.
        best: the best molecule that is known.
        properties: numeric attributes of a molecule that it is made of.
        similar_to: a molecule; the goal is made of the similarity to it by counted Morgan
            fingerprints of radius 2.
        formula: a molecular formula; the goal is made of the nearness to it.
        reinvent: area under the curve of the mean of the ten best, reached by REINVENT.
        note: stands below its table.
    """

    title: str
    label: str
    value: Callable[[Mapping[str, Values]], Values]
    best: PublishedValue
    properties: tuple[str, ...] = ()
    similar_to: str = ""
    formula: str = ""
    reinvent: PublishedValue | None = None
    note: str = ""


def penalised_logp(columns: Mapping[str, Values]) -> Values:
    """logP, minus synthetic accessibility, minus ring atoms beyond six, each standardised."""
    return (
        LOGP.of(columns["logp"])
        + SA_PENALTY.of(-columns["sa"])
        + RING_PENALTY.of(-columns["excess_ring_atoms"])
    )


GOALS: dict[GoalName, Goal] = {
    "qed": Goal(
        "Drug-likeness",
        "QED",
        itemgetter("qed"),
        PublishedValue(0.948, GCPN),
        properties=("qed",),
        reinvent=PublishedValue(0.941, PMO),
    ),
    "penalized-logp": Goal(
        "Penalised logP",
        "penalised logP",
        penalised_logp,
        PublishedValue(7.98, GCPN),
        properties=("logp", "sa", "excess_ring_atoms"),
        note=(
            "Penalised logP grows without bound with the molecule's size: compare it only between "
            "generators of the same greatest size (GCPN: 38 atoms)."
        ),
    ),
    "celecoxib": Goal(
        "Rediscovery of celecoxib",
        "similarity to celecoxib",
        itemgetter("similarity"),
        PublishedValue(1.0, "celecoxib itself"),
        similar_to=CELECOXIB,
        reinvent=PublishedValue(0.713, PMO),
    ),
    "isomers": Goal(
        f"Isomers of {ISOMER}",
        f"nearness to {ISOMER}",
        itemgetter("isomer"),
        PublishedValue(1.0, "any isomer"),
        formula=ISOMER,
        reinvent=PublishedValue(0.642, PMO),
    ),
}


def goal_named(name: str) -> Goal:
    """The goal of a name.

    Raises:
        UserError: if there is none.
    """
    if name not in GOALS:
        raise UserError(f"there is no goal {name!r}; choose one of {', '.join(GOALS)}")
    return GOALS[name]
