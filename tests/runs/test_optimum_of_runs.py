"""The distance from the optimum in what `evaluate` prints."""

import json

import jax
import pytest

import tiny_problems
from seqtutor.cli.main import main
from seqtutor.measures.sampling import draw
from seqtutor.models.files import SavedModel, save_model
from seqtutor.models.lstm import LSTM
from seqtutor.proof import exact
from seqtutor.runs.config import RunConfig
from seqtutor.runs.optimum import optimum_at
from seqtutor.runs.policies import NamedPolicy
from seqtutor.runs.run_folder import RunFolder
from seqtutor.task_spec import TaskSpec
from seqtutor.tasks.melody.encoding import VOCABULARY_SIZE, melody_vocabulary
from seqtutor.tasks.melody.settings import MelodySettings
from seqtutor.training.settings import TutorSettings

C = 100.0


@pytest.fixture
def a_run(tmp_path):
    """Makes a finished run whose weights are those of a seed of their own; gives its folder."""

    def save(weights, folder):
        model = LSTM(VOCABULARY_SIZE, (2,), key=jax.random.key(weights))
        save_model(SavedModel(model, melody_vocabulary(), {"max_length": 32}), folder)
        return folder

    prior = save(100, tmp_path / "prior")

    def make(name, weights, method="psi", **tutor):
        tutor = TutorSettings.of(method, **{"c": C, "discount": 1.0, **tutor})
        config = RunConfig("melody", tutor, MelodySettings(), prior)
        folder = RunFolder.start(tmp_path / name, config.content(), {})
        save(weights, folder.model)
        return str(folder.path)

    return make


def measured(capsys, *arguments):
    assert main(["evaluate", "melody", *arguments, "--json"]) == 0
    captured = capsys.readouterr()
    return json.loads(captured.out), " ".join(captured.err.split())


def test_a_run_at_discount_1_has_its_distance_from_the_optimum(a_run, capsys):
    found, _ = measured(capsys, "prior", a_run("one", 1), "--number", "2000")
    own = found["psi"][0]
    bounds, (low, high) = own["log_partition"], own["intervals"]["nats_from_optimum"]
    assert bounds["lower"] < bounds["estimate"] < bounds["upper"]
    assert own["nats_from_optimum"] == pytest.approx(bounds["estimate"] - own["objective"])
    assert low < own["nats_from_optimum"] < high
    steps = 32
    assert own["objective"] == pytest.approx(own["reward"] / C - steps * own["kl"], abs=1e-3)
    assert "log_partition" not in found["prior"][0]
    assert 1 < bounds["effective_size"] <= 4000


def test_the_prior_as_its_own_policy_is_as_far_as_its_weights_say(a_run, capsys):
    """Log Z − J = log E_p[exp(r/c)] − E_p[r/c] where no token has another probability."""
    found, _ = measured(capsys, a_run("same", 100), "--number", "2000")
    own = found["psi"][0]
    assert own["kl"] == pytest.approx(0, abs=1e-6)
    assert own["objective"] == pytest.approx(own["reward"] / C, abs=1e-5)
    assert own["log_partition"]["lower"] > own["objective"], "by Jensen's inequality"


def test_runs_of_one_c_share_the_bounds_and_others_do_not(a_run, capsys):
    runs = [a_run("one", 1), a_run("two", 2, method="g"), a_run("three", 3, method="path", c=50.0)]
    found, _ = measured(capsys, *runs, "--number", "500")
    one, two, three = (found[name][0]["log_partition"] for name in ("psi", "g", "path"))
    assert one == two != three


def test_the_table_has_rows_for_it_and_says_why_a_run_has_none(a_run, capsys):
    runs = [a_run("one", 1), a_run("two", 2, method="g", discount=0.8)]
    assert main(["evaluate", "melody", *runs, "--number", "500"]) == 0
    table = " ".join(capsys.readouterr().out.split())
    assert "Objective E[r]/c − KL, nats a melody" in table
    assert "Optimum: log Z" in table
    assert "Nats from the optimum" in table
    assert "left out for γ < 1" in table
    found, told = measured(capsys, runs[1], "--number", "16")
    assert "log_partition" not in found["g"][0]
    assert "nats_from_optimum" not in found["g"][0]
    assert "left out for γ < 1" in told
    found, told = measured(capsys, runs[0], "--number", "16", "--no-rewards")
    assert "log_partition" not in found["psi"][0]


def test_weights_with_too_heavy_a_tail_are_told(a_run, capsys):
    found, told = measured(capsys, a_run("one", 1, c=0.5), "--number", "500")
    assert not found["psi"][0]["log_partition"]["is_trusted"]
    assert "too heavy a tail" in told


def test_the_optimum_of_a_prior_is_told_before_any_tuning(a_run, tmp_path, capsys):
    a_run("one", 1)
    prior = str(tmp_path / "prior")
    found, told = measured(capsys, prior, "--number", "320", "--c", str(C))
    (own,) = found["prior"]
    bounds = own["log_partition"]
    assert own["objective"] == pytest.approx(own["reward"] / C, abs=1e-5)
    assert bounds["lower"] <= bounds["estimate"] <= bounds["upper"]
    assert own["nats_from_optimum"] == pytest.approx(bounds["estimate"] - own["objective"])
    # Most of 38 tokens are equally likely to so small a prior, and C is large.
    assert 60 < own["optimum_entropy"] < 32 * 3.7
    assert own["optimum_distinct"] > 0.9
    assert "handful" not in told


def test_an_optimum_of_few_sequences_is_told_and_its_log_z_is_that_of_the_enumeration():
    model, small = tiny_problems.prior(3, scale=2.0), tiny_problems.task(3, 4, has_end=True)
    saved = SavedModel(model, small.vocabulary)
    policy = NamedPolicy("prior", saved, 4, TaskSpec.of(small), reference=saved)
    samples = draw(model, model, number=512, length=4, end=2, reward=small.reward)
    whole = exact.enumerate_problem(model, small.reward, 4, end=2)
    for c, is_few in ((0.05, True), (2.0, False)):
        found = optimum_at(policy, samples, small, c)
        log_z = exact.optimum(whole, c=c).log_partition
        assert found.bounds.lower <= log_z + 1e-3
        assert found.bounds.estimate == pytest.approx(log_z, abs=1.0 if is_few else 0.1)
        assert any("is a handful of sequences" in one for one in found.remarks) == is_few


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--c", "0"], "--c must lie between"),
        (["--c", "5", "--no-rewards"], "leave out --no-rewards"),
        (["--c", "5", "--temperature", "2"], "at temperature 1"),
    ],
)
def test_an_optimum_that_cannot_be_told_is_one_line(options, message, capsys):
    assert main(["evaluate", "melody", "prior", *options]) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_a_run_has_its_own_c(a_run, capsys):
    assert main(["evaluate", "melody", a_run("one", 1), "--c", "5"]) == 2
    assert "measured at its own c" in " ".join(capsys.readouterr().err.split())
