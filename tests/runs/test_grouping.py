"""Which runs are the seeds of one column, and what tells the columns apart."""

import json
import shutil

import jax
import pytest

from seqtutor.cli.main import main
from seqtutor.errors import UserError
from seqtutor.models.files import SavedModel, save_model, weights_hash
from seqtutor.models.lstm import LSTM
from seqtutor.runs.config import RunConfig
from seqtutor.runs.grouping import grouped, remarks_on
from seqtutor.runs.policies import find_policy
from seqtutor.runs.run_folder import RunFolder
from seqtutor.tasks.melody.encoding import VOCABULARY_SIZE, melody_vocabulary
from seqtutor.tasks.melody.settings import MelodySettings
from seqtutor.tasks.melody.spec import spec
from seqtutor.training.settings import TutorSettings


def a_model(seed):
    return LSTM(VOCABULARY_SIZE, (2,), key=jax.random.key(seed))


def save(model, folder):
    save_model(SavedModel(model, melody_vocabulary(), {"max_length": 32}), folder)
    return folder


@pytest.fixture
def a_run(tmp_path):
    """Makes a finished run whose weights are those of a seed of their own; gives its folder."""
    save(a_model(100), tmp_path / "prior")

    def make(name, weights, method="psi", prior=tmp_path / "prior", **tutor):
        config = RunConfig("melody", TutorSettings.of(method, **tutor), MelodySettings(), prior)
        folder = RunFolder.start(tmp_path / name, config.content(), {})
        save(a_model(weights), folder.model)
        return folder.path

    return make


def groups(*folders):
    found = grouped([find_policy(spec, str(folder)) for folder in folders])
    return [(one.name, one.variant, len(one.policies)) for one in found]


def test_runs_that_differ_in_their_seed_alone_are_one_group(a_run, tmp_path):
    seeds = [a_run(f"seed{seed}", seed, seed=seed) for seed in range(3)]
    assert groups(*seeds) == [("psi", "", 3)]
    shutil.copytree(tmp_path / "prior", tmp_path / "elsewhere")
    moved = a_run("seed3", 3, seed=3, prior=tmp_path / "elsewhere")
    assert groups(*seeds, moved) == [("psi", "", 4)], "the same prior in another folder"


def test_runs_with_other_settings_have_groups_of_their_own(a_run):
    folders = [
        a_run("one", 1, c=0.5, seed=0),
        a_run("long", 2, c=0.5, seed=0, steps=9000),
        a_run("two", 3, c=0.5, seed=1),
        a_run("three", 4, c=2.0, seed=1),
        a_run("g", 5, method="g", c=7.0),
    ]
    steps = TutorSettings.of("psi").steps
    assert groups(*folders) == [
        ("psi", f"c 0.5, steps {steps}", 2),
        ("psi", "c 0.5, steps 9000", 1),
        ("psi", f"c 2.0, steps {steps}", 1),
        ("g", "", 1),
    ]


def test_runs_of_other_priors_are_told_apart(a_run, tmp_path):
    other = save(a_model(101), tmp_path / "other")
    folders = [a_run("one", 1, seed=0), a_run("two", 2, seed=1, prior=other)]
    own = [weights_hash(a_model(seed)) for seed in (100, 101)]
    assert groups(*folders) == [("psi", f"prior {one[:8]}", 1) for one in own]
    policies = [find_policy(spec, str(folder)) for folder in folders]
    assert remarks_on(policies) == [
        "KL and log p(a|s) refer to different priors: "
        f"{tmp_path / 'prior'} ({own[0][:8]}) for {folders[0]}; "
        f"{other} ({own[1][:8]}) for {folders[1]}."
    ]
    assert remarks_on(policies[:1]) == []


@pytest.mark.parametrize(
    ("weights", "seed", "told"),
    [(1, 0, "has the same weights as"), (1, 5, "the same weights"), (2, 0, "the same seed, 0")],
    ids=["a copy", "a copy with another seed", "the same seed on another machine"],
)
def test_runs_that_are_not_independent_are_refused(a_run, weights, seed, told):
    one, other = a_run("one", 1, seed=0), a_run("other", weights, seed=seed)
    with pytest.raises(UserError, match=f"other.* {told}"):
        groups(one, other)


def test_the_keys_of_the_json_are_distinct(a_run, tmp_path, capsys):
    """Also of a model whose folder is called as a method is."""
    model = save(a_model(3), tmp_path / "models" / "psi")
    runs = [a_run("one", 1, c=0.5), a_run("two", 2, c=2.0)]
    names = [str(folder) for folder in (tmp_path / "prior", *runs, model)]
    assert main(["evaluate", "melody", *names, "--number", "16", "--json"]) == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert list(found) == ["prior", "psi (c 0.5)", "psi (c 2.0)", f"psi ({model})"]
    assert "refer to different priors" in " ".join(captured.err.split())
    assert main(["evaluate", "melody", *names, names[0] + "/", "--number", "16"]) == 2
    assert "has the same weights" in capsys.readouterr().err
