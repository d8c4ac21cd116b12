"""Measuring one molecule: the numbers that a reward needs, as work for a worker process."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import NamedTuple

from rdkit import Chem, DataStructs, rdBase
from rdkit.Chem import rdFingerprintGenerator

from seqtutor.errors import UserError
from seqtutor.tasks.molecule.properties import Molecule, parse, why_invalid

_FOLDED_BITS = 2048
_CACHED = 50_000
_REWRITES = 4
_FORMULA = re.compile(r"(?:[A-Z][a-z]?\d*)+")
_ELEMENTS = frozenset(map(Chem.GetPeriodicTable().GetElementSymbol, range(1, 119)))
_FORMULA_PART = re.compile(r"([A-Z][a-z]?)(\d*)")

Quantity = Callable[[Molecule], float]


class NotReproducibleError(ValueError):
    """RDKit reads a string but not the one that it then writes for it."""


class Measured(NamedTuple):
    """The measurements of a valid molecule.

    Attributes:
        smiles: RDKit's canonical SMILES.
        values: a number for each of the `Measurer`'s columns.
        scaffold: its Murcko scaffold, if that was measured; without rings, the molecule itself.
        fingerprint: its Morgan fingerprint in 128 bytes, if that was measured.
        failures: by the name of a user's scorer, why the molecule has no score, whose value is NaN.
    """

    smiles: str
    values: tuple[float, ...]
    scaffold: str | None = None
    fingerprint: bytes | None = None
    failures: Mapping[str, str] = {}


class Invalid(NamedTuple):
    """Stands for a string that is not a molecule, with the reason where the measurer explains."""

    reason: str | None = None


@dataclass(frozen=True)
class Measurer:
    """Measures a SMILES string; can be sent to worker processes.

    The last bit of a sum over atoms depends on their order, in which strings of one molecule
    differ. So a molecule is measured as RDKit writes it: all its strings have the same values.

    Attributes:
        properties: names of numeric attributes of `Molecule`.
        required: SMARTS patterns; column "required" is the share of them that match.
        forbidden: SMARTS patterns; column "forbidden" is the number of them that match.
        similar_to: SMILES; column "similarity" is the largest Tanimoto similarity to one of them.
        radius: of the Morgan fingerprints.
        counted: whether these hold counts, unfolded, or 2,048 bits.
        formula: a molecular formula; column "isomer" is the nearness to it.
        wants_scaffold: whether to find scaffolds.
        wants_fingerprint: whether to compute fingerprints.
        as_written: measure a molecule in the order of its string instead.
        explains: whether to find out why a string is not a molecule.
    """

    properties: tuple[str, ...]
    required: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()
    similar_to: tuple[str, ...] = ()
    radius: int = 2
    counted: bool = True
    formula: str = ""
    wants_scaffold: bool = False
    wants_fingerprint: bool = False
    as_written: bool = False
    explains: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the values, in order."""
        further = {
            "required": self.required,
            "forbidden": self.forbidden,
            "similarity": self.similar_to,
            "isomer": self.formula,
        }
        return (*self.properties, *(name for name, setting in further.items() if setting))

    def check(self) -> None:
        """Raise a `UserError` if a pattern, a molecule or the formula is unusable."""
        _quantities(self)

    def prepare(self) -> None:
        """Load the libraries and tables that are slow to load, before the first molecule."""
        molecule = parse("C")
        assert molecule is not None
        self.measure(molecule)

    def __call__(self, smiles: str) -> Measured | Invalid:
        """Measure a string.

        Raises:
            NotReproducibleError: if RDKit cannot read its own string for the molecule.
        """
        molecule = parse(smiles)
        if molecule is None:
            return Invalid(why_invalid(smiles) if self.explains else None)
        if self.as_written or molecule.smiles == smiles:
            return self.measure(molecule)
        return _measure_rewritten(self, molecule.smiles)

    def measure(self, molecule: Molecule) -> Measured:
        """Measure a molecule as it is."""
        return Measured(
            molecule.smiles,
            tuple(quantity(molecule) for quantity in _quantities(self)),
            (molecule.scaffold or molecule.smiles) if self.wants_scaffold else None,
            molecule.fingerprint.tobytes() if self.wants_fingerprint else None,
        )


