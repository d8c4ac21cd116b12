from __future__ import annotations

import re
import traceback

import numpy as np
import pytest

import seqtutor as st
from seqtutor.data import pad
from seqtutor.measure import OF_EVERY_POLICY
from seqtutor.measures.policy import policy_measures, reward_measures
from seqtutor.models.files import SavedModel, save_model
from seqtutor.training.run import DivergedError
from tiny_problems import identical, prior, vocabulary


def count_a(tokens, mask):
    return {"a": (tokens == 0) * 1.0, "length": 0.1 * mask.sum(1)}


LENGTH = st.Measure("length", "Length")
TASK = st.Task(st.Vocabulary("abc.", end_token="."), 8, count_a)
TUNING = {
    "method": "psi",
    "c": 0.5,
    "environments": 32,
    "replay_capacity": 512,
    "batch": 32,
    "steps": 32 * 8 * 100,
    "log_every": 32 * 8 * 100,
}


@pytest.fixture(scope="module")
def trained():
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("abc"), rng.integers(1, 8))) for _ in range(300)]
    told = []
    generator = st.pretrain(
        TASK, words, hidden_sizes=(8,), epochs=3, batch=64, on_record=told.append
    )
    assert told == generator.records
    return generator


@pytest.fixture(scope="module")
def tuned(trained):
    told = []
    generator = st.tune(trained, TASK, on_record=told.append, **TUNING)
    assert told == generator.records
    return generator


def test_five_lines_raise_the_reward(trained, tuned):
    def share_of_a(generator):
        text = "".join("".join(sequence) for sequence in generator.sample(500))
        return text.count("a") / len(text)

    assert share_of_a(tuned) > share_of_a(trained) + 0.2
    assert all(len(sequence) <= 8 and "." not in sequence for sequence in tuned.sample(100))
    assert tuned.records[-1]["step"] == TUNING["steps"]
    assert trained.records[-1]["epoch"] == 3


CHUNKED = TUNING | {"log_every": 32 * 8 * 20}
HALF = 32 * 8 * 40


@pytest.mark.filterwarnings("ignore:ended at step")
def test_a_callback_ends_a_run_and_its_policy_stays(trained, tmp_path):
    """In memory and in a folder, which is complete and is not run again."""
    told = []

    def until_half(record):
        told.append(record["step"])
        return record["step"] < HALF

    ended = st.tune(trained, TASK, on_record=until_half, **CHUNKED)
    assert told == [HALF / 2, HALF]
    assert ended.remarks == [f"ended at step {HALF:,}: on_record returned False"]
    written = st.tune(trained, TASK, output=tmp_path / "run", on_record=until_half, **CHUNKED)
    again = st.tune(trained, TASK, output=tmp_path / "run", on_record=until_half, **CHUNKED)
    assert told == [HALF / 2, HALF] * 2
    assert identical(ended.model, written.model)
    assert identical(ended.model, again.model)
    assert again.remarks == ended.remarks
    assert [record["step"] for record in again.records] == [HALF / 2, HALF]
    whole = st.tune(trained, TASK, on_record=lambda record: None, **CHUNKED)
    assert len(whole.records) == 5
    assert not identical(ended.model, whole.model)


def test_a_callback_ends_a_pretraining():
    words = ["ab", "abc", "cab", "b"] * 40
    ended = st.pretrain(TASK, words, hidden_sizes=(4,), on_record=lambda one: one["epoch"] < 2)
    assert [record["epoch"] for record in ended.records] == [1, 2]


def test_other_steps_than_asked_for_are_told(trained, tmp_path):
    few = TUNING | {"steps": 10, "output": tmp_path / "run"}
    said = (
        "256 steps are made where 10 were asked for: a collection has 256, 32 sequences of 8 tokens"
    )
    with pytest.warns(UserWarning, match=said) as warned:
        tuned = st.tune(trained, TASK, **few)
    assert {one.filename for one in warned if one.category is UserWarning} == {__file__}
    assert [record["step"] for record in tuned.records] == [256]
    (remark,) = st.load(tmp_path / "run").remarks
    assert remark.startswith(said)
    with pytest.warns(UserWarning, match=said):
        st.tune(trained, TASK, **TUNING | {"steps": 10})
    almost = TUNING | {"steps": 32 * 8 * 5 + 100, "log_every": 10_000}
    assert st.tune(trained, TASK, **almost).remarks == []


def test_records_are_loaded_with_the_model(trained, tuned, tmp_path):
    for name, generator in {"prior": trained, "tuned": tuned}.items():
        generator.save(tmp_path / name)
        loaded = st.load(tmp_path / name)
        assert loaded.records == generator.records
        assert len(loaded.records) > 0
    bare = st.Generator(trained.model, trained.vocabulary, 8)
    bare.save(tmp_path / "prior")
    assert st.load(tmp_path / "prior").records == []


