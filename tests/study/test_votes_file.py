"""The votes of a study as the models that learn from them read them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from small_study import small_study

from seqtutor.comparisons import read_votes
from seqtutor.errors import UserError
from seqtutor.study.export import compared_sequences
from seqtutor.study.stored import Collected, StoredVote
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
