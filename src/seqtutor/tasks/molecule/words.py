"""The reward of a molecule in words: each term's value, what it is worth, why it is not more."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rdkit import Chem

from seqtutor.tasks.molecule.properties import Molecule, parse
from seqtutor.tasks.molecule.reward_settings import (
    CustomTerm,
    MoleculeRewardSettings,
    ScaledTerm,
    WindowTerm,
)
from seqtutor.tasks.molecule.terms import longest_carbon_run
from seqtutor.tasks.molecule.tokens import shortened
from seqtutor.tasks.molecule.writers import ScoredMolecules

_MINUS = "−"

_PROPERTIES = {
    "logp": "logP",
    "sa": "synthetic accessibility (1 easy, 10 hard)",
    "qed": "drug-likeness (QED)",
    "molecular_weight": "molecular weight",
    "tpsa": "polar surface area",
    "donors": "hydrogen-bond donors",
    "acceptors": "hydrogen-bond acceptors",
    "rotatable_bonds": "rotatable bonds",
    "heavy_atoms": "heavy atoms",
    "rings": "rings",
    "largest_ring": "atoms in the largest ring",
}


@dataclass(frozen=True)
class _Linear:
    """A term that grows or falls with a value.

    Attributes:
        label: what the value is.
        column: the measurement that it is.
        sign: of the value in the term.
        low: the lowest value that there can be.
        high: the highest.
    """

    label: str
    column: str
    sign: float = 1.0
    low: float = -math.inf
    high: float = math.inf


_LINEAR = {
    "logp": _Linear(_PROPERTIES["logp"], "logp"),
    "sa": _Linear(_PROPERTIES["sa"], "sa", -1.0, 1.0, 10.0),
    "qed": _Linear(_PROPERTIES["qed"], "qed", 1.0, 0.0, 1.0),
    "ring": _Linear("atoms of the largest ring beyond six", "excess_ring_atoms", -1.0, 0.0),
    "required": _Linear("share of the wanted substructures", "required", 1.0, 0.0, 1.0),
    "forbidden": _Linear("unwanted substructures", "forbidden", -1.0, 0.0),
    "similarity": _Linear("similarity to the nearest given molecule", "similarity", 1.0, 0.0, 1.0),
    "isomer": _Linear("nearness to the formula", "isomer", 1.0, 0.0, 1.0),
    "alerts": _Linear("structural alerts of QED", "alerts", -1.0, 0.0),
}


def in_words(settings: MoleculeRewardSettings, part: ScoredMolecules, index: int) -> list[str]:
    """Lines about what a molecule earns.

    Args:
        settings: of the reward by which it was scored.
        part: scored molecules, with their weighted terms.
        index: of the molecule among them.
    """
    scores, string = part.scores, part.scores.strings[index]
    title = f"{part.names[index]} ({shortened(string)})" if part.names[index] else shortened(string)
    if not scores.is_valid[index]:
        penalty = _number(settings.valid.penalty * settings.weights.get("valid", 0.0))
        reason = scores.reasons.get(index, "it is not a molecule")
        return [f"{title}: not a molecule: {reason}; it earns {penalty} in place of all terms"]
    molecule = parse(string)
    assert molecule is not None
    reward = part.reward()
    assert reward is not None
    total = _number(reward[index]) if math.isfinite(reward[index]) else "not known"
    lines = [f"{title}: reward {total}"]
    for name, values in part.terms.items():
        worth = float(values[index])
        said = _term(name, settings, part, index, molecule)
        earned = f"earns {_number(worth)}" if math.isfinite(worth) else "earns nothing here"
        lines.append(f"  {name} {earned}: {said}")
    return lines


def _term(
    name: str, settings: MoleculeRewardSettings, part: ScoredMolecules, index: int, own: Molecule
) -> str:
    """The value of a term, and why it is not worth more."""
    weight, columns = settings.weights[name], part.scores.columns
    setting = settings.scorers.get(name) or getattr(settings, name, None)
    if name == "valid":
        return "it is a valid molecule, which is all that counts here"
    if name == "short":
        return _bound("characters", len(own.source), settings.short.shortest, is_least=True)
    if name == "carbons":
        run = longest_carbon_run(own.source)
        return _bound("carbons written in a row", run, settings.carbons.most, is_least=False)
    if name.startswith("window_"):
        column = name.removeprefix("window_")
        window = getattr(settings.window, column)
        return _window(_PROPERTIES[column], float(columns[column][index]), window, weight)
    if isinstance(setting, CustomTerm):
        if (reason := part.scores.failures.get(name, {}).get(index)) is not None:
            neutral = "the mean of its batch" if setting.failed is None else f"{setting.failed:g}"
            return f"no score: {reason}; in a run it counts as {neutral}"
        linear = _Linear(f"score of {setting.code}", name)
    else:
        linear = _LINEAR[name]
    said = _linear(linear, float(columns[linear.column][index]), setting, weight)
    return "; ".join(filter(None, [said, _detail(name, settings, own)]))


def _linear(linear: _Linear, value: float, setting: object, weight: float) -> str:
    centre, scale = (
        (setting.centre, setting.scale) if isinstance(setting, ScaledTerm) else (0.0, 1.0)
    )

    def worth(at: float) -> float:
        return weight * (linear.sign * at - centre) / scale

    slope = weight * linear.sign / scale
    best = linear.high if slope > 0 else linear.low
    said = f"{linear.label}: {_shown(value)}"
    if math.isclose(value, best):
        return f"{said}, the best there is"
    if math.isinf(best):
        way = "more" if slope > 0 else "less"
        return f"{said}; each unit {way} would earn {abs(slope):.3g} more"
    return f"{said}; the best, {best:g}, would earn {_number(worth(best))}"


def _window(label: str, value: float, window: WindowTerm, weight: float) -> str:
    low, high = window.low, window.high
    lowest = "" if low is None else f"at least {low:g}"
    highest = "" if high is None else f"at most {high:g}"
    wanted = " and ".join(filter(None, [lowest, highest]))
    said = f"{label}: {_shown(value)}, wanted is {wanted}"
    if low is not None and value < low:
        return f"{said}: {low - value:.3g} too little for {_number(weight)}"
    if high is not None and value > high:
        return f"{said}: {value - high:.3g} too much for {_number(weight)}"
    return f"{said}: so it earns all that it can"


def _bound(label: str, value: int, bound: int | None, *, is_least: bool) -> str:
    assert bound is not None
    beyond = bound - value if is_least else value - bound
    limit = f"training strings have {'at least' if is_least else 'at most'} {bound}"
    if beyond <= 0:
        return f"{value} {label} ({limit}), which costs nothing"
    return f"{value} {label}, {beyond} too {'few' if is_least else 'many'} ({limit})"


def _detail(name: str, settings: MoleculeRewardSettings, own: Molecule) -> str:
    """What exactly a molecule has or lacks, for terms of structures."""
    if name in ("required", "forbidden"):
        patterns = getattr(settings, name).smarts
        found = [one for one in patterns if _has(own, one) is (name == "forbidden")]
        word = "it has" if name == "forbidden" else "it lacks"
        return f"{word} {', '.join(found)}" if found else ""
    if name == "isomer":
        return f"it is {own.formula}, wanted is {settings.isomer.formula}"
    if name == "ring" and own.largest_ring:
        return f"its largest ring has {own.largest_ring} atoms"
    return ""


def _has(own: Molecule, smarts: str) -> bool:
    return bool(own.rdkit.HasSubstructMatch(Chem.MolFromSmarts(smarts)))


def _shown(value: float) -> str:
    return f"{value:.4g}".replace("-", _MINUS)


def _number(value: float) -> str:
    """A number with its sign."""
    text = f"{value:+.2f}"
    return "0" if float(text) == 0 else text.replace("-", _MINUS)