def test_a_collapse_is_a_warning(trained):
    with pytest.warns(UserWarning, match="the policy has collapsed"):
        tuned = st.tune(trained, TASK, collapse_entropy=9.0, **TUNING)
    (remark,) = tuned.remarks
    assert "collapsed" in remark


@pytest.mark.parametrize(
    ("reward", "said"),
    [
        (lambda tokens, mask: mask.sum(1), "a reward function must give a dictionary"),
        (lambda tokens, mask: {"a": mask[:, :3]}, r"'a' has shape \(32, 3\); it must be"),
        (lambda tokens, mask: {"a": ["x"] * len(tokens)}, "'a' is not an array of real numbers"),
        (lambda tokens, mask: {"a": tokens[:, 99]}, r"failed: IndexError: .*\(line \d+ of .*api"),
        (st.compiled(lambda tokens, mask: mask), "a reward function must give a dictionary"),
    ],
)
def test_a_bad_reward_is_said_at_the_end_of_a_short_traceback(trained, reward, said):
    task = st.Task(TASK.vocabulary, 8, reward)
    with pytest.raises(st.UserError, match=said) as caught:
        st.tune(trained, task, **TUNING)
    lines = "".join(traceback.format_exception(caught.value)).splitlines()
    assert lines[-1] == f"seqtutor.errors.UserError: {caught.value}"
    assert len(lines) < 15


def test_a_diverged_run_keeps_its_last_good_policy_at_the_boundary(trained):
    nothing = st.Task(TASK.vocabulary, 8, lambda tokens, mask: {"a": np.full(len(tokens), np.nan)})
    with pytest.raises(DivergedError, match="the reward term 'a' is not finite") as caught:
        st.tune(trained, nothing, **TUNING | {"steps": 32 * 8, "seed": 3})
    assert caught.value.seed == 3
    assert caught.value.last_good.vocabulary_size == 4
    assert len(traceback.format_exception(caught.value)) < 15


def test_several_seeds_are_the_runs_of_each(trained, tuned):
    told = []
    several = st.tune(trained, TASK, seeds=2, seed=0, on_record=told.append, **TUNING)
    assert told == [{"seed": n, **several[n].records[-1]} for n in (0, 1)]
    assert identical(several[0].model, tuned.model)
    assert several[0].sample(5) == tuned.sample(5)
    assert not identical(several[1].model, tuned.model)
    assert several[1].records[-1]["step"] == TUNING["steps"]
    with pytest.raises(st.UserError, match="seeds must be at least 1"):
        st.tune(trained, TASK, seeds=0, **TUNING)


def test_samples_depend_on_the_seed_and_on_nothing_else(tuned):
    assert tuned.sample(20, seed=4) == tuned.sample(20, seed=4)
    assert tuned.sample(20, seed=4) != tuned.sample(20, seed=5)
    assert all(len(sequence) <= 3 for sequence in tuned.sample(20, length=3))


def test_a_saved_generator_comes_back(tuned, tmp_path):
    tuned.save(tmp_path / "tuned")
    loaded = st.Generator.load(tmp_path / "tuned")
    assert identical(loaded.model, tuned.model)
    assert (loaded.vocabulary, loaded.max_length) == (tuned.vocabulary, 8)
    assert loaded.sample(5) == tuned.sample(5)
    assert [one["c"] for one in loaded.origin["tuned"]] == [TUNING["c"]]


def test_what_is_tuned_from_a_folder_says_what_its_task_must_know(trained, tmp_path):
    origin = {"task": "words", "max_length": 8, "made_by": {"command": "cat"}}
    save_model(SavedModel(trained.model, trained.vocabulary, origin), tmp_path / "prior")
    several = st.tune(st.Generator.load(tmp_path / "prior"), TASK, seeds=2, **TUNING)
    for seed, tuned in enumerate(several):
        tuned.save(tmp_path / str(seed))
        kept = st.Generator.load(tmp_path / str(seed)).origin
        assert {name: kept[name] for name in origin} == origin
        assert [one["seed"] for one in kept["tuned"]] == [seed]


def test_a_model_folder_without_a_length_is_the_users_error(tmp_path):
    save_model(SavedModel(prior(3, hidden=(4,)), vocabulary(3)), tmp_path)
    with pytest.raises(st.UserError, match="how long its sequences are"):
        st.Generator.load(tmp_path)


def test_a_prior_of_another_vocabulary_is_refused(trained):
    other = st.Task(st.Vocabulary("abd.", end_token="."), 8, count_a)
    with pytest.raises(st.UserError, match="another vocabulary"):
        st.tune(trained, other)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"number": 0}, "at least 1"),
        ({"number": 1, "length": 0}, "at least 1"),
        ({"number": 1, "temperature": 0.0}, "temperature must be above 0"),
        ({"number": 1, "temperature": float("nan")}, "temperature must be above 0"),
    ],
)
def test_impossible_samples_are_the_users_error(trained, arguments, message):
    with pytest.raises(st.UserError, match=message):
        trained.sample(**arguments)


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ("ab", "must be whole numbers in an array"),
        ([["a", "b"]], "must be whole numbers in an array"),
        ([[0.5, 1.0]], "must be whole numbers in an array"),
        ([0, 1], "must be whole numbers in an array"),
        ([[0, 1], [0]], "must be whole numbers in an array"),
        (None, "must be whole numbers in an array"),
        ([[0, 4]], "the token 4 is not one of the vocabulary, 0 to 3"),
        ([[-1, 0]], "the token -1 is not one of the vocabulary, 0 to 3"),
    ],
)
def test_tokens_without_log_probabilities_are_the_users_error(trained, tokens, message):
    with pytest.raises(st.UserError, match=message):
        trained.log_probabilities(tokens)


