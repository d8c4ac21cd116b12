"""A policy for another key: the prior's melodies are moved, and its rewards with them."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from seqtutor.cli.main import main
from seqtutor.data import Sequences
from seqtutor.errors import UserError
from seqtutor.models.files import load_model
from seqtutor.task_records import Drawn
from seqtutor.tasks.melody.encoding import melody_vocabulary, tokens_to_notes
from seqtutor.tasks.melody.folder import read_melody_file
from seqtutor.tasks.melody.primer import read_primer
from seqtutor.tasks.melody.rule_settings import MODES, MelodyRuleSettings
from seqtutor.tasks.melody.scoring import score
from seqtutor.tasks.melody.settings import MelodySettings
from seqtutor.tasks.melody.spec import SHIPPED_PRIOR, MelodySamples, key_of, spec
from seqtutor.tasks.scores.keys import Key, key_of_signature

D_MINOR = MelodyRuleSettings(tonic="D", mode="minor", transposition=5)


@pytest.mark.parametrize("tonic", ["C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"])
@pytest.mark.parametrize("mode", MODES)
def test_every_key_comes_from_the_white_keys_the_shorter_way(tonic, mode):
    preset = spec.preset().settings("psi")
    rules = replace(preset.rules, tonic=tonic, mode=mode)
    assert -5 <= rules.semitones <= 6
    written_by_the_model = key_of(rules).transposed(-rules.semitones)
    assert written_by_the_model == key_of_signature(0, mode), "all white keys"
    whole, lines = spec.complete(replace(preset, rules=rules), load_model(SHIPPED_PRIOR))
    assert whole.rules.transposition == rules.semitones
    assert len(lines) == (rules.semitones != 0)


def test_a_tune_is_in_the_mode_that_it_was_read_in(tmp_path, capsys):
    """What the file says is what score advises, and what it then counts in."""
    path = tmp_path / "own.abc"
    path.write_text("X:1\nM:4/4\nL:1/4\nK:Amix\nA^cef|=gfec|A4|\n")
    assert main(["score", "melody", str(path)]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "to count in its key: --rules.tonic A --rules.mode mixolydian" in out
    rules = ["--rules.tonic", "A", "--rules.mode", "mixolydian", "--json"]
    assert main(["score", "melody", str(path), *rules]) == 0
    line = json.loads(capsys.readouterr().out)
    assert not any(line["rules"]["key"]), "the seventh of the mode is in the key"
    assert line["rules"]["tonic"][-3:] == [3.0] * 3


def test_configurations_without_the_setting_keep_their_meaning():
    """Runs of earlier versions: their models write in the key itself."""
    assert MelodySettings().rules.transposition == 0
    assert MelodyRuleSettings(tonic="D", mode="minor").semitones == 0


def test_the_reward_is_that_of_the_melody_that_is_written():
    generator = np.random.default_rng(0)
    tokens = generator.integers(0, 33, (64, 32))  # Room for five semitones.
    tokens[::2] = np.where(generator.random((32, 32)) < 0.4, 1, tokens[::2])
    written = np.where(tokens >= 2, tokens + 5, tokens)
    earned, own = score(tokens, D_MINOR), score(written, replace(D_MINOR, transposition=0))
    for name, given in own.rules.items():
        if name != "penalize_autocorrelation":  # Of the tokens' numbers, notes among 0 and 1.
            np.testing.assert_array_equal(earned.rules[name], given, err_msg=name)
    assert (earned.rules["tonic"] > 0).any()


def drawn(tokens, rules):
    tokens = np.asarray(tokens)
    sequences = Sequences(tokens, np.ones(tokens.shape, bool))
    return Drawn(sequences, melody_vocabulary(), {}, MelodySettings(rules), has_reward=True)


def test_files_show_the_key_that_was_asked_for(tmp_path):
    own = drawn([[11, 1, 14, 1, 18, 1, 0, 1]], D_MINOR)  # A3 C4 E4 of the model
    paths = spec.write(own, tmp_path, MelodySamples(formats=("mid", "abc", "musicxml")))
    for path in paths:
        (tune,), _ = read_melody_file(path)
        assert [note.pitch for note in tune.notes] == [62, 65, 69]
        assert tune.key == Key(2, "minor")


@pytest.mark.parametrize("prime", ["D4 hold F4", "16 1 19", "tune.abc"])
def test_primers_are_in_the_key_too(tmp_path, prime, capsys):
    if prime.endswith("abc"):
        path = tmp_path / prime
        path.write_text("X:1\nM:4/4\nL:1/16\nK:Dm\nD2F|\n")
        prime = str(path)
    settings = MelodySettings(D_MINOR)
    tokens, own = spec.primer(MelodySamples(prime), settings, 1, 0, melody_vocabulary())
    assert tokens.tolist()[0] == [11, 1, 14]
    written = tokens_to_notes(tokens[0], own.transposition)
    assert [note.pitch for note in written] == [62, 65]
    assert own.key == Key(2, "minor")
    assert "transposed" not in capsys.readouterr().out


def test_a_primer_that_leaves_the_range_is_refused():
    with pytest.raises(UserError, match="in D minor a melody lies between F3 and E6"):
        read_primer("C3 hold", key=Key(2, "minor"), semitones=5)
    with pytest.raises(UserError, match="leaves the model's range"):
        read_primer("2 1", key=Key(2, "minor"), semitones=5)
