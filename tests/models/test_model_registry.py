"""Kinds of models by name, from wherever they may come."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jax
import pytest

import own_model
from own_model import Attention, AttentionSettings, attention
from seqtutor.errors import UserError
from seqtutor.models import registry
from seqtutor.models.base import AdaptedModel, SequenceModel
from seqtutor.models.files import SavedModel, load_model, save_model
from seqtutor.models.lstm import LSTM
from seqtutor.models.lstm_settings import LSTMSettings
from seqtutor.models.product import ProductModel
from seqtutor.references import load_reference
from tiny_problems import identical, prior, vocabulary

OWN = f"{own_model.__file__}:Attention"


@pytest.fixture(autouse=True)
def nothing_registered(monkeypatch):
    monkeypatch.setattr(registry, "_registered", {})
    monkeypatch.delenv(registry.VARIABLE, raising=False)


def test_the_kinds_of_the_package_are_found_by_their_names():
    assert registry.registered_kind("lstm") is LSTM
    assert registry.registered_kind("product") is ProductModel
    assert registry.registered_kind("adapted") is AdaptedModel
    assert registry.names() == ["lstm", "gru"]
    for name in registry.MODELS:
        assert registry.registered_kind(name).Settings is registry.settings_type(name)


def test_a_new_model_is_the_one_that_its_class_makes():
    key = jax.random.key(4)
    made = registry.create("lstm", 5, key, hidden_sizes=(3, 2), embedding_size=4)
    assert identical(made, LSTM(5, (3, 2), embedding_size=4, key=key))
    with pytest.raises(UserError, match="'product' is made of other models"):
        registry.create("product", 5, key)


def test_a_class_is_registered_by_its_kind_and_replaces_an_older_one():
    assert registry.register_model(Attention) is Attention
    assert registry.registered_kind("attention") is Attention
    assert registry.names() == ["lstm", "gru", "attention"]
    again = type("Again", (Attention,), {"__module__": __name__})
    registry.register_model(again)
    assert registry.registered_kind("attention") is again


class Impostor(Attention):
    kind = "lstm"


class Nameless(Attention):
    kind = None


class Unfinished(SequenceModel):
    kind = "unfinished"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (Impostor, "has a kind of model 'lstm' already"),
        (Nameless, "Nameless has no name"),
        (Unfinished, "Unfinished does not define advance, initial_state, readout"),
        (AttentionSettings, "AttentionSettings is not a class derived from seqtutor.SequenceModel"),
        (attention(), "is not a class derived from"),
    ],
)
def test_what_is_no_kind_is_the_users_error(wrong, message):
    with pytest.raises(UserError, match=message):
        registry.register_model(wrong)


def test_a_chosen_kind_may_be_in_a_file_or_a_module():
    by_file = registry.chosen_kind(OWN)
    assert (by_file.__name__, by_file.kind) == ("Attention", "attention")
    assert registry.chosen_kind(OWN) is by_file is registry.registered_kind("attention")
    assert registry.chosen_kind("own_model:Attention") is Attention
    assert registry.chosen_kind("seqtutor.models.lstm:LSTM") is LSTM


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("rnn", r"no kind of model 'rnn' \(known: lstm, gru\); .* SEQTUTOR_MODELS=FILE.py:NAME"),
        ("nowhere.py:GRU", "there is no file .*nowhere.py"),
        ("no_such_module:GRU", "no_such_module cannot be imported: ModuleNotFoundError"),
        ("own_model:GRU", "own_model defines no 'GRU'"),
        ("own_model:AttentionSettings", "is not a class derived from"),
        ("own_model:", "names no Python object"),
        (":GRU", "names no Python object"),
        ("own_model:a.b", "names no Python object"),
    ],
)
def test_a_choice_that_leads_nowhere_is_the_users_error(reference, message):
    with pytest.raises(UserError, match=message):
        registry.chosen_kind(reference)


def test_a_file_that_fails_is_the_users_error_and_may_be_mended(tmp_path):
    file = tmp_path / "broken.py"
    file.write_text("value = 1 / 0\n")
    with pytest.raises(UserError, match=r"broken.py cannot be imported: ZeroDivisionError: divis"):
        load_reference(f"{file}:value")
    (tmp_path / "beside_it.py").write_text("half = 0.5\n")
    file.write_text("from beside_it import half\nvalue = 2 * half\n")
    assert load_reference(f"{file}:value") == 1.0


def test_the_environment_may_name_files(monkeypatch, tmp_path):
    monkeypatch.setenv(registry.VARIABLE, f"own_model:Scanned, {OWN}")
    assert registry.registered_kind("attention").__name__ == "Attention"
    assert registry.registered_kind("scanned attention") is own_model.Scanned
    with pytest.raises(UserError, match="no kind of model 'rnn'"):
        registry.registered_kind("rnn")


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Makes a package that is installed, with entry points."""

    def install(entries):
        folder = tmp_path / "own_models-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: own-models\nVersion: 1.0\n")
        text = "\n".join(f"{name} = {value}" for name, value in entries.items())
        (folder / "entry_points.txt").write_text(f"[{registry.GROUP}]\n{text}\n")
        monkeypatch.syspath_prepend(tmp_path)

    return install


