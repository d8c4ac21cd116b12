"""The terms of a molecule's reward. Imports nothing heavy, so that help texts stay quick.

Every term has a weight; a weight of zero leaves the term out. A string that is not a valid molecule
gets a fixed penalty in place of all other terms.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Annotated, ClassVar

from seqtutor.errors import UserError
from seqtutor.references import is_reference
from seqtutor.settings import CheckedSettings, Count, Positive, Range, require

PROPERTIES = (
    "logp",
    "sa",
    "qed",
    "molecular_weight",
    "tpsa",
    "donors",
    "acceptors",
    "rotatable_bonds",
    "heavy_atoms",
    "rings",
    "largest_ring",
    "excess_ring_atoms",
    "alerts",
)
"""Properties that files of molecules have, as columns with RDKit's own values."""

_NAME = re.compile("[a-z][a-z0-9_]*")
_TAKEN = {*PROPERTIES, "step", "smiles", "total", "reward", "line", "name", "reason", "scaffold"}
_TAKEN |= {"canonical_smiles", "is_valid"}


@dataclass(frozen=True)
class TrainingExtremes:
    """Bounds that no string of a training set exceeds.

    Attributes:
        shortest: characters of the shortest string.
        most_carbons: length of the longest run of aliphatic carbons, written one after the other.
    """

    shortest: int
    most_carbons: int


MOSES_EXTREMES = TrainingExtremes(shortest=15, most_carbons=8)
"""Of MOSES's 1,584,663 training strings."""


@dataclass(frozen=True)
class Term(CheckedSettings):
    """A term whose only setting is its weight."""

    needs: ClassVar[str] = "weight"
    """The setting that is to be given for the reward to have the term."""

    weight: float = 1.0
    """Factor on the term; 0 leaves it out."""

    @property
    def is_active(self) -> bool:
        """Whether the reward has the term."""
        return self.weight != 0 and getattr(self, self.needs) not in (None, "", ())


@dataclass(frozen=True)
class ValidTerm(Term):
    """The reward of validity, the same for every molecule."""

    reward: float = 0.0
    """For a valid molecule."""
    penalty: float = -10.0
    """For an invalid one, in place of all terms."""


@dataclass(frozen=True)
class ScaledTerm(Term):
    """A property, centred and scaled: (value − centre) / scale."""

    centre: float = 0.0
    """Subtracted first; with the prior's mean the term is zero on average."""
    scale: Positive = 1.0
    """Divides the difference; with the prior's standard deviation terms are comparable."""


@dataclass(frozen=True)
class ShortTerm(Term):
    """−1 for each character that a string is too short by."""

    needs: ClassVar[str] = "shortest"
    shortest: int | None = None
    """Characters below which a string is too short; by default those of the shortest training
    string."""


@dataclass(frozen=True)
class CarbonsTerm(Term):
    """−1 for each aliphatic carbon too many in a row."""

    needs: ClassVar[str] = "most"
    most: int | None = None
    """Carbons that may be written in a row; by default as many as in any training string."""


@dataclass(frozen=True)
class WindowTerm(Term):
    """1 within a window; outside it falls like a Gaussian of the distance to the nearer end.

    The shape of the "min" and "max" Gaussians of GuacaMol (Brown et al. 2019).
    """

    weight: float = 0.0
    """Factor on the term; 0 leaves it out."""
    low: float | None = None
    """The lower end of the window, in the property's unit; None for none."""
    high: float | None = None
    """The upper end of the window, in the property's unit; None for none."""
    falloff: Positive = 1.0
    """Distance from the window at which the term is e^(−1/2), in the property's unit."""

    def __post_init__(self) -> None:
        super().__post_init__()
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        require(low <= high, f"a window cannot reach from {self.low} to {self.high}")
        bounded = self.low is not None or self.high is not None
        require(bounded or not self.is_active, "a window needs a low or a high end")


