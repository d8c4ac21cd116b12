"""Scorers of a user's own: functions of one molecule or of many, and commands."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from seqtutor.cli.options import with_named_groups
from seqtutor.cli.score import Options as NoMolecules
from seqtutor.errors import UserError
from seqtutor.references import load_reference
from seqtutor.runs.run_folder import from_plain, plain
from seqtutor.tasks.molecule.measurer import Measurer
from seqtutor.tasks.molecule.reward_settings import CustomTerm, MoleculeRewardSettings
from seqtutor.tasks.molecule.score import Options
from seqtutor.tasks.molecule.scorers import FunctionCall, as_score, require_usable, takes_lists
from seqtutor.tasks.molecule.scoring import MoleculeScorer
from seqtutor.tasks.molecule.terms import terms_of, weighted_terms
from seqtutor.workers.command import words_of

MINE = '''
"""Scorers in every form, which note how they were called."""
from __future__ import annotations
import os, time
from typing import Sequence
import numpy as np
from rdkit import Chem

def note(given):
    with open(__file__ + ".log", "a") as file:
        file.write(f"{len(given) if isinstance(given, list) else 'one'}\\n")

def one(smiles: str) -> float:
    note(smiles)
    return Chem.MolFromSmiles(smiles).GetNumAtoms() / 2

def many(smiles: list[str]) -> list[float]:
    note(smiles)
    return [Chem.MolFromSmiles(one).GetNumAtoms() / 2 for one in smiles]

def sequence(smiles: Sequence[str]):
    return np.array(many(smiles))

def silent_one(smiles):
    return Chem.MolFromSmiles(smiles).GetNumAtoms() / 2

def silent_many(smiles):
    note(smiles)
    return [Chem.MolFromSmiles(one).GetNumAtoms() / 2 for one in smiles]

def old(molecule):
    return molecule.heavy_atoms / 2 if molecule.rdkit.GetNumAtoms() else None

def odd(smiles: str):
    return {"C": float("nan"), "CC": float("inf"), "N": "none", "O": 1e300}.get(smiles) or {
        "CN": lambda: 1 / 0, "CO": lambda: os._exit(3), "CF": lambda: time.sleep(60),
    }.get(smiles, lambda: 2.0)()

def odd_or_attribute(molecule):
    return float("nan") if molecule.rdkit.GetNumAtoms() else 0.0

def odd_many(smiles: list[str]):
    return [odd(one) for one in smiles]
'''

STRINGS = ["CCO", "OCC", "c1ccccc1", "C1CC", "CCCC", "CCO"]


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    path = tmp_path_factory.mktemp("mine") / "mine.py"
    path.write_text(MINE)
    return path


def scored(term, strings, workers=0):
    scorers = {"custom": term}
    with MoleculeScorer.with_workers(Measurer(("qed",)), workers, scorers=scorers) as scorer:
        return scorer.score(strings)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("name", ["one", "many", "sequence", "silent_one", "silent_many", "old"])
def test_every_form_of_a_function_gives_the_same_scores(mine, name, workers):
    found = scored(CustomTerm(function=f"{mine}:{name}"), STRINGS, workers)
    np.testing.assert_array_equal(found.columns["custom"], [1.5, 1.5, 3, np.nan, 2, 1.5])
    assert found.failures == {}


def test_a_molecule_is_scored_once_however_it_is_written_and_in_batches(mine):
    log = mine.with_name("mine.py.log")
    log.unlink(missing_ok=True)
    term = CustomTerm(function=f"{mine}:many", batch=4)
    carbons = ["C" * number for number in range(1, 11)]
    with MoleculeScorer.with_workers(Measurer(()), 0, scorers={"custom": term}) as scorer:
        scorer.score([*carbons, *carbons])
        scorer.score(["C(C)C", *carbons])
    assert sum(map(int, log.read_text().split())) == len(carbons)
    assert log.read_text().split() == ["4", "4", "2"]


def test_a_function_without_annotation_is_tried_with_a_list_of_one(mine):
    log = mine.with_name("mine.py.log")
    log.unlink(missing_ok=True)
    call = FunctionCall.of(f"{mine}:silent_many")
    assert call.takes_lists is None
    assert call(("CCO",)) == [1.5]
    assert call(("CCO", "C")) == [1.5, 0.5]
    assert log.read_text().split() == ["1", "2"]
    single = FunctionCall.of(f"{mine}:silent_one")
    assert single(("CCO",)) == [1.5]
    assert single.takes_lists is False


def test_the_annotation_says_what_a_function_takes(mine):
    names = ("one", "many", "sequence", "silent_one", "old")
    found = [takes_lists(load_reference(f"{mine}:{name}")) for name in names]
    assert found == [False, True, True, None, None]


@pytest.mark.parametrize("name", ["odd", "odd_many"])
def test_a_failed_score_is_not_invalidity_and_costs_no_other_molecule(mine, name):
    term = CustomTerm(function=f"{mine}:{name}", seconds=1.0)
    strings = ["CCC", "C", "CC", "N", "O", "CN", "CO", "CF", "CCCC", "C1CC"]
    found = scored(term, strings, workers=1)
    assert found.is_valid.tolist() == [True] * 9 + [False]
    reasons = found.failures["custom"]
    assert [reasons.get(row, "").partition(" (line")[0] for row in range(9)] == [
        "",
        "is not a number (NaN)",
        "is infinite",
        "returned 'none', which is not a number",
        "is too large (1e+300)",
        "ZeroDivisionError: division by zero",
        "crashed its process (exit code 3)",
        "took longer than 1 s",
        "",
    ]
    assert found.columns["custom"][[0, 8]].tolist() == [2.0, 2.0]
    assert np.isnan(found.columns["custom"][1:8]).all()
    assert np.isfinite(found.columns["qed"][:9]).all()


def test_a_function_that_took_a_string_is_not_said_to_have_failed_with_a_list(mine):
    """It was tried with a list, which is no mistake of the user's."""
    (failure,) = FunctionCall(f"{mine}:odd_or_attribute")(("C",))
    assert failure.reason + failure.place == "is not a number (NaN)"
    assert FunctionCall(f"{mine}:old")(("C",)) == [0.5]


