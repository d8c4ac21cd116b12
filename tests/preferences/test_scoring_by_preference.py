"""`seqtutor score` with a preference model: its term counts as it does in `tune`."""

from __future__ import annotations

import json

import numpy as np
import pytest

from seqtutor.cli.main import main
from seqtutor.comparisons import ComparedSequences
from seqtutor.data import Sequences
from seqtutor.preferences.files import save_preference
from seqtutor.preferences.model import fit_preference
from seqtutor.task_registry import find_spec
from seqtutor.tasks.melody.encoding import melody_vocabulary
from seqtutor.vocabulary import Vocabulary
from tiny_problems import prior

LENGTH, VOTES = 8, 60
OWN = """
import numpy as np
import seqtutor as st
task = st.Task(st.Vocabulary("abc."), 8, lambda tokens, mask: {"ones": np.equal(tokens, 1) * mask})
"""


def liking_of(tokens, vocabulary, folder, of_task=None):
    """A preference model of a listener who likes token 1."""
    sides = [Sequences(side, np.ones(side.shape, bool)) for side in np.split(tokens, 2)]
    more = np.diff([(side.tokens == 1).sum(axis=1) for side in sides], axis=0)[0]
    votes = ComparedSequences(*sides, (1 - np.sign(more)) / 2)
    found = fit_preference(votes, vocabulary, prior(4), basis="features", of_task=of_task)
    save_preference(found, votes, folder)
    return found


def bound(model, tokens):
    """u − σ of one whole sequence."""
    ids = np.zeros((1, model.weights.max_length), np.int32)
    ids[0, : len(tokens)] = tokens
    mask = np.arange(ids.shape[1])[None] < len(tokens)
    utility, deviation = model.of_prefixes(ids, mask)
    return float(utility[0, len(tokens) - 1] - deviation[0, len(tokens) - 1])


def printed(capsys, *arguments):
    assert main(["score", *arguments, "--json"]) == 0
    out, err = capsys.readouterr()
    return [json.loads(line) for line in out.splitlines()], err


def test_the_term_is_part_of_the_reward_of_a_task(tmp_path, capsys):
    tokens = np.random.default_rng(0).integers(0, 4, (2 * VOTES, LENGTH)).astype(np.int32)
    model = liking_of(tokens, Vocabulary("abc."), tmp_path / "liked")
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "words.txt").write_text("abbacbba\n")
    own = bound(model, [0, 1, 1, 0, 2, 1, 1, 0])
    where = [f"{tmp_path}/own.py:task", f"{tmp_path}/words.txt"]
    options = ["--preference.model", f"{tmp_path}/liked", "--preference.weight", "2"]
    (line,), _ = printed(capsys, *where, *options)
    assert sum(line["terms"]["preference"]) == pytest.approx(2 * own, abs=1e-4)
    assert line["total"] == pytest.approx(4 + 2 * own, abs=1e-4)
    (line,), _ = printed(capsys, *where, *options, "--preference.task-weight", "0")
    assert line["total"] == pytest.approx(2 * own, abs=1e-4)


def test_the_term_stands_beside_the_rules_of_melodies(tmp_path, capsys):
    tokens = np.random.default_rng(1).integers(0, 38, (2 * VOTES, 32)).astype(np.int32)
    features = find_spec("melody").features()
    model = liking_of(tokens, melody_vocabulary(), tmp_path / "liked", features)
    melodies = [tokens[0].tolist(), tokens[1, :20].tolist(), [14] * 33]
    path = tmp_path / "own.jsonl"
    path.write_text("".join(json.dumps({"tokens": one}) + "\n" for one in melodies))
    plain, _ = printed(capsys, "melody", str(path))
    found, told = printed(capsys, "melody", str(path), "--preference.model", f"{tmp_path}/liked")
    for melody, before, after in zip(melodies[:2], plain, found, strict=False):
        own = bound(model, melody)
        assert sum(after["terms"]["preference"]) == pytest.approx(own, abs=1e-3)
        assert after["total"] == pytest.approx(before["total"] + own, abs=1e-3)
        assert after["rules"] == before["rules"]
    assert found[2] == plain[2]
    assert "longer than what the preference model knows" in " ".join(told.split())
    assert main(["score", "melody", str(path), "--preference.model", f"{tmp_path}/liked"]) == 0
    assert capsys.readouterr().out.count("with the rules") == 2
    refused = ["--tokens", str(path), "--preference.model", f"{tmp_path}/liked"]
    assert main(["score", "melody", *refused]) == 2
