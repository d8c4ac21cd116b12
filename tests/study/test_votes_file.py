"""The votes of a study as the models that learn from them read them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from small_study import small_study

from seqtutor.cli.main import main
from seqtutor.comparisons import read_votes
from seqtutor.errors import UserError
from seqtutor.study.database import open_database
from seqtutor.study.export import compared_sequences
from seqtutor.study.plan import Rules, read_study
from seqtutor.study.stored import Collected, StoredVote, exclusions
from seqtutor.study.votes import Vote
from seqtutor.vocabulary import Vocabulary

VOCABULARY = Vocabulary(["a", "b", "."], end_token=".")


def studied(folder, **options):
    """A study of texts whose clips have the tokens of their names."""
    plan = small_study(folder, kind="text", **options).plan
    clips = [replace(one, tokens=("a",) * (1 + one.number) + ("b",)) for one in plan.clips]
    return replace(plan, clips=tuple(clips))


def stored(plan, rating, listener="L1", kind="comparison"):
    of_model = {name: [c for c in plan.clips if c.model == name] for name in plan.model_names}
    left, right = (own[place] for place, own in enumerate(of_model.values()))
    vote = Vote(listener, left.model, right.model, (left.id,), (right.id,), rating, 0, kind=kind)
    return StoredVote(vote, "finished", "", False, 0.0, 1.0)


def test_votes_come_back_with_their_sequences_scores_and_listeners(tmp_path):
    plan = studied(tmp_path / "study")
    votes = [stored(plan, -2), stored(plan, 0, "L2"), stored(plan, 1, "L3")]
    others = [stored(plan, 2, kind="catch"), stored(plan, 2, "L4")]
    lines = compared_sequences(Collected([*votes, *others], {"L4": ["too fast"]}, False), plan)
    (path := tmp_path / "votes.jsonl").write_text("".join(lines))
    found = read_votes(path, VOCABULARY, 6)
    assert found.scores.tolist() == [1, 0.5, 0]
    assert found.listeners == ("L1", "L2", "L3")
    assert VOCABULARY.texts(found.left.tokens, found.left.mask) == ["ab"] * 3
    assert VOCABULARY.texts(found.right.tokens, found.right.mask) == ["aab"] * 3


def test_votes_on_sets_are_on_no_single_sequence(tmp_path):
    plan = studied(tmp_path / "study", form="sets")
    with pytest.raises(UserError, match="on sets"):
        compared_sequences(Collected([], {}, False), plan)


def test_a_plan_without_tokens_says_so(tmp_path):
    plan = small_study(tmp_path / "study", kind="text").plan
    with pytest.raises(UserError, match="no tokens"):
        compared_sequences(Collected([], {}, False), plan)


@pytest.mark.parametrize("name", ["plan.json", "votes.sqlite3", "made_by.json", "../notes.txt"])
def test_no_other_file_is_written_over(tmp_path, capsys, name):
    folder = small_study(tmp_path / "study", kind="text").folder
    for own in ("votes.sqlite3", "../notes.txt"):
        (folder / own).write_text("mine")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert main(["study", "votes", str(folder), "--output", str(folder / name)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_without_a_vote_that_counts_the_reason_is_said(tmp_path):
    plan = studied(tmp_path / "study")
    votes = [stored(plan, 2), stored(plan, 1, "L2", kind="practice")]
    with pytest.raises(UserError) as caught:
        Collected(votes, {"L1": ["too fast", "always B"]}, False, 30).require_counted()
    for part in ("L1 (too fast; always B)", "practice and catch trials", "30 simulated votes"):
        assert part in str(caught.value)
    Collected([*votes, stored(plan, 1, "L3")], {}, False).require_counted()


@pytest.mark.parametrize(
    ("planned", "failed", "is_out"), [(1, 1, True), (2, 1, False), (2, 2, True)]
)
def test_catch_trials_that_are_still_to_come_count(tmp_path, planned, failed, is_out):
    plan = studied(tmp_path / "study")
    one = stored(plan, 2, kind="catch")
    one = replace(one, vote=replace(one.vote, expected=-1), catches=planned)
    assert bool(exclusions([one] * failed, Rules())) == is_out


def test_no_vote_that_counts_writes_no_file(tmp_path, capsys):
    study = small_study(tmp_path / "study", kind="text")
    plan = json.loads((study.folder / "plan.json").read_text())
    for clip in plan["clips"]:
        clip["tokens"] = ["a"]
    (study.folder / "plan.json").write_text(json.dumps(plan))
    study = read_study(study.folder)
    open_database(study.folder, None, study.sha256).close()
    assert main(["study", "votes", str(study.folder)]) == 2
    assert "no vote of this study counts yet" in capsys.readouterr().err
    assert not (study.folder / "votes.jsonl").exists()
