"""Counting QED's structural alerts: RDKit's own result, faster.

QED matches 116 SMARTS patterns against every molecule, which takes a third of its time. Most
patterns cannot match most molecules: one with a triple bond needs a `#` in the SMILES string. So
each pattern gets conditions that are necessary for a match and quickly decided from RDKit's
canonical SMILES string. RDKit matches the patterns whose conditions hold. Parts of a pattern that
are not understood restrict nothing, so that at worst it is matched needlessly.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool
from rdkit import Chem
from rdkit.Chem.rdfiltercatalog import FilterCatalog, FilterCatalogEntry, SmartsMatcher

_MOST_CATALOGS = 4096
_MOST_COUNTED = 255

_ATOM = re.compile(r"\[[^\]]*\]|Br|Cl|[BCNOPSFIbcnops]")
_BRACKET_ATOM = re.compile(r"\[(\d*)(as|se|si|te|[bcnops*]|[A-Z][a-z]?)")
_BOND_TO_OXYGEN = re.compile("O=|=O")
_BOND_TO_OXYGEN_OR_NITROGEN = re.compile("[ON]=|=[ON]")

_PATTERN_ELEMENT = re.compile(r"#\d+|(?![ADHRX]\b)[A-Z][a-z]?|as|se|si|te|[abcnops]")
_PATTERN_CHARGE = re.compile(r"(\+|-)(?!0)\S*")
_PATTERN_ISOTOPE = re.compile(r"\d+\*")
_AROMATIC = frozenset(("b", "c", "n", "o", "p", "s", "as", "se", "si", "te"))

_ISOTOPE = "isotope"
_DOUBLE = "double bonds"
_DOUBLE_NOT_OXYGEN = "double bonds without oxygen"
_DOUBLE_NOT_OXYGEN_OR_NITROGEN = "double bonds without oxygen and nitrogen"
_TRIPLE = "triple bonds"
_RINGS = "rings"
_SMALL_RINGS = {3: "rings of 3 atoms", 4: "rings of at most 4 atoms"}

Feature = str | frozenset[str]
"""A feature counted in a molecule: atoms with one of some marks, or a name from above. A mark is an
element (in small letters if aromatic), "+", "-" or "isotope"."""


class AlertCounter:
    """Counts which of a list of SMARTS patterns occur in molecules.

    Counts of features are added up as the bytes of one large integer, which is quicker than an
    array for the few dozen atoms of a molecule.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self._entries = [
            FilterCatalogEntry(pattern, SmartsMatcher(pattern, pattern, 1)) for pattern in patterns
        ]
        needs = [necessary_counts(Chem.MolFromSmarts(pattern)) for pattern in patterns]
        self._features = list(dict.fromkeys(feature for need in needs for feature in need))
        self._needed = np.array(
            [[need.get(feature, 0) for feature in self._features] for need in needs], np.uint8
        ).reshape(len(patterns), len(self._features))
        self._atoms = _AtomCounts(self._features)
        self._unit = {feature: 256**index for index, feature in enumerate(self._features)}
        self._catalogs: dict[bytes, FilterCatalog] = {}

    def __call__(self, molecule: Chem.Mol, smiles: str, ring_sizes: Sequence[int]) -> int:
        """How many of the patterns match.

        Args:
            molecule: sanitised.
            smiles: RDKit's canonical SMILES of it.
            ring_sizes: atoms in each of its rings.
        """
        return len(self._catalog(self.possible(smiles, ring_sizes)).GetMatches(molecule))

    def possible(self, smiles: str, ring_sizes: Sequence[int]) -> Bool[np.ndarray, " pattern"]:
        """Which patterns may match."""
        if len(smiles) > _MOST_COUNTED:
            return np.ones(len(self._entries), bool)
        counts = sum(map(self._atoms.__getitem__, _ATOM.findall(smiles)))
        for feature, count in _bond_and_ring_counts(smiles, ring_sizes):
            counts += count * self._unit.get(feature, 0)
        array = np.frombuffer(counts.to_bytes(len(self._features), "little"), np.uint8)
        return np.asarray((self._needed <= array).all(axis=1))

    def _catalog(self, possible: Bool[np.ndarray, " pattern"]) -> FilterCatalog:
        """RDKit's matcher of these patterns; a few hundred matchers serve most molecules."""
        key = possible.tobytes()
        if key not in self._catalogs:
            if len(self._catalogs) >= _MOST_CATALOGS:
                self._catalogs.clear()
            catalog = FilterCatalog()
            for index in possible.nonzero()[0]:
                catalog.AddEntry(self._entries[index])
            self._catalogs[key] = catalog
        return self._catalogs[key]


class _AtomCounts(dict[str, int]):
    """The contribution of an atom, as it is written, to the counts of the features."""

    def __init__(self, features: Sequence[Feature]) -> None:
        self._features = features

    def __missing__(self, atom: str) -> int:
        marks = _marks(atom)
        self[atom] = sum(
            256**index
            for index, feature in enumerate(self._features)
            if isinstance(feature, frozenset) and feature & marks
        )
        return self[atom]


