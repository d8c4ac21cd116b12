"""The rules one step at a time, and the network that is given their state."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden_melodies import random_melodies

from seqtutor.errors import UserError
from seqtutor.models.consistency import require_consistent
from seqtutor.models.files import SavedModel, load_model, save_model
from seqtutor.models.product import ProductModel
from seqtutor.tasks.melody.autocorrelation_inputs import contour_of
from seqtutor.tasks.melody.encoding import melody_vocabulary
from seqtutor.tasks.melody.network import RuleNetwork
from seqtutor.tasks.melody.rule_settings import IntervalRewards, MelodyRuleSettings
from seqtutor.tasks.melody.rules import rule_rewards
from seqtutor.tasks.melody.rules.stepwise import initial_rule_state, next_rewards, next_rule_state
from seqtutor.tasks.melody.settings import RuleWeights
from seqtutor.tasks.melody.spec import SHIPPED_PRIOR
from seqtutor.tasks.melody.task import melody_task
from seqtutor.training.iteration import collect
from seqtutor.training.settings import TutorSettings
from seqtutor.training.tutor import Tutor
from tiny_problems import identical, unroll

LENGTH = 32
MENDED = MelodyRuleSettings(
    tonic="A",
    mode="minor",
    tonic_bar=16,
    tonic_close_on_tonic=True,
    tonic_in_any_octave=True,
    tonic_opening_reward=1.0,
    repetition_counts_holds=False,
    autocorrelation_lags=(4, 1),
    autocorrelation_penalties=(-2.0, -3.0),
    autocorrelation_negative_factors=(0.5, 2.0),
    autocorrelation_first_step=9,
    motif_window=5,
    repeated_motif_limit=2,
    minimum_steps_before_leap_back=0,
    in_key_third_stays_in_key=True,
    unique_highest_reward=2.0,
    highest_note_ignores_rests=True,
    intervals=IntervalRewards(rest=0.0),
)


def many_melodies():
    """Random ones, ones of few tokens, and ones that go round in circles but for one note."""
    rng = np.random.default_rng(3)
    few = rng.choice([0, 1, 14, 16, 18, 21, 26], (60, LENGTH))
    circles = np.tile(rng.integers(0, 38, (60, 8)), 4)
    circles[:, 13] = 5
    return jnp.asarray(np.concatenate([random_melodies(0, 60, LENGTH), few, circles]), jnp.int32)


@pytest.mark.parametrize("rules", [MelodyRuleSettings(), MENDED], ids=["papers", "mended"])
def test_each_rule_gives_a_next_token_what_it_gives_the_melody(rules):
    """Whatever token comes next: the rewards of whole melodies are those of their own tokens."""
    melodies = many_melodies()

    @jax.jit
    @jax.vmap
    def of_own_tokens(tokens):
        def one(state, token):
            earned = next_rewards(state, rules)
            return next_rule_state(state, token, rules), {n: of[token] for n, of in earned.items()}

        return jax.lax.scan(one, initial_rule_state(rules, LENGTH), tokens)[1]

    expected = jax.jit(partial(rule_rewards, settings=rules))(melodies)
    for name, found in of_own_tokens(melodies).items():
        np.testing.assert_allclose(found, expected[name], atol=1e-4, err_msg=name)


def network(*, learned=False):
    made = RuleNetwork(10.0, LENGTH, MENDED, RuleWeights(key=0.5), hidden_sizes=(8,))
    return jax.tree.map(lambda array: array + 0.1, made) if learned else made


def test_it_says_the_same_token_by_token_and_of_whole_melodies():
    require_consistent(network(learned=True), LENGTH)


def test_a_token_counts_by_what_it_earns():
    """With a gain alone, the logits are what each next token would earn, over c."""
    made = eqx.tree_at(lambda m: m.gain, network(), jnp.ones(38))
    first = unroll(made, many_melodies()[:1])[0, 0]
    earned = jax.jit(lambda: next_rewards(initial_rule_state(MENDED, LENGTH), MENDED))()
    expected = sum((0.5 if name == "key" else 1.0) * each for name, each in earned.items())
    np.testing.assert_allclose(first, np.asarray(expected) / 10.0, atol=1e-5)
    assert np.ptp(first) > 0


def test_it_comes_back_from_a_folder(tmp_path):
    saved = SavedModel(network(learned=True), melody_vocabulary())
    save_model(saved, tmp_path / "model")
    read = load_model(tmp_path / "model").model
    assert identical(read, saved.model)
    assert (read.rules, read.rule_weights, read.unit) == (MENDED, RuleWeights(key=0.5), 10.0)
    assert read.sees_margins


def test_a_folder_of_an_older_version_is_read(tmp_path):
    of_old = {"sees_margins": False, "activation": "relu"}
    made = RuleNetwork(10.0, LENGTH, MENDED, RuleWeights(), (8,), **of_old)
    made = jax.tree.map(lambda array: array + 0.1, made)
    assert len(made.weights[0]) < len(network().weights[0])
    save_model(SavedModel(made, melody_vocabulary()), tmp_path / "model")
    path = tmp_path / "model" / "config.json"
    content = json.loads(path.read_text())
    for name in of_old:
        del content["model"][name]
    path.write_text(json.dumps(content))
    read = load_model(tmp_path / "model").model
    assert identical(read, made)
    assert (read.sees_margins, read.activation) == (False, "relu")


def test_the_contour_is_what_it_says_of_each_beginning_of_a_melody():
    """Coefficients by their definition, and the last tokens in standard deviations."""
    melodies = many_melodies()[60:120]

    @jax.jit
    @jax.vmap
    def contours(tokens):
        def one(state, token):
            state = next_rule_state(state, token, MENDED)
            return state, contour_of(state, MENDED)

        return jax.lax.scan(one, initial_rule_state(MENDED, LENGTH), tokens)[1]

    found = contours(melodies)
    for length in (6, 17, LENGTH):
        beginning = np.asarray(melodies)[:, :length].astype(float)
        centred = beginning - beginning.mean(axis=1, keepdims=True)
        squares = (centred**2).sum(axis=1)
        has_variance = squares > 0.25 * length
        for number, lag in enumerate(MENDED.autocorrelation_lags):
            expected = (centred[:, lag:] * centred[:, :-lag]).sum(axis=1) / squares
            of_lag = found.coefficients[:, length - 1, number]
            np.testing.assert_allclose(of_lag[has_variance], expected[has_variance], atol=1e-5)
        last = centred[:, ::-1][:, :4] / np.sqrt(squares / length)[:, None]
        of_last = found.last[:, length - 1]
        np.testing.assert_allclose(of_last[has_variance], last[has_variance], atol=1e-4)


@pytest.mark.parametrize("method", ["g", "psi", "q", "path", "rloo", "ppo", "grpo", "rl-only"])
def test_tuning_begins_with_the_prior(method):
    prior = load_model(SHIPPED_PRIOR).model
    settings = TutorSettings.of(method, c=7.0, discount=1.0, network="task")
    tutor = Tutor(melody_task(), prior, settings)
    network = tutor.initial_state().network
    assert isinstance(network.model, RuleNetwork)
    assert network.model.unit == 7.0
    policy = tutor.policy(network)
    assert isinstance(policy, ProductModel)
    tokens = many_melodies()[:4]
    expected = jax.nn.log_softmax(unroll(prior, tokens))
    np.testing.assert_allclose(unroll(policy, tokens), expected, atol=1e-5)
    output = jax.jit(lambda whole: network.unroll(tokens, whole))(expected)
    logits = jax.nn.log_softmax(tutor.method.policy_logits(output, expected))
    np.testing.assert_allclose(logits, expected, atol=1e-5)


@pytest.mark.parametrize("method", ["psi", "rloo"])
def test_the_network_learns_beside_a_prior_that_stays(method):
    """The policy that is saved is the one that collects, and its prior is the one it began with."""
    prior = load_model(SHIPPED_PRIOR).model
    sizes = {"environments": 16, "steps": 16 * LENGTH * 3}
    if method == "psi":
        sizes |= {"replay_capacity": 32, "updates": 2, "batch": 16}
    settings = TutorSettings.of(method, c=7.0, discount=1.0, network="task", **sizes)
    tutor = Tutor(melody_task(), prior, settings)
    state, _ = tutor.advance(tutor.initial_state(), 3)
    policy = tutor.policy(state.network)
    assert identical(policy.prior, load_model(SHIPPED_PRIOR).model)
    trajectories = jax.jit(lambda net: collect(tutor, prior, net, jax.random.key(5), jnp.ones(())))(
        state.network
    )
    of_policy = jax.nn.log_softmax(unroll(policy, trajectories.tokens))
    np.testing.assert_allclose(of_policy, trajectories.log_policy, atol=1e-4)
    assert np.abs(of_policy - trajectories.log_prior).max() > 0.01


def test_a_task_without_a_network_is_told_so():
    plain = replace(melody_task(), network=None)
    with pytest.raises(UserError, match="has no network of its own"):
        Tutor(plain, load_model(SHIPPED_PRIOR).model, TutorSettings.of("g", network="task"))
