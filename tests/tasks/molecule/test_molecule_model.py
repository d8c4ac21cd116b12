import pytest
from rdkit import Chem, rdBase
from seqtutor.tasks.molecule.model import SHIPPED_PRIOR, load_molecule_model, sample_smiles

from seqtutor.errors import UserError
from seqtutor.models.files import SavedModel, save_model
from seqtutor.tasks.molecule.tokens import END_TOKEN
from seqtutor.vocabulary import Vocabulary
from tiny_problems import prior


def test_the_shipped_prior_writes_molecules():
    assert sum(file.stat().st_size for file in SHIPPED_PRIOR.iterdir()) <= 5_000_000
    saved = load_molecule_model()
    assert saved.origin["finished"] is True
    strings = sample_smiles(saved.model, saved.vocabulary, 300, saved.origin["max_length"])
    assert len(set(strings)) > 290
    with rdBase.BlockLogs():
        valid = [smiles for smiles in strings if smiles and Chem.MolFromSmiles(smiles)]
    assert len(valid) > 0.9 * len(strings)
    again = sample_smiles(saved.model, saved.vocabulary, 300, saved.origin["max_length"], seed=1)
    assert again != strings


@pytest.mark.parametrize(
    ("tokens", "origin", "message"),
    [
        (("C", "N", "!"), {"max_length": 9}, "does not write SMILES"),
        (("C", "N", END_TOKEN), {}, "does not say how long"),
        (("C", "N", "O"), {"max_length": 9}, "does not write SMILES"),
    ],
)
def test_other_models_are_refused(tokens, origin, message, tmp_path):
    end = END_TOKEN if END_TOKEN in tokens else None
    save_model(SavedModel(prior(3), Vocabulary(tokens, end), origin), tmp_path / "model")
    with pytest.raises(UserError, match=message):
        load_molecule_model(tmp_path / "model")
