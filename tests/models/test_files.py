from __future__ import annotations

import itertools
import json
import os
import shutil

import jax
import numpy as np
import pytest

from seqtutor.errors import UserError
from seqtutor.models.files import SavedModel, load_model, named_weights, save_model
from seqtutor.models.lstm import LSTM
from seqtutor.models.product import ProductModel
from tiny_problems import identical, prior, vocabulary

MODELS = {
    "lstm": prior(3, hidden=(4, 5)),
    "positions": LSTM(3, (4,), positions=6, key=jax.random.key(0)).as_policy_start(6),
    "embedding": LSTM(3, (4,), embedding_size=2, key=jax.random.key(0)),
    "product": ProductModel(prior(3, hidden=(4,)), prior(3, hidden=(6,)).as_policy_start(5)),
}


@pytest.fixture
def folder(tmp_path):
    save_model(SavedModel(MODELS["lstm"], vocabulary(3), {"data": "none"}), tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_a_model_comes_back_bit_for_bit(tmp_path, model):
    origin = {"command": "seqtutor pretrain", "seed": 3}
    save_model(SavedModel(model, vocabulary(3, has_end=True), origin), tmp_path / "a" / "b")
    loaded = load_model(tmp_path / "a" / "b")
    assert identical(loaded.model, model)
    assert jax.tree.structure(loaded.model) == jax.tree.structure(model)
    assert loaded.vocabulary == vocabulary(3, has_end=True)
    assert loaded.origin == origin


def test_saving_again_replaces_everything_and_leaves_nothing_beside(folder):
    save_model(SavedModel(MODELS["product"], vocabulary(3, has_end=True)), folder)
    assert identical(load_model(folder).model, MODELS["product"])
    names = {path.name for path in folder.iterdir()}
    assert names == {"config.json", "model.safetensors", "vocabulary.json"}


@pytest.fixture
def interrupt_at(monkeypatch):
    """Makes the n-th time that a file or a folder takes its name the moment of an interruption."""

    def arrange(number):
        replace, calls = os.replace, itertools.count(1)

        def interrupted(source, target):
            if next(calls) == number:
                raise KeyboardInterrupt
            replace(source, target)

        monkeypatch.setattr(os, "replace", interrupted)

    return arrange


@pytest.mark.parametrize("moment", range(1, 5))
def test_an_interrupted_save_leaves_no_new_folder(tmp_path, interrupt_at, moment):
    interrupt_at(moment)
    with pytest.raises(KeyboardInterrupt):
        save_model(SavedModel(MODELS["lstm"], vocabulary(3)), tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("moment", range(1, 7))
def test_an_interrupted_save_over_an_older_model_never_mixes_them(folder, interrupt_at, moment):
    (folder / "notes.txt").write_text("mine")
    interrupt_at(moment)
    with pytest.raises(KeyboardInterrupt):
        save_model(SavedModel(prior(3, hidden=(4, 5), seed=9), vocabulary(3)), folder)
    assert (folder / "notes.txt").read_text() == "mine"
    assert not list(folder.glob(".*"))
    if moment <= 3:
        assert identical(load_model(folder).model, MODELS["lstm"]), "nothing has been touched yet"
    else:
        with pytest.raises(UserError, match="not a model folder"):
            load_model(folder)


def test_weights_are_named_by_their_path():
    assert set(named_weights(MODELS["lstm"])) == {
        "token_rows",
        "between_layers.0",
        *(f"layers.{index}.{name}" for index in (0, 1) for name in ("recurrent", "bias")),
        "readout_weight",
        "readout_bias",
    }


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "vocabulary.json"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.98])
def test_a_truncated_file_is_the_users_error(folder, name, share):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: int(share * len(content))])
    with pytest.raises(UserError):
        load_model(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "vocabulary.json"])