def test_other_packages_register_kinds_as_entry_points(package):
    package(
        {
            "attention": "own_model:Attention",
            "mislabelled": "own_model:Scanned",
            "lost": "own_model:Lost",
        }
    )
    assert registry.registered_kind("attention") is Attention
    assert registry.names() == ["lstm", "gru", "attention", "mislabelled", "lost"]
    with pytest.raises(UserError, match="registered as 'mislabelled', but its kind is 'scanned"):
        registry.registered_kind("mislabelled")
    with pytest.raises(UserError, match="'lost' cannot be loaded"):
        registry.registered_kind("lost")


MODELS = {
    "own": attention(),
    "adapted": attention().as_policy_start(5),
    "new readout": attention().as_policy_start(5).with_zero_readout(),
    "product": ProductModel(prior(3), attention().as_policy_start(5).with_zero_readout()),
    "product in product": ProductModel(ProductModel(prior(3), attention()), prior(3, seed=1)),
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_an_own_model_comes_back_bit_for_bit_where_its_kind_is_known(tmp_path, model):
    save_model(SavedModel(model, vocabulary(3)), tmp_path / "model")
    with pytest.raises(UserError, match=r"cannot be read: there is no kind of model 'attention'"):
        load_model(tmp_path / "model")
    given = load_model(tmp_path / "model", kinds=[Attention]).model
    registry.register_model(Attention)
    for loaded in (given, load_model(tmp_path / "model").model):
        assert identical(loaded, model)
        assert jax.tree.structure(loaded) == jax.tree.structure(model)


@pytest.mark.parametrize("width", [0, "6", 6.5, 5, None])
def test_a_damaged_size_of_an_own_model_is_the_users_error(tmp_path, width):
    save_model(SavedModel(attention(), vocabulary(3)), tmp_path / "model")
    path = tmp_path / "model" / "config.json"
    config = json.loads(path.read_text())
    config["model"]["width"] = width
    path.write_text(json.dumps(config))
    with pytest.raises(UserError, match=r"the model in .* cannot be read"):
        load_model(tmp_path / "model", kinds=[Attention])


def test_no_code_that_a_folder_names_is_imported(tmp_path, monkeypatch):
    """Neither as a reference nor as a name, wherever the folder and the code are."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("evil.py").write_text("open('executed', 'w').close()\nclass Evil: kind = 'evil'\n")
    save_model(SavedModel(ProductModel(prior(3), prior(3)), vocabulary(3)), Path("model"))
    config = json.loads(Path("model/config.json").read_text())
    for name in ("evil", "evil:Evil", "evil.py:Evil", f"{tmp_path}/evil.py:Evil"):
        for place in (config["model"], config["model"]["factor"]):
            kind, place["kind"] = place["kind"], name
            Path("model/config.json").write_text(json.dumps(config))
            with pytest.raises(UserError, match="there is no kind of model"):
                load_model(Path("model"))
            place["kind"] = kind
    assert not Path("executed").exists()


def test_names_are_there_without_jax_and_without_importing_a_model():
    code = "from seqtutor.models import registry; import sys; registry.names(); "
    code += "print([m for m in ('jax', 'seqtutor.models.lstm') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_an_lstm_needs_possible_sizes():
    with pytest.raises(UserError, match="between 1 and 64 layers"):
        LSTMSettings(hidden_sizes=(1,) * 65)
