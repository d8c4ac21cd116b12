from __future__ import annotations

import json
import os
from dataclasses import replace

import jax
import numpy as np
import pytest
import yaml
from tiny_molecules import LENGTH, VOCABULARY, save_tiny_prior, tiny_prior

import seqtutor as st
from ill_behaved import process_ids
from seqtutor.errors import UserError
from seqtutor.measures.sampling import draw
from seqtutor.methods.registry import method_names
from seqtutor.models.files import load_model
from seqtutor.rewards import Reward
from seqtutor.runs.comparing import ComparisonPlan, compare
from seqtutor.runs.config import RunConfig, read_config
from seqtutor.runs.run_folder import RunFolder
from seqtutor.runs.run_on_disk import StoppedError, run_on_disk
from seqtutor.tasks.molecule.encoding import TokenisedText, decode
from seqtutor.tasks.molecule.goals import CELECOXIB
from seqtutor.tasks.molecule.presets import PRESETS
from seqtutor.tasks.molecule.reward_settings import (
    MOSES_EXTREMES,
    CustomTerm,
    DiversityTerm,
    MoleculeRewardSettings,
    ScaledTerm,
    TrainingExtremes,
)
from seqtutor.tasks.molecule.scoring import MoleculeScorer
from seqtutor.tasks.molecule.settings import MoleculeSettings
from seqtutor.tasks.molecule.spec import spec
from seqtutor.tasks.molecule.task import SHIPPED_PRIOR, completed, extremes_of, molecule_task
from seqtutor.tasks.molecule.terms import measurer_for, terms_of
from seqtutor.training.run import run_tutor
from seqtutor.training.seeds import run_seeds
from seqtutor.training.settings import TutorSettings
from seqtutor.training.tutor import Tutor
from tiny_problems import identical

REPEATED = MoleculeRewardSettings(
    logp=ScaledTerm(0.3), diversity=DiversityTerm(5.0, allowed=1, remembered=200)
)
"""A reward that depends much on earlier batches."""


def encode(strings):
    text = TokenisedText(strings)
    found = text.encode(np.ones(len(strings), bool), VOCABULARY, LENGTH)
    return np.asarray(found.tokens, np.int32), found.mask


def test_the_reward_of_the_task_is_the_weighted_terms_at_the_last_token():
    settings = MoleculeRewardSettings(logp=ScaledTerm(2.0), qed=ScaledTerm(0.5))
    strings = ["CCO", "C=", "CCCCCC", "N", "OC"]
    tokens, mask = encode(strings)
    with molecule_task(MoleculeSettings(settings), tiny_prior(), workers=0) as task:
        assert (task.vocabulary, task.max_length) == (VOCABULARY, LENGTH)
        assert isinstance(task.reward, Reward)
        earned = jax.jit(task.reward.__call__)(tokens, mask)
    terms = terms_of(settings, MoleculeScorer(measurer_for(settings)).score(strings))
    expected = sum(settings.weights[name] * term for name, term in terms.items())
    paid = np.asarray(earned.total)
    last = mask.sum(1) - 1
    np.testing.assert_allclose(paid[np.arange(5), last], expected, rtol=1e-5)
    assert np.count_nonzero(paid) == 5


def test_what_is_left_open_is_the_priors():
    prior = tiny_prior(extremes={"shortest": 3, "most_carbons": 4})
    settings = completed(MoleculeSettings(), prior)
    assert settings.length == LENGTH
    assert (settings.reward.short.shortest, settings.reward.carbons.most) == (3, 4)
    assert completed(settings, tiny_prior(max_length=99)) == settings, "nothing is open any more"
    assert completed(MoleculeSettings(length=5), prior).length == 5
    unknown = completed(MoleculeSettings(), tiny_prior())
    assert not {"short", "carbons"} & set(unknown.reward.weights), "nothing says what is too short"
    assert extremes_of(load_model(SHIPPED_PRIOR)) == MOSES_EXTREMES == TrainingExtremes(15, 8)