@pytest.mark.parametrize("text", ["-7,42", "7,4", ",5", "1,5e3"])
def test_a_decimal_comma_is_named(text):
    found = scored(CustomTerm(command=f"sh -c 'read s; echo {text}'", batch=1), ["CCO"])
    expected = f"wrote '{text}', with a decimal comma; it must write a decimal point"
    assert found.failures["custom"][0] == expected
    assert as_score(text).reason == expected.replace("wrote", "returned")


def test_a_command_that_is_not_there_or_may_not_be_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for command, way in (("dock", "such as ./dock"), ("./dock", "; give its path$")):
        with pytest.raises(UserError, match=way):
            words_of(command)
    (tmp_path / "dock").write_text("#!/bin/sh\n")
    with pytest.raises(UserError, match=r"may not be run: chmod \+x \./dock$"):
        words_of("./dock")


@pytest.mark.parametrize(("failed", "neutral"), [(None, 1.75), (0.5, 0.5)])
def test_a_failed_score_earns_the_mean_of_the_others_or_what_was_asked_for(mine, failed, neutral):
    term = CustomTerm(function=f"{mine}:odd", failed=failed, weight=3.0, centre=1.0, scale=2.0)
    reward = MoleculeRewardSettings(custom=term)
    found = scored(term, ["C", "CCC", "C1CC"])
    found.columns["custom"][1] = 1.75
    rest = MoleculeRewardSettings(custom=term).without("logp", "sa", "ring", "short", "carbons")
    assert terms_of(rest, found)["custom"].tolist() == pytest.approx(
        [(neutral - 1) / 2, (1.75 - 1) / 2, 0]
    )
    assert weighted_terms(rest, found)["custom"].tolist() == pytest.approx(
        [np.nan, 3 * 0.375, 0], nan_ok=True
    )
    assert reward.own_scorers == {"custom": term}