@lru_cache(_CACHED)
def _measure_rewritten(measurer: Measurer, smiles: str) -> Measured:
    """Measure the molecule of RDKit's string, written and read again until the string is stable."""
    molecule = _read_again(smiles)
    for _ in range(_REWRITES):
        if molecule.smiles == smiles:
            break
        smiles = molecule.smiles
        molecule = _read_again(smiles)
    return measurer.measure(molecule)


def _read_again(smiles: str) -> Molecule:
    molecule = parse(smiles)
    if molecule is None:
        raise NotReproducibleError(f"RDKit writes {smiles} for it: {why_invalid(smiles)}")
    return molecule


@cache
def _quantities(measurer: Measurer) -> tuple[Quantity, ...]:
    return tuple(_find_quantities(measurer))


def _find_quantities(measurer: Measurer) -> Iterator[Quantity]:
    yield from (_property(name) for name in measurer.properties)
    if measurer.required:
        patterns = _patterns(measurer.required)
        yield lambda molecule: _matches(molecule, patterns) / len(patterns)
    if measurer.forbidden:
        unwanted = _patterns(measurer.forbidden)
        yield lambda molecule: _matches(molecule, unwanted)
    if measurer.similar_to:
        yield _similarity(measurer)
    if measurer.formula:
        yield _isomer(measurer.formula)


def _property(name: str) -> Quantity:
    return lambda molecule: getattr(molecule, name)


def _patterns(smarts: tuple[str, ...]) -> list[Chem.Mol]:
    return [_pattern(one) for one in smarts]


def _pattern(smarts: str) -> Chem.Mol:
    with rdBase.BlockLogs():
        pattern = Chem.MolFromSmarts(smarts)
    if pattern is None or not pattern.GetNumAtoms():
        raise UserError(f"{smarts!r} is not a SMARTS pattern")
    return pattern


def _matches(molecule: Molecule, patterns: list[Chem.Mol]) -> int:
    return sum(map(molecule.rdkit.HasSubstructMatch, patterns))


def _similarity(measurer: Measurer) -> Quantity:
    generator = rdFingerprintGenerator.GetMorganGenerator(
        radius=measurer.radius, fpSize=_FOLDED_BITS
    )
    fingerprint = (
        generator.GetSparseCountFingerprint if measurer.counted else generator.GetFingerprint
    )
    targets = []
    for smiles in measurer.similar_to:
        target = parse(smiles)
        if target is None:
            raise UserError(f"{smiles!r} is not a molecule to be similar to: {why_invalid(smiles)}")
        targets.append(fingerprint(target.rdkit))
    return lambda molecule: max(
        DataStructs.BulkTanimotoSimilarity(fingerprint(molecule.rdkit), targets)
    )


def _isomer(formula: str) -> Quantity:
    if not _FORMULA.fullmatch(formula):
        raise UserError(f"{formula!r} is not a molecular formula; write it like C9H10N2O2PF2Cl")
    wanted = element_counts(formula)
    for element in wanted:
        if element not in _ELEMENTS:
            raise UserError(f"{formula!r} is not a molecular formula: {element} is not an element")
    atoms = sum(wanted.values())

    def nearness(molecule: Molecule) -> float:
        found = element_counts(molecule.formula)
        squares = [(found[element] - number) ** 2.0 for element, number in wanted.items()]
        squares.append((sum(found.values()) - atoms) ** 2 / 4)
        # The geometric mean of Gaussians is the Gaussian of the mean square.
        return math.exp(-0.5 * sum(squares) / len(squares))

    return nearness


def element_counts(formula: str) -> Counter[str]:
    """How many atoms of each element a molecular formula has."""
    counts: Counter[str] = Counter()
    for element, number in _FORMULA_PART.findall(formula):
        counts[element] += int(number or 1)
    return counts
