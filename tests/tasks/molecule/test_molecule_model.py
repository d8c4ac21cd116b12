import pytest
from rdkit import Chem, rdBase

from seqtutor.errors import UserError
from seqtutor.measures.sampling import draw
from seqtutor.models.files import SavedModel, save_model
from seqtutor.runs.policies import load_prior
from seqtutor.tasks.molecule.encoding import decode
from seqtutor.tasks.molecule.spec import spec
from seqtutor.tasks.molecule.task import SHIPPED_PRIOR
from seqtutor.tasks.molecule.tokens import END_TOKEN
from seqtutor.vocabulary import Vocabulary
from tiny_problems import prior


def test_the_shipped_prior_writes_molecules():
    assert sum(file.stat().st_size for file in SHIPPED_PRIOR.iterdir()) <= 5_000_000
    saved = load_prior(spec)
    assert saved.folder == SHIPPED_PRIOR
    assert saved.origin["finished"] is True
    length, end = saved.origin["max_length"], saved.vocabulary.end
    drawn = draw(saved.model, saved.model, number=300, length=length, end=end)
    strings = decode(drawn.tokens, saved.vocabulary)
    assert len(set(strings)) > 290
    with rdBase.BlockLogs():
        valid = [smiles for smiles in strings if smiles and Chem.MolFromSmiles(smiles)]
    assert len(valid) > 0.9 * len(strings)


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
        load_prior(spec, tmp_path / "model")