@dataclass(frozen=True)
class Windows:
    """A window for each property."""

    molecular_weight: WindowTerm = WindowTerm(low=200.0, high=500.0, falloff=50.0)
    """Average molecular weight in g/mol."""
    logp: WindowTerm = WindowTerm(low=1.0, high=4.0)
    """Octanol-water partition coefficient."""
    tpsa: WindowTerm = WindowTerm(high=140.0, falloff=20.0)
    """Topological polar surface area in Å²."""
    donors: WindowTerm = WindowTerm(high=5.0)
    """Donors of hydrogen bonds."""
    acceptors: WindowTerm = WindowTerm(high=10.0, falloff=2.0)
    """Acceptors of hydrogen bonds."""
    rotatable_bonds: WindowTerm = WindowTerm(high=10.0, falloff=2.0)
    """Rotatable bonds."""
    heavy_atoms: WindowTerm = WindowTerm(low=15.0, high=35.0, falloff=3.0)
    """Atoms other than hydrogen."""
    rings: WindowTerm = WindowTerm(low=1.0, high=5.0)
    """Rings."""
    largest_ring: WindowTerm = WindowTerm(high=6.0)
    """Atoms in the largest ring."""
    sa: WindowTerm = WindowTerm(high=3.5, falloff=0.5)
    """Synthetic accessibility, 1 (easy) to 10."""
    qed: WindowTerm = WindowTerm(low=0.6, falloff=0.1)
    """Drug-likeness, 0 to 1."""

    def __post_init__(self) -> None:
        for one in fields(self):
            window = getattr(self, one.name)
            require(
                window.is_active or window == one.default,
                f"the window of {one.name} has no weight, so it would do nothing; give it one with "
                f"--reward.window.{one.name.replace('_', '-')}.weight",
            )


@dataclass(frozen=True)
class SubstructureTerm(Term):
    """Substructures by SMARTS pattern."""

    needs: ClassVar[str] = "smarts"
    smarts: tuple[str, ...] = ()
    """The patterns."""


@dataclass(frozen=True)
class SimilarityTerm(Term):
    """Tanimoto similarity of Morgan fingerprints, to the most similar of the given molecules."""

    needs: ClassVar[str] = "to"
    to: tuple[str, ...] = ()
    """SMILES strings of the given molecules."""
    radius: Annotated[int, Range(at_least=0)] = 2
    """Bonds around an atom that an environment includes."""
    counted: bool = True
    """Count how often an environment occurs, unfolded, as GuacaMol and PMO do; else record only
    whether it does, in 2,048 bits."""


@dataclass(frozen=True)
class IsomerTerm(Term):
    """Nearness to a molecular formula, 0 to 1.

    The geometric mean of a Gaussian for each element's count (standard deviation 1) and one for
    the number of atoms (standard deviation 2), hydrogens included, as in GuacaMol.
    """

    needs: ClassVar[str] = "formula"
    formula: str = ""
    """The molecular formula, such as C9H10N2O2PF2Cl."""


@dataclass(frozen=True)
class CustomTerm(ScaledTerm):
    """A function or a command of your own, which scores molecules."""

    function: str = ""
    """module:NAME or FILE.py:NAME of a function that scores molecules. It takes a SMILES string,
    which has the properties of the molecule as attributes, and returns a number; or, where its
    parameter is annotated as a list, it takes a list of them and returns a list of numbers."""
    command: str = ""
    """A command in place of a function: it reads SMILES strings from its standard input, one a
    line, and writes one number a line to its standard output."""
    seconds: Positive = 10.0
    """Time limit of a molecule; a batch of n molecules has n times that."""
    workers: Annotated[int | None, Range(at_least=0)] = None
    """Processes that score at the same time; by default as many as for the other terms. With 0 a
    function is called in this process, without a time limit."""
    batch: Count = 16
    """Molecules that a command, or a function of lists, gets at a time at most."""
    failed: float | None = None
    """The score of a molecule for which there is none, because of an exception, a result that is
    not a finite number, the time limit or a crash; by default the mean of the other scores of its
    collection, which neither rewards nor punishes it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.function and not is_reference(self.function):
            raise UserError(f"a function is given as module:name, not {self.function!r}")
        require(
            not (self.function and self.command),
            f"give a function ({self.function}) or a command ({self.command}), not both; a further "
            "scorer has a name: --reward.scorers.NAME.command",
        )

    @property
    def is_active(self) -> bool:
        """Whether the reward has the term."""
        return self.weight != 0 and self.code != ""

    @property
    def code(self) -> str:
        """The function or the command; "" for none."""
        return self.function or self.command


@dataclass(frozen=True)
class KnownTerm(Term):
    """−1 for a molecule that the prior was trained on, and for one in fifty others.

    Left out where the prior's folder has no record of its training set.
    """

    weight: float = 0.0
    """Factor on the term; 0 leaves it out."""


@dataclass(frozen=True)
class DiversityTerm(Term):
    """From 0 to −1 the more molecules of the same scaffold were generated lately."""

    weight: float = 0.0
    """Factor on the term; 0 leaves it out."""
    allowed: Count = 10
    """Molecules of a scaffold among those remembered that cost nothing; at twice as many the term
    is −1."""
    remembered: int = 20_000
    """Number of latest molecules that are remembered."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.remembered > self.allowed,
            f"remembered must be above allowed ({self.allowed}), not {self.remembered}",
        )