def test_padding_with_an_end_token():
    padded = pad(TASK.vocabulary, TASK.max_length, ["ab", "abcabca"])
    assert padded.tokens.tolist() == [[0, 1, 3, 3, 3, 3, 3, 3], [0, 1, 2, 0, 1, 2, 0, 3]]
    assert padded.mask.sum(1).tolist() == [3, 8]


@pytest.mark.parametrize(
    ("end", "sequences", "message"),
    [
        (".", ["ab", "abcabcab"], "sequence 2 has 8 tokens; the task takes up to 7 and an end"),
        (None, ["abcabcab", "ab"], "sequence 2 has 2 tokens; the task takes exactly 8"),
        (None, ["axc"], "'x' is not in the vocabulary"),
    ],
)
def test_sequences_that_do_not_fit_are_the_users_error(end, sequences, message):
    exercise = st.Task(st.Vocabulary("abc.", end_token=end), 8, count_a)
    with pytest.raises(st.UserError, match=message):
        pad(exercise.vocabulary, exercise.max_length, sequences)


def test_the_names_that_a_tasks_measure_cannot_have_are_those_of_every_policy():
    always = {row.name for row in (*policy_measures(), *reward_measures([]))}
    assert always == set(OF_EVERY_POLICY)


def test_the_name_of_a_spec_is_checked_like_that_of_a_task():
    with pytest.raises(st.UserError, match="the name of a task must be one that a folder can have"):
        type("Spec", (st.TaskSpec,), {"name": "../x"})


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": ""}, "a measure needs a name"),
        ({"better": "up"}, "'up' is not None or 'higher' or 'lower' or 'near zero'"),
        ({"unit": "percent"}, "'percent' is not 'number' or 'share' or 'integer'"),
        ({"of_strings": [1.0]}, "'length' takes a function"),
        ({"of_strings": len, "of_tokens": len}, "'length' takes a function"),
    ],
)
def test_what_a_measure_is_not_made_of_is_said(wrong, said):
    with pytest.raises(st.UserError, match=said):
        st.Measure(**{"name": "length", "title": "Length", **wrong})


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"vocabulary": "abc"}, "needs a seqtutor.Vocabulary, not 'abc'"),
        ({"max_length": "5"}, "a length of at least one token, not '5'"),
        ({"reward": None}, "needs a reward function, not None"),
        ({"measures": ("x",)}, "must be seqtutor.Measure or MeasureGroup, not 'x'"),
        ({"measures": "length"}, "must be seqtutor.Measure or MeasureGroup, not 'length'"),
        ({"measures": 5}, "must be seqtutor.Measure or MeasureGroup, not 5"),
        ({"measures": [LENGTH, LENGTH]}, "two measures of the task have the name 'length'"),
        (
            {"measures": [LENGTH, st.MeasureGroup((LENGTH,))]},
            "two measures of the task have the name 'length'",
        ),
        ({"measures": [st.Measure("kl", "Mine")]}, "'kl' needs another name"),
        ({"measures": [st.Measure("term_a", "Mine")]}, "'term_a' needs another name"),
        *(
            ({"name": name}, "the name of a task must be one that a folder can have")
            for name in ["../x", "", "a/b", ".hidden", "-x", "a\x1b[2J", "a\n", " a", "é" * 51, 5]
        ),
    ],
    ids=repr,
)
def test_what_a_task_is_not_made_of_is_said(wrong, said):
    parts = {"vocabulary": st.Vocabulary("ab."), "max_length": 5, "reward": lambda t, m: {}}
    with pytest.raises(st.UserError, match=said):
        st.Task(**{**parts, **wrong})


def test_a_prior_beside_the_run_is_not_taken_for_another(tmp_path):
    data = ["ab.", "ba.", "bc."] * 40
    tokens = np.array([[0, 1, 3]])
    for name, seed in (("one", 0), ("two", 1)):
        generator = st.pretrain(TASK, data, epochs=1, batch=16, seed=seed)
        folder = tmp_path / name
        st.tune(generator, TASK, method="rloo", steps=1024, environments=16, output=folder)
        config = (folder / "config.yaml").read_text(encoding="utf-8")
        recorded = st.load(re.search(r"^prior: (.*)$", config, re.MULTILINE)[1])
        expected = generator.log_probabilities(tokens)
        np.testing.assert_array_equal(recorded.log_probabilities(tokens), expected)
