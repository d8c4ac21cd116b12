import jax
import pytest

from seqtutor.errors import UserError
from seqtutor.models.files import SavedModel, save_model
from seqtutor.models.lstm import LSTM
from seqtutor.runs import policies
from seqtutor.runs.config import RunConfig
from seqtutor.runs.run_folder import RunFolder
from seqtutor.tasks.melody.encoding import VOCABULARY_SIZE, melody_vocabulary
from seqtutor.tasks.melody.settings import MelodySettings
from seqtutor.tasks.melody.spec import spec
from seqtutor.training.settings import TutorSettings
from tiny_problems import identical


def find_policy(name):
    return policies.find_policy(spec, name)


def a_model(seed):
    return LSTM(VOCABULARY_SIZE, (2,), key=jax.random.key(seed))


def save(model, folder, **origin):
    save_model(SavedModel(model, melody_vocabulary(), origin), folder)


def test_a_run_has_the_name_of_its_method_and_its_own_prior_and_length(tmp_path):
    save(a_model(1), tmp_path / "prior")
    config = RunConfig(
        "melody", TutorSettings.of("g"), MelodySettings(length=24), tmp_path / "prior"
    )
    folder = RunFolder.start(tmp_path / "run", config.content(), {})
    with pytest.raises(UserError, match="is not finished"):
        find_policy(str(tmp_path / "run"))
    save(a_model(2), folder.model, max_length=24)
    policy = find_policy(str(tmp_path / "run"))
    assert (policy.name, policy.length) == ("g", 24)
    assert identical(policy.model, a_model(2))
    assert identical(policy.prior().model, a_model(1))


def test_a_model_has_the_length_it_was_made_with(tmp_path):
    save(a_model(1), tmp_path / "long", max_length=64)
    save(a_model(1), tmp_path / "unknown")
    found = [find_policy(str(tmp_path / name)) for name in ("long", "unknown")]
    assert [(one.name, one.length) for one in found] == [("long", 64), ("unknown", 32)]


def test_prior_is_the_one_of_the_package_and_its_own_prior():
    policy = find_policy("prior")
    assert (policy.name, policy.length) == ("prior", 32)
    assert policy.prior().model is policy.model


def test_what_is_no_policy_is_the_users_error(tmp_path):
    with pytest.raises(UserError, match="not a model folder"):
        find_policy(str(tmp_path))
    with pytest.raises(UserError, match="not a model folder"):
        find_policy("nowhere")
