"""Sampling that is steered, through the command and by its parts."""

import jax
import numpy as np
import pytest

from seqtutor.cli.main import main
from seqtutor.errors import UserError
from seqtutor.measures.proposals import Twisted, Untwisted
from seqtutor.models.action_values import ActionValueNetwork
from seqtutor.models.files import SavedModel, save_model
from seqtutor.models.lstm import LSTM
from seqtutor.models.product import ProductModel
from seqtutor.runs.config import RunConfig
from seqtutor.runs.policies import find_policy
from seqtutor.runs.run_folder import RunFolder
from seqtutor.runs.steering import model_calls, proposal_of
from seqtutor.runs.steering_settings import Steering
from seqtutor.runs.value_file import VALUE, load_network, save_value
from seqtutor.tasks.melody.encoding import VOCABULARY_SIZE, melody_vocabulary
from seqtutor.tasks.melody.settings import MelodySettings
from seqtutor.tasks.melody.spec import spec
from seqtutor.training.settings import TutorSettings
from seqtutor.training.tutor import Tutor

C = 20.0


def model_of(weights):
    return LSTM(VOCABULARY_SIZE, (2,), key=jax.random.key(weights))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a finished run of G with its values, and the network that they are of."""
    path = tmp_path_factory.mktemp("steering")
    prior, factor = model_of(1), model_of(2)
    saved = SavedModel(prior, melody_vocabulary(), {"max_length": 32})
    save_model(saved, path / "prior")
    tutor = TutorSettings.of("g", c=C, discount=1.0, value_scale=3.0)
    config = RunConfig("melody", tutor, MelodySettings(), path / "prior")
    folder = RunFolder.start(path / "run", config.content(), {})
    network = ActionValueNetwork(factor, 3.0, 0.1)
    object.__setattr__(network, "value_weight", jax.numpy.array([0.5, -2.0]))
    task = spec.task(MelodySettings(), saved, 0)
    save_value(Tutor(task, prior, tutor), folder, network)
    policy = SavedModel(ProductModel(prior, factor), melody_vocabulary(), {"max_length": 32})
    save_model(policy, folder.model)
    return folder, network


def test_a_run_keeps_its_values(run):
    folder, network = run
    policy = find_policy(spec, str(folder.path))
    found = load_network(folder, policy.model, policy.config.tutor)
    np.testing.assert_array_equal(found.value_weight, network.value_weight)
    assert found.value_scale == 3.0
    proposal, models = proposal_of(policy, 10.0)
    assert isinstance(proposal, Twisted)
    assert (float(proposal.scale), models) == (2.0, 2)
    whole = (folder.path / VALUE).read_bytes()
    (folder.path / VALUE).write_bytes(whole[:-5])
    with pytest.raises(UserError, match="is damaged"):
        proposal_of(policy, C)
    (folder.path / VALUE).unlink()
    proposal, models = proposal_of(policy, C)
    assert isinstance(proposal, Untwisted)
    assert models == 3 == 1 + model_calls(policy.model)
    (folder.path / VALUE).write_bytes(whole)


def test_particles_are_extended_by_the_policy_of_a_network_beside_the_prior(tmp_path):
    """Ψ of a network of the task: what its folder holds proposes as the saved policy samples."""
    prior, factor = model_of(1), model_of(2)
    tutor = TutorSettings.of("psi", c=C, discount=1.0, network="task")
    folder = RunFolder.start(tmp_path / "run", {}, {})
    task = spec.task(MelodySettings(), SavedModel(prior, melody_vocabulary(), {}), 0)
    network = ActionValueNetwork(factor, 20.0, is_residual=True)
    save_value(Tutor(task, prior, tutor), folder, network)
    policy = ProductModel(prior, factor)
    found = load_network(folder, policy, tutor)
    proposal = Twisted(prior, found, jax.numpy.ones(()), "psi")

    def first(model):
        begin = jax.numpy.full(1, prior.begin)
        return jax.jit(lambda: model.step(model.initial_state(1, 32), begin)[1])()

    outlook, logits, of_prior = map(first, (proposal, policy, prior))
    expected = jax.nn.log_softmax(logits)
    np.testing.assert_allclose(outlook.log_proposal, expected, atol=1e-5)
    assert np.abs(expected - jax.nn.log_softmax(of_prior)).max() > 0.01


def told(capsys, *arguments):
    code = main(["sample", "melody", *arguments, "--number", "2", "--formats", "mid"])
    captured = capsys.readouterr()
    return code, " ".join((captured.out + captured.err).split())


def test_the_command_writes_what_is_steered(run, tmp_path, capsys):
    folder = str(run[0].path)
    for name, options, calls in (
        ("smc", ["--smc", "4"], "8 model calls"),
        ("best", ["--best-of", "3"], "6 model calls"),
        ("rescaled", ["--c", "5"], ""),
    ):
        code, text = told(capsys, folder, *options, "--output", str(tmp_path / name))
        assert code == 0, text
        assert calls in text
        assert len(list((tmp_path / name).glob("*.mid"))) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["prior", "--smc", "8"], "--smc needs --c"),
        (["prior", "--c", "8"], "--c takes a run"),
        (["prior", "--smc", "8", "--best-of", "2"], "either --best-of or --smc"),
        (["prior", "--best-of", "0"], "--best-of must be at least 1"),
        (["prior", "--smc", "8", "--c", "nan"], "--c must lie between 1e-20"),
        (["prior", "--smc", "8", "--c", "1e-45"], "--c must lie between 1e-20"),
        (["prior", "--smc", "8", "--c", "1", "--temperature", "2"], "at temperature 1"),
        (["prior", "--smc", "99999999", "--c", "1"], "too many at a time"),
    ],
)
def test_what_cannot_be_is_one_line(options, message, tmp_path, capsys):
    code, text = told(capsys, *options, "--output", str(tmp_path / "samples"))
    assert code == 2
    assert message in text
    assert not (tmp_path / "samples").exists()


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("c", ["1e-20", "1e20"])
def test_nothing_overflows_at_the_bounds_of_c(run, c, tmp_path, capsys):
    for name, way in (("smc", ["--smc", "4"]), ("rescaled", [])):
        options = [*way, "--c", c, "--number", "1", "--output", str(tmp_path / name)]
        code, text = told(capsys, str(run[0].path), *options)
        assert code == 0, text


def test_nothing_is_steered_unless_asked_for():
    assert Steering() == Steering(None, None, None)
