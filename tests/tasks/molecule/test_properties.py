from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from molecules import HARD_AND_INVALID, HARD_AND_VALID, real_molecules
from rdkit import Chem, RDLogger
from rdkit.Chem import QED, Crippen, Descriptors, Lipinski, rdMolDescriptors
from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator
from rdkit.Chem.Scaffolds import MurckoScaffold
from rdkit.Contrib.SA_Score import sascorer

from seqtutor.tasks.molecule import fused
from seqtutor.tasks.molecule.alerts import AlertCounter
from seqtutor.tasks.molecule.properties import parse, why_invalid

RDKIT = {
    "smiles": Chem.MolToSmiles,
    "logp": Crippen.MolLogP,
    "sa": sascorer.calculateScore,
    "qed": QED.qed,
    "molecular_weight": Descriptors.MolWt,
    "tpsa": Descriptors.TPSA,
    "donors": Lipinski.NumHDonors,
    "acceptors": Lipinski.NumHAcceptors,
    "rotatable_bonds": Lipinski.NumRotatableBonds,
    "heavy_atoms": Lipinski.HeavyAtomCount,
    "alerts": lambda m: sum(m.HasSubstructMatch(alert) for alert in QED.StructuralAlerts),
    "formula": rdMolDescriptors.CalcMolFormula,
    "rings": lambda m: m.GetRingInfo().NumRings(),
    "scaffold": lambda m: MurckoScaffold.MurckoScaffoldSmiles(mol=m),
}


@pytest.fixture(autouse=True, scope="module")
def _silence():
    RDLogger.DisableLog("rdApp.*")
    yield
    RDLogger.EnableLog("rdApp.*")


def of_rdkit(smiles, name):
    """RDKit's own answer from a parse of its own, or the kind of error that it raises."""
    try:
        return RDKIT[name](Chem.MolFromSmiles(smiles))
    except Exception as error:
        return type(error)


def of_ours(molecule, name):
    try:
        return getattr(molecule, name)
    except Exception as error:
        return type(error)


def assert_agrees(smiles, names):
    known = Chem.MolFromSmiles(smiles)
    molecule = parse(smiles)
    assert (molecule is None) == (known is None or not known.GetNumAtoms()), smiles
    if molecule is not None:
        ours = {name: of_ours(molecule, name) for name in names}
        # `==` on floats: the same to the last bit.
        assert ours == {name: of_rdkit(smiles, name) for name in names}, smiles
        assert Chem.MolToSmiles(molecule.rdkit) == molecule.smiles, "the molecule was changed"


def test_the_quick_way_is_taken():
    """Else every comparison would be RDKit against itself."""
    assert fused._agrees()


@pytest.mark.parametrize("smiles", HARD_AND_VALID, ids=lambda smiles: smiles[:30])
def test_hard_molecules_agree_with_rdkit_in_any_order_of_asking(smiles):
    assert parse(smiles) is not None
    is_long = len(smiles) > 200
    assert_agrees(smiles, ["logp", "sa", "qed", "molecular_weight"] if is_long else list(RDKIT))
    if not is_long:
        assert_agrees(smiles, list(RDKIT)[::-1])


def test_real_molecules_agree_with_rdkit():
    for smiles in real_molecules()[::16]:
        assert_agrees(smiles, ["sa", "qed", "logp", "molecular_weight", "alerts"])
    for smiles in real_molecules()[1::100]:
        assert_agrees(smiles, list(RDKIT))


def mutants():
    """Real strings with a few tokens changed: mostly invalid, sometimes valid and odd."""
    tokens = [*"CNOSFcnos()[]=#12345+-H@/\\.IP*", "Cl", "Br", "[nH]", "[N+]", "[O-]", "[2H]"]
    tokens += ["[CH]", "[C@H]", "[13C]", "[se]", "[Si]", "S(=O)(=O)", "C#N", "[H]"]
    change = st.tuples(st.floats(0, 1), st.sampled_from(tokens), st.booleans())
    return st.tuples(st.sampled_from(real_molecules()), st.lists(change, max_size=3)).map(mutated)


def mutated(drawn):
    smiles, changes = drawn
    for place, token, replaces in changes:
        index = int(place * len(smiles))
        smiles = smiles[:index] + token + smiles[index + replaces :]
    return smiles


@given(mutants())
@settings(max_examples=200, deadline=None)
def test_odd_strings_agree_with_rdkit_and_have_a_reason_if_invalid(smiles):
    assert_agrees(smiles, ["sa", "qed", "logp"])
    if parse(smiles) is None:
        reason = why_invalid(smiles)
        assert reason.strip() == reason != ""
        assert "\n" not in reason


def test_a_ring_that_rdkit_cannot_take_apart_again_is_an_error_for_both():
    smiles = "O=C1OC(=CC2=CC=CC=C2)C3=C1o=CC=C3"
    assert of_rdkit(smiles, "qed") is Chem.KekulizeException
    assert_agrees(smiles, list(RDKIT))


@pytest.mark.parametrize(
    ("smiles", "reason"), HARD_AND_INVALID.items(), ids=lambda text: ascii(text)[:30]
)
def test_an_invalid_string_has_a_reason(smiles, reason):
    assert parse(smiles) is None
    assert why_invalid(smiles) == reason


@pytest.mark.parametrize(
    ("smiles", "excess"),
    [("CCO", 0), ("C1CC1", 0), ("c1ccccc1", 0), ("C1CCCCCC1", 1), ("C1CCCCCCCCC1.C1CCCCCC1", 4)],
)
def test_only_atoms_beyond_six_in_the_largest_ring_count(smiles, excess):
    assert parse(smiles).excess_ring_atoms == excess


def test_fingerprints_are_those_of_moses():
    generator = GetMorganGenerator(radius=2, fpSize=1024)
    for smiles in real_molecules()[:50]:
        bits = generator.GetFingerprint(Chem.MolFromSmiles(smiles)).ToBitString()
        ours = parse(smiles).fingerprint
        assert ours.tobytes() == int(bits, 2).to_bytes(128, "big")


PATTERNS = st.sampled_from(
    [
        *QED.StructuralAlertSmarts,
        *("[#6]", "[C,N]=[O,S]", "[!C]", "[C;R][N,O;!R]", "[$([NX3]C=O),$(O)]", "[+]", "[-,+]"),
        *("[13C,C]", "[D3]", "[H1]", "a1aaaaa1", "[r5]", "C~C", "*", "[#1]", "[C;!$(C=O)]"),
        *("C#C.C#C", "[O,o]~[N+]", "[NH2]", "[Cl,Br]", "[X4]", "[v5]", "C=C=C", "[n;H1]"),
    ]
)


@given(st.lists(PATTERNS, min_size=1, max_size=8), st.sampled_from(real_molecules()))
@settings(max_examples=150, deadline=None)
def test_a_pattern_that_matches_is_never_left_out(patterns, smiles):
    molecule = parse(smiles)
    if molecule is None:
        return
    counter = AlertCounter(patterns)
    possible = counter.possible(molecule.smiles, molecule.ring_sizes)
    matches = [molecule.rdkit.HasSubstructMatch(Chem.MolFromSmarts(one)) for one in patterns]
    assert not any(match and not may for match, may in zip(matches, possible, strict=True))
    assert counter(molecule.rdkit, molecule.smiles, molecule.ring_sizes) == sum(matches)


def test_most_alerts_are_left_out():
    counter = AlertCounter(QED.StructuralAlertSmarts)
    molecule = parse("CC(=O)Nc1ccc(O)cc1")
    assert counter.possible(molecule.smiles, molecule.ring_sizes).sum() < 25