def test_where_nothing_has_a_score_the_term_is_zero(mine):
    term = CustomTerm(function=f"{mine}:odd", centre=5.0)
    rest = MoleculeRewardSettings(custom=term).without("logp", "sa", "ring", "short", "carbons")
    assert terms_of(rest, scored(term, ["C", "CC"]))["custom"].tolist() == [0, 0]


def test_functions_and_commands_stand_beside_each_other(mine, tmp_path):
    script = tmp_path / "length.py"
    script.write_text("import sys\nfor line in sys.stdin: print(len(line.strip()))\n")
    scorers = {
        "atoms": CustomTerm(function=f"{mine}:many", weight=2.0),
        "characters": CustomTerm(command=f"{sys.executable} {script}", batch=3, workers=2),
    }
    reward = MoleculeRewardSettings(scorers=scorers)
    assert reward.weights["atoms"] == 2.0
    with MoleculeScorer.with_workers(Measurer(()), 0, scorers=reward.own_scorers) as scorer:
        found = scorer.score(STRINGS)
    assert found.columns["characters"].tolist()[:3] == [3, 3, 8]
    assert found.columns["atoms"].tolist()[:3] == [1.5, 1.5, 3]


@pytest.mark.parametrize("options", [Options(), Options(reward=MoleculeRewardSettings())])
def test_an_argument_makes_a_scorer_of_its_name(options):
    arguments = ["--reward.scorers.vina-fast.command", "dock", "--reward.scorers.sol.weight=2"]
    found = with_named_groups(options, arguments).reward.scorers
    assert found == {"vina_fast": CustomTerm(), "sol": CustomTerm()}
    assert with_named_groups(options, ["--reward.custom.weight", "2"]) is options
    assert with_named_groups(NoMolecules(), arguments) == NoMolecules()


def test_scorers_come_back_from_a_configuration_and_old_ones_need_none(tmp_path):
    scorers = {"dock": CustomTerm(command="dock --fast", seconds=600.0, failed=-3.0)}
    reward = MoleculeRewardSettings(scorers=scorers)
    content = plain(reward)
    assert from_plain(MoleculeRewardSettings, content, tmp_path) == reward
    del content["scorers"]
    content["custom"] = {"weight": 2.0, "centre": 0.0, "scale": 1.0, "function": "mine:score"}
    old = from_plain(MoleculeRewardSettings, content, tmp_path)
    assert old.custom == CustomTerm(weight=2.0, function="mine:score")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"custom": CustomTerm(function="ill_behaved:nothing")}, "defines no 'nothing'"),
        ({"custom": CustomTerm(function="no_module:f")}, "no_module cannot be imported"),
        ({"custom": CustomTerm(command="no-such-dock")}, "there is no program 'no-such-dock'"),
        ({"scorers": {"dock": CustomTerm()}}, r"give --reward.scorers.dock.function or"),
    ],
)
def test_a_scorer_that_cannot_be_used_is_refused_before_anything_starts(settings, message):
    with pytest.raises(UserError, match=message):
        require_usable(MoleculeRewardSettings(**settings))


@pytest.mark.parametrize("name", ["qed", "tpsa", "valid", "Dock", "1st", "smiles"])
def test_a_scorer_needs_a_name_of_its_own(name):
    with pytest.raises(UserError, match="a scorer needs another name"):
        MoleculeRewardSettings(scorers={name: CustomTerm(function="mine:score")})


def test_a_syntax_error_is_one_line_with_its_place(tmp_path):
    (tmp_path / "broken.py").write_text("import os\n\ndef score(smiles)\n    return 1\n")
    (tmp_path / "few.smi").write_text("CCO\n")
    command = [sys.executable, "-m", "seqtutor", "score", "molecule", "few.smi"]
    for name in ("broken:score", "broken.py:score"):
        options = ["--reward.custom.function", name]
        done = subprocess.run([*command, *options], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert "SyntaxError: expected ':' (broken.py, line 3)" in done.stderr