@pytest.mark.parametrize("method", method_names())
@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_written_and_read_again(preset, method, tmp_path):
    chosen = PRESETS[preset]
    settings = completed(chosen.settings(method), load_model(SHIPPED_PRIOR))
    tutor = TutorSettings.of(method, **chosen.tutor(method))
    config = RunConfig("molecule", tutor, settings, tmp_path)
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config.content()))
    assert read_config(spec, path) == config
    assert tutor.discount == 1
    measurer_for(settings.reward, settings.chosen_goal)


def test_a_configuration_of_an_earlier_version_is_read(tmp_path):
    """It named no task, and had the settings of all methods."""
    tutor = TutorSettings.of("rloo", **PRESETS["qed"].tutor("rloo"))
    settings = completed(PRESETS["qed"].settings("rloo"), load_model(SHIPPED_PRIOR))
    config = RunConfig("molecule", tutor, settings)
    content = config.content()
    del content["task"]
    content["tutor"] |= {"double_q": False, "entropy_weight": 1.0, "replay_capacity": 1024}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(content))
    assert read_config(spec, tmp_path) == config


def test_a_policy_is_measured_without_what_depends_on_earlier_batches():
    settings = MoleculeSettings(REPEATED, LENGTH, goal="qed", calls=9)
    measured = spec.settings_for_evaluation(settings)
    for own, remembers in ((settings, True), (measured, False)):
        with molecule_task(own, tiny_prior(), workers=0) as task:
            assert task.reward.has_memory is remembers
    others = {name: weight for name, weight in REPEATED.weights.items() if name != "diversity"}
    assert measured.reward.weights == others
    assert (measured.goal, measured.calls, measured.length) == (None, None, LENGTH)
    assert spec.settings_for_evaluation(measured) == measured


def reward_of(preset, strings):
    reward = completed(PRESETS[preset].settings("psi"), load_model(SHIPPED_PRIOR)).reward
    scores = MoleculeScorer(measurer_for(reward)).score(strings)
    return sum(reward.weights[name] * term for name, term in terms_of(reward, scores).items())


@pytest.mark.parametrize(
    ("preset", "better", "worse"),
    [
        ("celecoxib", CELECOXIB, "Cc1ccccc1"),
        ("isomers", "FC(Cl)(F)P(=O)(N)ONc1ccccc1", "c1ccccc1CCCCCCCCC"),
        ("qed", "Cc1ccc(-c2cc(C(F)(F)F)nn2-c2ccc(S(N)(=O)=O)cc2)cc1", "CCCCCCCCCCCCCCCCCC"),
        ("penalized-logp", "CCCCCCCCCCCCc1ccccc1", "OCC(O)C(O)C1CCCCCCCCC1"),
        ("paper", "CCc1ccc(Cc2ccccc2)cc1", "O=C1NCCCCCCCC1CC(N)C(O)C#N"),
    ],
)
def test_presets_reward_what_they_are_named_for(preset, better, worse):
    invalid = "C1CCCCCCCCCCCCCCCC"
    rewards = reward_of(preset, [better, worse, invalid])
    assert rewards[0] > rewards[1]
    assert rewards[0] > rewards[2]


def is_running(number):
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


def fail_with(task):
    raise RuntimeError("in the middle")


def test_the_workers_end_with_the_task_whatever_happens():
    task = molecule_task(prior=tiny_prior(), workers=1)
    workers = process_ids(task.reward.function.scorer._pool)
    assert len(workers) == 1
    assert all(map(is_running, workers))
    with pytest.raises(RuntimeError, match="in the middle"), task:
        fail_with(task)
    assert not any(map(is_running, workers))


@pytest.fixture(scope="module")
def tutor():
    settings = TutorSettings.of(
        steps=64 * LENGTH * 3,
        environments=64,
        replay_capacity=64,
        batch=16,
        updates=1,
        log_every=64 * LENGTH,
    )
    prior = tiny_prior()
    task = molecule_task(MoleculeSettings(REPEATED, goal="qed"), prior, workers=0)
    return Tutor(task, prior.model, settings)