def _marks(atom: str) -> set[str]:
    if not atom.startswith("["):
        return {atom}
    found = _BRACKET_ATOM.match(atom)
    assert found is not None, f"{atom} is not an atom of a canonical SMILES string"
    isotope, element = found.groups()
    marks = {element} | {sign for sign in "+-" if sign in atom}
    return marks | {_ISOTOPE} if isotope else marks


def _bond_and_ring_counts(smiles: str, ring_sizes: Sequence[int]) -> Iterator[tuple[Feature, int]]:
    """Upper bounds, which suffice: a bond not written beside its O counts as one without O."""
    double = smiles.count("=")
    if double:
        yield _DOUBLE, double
        yield _DOUBLE_NOT_OXYGEN, double - len(_BOND_TO_OXYGEN.findall(smiles))
        yield (
            _DOUBLE_NOT_OXYGEN_OR_NITROGEN,
            double - len(_BOND_TO_OXYGEN_OR_NITROGEN.findall(smiles)),
        )
    yield _TRIPLE, smiles.count("#")
    yield _RINGS, len(ring_sizes)
    for largest, name in _SMALL_RINGS.items():
        yield name, sum(size <= largest for size in ring_sizes)


def necessary_counts(pattern: Chem.Mol) -> dict[Feature, int]:
    """How often a molecule must have each feature for a SMARTS pattern to match."""
    clauses = [_clauses(atom.GetSmarts()) for atom in pattern.GetAtoms()]
    # Atoms of the pattern match different atoms of the molecule, so those whose choice lies within
    # a feature's are counted together.
    needs: dict[Feature, int] = {
        feature: sum(any(clause <= feature for clause in own) for own in clauses)
        for feature in {clause for own in clauses for clause in own}
    }
    elements = [next(filter(_is_elements, own), None) for own in clauses]
    for bond in pattern.GetBonds():
        ends = elements[bond.GetBeginAtomIdx()], elements[bond.GetEndAtomIdx()]
        for feature in _bond_features(bond.GetSmarts(), ends):  # type: ignore[call-arg]
            needs[feature] = needs.get(feature, 0) + 1
    rings = [len(ring) for ring in Chem.GetSSSR(pattern)]
    if rings:
        needs[_RINGS] = len(rings)
        # A cycle of k atoms lies in a basis of cycles with at least one of k atoms or fewer.
        needs |= {name: 1 for most, name in _SMALL_RINGS.items() if min(rings) <= most}
    return needs


def _bond_features(smarts: str, ends: Sequence[frozenset[str] | None]) -> Iterator[Feature]:
    kinds = smarts.split("&")
    if "#" in kinds:
        yield _TRIPLE
    if "=" in kinds:
        yield _DOUBLE
        marks = frozenset().union(*(end for end in ends if end is not None))
        if None not in ends and "O" not in marks:
            yield _DOUBLE_NOT_OXYGEN
            if "N" not in marks:
                yield _DOUBLE_NOT_OXYGEN_OR_NITROGEN


def _clauses(smarts: str) -> list[frozenset[str]]:
    """The demands of a pattern's atom: a matching atom has at least one mark of each set."""
    inside = smarts[1:-1] if smarts.startswith("[") else smarts
    clauses = []
    for part in _split(inside, ";"):
        choices = [_split(choice, "&") for choice in _split(part, ",")]
        for marks_of in (_element, _charge, _isotope):
            marks = [frozenset().union(*map(marks_of, conditions)) for conditions in choices]
            # A choice without a mark of this kind leaves the atom free.
            if all(marks):
                clauses.append(frozenset().union(*marks))
    return clauses


def _is_elements(clause: frozenset[str]) -> bool:
    return not clause & {"+", "-", _ISOTOPE}


def _split(smarts: str, separator: str) -> list[str]:
    """Split at a separator outside all brackets."""
    parts, depth = [""], 0
    for character in smarts:
        depth += (character in "([") - (character in ")]")
        if character == separator and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _element(condition: str) -> frozenset[str]:
    if condition.startswith("$("):
        # An environment: its first atom is the matched one.
        first = Chem.MolFromSmarts(condition[2:-1]).GetAtomWithIdx(0)
        return next((c for c in _clauses(first.GetSmarts()) if _is_elements(c)), frozenset())
    if not _PATTERN_ELEMENT.fullmatch(condition):
        return frozenset()
    if condition == "a":
        return _AROMATIC
    if not condition.startswith("#"):
        return frozenset((condition,))
    symbol = Chem.GetPeriodicTable().GetElementSymbol(int(condition[1:]))
    return frozenset((symbol, symbol.lower())) & (_AROMATIC | {symbol})


def _charge(condition: str) -> frozenset[str]:
    found = _PATTERN_CHARGE.fullmatch(condition)
    return frozenset(found[1]) if found else frozenset()


def _isotope(condition: str) -> frozenset[str]:
    return frozenset((_ISOTOPE,) if _PATTERN_ISOTOPE.fullmatch(condition) else ())
