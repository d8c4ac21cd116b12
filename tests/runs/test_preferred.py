"""Votes in runs: from a file to a reward or a policy, with what is kept and what is refused."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqtutor.comparisons import ComparedSequences, votes_text
from seqtutor.data import Sequences
from seqtutor.errors import UserError
from seqtutor.models.files import SavedModel, load_model, save_model
from seqtutor.preferences.settings import PreferenceTerm
from seqtutor.preferences.validation import NOISE
from seqtutor.rewards import Reward, compiled
from seqtutor.runs.config import RunConfig, read_config
from seqtutor.runs.evaluating import columns_of, open_evaluator
from seqtutor.runs.grouping import remarks_on
from seqtutor.runs.policies import find_policy
from seqtutor.runs.preferred import with_preference
from seqtutor.runs.preferring import Preferring, prefer_and_print, prefer_in_folder
from seqtutor.runs.run_folder import RunFolder, read_made_by
from seqtutor.runs.run_on_disk import StoppedError
from seqtutor.runs.tuning import completed, open_tutor, tune_in_folder
from seqtutor.task import Task
from seqtutor.task_records import NoSettings
from seqtutor.task_spec import TaskSpec
from seqtutor.training.settings import TutorSettings
from tiny_problems import identical, prior, vocabulary

SIZE, LENGTH = 3, 5
WORDS = vocabulary(SIZE)
PSI = TutorSettings.of(
    "psi",
    c=0.3,
    discount=1.0,
    environments=16,
    batch=16,
    updates=4,
    replay_capacity=64,
    steps=4800,
    log_every=1600,
)


@compiled
def zeros(tokens, mask):
    return {"zeros": jnp.sum((tokens == 0) & mask, axis=1)}


SPEC = TaskSpec.of(Task(WORDS, LENGTH, Reward(zeros), "zeros"))


def ones(tokens):
    return (np.asarray(tokens) == 1).mean(axis=1)


def votes(seed=0, number=200):
    """A listener who likes the token 1."""
    random = np.random.default_rng(seed)
    sides = [random.integers(0, SIZE, (number, LENGTH)).astype(np.int32) for _ in range(2)]
    chance = 1 / (1 + np.exp(6 * (ones(sides[1]) - ones(sides[0]))))
    scores = np.where(random.random(number) < chance, 1.0, 0.0)
    scores[::9] = 0.5
    left, right = (Sequences(side, np.ones(side.shape, bool)) for side in sides)
    return ComparedSequences(left, right, scores)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A prior, a file of votes, and the model of them."""
    folder = tmp_path_factory.mktemp("home")
    saved = SavedModel(prior(SIZE, hidden=(4,), scale=1.0), WORDS, {"max_length": LENGTH})
    save_model(saved, folder / "prior")
    (folder / "votes.jsonl").write_text(votes_text(votes(), WORDS))
    plan = Preferring(SPEC, folder / "votes.jsonl", folder / "liked", "features", folder / "prior")
    assert prefer_in_folder(plan).validations["features"].accuracy > 0.6
    return folder


def config_of(home, tutor=PSI, **term):
    preference = PreferenceTerm(home / "liked", **term) if term else PreferenceTerm()
    config = RunConfig(SPEC.name, tutor, prior=home / "prior", preference=preference)
    return completed(SPEC, config)[0]


def dpo(home, **changes):
    small = {"environments": 16, "batch": 20, "steps": 2400, "log_every": 800, "c": 0.3}
    return TutorSettings.of("dpo", **{**small, "votes": home / "votes.jsonl", **changes})


def run(config, folder, stops=lambda: False):
    with open_tutor(SPEC, config) as tutor:
        return tune_in_folder(SPEC, config, tutor, RunFolder(folder), is_to_stop=stops)


@pytest.fixture(scope="module")
def tuned(home):
    """A run on the preference alone."""
    run(config_of(home, task_weight=0.0), home / "tuned")
    return home / "tuned"


def share_of_ones(policy):
    """The expected number of the listener's favourite, by enumeration."""
    from seqtutor.proof import exact

    whole = exact.enumerate_problem(policy, Reward(zeros), LENGTH)
    found = exact.distinct_sequences(whole)
    chances = np.exp(found.along(whole.log_prior).sum(axis=1))
    return float(chances @ ones(found.tokens))


def test_the_reward_and_the_votes_raise_what_the_listener_prefers(home, tuned):
    before = share_of_ones(load_model(home / "prior").model)
    assert share_of_ones(load_model(tuned / "model").model) > before + 0.2
    run(config_of(home, dpo(home)), home / "direct")
    assert share_of_ones(load_model(home / "direct" / "model").model) > before + 0.2


def test_the_configuration_is_complete_and_says_what_the_run_is_made_of(home, tuned):
    found = read_config(SPEC, tuned)
    assert found == config_of(home, task_weight=0.0)
    assert "preference_sha256" in read_made_by(tuned / "config.yaml")
    direct = config_of(home, dpo(home))
    assert 0 < direct.tutor.options.tie < 1, "estimated from the votes"
    folder = home / "configured"
    RunFolder.start(folder, direct.content(), {})
    assert read_config(SPEC, folder) == direct
    assert "preference" not in RunConfig(SPEC.name).content(), "as in earlier versions"