def test_a_run_does_not_remember_the_one_before(tutor):
    first, second = run_tutor(tutor), run_tutor(tutor)
    assert first.records[-1]["reward/diversity"] < first.records[0]["reward/diversity"] < 0
    assert identical(first.policy, second.policy)
    values = [
        [{name: value for name, value in record.items() if name != "seconds"} for record in records]
        for records in (first.records, second.records)
    ]
    assert values[0] == values[1]


def test_a_run_that_goes_on_remembers_scaffolds_and_calls(tutor, tmp_path):
    """Bit for bit as if it had never stopped, with a term that depends on all batches before."""
    whole = run_tutor(tutor)
    reward = tutor.task.reward
    at_the_end = reward.state()
    assert len(at_the_end["oracle"]) > 10
    folder = RunFolder.start(tmp_path / "run", tutor.settings, {})
    asked = iter([False, True])
    with pytest.raises(StoppedError):
        run_on_disk(tutor, folder, is_to_stop=lambda: next(asked))
    assert 0 < len(reward.state()["oracle"]) < len(at_the_end["oracle"])
    reward.restart()
    assert identical(run_on_disk(tutor, folder), whole.policy)
    assert reward.state() == at_the_end
    rewards = [record["reward"] for record in folder.records()]
    assert rewards == [record["reward"] for record in whole.records]


def test_a_comparison_measures_and_tunes_as_the_task_asks(tmp_path):
    save_tiny_prior(tmp_path / "prior")
    plan = ComparisonPlan(
        spec,
        ("psi",),
        tmp_path / "out",
        c=(1.0,),
        seeds=1,
        steps=64 * LENGTH,
        number=200,
        temperatures=(),
        best_of=(),
        smc=(),
        prior=tmp_path / "prior",
        workers=1,
    )
    tutor = plan.config("psi", 1.0, 0, LENGTH).tutor
    assert tutor.options.exploration.epsilon_start == 0
    assert (tutor.c, tutor.options.trace) == (1.0, 1.0)
    assert "diversity" in plan.settings.reward.weights
    compare(plan)
    found = json.loads((plan.output / "controls" / "prior.json").read_text())
    prior = load_model(tmp_path / "prior")
    drawn = draw(prior.model, prior.model, number=200, length=LENGTH, end=VOCABULARY.end)
    strings = decode(drawn.tokens, VOCABULARY)
    reward = plan.settings.without_memory().reward
    scores = MoleculeScorer(measurer_for(reward)).score(strings)
    expected = sum(reward.weights[name] * term for name, term in terms_of(reward, scores).items())
    values = found["measures"]["policy"]["values"]
    assert values["reward"] == pytest.approx(expected.mean(), rel=1e-5)


def test_seeds_cannot_share_a_memory(tutor):
    with pytest.raises(UserError, match="the reward has a memory"):
        run_seeds(tutor, [0, 1])


def test_from_python_it_is_a_task_like_any_other():
    prior = tiny_prior()
    generator = st.Generator(prior.model, prior.vocabulary, LENGTH)
    logp_alone = MoleculeRewardSettings(
        logp=ScaledTerm(2.0), sa=ScaledTerm(0.0), qed=ScaledTerm(0.0), ring=ScaledTerm(0.0)
    )
    with molecule_task(MoleculeSettings(logp_alone), prior, workers=0) as task:
        tuned = st.tune(
            generator,
            task,
            c=1.0,
            discount=1.0,
            trace=1.0,
            steps=64 * LENGTH * 12,
            environments=64,
            replay_capacity=256,
            batch=64,
            learning_rate=1e-2,
            log_every=64 * LENGTH * 4,
        )
    rewards = [record["reward"] for record in tuned.records]
    assert rewards[-1] > rewards[0]


def test_the_papers_figures_stand_beside_rewards_like_its_own():
    own = {name: spec.is_published(preset.settings("psi")) for name, preset in PRESETS.items()}
    assert {name for name, is_like in own.items() if is_like} == {"paper", "drug-like"}
    settings = PRESETS["paper"].settings("psi")
    scorer = CustomTerm(function="math:sqrt", weight=1.0)
    with_own = replace(settings, reward=replace(settings.reward, custom=scorer))
    assert not spec.is_published(with_own)
