from rdkit import Chem

from seqtutor.tasks.molecule.canonical import Form, canonical_smiles, canonicalise
from seqtutor.tasks.molecule.sources import nci_path
from seqtutor.workers.worker import Failure


def test_each_string_gets_what_rdkit_writes_in_its_place():
    strings = [line.split()[0] for line in nci_path().read_text().splitlines()][:200]
    strings[7], strings[150] = "C1CC", "C(C)(C)(C)(C)C"
    done = []
    results = canonicalise(strings, workers=2, on_progress=done.append)
    assert done == [200]
    assert [i for i, result in enumerate(results) if isinstance(result, Failure)] == [7, 150]
    assert "valence" in results[150].reason
    for smiles, result in zip(strings, results, strict=True):
        if isinstance(result, str):
            assert result == Chem.MolToSmiles(Chem.MolFromSmiles(smiles))
            assert canonical_smiles(result) == result


def test_what_is_left_out_is_left_out():
    salt = "C[C@H](N)C(=O)[O-].[Na+]"
    assert canonical_smiles(salt) == "C[C@H](N)C(=O)[O-].[Na+]"
    assert canonical_smiles(salt, Form(stereo=False)) == "CC(N)C(=O)[O-].[Na+]"
    assert canonical_smiles(salt, Form(parent=True)) == "C[C@H](N)C(=O)O"
    assert canonical_smiles("C/C=C/[2H]", Form(stereo=False)) == "[H]C=CC"
    assert canonical_smiles("O=[N+]([O-])c1ccccc1.O", Form(parent=True)) == "O=[N+]([O-])c1ccccc1"
