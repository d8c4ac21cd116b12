"""A run goes on, and is used again, only with what it was made of."""

from __future__ import annotations

import importlib
from dataclasses import replace

import jax.numpy as jnp
import pytest
import yaml

from seqtutor.errors import UserError
from seqtutor.models.files import SavedModel, save_model, weights_hash
from seqtutor.references import source_sha256
from seqtutor.rewards import Reward, compiled
from seqtutor.runs.comparing import ComparisonPlan, compare
from seqtutor.runs.config import RunConfig, read_config
from seqtutor.runs.grouping import remarks_on
from seqtutor.runs.jobs import Job
from seqtutor.runs.measure_cache import cached_estimates
from seqtutor.runs.policies import find_policy, load_prior
from seqtutor.runs.run_folder import RunFolder
from seqtutor.runs.run_on_disk import StoppedError
from seqtutor.runs.tuning import open_tutor, remark_on_origin, tune_in_folder
from seqtutor.task import Task
from seqtutor.task_spec import TaskSpec
from seqtutor.training.settings import TutorSettings
from tiny_problems import prior, vocabulary

LENGTH = 3
SETTINGS = TutorSettings.of(
    "psi", environments=8, batch=4, updates=1, replay_capacity=16, steps=48, log_every=24
)


def a_spec(scale=1.0, source="the first", length=LENGTH):
    """A task as from a file with this source, whose reward counts one token."""

    @compiled
    def ones(tokens, mask):
        return {"ones": scale * jnp.sum((tokens == 1) & mask, axis=1)}

    spec = TaskSpec.of(Task(vocabulary(3), length, Reward(ones), "ones"))
    spec.source_sha256, spec.reference = source, "/here/ones.py:task"
    return spec


@pytest.fixture
def prior_folder(tmp_path):
    return save_prior(tmp_path / "prior", 3)


def save_prior(folder, seed):
    saved = SavedModel(prior(3, seed=seed, hidden=(4,)), vocabulary(3), {"max_length": LENGTH})
    save_model(saved, folder)
    return folder


def run(spec, prior_folder, folder, stops=False):
    config = RunConfig(spec.name, SETTINGS, prior=prior_folder)
    with open_tutor(spec, config) as tutor:
        tune_in_folder(spec, config, tutor, RunFolder(folder), is_to_stop=lambda: stops)


@pytest.fixture
def begun(prior_folder, tmp_path):
    """The folder of a run with a checkpoint."""
    with pytest.raises(StoppedError):
        run(a_spec(), prior_folder, tmp_path / "run", stops=True)
    return tmp_path / "run"


def test_an_unfinished_run_does_not_go_on_with_something_else(begun, prior_folder):
    before = (begun / "metrics.jsonl").read_bytes()
    with pytest.raises(UserError, match=r"begun with another text of /here/ones\.py"):
        run(a_spec(2.0, "the second"), prior_folder, begun)
    with pytest.raises(UserError, match="begun with max_length 3, which is 4 now"):
        run(a_spec(length=4), prior_folder, begun)
    save_prior(prior_folder, 4)
    with pytest.raises(UserError, match="begun with other weights of its prior; undo that"):
        run(a_spec(), prior_folder, begun)
    assert (begun / "metrics.jsonl").read_bytes() == before
    save_prior(prior_folder, 3)
    run(a_spec(), prior_folder, begun)
    assert RunFolder(begun).is_complete


def test_before_its_first_checkpoint_as_well(begun, prior_folder):
    for path in (begun / "checkpoints").iterdir():
        path.unlink()
    save_prior(prior_folder, 4)
    with pytest.raises(UserError, match="other weights of its prior"):
        run(a_spec(), prior_folder, begun)


def forget(folder, *names):
    """What an earlier version did not record."""
    config = folder / "config.yaml"
    content = yaml.safe_load(config.read_text())
    for name in names:
        del content["made_by"][name]
    config.write_text(yaml.safe_dump(content, sort_keys=False))


def test_a_run_of_an_earlier_version_goes_on(begun, prior_folder):
    forget(begun, "task_file_sha256", "max_length", "prior_sha256")
    run(a_spec(source="unknown"), prior_folder, begun)
    assert RunFolder(begun).is_complete
    config = RunConfig("ones", SETTINGS, prior=prior_folder)
    assert Job("", begun, a_spec(), config, made_of={"task_file_sha256": "any"}).is_done


def test_a_finished_run_is_not_taken_for_one_of_another_file_or_prior(begun, prior_folder):
    spec = a_spec()
    run(spec, prior_folder, begun)
    config = RunConfig("ones", SETTINGS, prior=prior_folder)
    model = load_prior(spec, prior_folder).model
    now = {"prior_sha256": weights_hash(model), "task_file_sha256": "the first"}
    assert Job("", begun, spec, config, made_of=now).is_done
    for name, told in (("task_file_sha256", "another text"), ("prior_sha256", "other weights")):
        job = Job("", begun, spec, config, made_of={**now, name: "another"})
        assert not job.is_done
        with pytest.raises(UserError, match=rf"{told}.*; undo that change, or choose another"):
            job.require_own_folder()


