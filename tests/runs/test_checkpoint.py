from __future__ import annotations

import json
import os
from dataclasses import replace

import jax
import jax.numpy as jnp
import pytest

from seqtutor.errors import UserError
from seqtutor.runs.checkpoint import KEPT, Checkpoints
from seqtutor.training.run import chunks
from seqtutor.training.settings import TutorSettings
from seqtutor.training.tutor import Tutor
from tiny_problems import identical, prior, task

SETTINGS = TutorSettings.of(
    "psi", environments=8, batch=4, updates=1, replay_capacity=16, steps=8 * 3 * 4, log_every=24
)
TUTOR = Tutor(task(3, 3), prior(3, hidden=(4,)), SETTINGS)


@pytest.fixture(scope="module")
def whole():
    """Every state of a run that is never interrupted, and its records."""
    states, records = [], []
    for progress in chunks(TUTOR):
        states.append(jax.tree.map(jnp.copy, progress.state))
        records.append(progress.record)
    return states, records


@pytest.fixture
def saved(tmp_path, whole):
    store = Checkpoints(tmp_path / "checkpoints", "settings")
    for state, record in zip(*whole, strict=True):
        store.save(state, record["step"])
    return store


def test_a_loaded_state_is_the_saved_one_to_the_bit(saved, whole):
    newest = saved.latest(TUTOR)
    assert newest.step == 96
    assert newest.remarks == ()
    assert identical(jax.tree.map(_plain, newest.state), jax.tree.map(_plain, whole[0][-1]))


def _plain(leaf):
    is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return jax.random.key_data(leaf) if is_key else leaf


def test_a_run_that_goes_on_from_a_checkpoint_ends_as_if_it_had_never_stopped(tmp_path, whole):
    states, records = whole
    store = Checkpoints(tmp_path, "settings")
    store.save(states[1], records[1]["step"])
    *_, last = chunks(TUTOR, store.latest(TUTOR).state)
    assert identical(last.state.network, states[-1].network)
    assert identical(last.state.optimiser, states[-1].optimiser)
    for name in set(records[-1]) - {"seconds"}:
        assert last.record[name] == records[-1][name]


def test_so_does_a_run_of_muon_with_a_network_beside_the_prior(tmp_path):
    """Muon keeps another state for matrices than for vectors, with nothing in places."""
    beside = replace(TUTOR.task, network=lambda c: prior(3, hidden=(4,), seed=2))
    settings = SETTINGS.with_changes(optimiser="muon", network="task")
    tutor = Tutor(beside, TUTOR.prior, settings)
    states = [jax.tree.map(jnp.copy, progress.state) for progress in chunks(tutor)]
    store = Checkpoints(tmp_path, "settings")
    store.save(states[1], 48)
    *_, last = chunks(tutor, store.latest(tutor).state)
    assert identical(last.state.network, states[-1].network)
    assert identical(last.state.optimiser, states[-1].optimiser)
    assert not identical(states[1].network, states[-1].network)


def test_only_the_newest_are_kept(saved):
    assert saved.steps() == [96, 72]
    assert len(list(saved.folder.iterdir())) == 2 * KEPT


def test_nothing_was_saved(tmp_path):
    assert Checkpoints(tmp_path / "none", "settings").latest(TUTOR) is None


@pytest.mark.parametrize(
    "damage",
    [
        *("flip a bit", "cut", "no arrays", "cut the manifest", "nest the manifest"),
        *("half a character", "pipe for the manifest", "pipe for the arrays", "sparse arrays"),
    ],
)
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(saved, damage):
    arrays, manifest = (saved.folder / f"step-96.{suffix}" for suffix in ("safetensors", "json"))
    content = bytearray(arrays.read_bytes())
    if damage == "flip a bit":
        content[-5] ^= 1
        arrays.write_bytes(content)
    elif damage == "cut":
        arrays.write_bytes(content[: len(content) // 2])
    elif damage == "no arrays":
        arrays.unlink()
    elif damage.startswith("pipe"):
        own = manifest if damage.endswith("manifest") else arrays
        own.unlink()
        os.mkfifo(own)  # Whoever opens it waits for ever.
    elif damage == "sparse arrays":
        os.truncate(arrays, 1 << 40)
    elif damage == "nest the manifest":
        manifest.write_text("[" * 100_000)
    elif damage == "half a character":
        manifest.write_text(manifest.read_text().replace('"equinox": "', '"equinox": "\\ud800'))
    else:
        manifest.write_text(manifest.read_text()[:40])
    found = saved.latest(TUTOR)
    assert found.step == 72
    assert "step 96 is damaged" in found.remarks[0]


def test_a_damaged_checkpoint_does_not_stand_for_a_good_one(saved):
    """Two whole ones are there again after the next save."""
    (saved.folder / "step-96.safetensors").write_bytes(b"")
    found = saved.latest(TUTOR)
    saved.save(found.state, 84)
    assert saved.steps() == [84, 72]
    assert len(list(saved.folder.iterdir())) == 2 * KEPT
    assert saved.latest(TUTOR).step == 84


def test_arrays_without_a_manifest_are_no_checkpoint(saved):
    """What a run leaves that was killed between the two files."""
    (saved.folder / "step-96.json").unlink()
    assert saved.latest(TUTOR).step == 72


def test_when_all_are_damaged_it_says_so(saved):
    for path in saved.folder.glob("*.safetensors"):
        path.write_bytes(b"")
    with pytest.raises(UserError, match=r"no usable checkpoint .*step 96 .*step 72"):
        saved.latest(TUTOR)


def test_other_settings_are_refused(saved):
    other = Checkpoints(saved.folder, "other settings")
    with pytest.raises(UserError, match="belong to other settings"):
        other.latest(TUTOR)


def test_a_network_of_another_shape_is_refused(saved):
    bigger = replace(TUTOR, prior=prior(3, hidden=(5,)))
    with pytest.raises(UserError, match="another shape"):
        saved.latest(bigger)


def test_a_task_with_another_length_is_told_from_damage(saved):
    longer = replace(TUTOR, task=replace(TUTOR.task, max_length=TUTOR.task.max_length + 1))
    with pytest.raises(UserError, match="max_length or vocabulary has changed") as error:
        saved.latest(longer)
    assert "damaged" not in str(error.value)


def test_a_manifest_of_other_settings_beside_one_of_these_is_damaged(saved):
    newest = saved.folder / "step-96.json"
    newest.write_text(json.dumps({**json.loads(newest.read_text()), "settings": "another"}))
    found = saved.latest(TUTOR)
    assert found.step == 72
    assert "step 96 is damaged (in its manifest)" in found.remarks[0]


@pytest.mark.parametrize("name", ["jax", "devices", "cores"])
def test_other_surroundings_are_told(saved, name):
    manifest = saved.folder / "step-96.json"
    content = json.loads(manifest.read_text())
    content["surroundings"][name] = "0.0.1"
    manifest.write_text(json.dumps(content))
    assert f"{name} was 0.0.1" in saved.latest(TUTOR).remarks[0]
