"""A model of the user's own on the command line, from its file."""

from __future__ import annotations

import json

import numpy as np
import pytest

import own_model
from seqtutor.cli.main import main
from seqtutor.models import registry

OWN = f"{own_model.__file__}:Attention"


@pytest.fixture
def fresh(monkeypatch):
    """As a new process: a call forgets the kinds that are known."""

    def forget():
        monkeypatch.setattr(registry, "_registered", {})

    forget()
    monkeypatch.delenv(registry.VARIABLE, raising=False)
    return forget


@pytest.fixture
def tunes(tmp_path):
    generator = np.random.default_rng(0)
    folder = tmp_path / "tunes"
    folder.mkdir()
    for number in range(20):
        bars = [
            "".join(f"{letter}2" for letter in generator.choice([*"CDEFGABc"], 8)) for _ in range(6)
        ]
        text = f"X:1\nT:Tune {number}\nM:4/4\nL:1/16\nK:C\n{'|'.join(bars)}|]\n"
        (folder / f"{number}.abc").write_text(text)
    return folder


def refusal(capsys, arguments):
    assert main(arguments) == 2
    return capsys.readouterr().err.strip().splitlines()[-1]


def test_it_is_pretrained_tuned_and_sampled_from(tunes, tmp_path, fresh, monkeypatch, capsys):
    prior, run = str(tmp_path / "prior"), str(tmp_path / "run")
    pretrain = ["pretrain", "--data", str(tunes), "--output", prior, "--epochs", "1"]
    assert main([*pretrain, "--model", OWN, "--width", "5"]) == 0
    config = json.loads((tmp_path / "prior" / "config.json").read_text())
    assert config["model"] == {"kind": "attention", "vocabulary_size": 38, "width": 5}
    assert config["origin"]["settings"]["model"] == OWN
    assert (config["origin"]["settings"]["width"], config["origin"]["settings"]["epochs"]) == (5, 1)
    tune = ["tune", "--method", "g", "--prior", prior, "--output", run, "--steps", "4096"]
    tune += ["--environments", "16", "--batch", "8", "--replay-capacity", "64", "--updates", "1"]
    tune += ["--samples", "1", "--evaluate", "0"]
    fresh()
    line = refusal(capsys, tune)
    assert (
        "there is no kind of model 'attention' (known: lstm, gru); to use one of your own" in line
    )
    assert not (tmp_path / "run").exists()
    monkeypatch.setenv(registry.VARIABLE, OWN)
    assert main(tune) == 0
    assert main(["sample", run, "--output", str(tmp_path / "s"), "--number", "1"]) == 0
    parts = json.loads((tmp_path / "run" / "model" / "config.json").read_text())["model"]
    assert (parts["kind"], parts["factor"]["kind"]) == ("product", "adapted")


def test_options_are_those_of_the_kind(tmp_path, fresh, capsys):
    output = ["pretrain", "--output", str(tmp_path / "prior")]
    told = refusal(capsys, [*output, "--model", OWN, "--hidden-sizes", "8"])
    assert "Unrecognized options: --hidden-sizes" in told
    assert "Unrecognized options: --width" in refusal(capsys, [*output, "--width", "8"])
    assert "no kind of model 'rnn'" in refusal(capsys, [*output, "--model", "rnn"])
    assert "'product' is made of other models" in refusal(capsys, [*output, "--model", "product"])
    for task in ("melody", "molecule", "folk"):
        assert main(["pretrain", task, "--model", OWN, "--help-all"]) == 0
        told = capsys.readouterr().out
        assert "--width" in told
        assert "--hidden-sizes" not in told
        assert "--epochs" in told