@dataclass(frozen=True)
class MoleculeRewardSettings:
    """The terms of a molecule's reward, paid at the end of its string.

    The defaults are the terms of the second experiment of Jaques et al. (2017): logP, synthetic
    accessibility, drug-likeness, rings larger than six, and penalties for strings shorter than, or
    with more carbons in a row than, any in training. The paper does not print their weights.
    """

    valid: ValidTerm = ValidTerm()
    """Validity."""
    logp: ScaledTerm = ScaledTerm()
    """Crippen's logP."""
    sa: ScaledTerm = ScaledTerm()
    """Minus the synthetic accessibility score (1, easy, to 10)."""
    qed: ScaledTerm = ScaledTerm()
    """Quantitative estimate of drug-likeness, 0 to 1."""
    ring: ScaledTerm = ScaledTerm()
    """Minus the atoms by which the largest ring exceeds six."""
    short: ShortTerm = ShortTerm()
    """Strings that are too short."""
    carbons: CarbonsTerm = CarbonsTerm()
    """Too many carbons in a row."""
    window: Windows = Windows()
    """Properties that are to stay in a window."""
    required: SubstructureTerm = SubstructureTerm()
    """The share of these substructures that the molecule has."""
    forbidden: SubstructureTerm = SubstructureTerm()
    """Minus how many of these patterns the molecule has, however often each."""
    similarity: SimilarityTerm = SimilarityTerm()
    """Similarity to given molecules."""
    isomer: IsomerTerm = IsomerTerm()
    """A molecular formula to meet."""
    alerts: Term = Term(0.0)
    """Minus the number of QED's structural alerts."""
    custom: CustomTerm = CustomTerm()
    """A function or a command of your own."""
    scorers: dict[str, CustomTerm] = field(default_factory=dict)
    """Further ones, each by a name of yours: --reward.scorers.NAME.function and so on."""
    known: KnownTerm = KnownTerm()
    """Molecules that the prior was trained on."""
    diversity: DiversityTerm = DiversityTerm()
    """Scaffolds that come too often."""

    def __post_init__(self) -> None:
        for name in self.scorers:
            is_taken = name in _TAKEN or name in (one.name for one in fields(self))
            require(
                bool(_NAME.fullmatch(name)) and not is_taken,
                f"a scorer needs another name than {name!r}: small letters, digits and _, and not "
                "that of a term or a column",
            )
        require(bool(self.weights), "no term of the reward has a weight")

    def _terms(self) -> Iterator[tuple[str, Term]]:
        for one in fields(self):
            setting = getattr(self, one.name)
            if isinstance(setting, Windows):
                names = (window.name for window in fields(setting))
                yield from ((f"window_{name}", getattr(setting, name)) for name in names)
            elif isinstance(setting, dict):
                yield from setting.items()
            else:
                yield one.name, setting

    @property
    def weights(self) -> dict[str, float]:
        """The weights of the active terms, by name and in order."""
        return {name: term.weight for name, term in self._terms() if term.is_active}

    @property
    def own_scorers(self) -> dict[str, CustomTerm]:
        """The active functions and commands of the user, by the name of their term."""
        return {n: t for n, t in self._terms() if isinstance(t, CustomTerm) and t.is_active}

    def without(self, *names: str) -> MoleculeRewardSettings:
        """The settings without some terms; of no other term, validity remains."""
        scorers = {name: term for name, term in self.scorers.items() if name not in names}
        own = {name for name in names if name not in self.scorers}
        off = {name: replace(getattr(self, name), weight=0.0) for name in own}
        if self.weights.keys() <= set(names):
            off["valid"] = replace(self.valid, weight=1.0)
        return replace(self, scorers=scorers, **off)

    def in_words(self) -> str:
        """The active terms with their weights."""
        own = {name: f" ({term.code})" for name, term in self.own_scorers.items()}
        terms = self.weights.items()
        return ", ".join(f"{name} × {weight:g}{own.get(name, '')}" for name, weight in terms)

    def with_extremes(self, extremes: TrainingExtremes) -> MoleculeRewardSettings:
        """The settings with the bounds of a training set where they are open."""
        short, carbons = self.short, self.carbons
        if short.shortest is None:
            short = replace(short, shortest=extremes.shortest)
        if carbons.most is None:
            carbons = replace(carbons, most=extremes.most_carbons)
        return replace(self, short=short, carbons=carbons)