def test_an_interrupted_run_goes_on_bit_for_bit(home, tuned):
    wholes = {home / "direct": config_of(home, dpo(home))}
    wholes[tuned] = config_of(home, task_weight=0.0)
    for whole, config in wholes.items():
        parts = home / f"{whole.name}-in-parts"
        with pytest.raises(StoppedError):
            run(config, parts, stops=lambda: True)
        assert identical(run(config, parts), load_model(whole / "model").model)


def test_other_votes_are_refused_where_a_run_goes_on(home):
    config = config_of(home, dpo(home))
    with pytest.raises(StoppedError):
        run(config, home / "begun", stops=lambda: True)
    original = (home / "votes.jsonl").read_text()
    (home / "votes.jsonl").write_text(votes_text(votes(seed=1), WORDS))
    try:
        with pytest.raises(UserError, match="begun with other votes; undo that change"):
            run(config, home / "begun")
    finally:
        (home / "votes.jsonl").write_text(original)
    run(config, home / "begun")


def test_a_run_is_measured_by_its_own_reward_with_a_row_for_the_preference(home, tuned):
    policy = find_policy(SPEC, str(tuned))
    named = [policy.as_prior(policy.prior()), policy]
    with open_evaluator(SPEC, named, number=400) as evaluator:
        columns, rows = columns_of(evaluator, named)
    assert "term_preference" in [row.name for row in rows]
    first, second = (column.seeds[0] for column in columns)
    assert second["reward"].value > first["reward"].value
    assert second["reward"].value == pytest.approx(second["term_preference"].value, abs=1e-5)


def test_runs_whose_terms_differ_share_no_reward(home, tuned):
    policies = [find_policy(SPEC, str(folder)) for folder in (tuned, home / "direct")]
    with open_evaluator(SPEC, policies, number=100) as evaluator:
        assert not evaluator.tasks
        assert any("differ in the preference term" in note for note in evaluator.notes)


def test_the_task_keeps_its_own_terms_beside_the_preference(home):
    task = SPEC.task(NoSettings())
    both = with_preference(SPEC, task, PreferenceTerm(home / "liked", weight=2.0, task_weight=3.0))
    tokens = votes().left.tokens
    mask = np.ones(tokens.shape, bool)
    found = jax.tree.map(np.asarray, both.reward(tokens, mask))
    assert set(found.terms) == {"zeros", "preference"}
    np.testing.assert_allclose(found.terms["zeros"].sum(1), 3 * (tokens == 0).sum(1))
    alone = with_preference(SPEC, task, PreferenceTerm(home / "liked", task_weight=0.0))
    own = np.asarray(alone.reward(tokens, mask).terms["preference"])
    np.testing.assert_allclose(found.terms["preference"], 2 * own, atol=1e-5)
    assert with_preference(SPEC, task, PreferenceTerm()) is task


def test_a_changed_model_is_remarked_on(home, tuned):
    policy = find_policy(SPEC, str(tuned))
    assert not remarks_on([policy])
    changed = replace(policy, made_by={**policy.made_by, "preference_sha256": "another"})
    (remark,) = remarks_on([changed])
    assert "other weights of its preference model" in remark


def test_a_model_that_is_noise_says_so_where_it_is_made_and_used(home, tmp_path, capsys):
    guessed = replace(votes(), scores=np.random.default_rng(1).integers(0, 2, 200).astype(float))
    (tmp_path / "votes.jsonl").write_text(votes_text(guessed, WORDS))
    folder = tmp_path / "guessed"
    prefer_and_print(Preferring(SPEC, tmp_path / "votes.jsonl", folder, "features", home / "prior"))
    said = capsys.readouterr().out
    assert NOISE in said
    assert "tune on it with" not in said
    config = replace(config_of(home), preference=PreferenceTerm(folder))
    (warning,) = completed(SPEC, config)[1]
    assert NOISE in warning
    assert completed(SPEC, config_of(home, task_weight=0.0))[1] == []
    policy = find_policy(SPEC, str(home / "prior"))
    assert remarks_on([replace(policy, config=config)]) == [warning]


def test_mistakes_are_one_line(home, tmp_path):
    with pytest.raises(UserError, match="name a preference model for the settings of its term"):
        PreferenceTerm(weight=2.0)
    with pytest.raises(UserError, match="dpo learns from votes: name a file of them"):
        config_of(home, dpo(home, votes=None))
    with pytest.raises(UserError, match="exists already"):
        prefer_in_folder(Preferring(SPEC, home / "votes.jsonl", home, prior=home / "prior"))
    (tmp_path / "few.jsonl").write_text(votes_text(votes(number=3), WORDS))
    with pytest.raises(UserError, match="at least"):
        prefer_in_folder(
            Preferring(SPEC, tmp_path / "few.jsonl", tmp_path / "new", "features", home / "prior")
        )
    assert not (tmp_path / "new").exists()