def test_a_missing_file_is_the_users_error(folder, name):
    (folder / name).unlink()
    with pytest.raises(UserError, match="model"):
        load_model(folder)
    shutil.rmtree(folder)
    with pytest.raises(UserError, match="not a model folder"):
        load_model(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"format": "one"},
        {"origin": None},
        {"model": None},
        {"model": {"kind": "transformer"}},
        {"model": {"kind": "lstm"}},
        *(
            {"model": {"kind": "lstm", "vocabulary_size": 3, "hidden_sizes": [4, 5], "positions": 0}
             | wrong}
            for wrong in (
                {"vocabulary_size": 4},
                {"vocabulary_size": -3},
                {"vocabulary_size": "3"},
                {"vocabulary_size": 1.5},
                {"vocabulary_size": None},
                {"hidden_sizes": []},
                {"hidden_sizes": [0, 5]},
                {"hidden_sizes": [-4, 5]},
                {"hidden_sizes": [4]},
                {"hidden_sizes": [4, 5, 6]},
                {"hidden_sizes": [10**6, 5]},
                {"hidden_sizes": [1] * 65},
                {"positions": 3},
                {"positions": -1},
                {"embedding_size": 2},
                {"embedding_size": -1},
                {"embedding_size": "2"},
            )
        ),
    ],
    ids=str,
)  # fmt: skip
def test_a_config_that_does_not_fit_its_weights_is_the_users_error(folder, change):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(UserError):
        load_model(folder)


@pytest.mark.parametrize("key", ["format", "model", "origin"])
def test_a_config_without_an_entry_is_the_users_error(folder, key):
    config = json.loads((folder / "config.json").read_text())
    del config[key]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=f'its config.json has no "{key}"'):
        load_model(folder)


@pytest.mark.parametrize("content", ["[]", "3", "null", '"text"'])
def test_a_config_that_is_no_object_is_the_users_error(folder, content):
    (folder / "config.json").write_text(content)
    with pytest.raises(UserError, match="not a JSON object"):
        load_model(folder)


def test_a_config_that_never_ends_is_the_users_error(folder):
    (folder / "config.json").write_text("[" * 100_000)
    with pytest.raises(UserError):
        load_model(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "vocabulary.json"])
def test_a_folder_that_mixes_two_models_is_the_users_error(folder, tmp_path, name):
    save_model(SavedModel(prior(4, hidden=(4, 5)), vocabulary(4)), tmp_path / "other")
    shutil.copy(tmp_path / "other" / name, folder / name)
    with pytest.raises(UserError):
        load_model(folder)


def test_a_flipped_bit_in_the_header_is_the_users_error(folder):
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[12] ^= 0x40
    (folder / "model.safetensors").write_bytes(bytes(content))
    with pytest.raises(UserError):
        load_model(folder)


def test_a_flipped_bit_in_the_weights_is_the_users_error(folder):
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-3] ^= 1
    (folder / "model.safetensors").write_bytes(bytes(content))
    with pytest.raises(UserError, match=r"model.safetensors is not what was saved"):
        load_model(folder)


def test_a_folder_of_an_earlier_version_has_no_hash(folder):
    config = json.loads((folder / "config.json").read_text())
    del config["weights_sha256"]
    (folder / "config.json").write_text(json.dumps(config))
    load_model(folder)


def test_a_folder_that_cannot_be_written_is_the_users_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot make the folder"):
        save_model(SavedModel(MODELS["lstm"], vocabulary(3)), tmp_path / "file")
    with pytest.raises(UserError, match="cannot make the folder"):
        save_model(SavedModel(MODELS["lstm"], vocabulary(3)), tmp_path / "file" / "model")


def test_nothing_on_disk_is_a_pickle(folder):
    for path in folder.iterdir():
        assert not path.read_bytes().startswith(b"\x80")
    assert np.isfinite(json.loads((folder / "config.json").read_text())["format"])


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "vocabulary.json"])
def test_a_pipe_in_place_of_a_file_is_the_users_error(folder, name):
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(UserError):
        load_model(folder)


@pytest.mark.parametrize("length", [-3, 0, True, 1e9, 1 << 40, "8", None])
def test_a_length_that_is_none_is_the_users_error(folder, length):
    config = json.loads((folder / "config.json").read_text())
    config["origin"]["max_length"] = length
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="its sequences cannot have"):
        load_model(folder)