def test_what_has_changed_is_told_where_the_run_is_measured_or_run_again(begun, prior_folder):
    run(a_spec(), prior_folder, begun)
    config = RunConfig("ones", SETTINGS, prior=prior_folder)
    for spec in (a_spec(), a_spec(source=None)):
        assert remarks_on([find_policy(spec, str(begun))]) == []
        assert remark_on_origin(spec, config, begun) is None
    other = a_spec(source="the second")
    (told,) = remarks_on([find_policy(other, str(begun))])
    assert told.startswith(f"{begun} was tuned with another text of /here/ones.py")
    save_prior(prior_folder, 4)
    (told,) = remarks_on([find_policy(a_spec(), str(begun))])
    assert told.startswith(f"{begun} was tuned with other weights of its prior;")
    for path in (begun, begun / "config.yaml"):
        assert "begun with other weights of its prior" in remark_on_origin(a_spec(), config, path)
    given = replace(config, prior=save_prior(prior_folder.with_name("given"), 5))
    assert remark_on_origin(a_spec(), given, begun) is None, "--prior is meant to be another"


def test_a_game_is_not_continued_as_a_run(tmp_path):
    RunFolder.start(tmp_path / "game", {"generator": "psi", "adversary": {}, "task": "ones"}, {})
    with pytest.raises(UserError, match="is the folder of a game"):
        read_config(a_spec(), tmp_path / "game")


def test_what_is_missing_is_asked_for_by_the_tasks_reference(tmp_path):
    with pytest.raises(UserError, match=r"seqtutor pretrain /here/ones\.py:task"):
        load_prior(a_spec())
    saved = SavedModel(prior(4, hidden=(4,)), vocabulary(4), {"max_length": LENGTH})
    save_model(saved, tmp_path / "other")
    with pytest.raises(UserError, match=r"seqtutor pretrain /here/ones\.py:task"):
        load_prior(a_spec(), tmp_path / "other")


def test_a_comparison_mixes_no_rewards(prior_folder, tmp_path):
    def grid(spec):
        return ComparisonPlan(
            spec,
            ("reinforce",),
            tmp_path / "comparison",
            c=(1.0,),
            seeds=1,
            steps=600,
            number=64,
            temperatures=(0.5,),
            best_of=(2,),
            smc=(),
            prior=prior_folder,
        )

    def reward_of_prior():
        path = tmp_path / "comparison" / "controls" / "prior.json"
        key = yaml.safe_load(path.read_text())["made_of"]
        kept = {name: value for name, value in key.items() if name != "definitions"}
        found = cached_estimates(path, kept, lambda: pytest.fail("it is not there"))
        return found["policy"]["reward"].value

    compare(grid(a_spec()), in_this_process=True)
    first = reward_of_prior()
    with pytest.raises(UserError, match="another text of /here/ones"):
        compare(grid(a_spec(2.0, "the second")), in_this_process=True)
    # Without the runs, the measures of the controls are still there.
    (tmp_path / "comparison" / "runs").rename(tmp_path / "kept")
    compare(grid(a_spec(2.0, "the second")), in_this_process=True)
    assert reward_of_prior() == pytest.approx(2 * first)


def test_the_hash_of_a_file_is_that_of_all_that_it_imports_from_beside_it(tmp_path):
    files = {
        "mine.py": "import json, helpers\nfrom package import part\nfrom .nothing import one\n",
        "helpers.py": "def late():\n    import deep\n",
        "deep.py": "x = 1\n",
        "package/__init__.py": "",
        "package/part.py": "y = 1\n",
        "package/broken.py": "def",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    def hashed(reference=f"{tmp_path / 'mine.py'}:task"):
        source_sha256.cache_clear()
        return source_sha256(reference)

    first = hashed()
    (tmp_path / "neighbour.py").write_text("z = 1\n")
    (tmp_path / "json.py").write_text("hidden by that of Python\n")
    assert hashed() == first
    for name, text in files.items():
        (tmp_path / name).write_text(text + "# another\n")
        assert hashed() != first, name
        (tmp_path / name).write_text(text)
    assert hashed() == first
    assert hashed("melody") is None
    assert hashed("package.part:task") is None


def test_the_hash_of_a_module_is_that_of_its_package_and_what_lies_beside(tmp_path, monkeypatch):
    files = {
        "own_package/__init__.py": "",
        "own_package/tasks.py": "import own_helpers\ntask = 1\n",
        "own_package/other.py": "",
        "own_helpers.py": "x = 1\n",
        "own_tasks.py": "import own_helpers\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))

    def hashed(reference):
        source_sha256.cache_clear()
        return source_sha256(reference)

    assert hashed("own_tasks:task") is None, "not before it is imported"
    importlib.import_module("own_tasks")
    importlib.import_module("own_package.tasks")
    of_package, of_module = hashed("own_package.tasks:task"), hashed("own_tasks:task")
    (tmp_path / "own_package/other.py").write_text("y = 2\n")
    assert hashed("own_package.tasks:task") not in (of_package, None)
    assert hashed("own_tasks:task") == of_module
    (tmp_path / "own_helpers.py").write_text("x = 2\n")
    assert hashed("own_tasks:task") not in (of_module, None)
    assert hashed("seqtutor.tasks.melody.spec:spec") is None
    assert hashed("numpy:array") is None
