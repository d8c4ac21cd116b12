from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden_melodies import (
    GOLDEN,
    GOLDEN_TOKENS,
    golden,
    golden_rule,
    melodies,
    random_melodies,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_rules import PLAIN_RULES, plain_rule

from seqtutor.errors import UserError
from seqtutor.rewards import Reward
from seqtutor.tasks.melody.rule_settings import (
    MODES,
    RULE_NAMES,
    IntervalRewards,
    MelodyRuleSettings,
    parse_pitch_class,
)
from seqtutor.tasks.melody.rules import RULES, MelodyReward, rule_rewards
from seqtutor.tasks.melody.rules.autocorrelation import LONGEST_EXACT_IN_INT32
from seqtutor.tasks.melody.rules.intervals import IntervalClass, intervals
from seqtutor.tasks.melody.rules.leaps import track_leaps
from seqtutor.tasks.melody.scoring import score, score_melodies

DEFAULTS = MelodyRuleSettings()
CORRECTED = MelodyRuleSettings(
    tonic="Bb",
    mode="minor",
    tonic_bar=16,
    tonic_close_on_tonic=True,
    tonic_in_any_octave=True,
    repetition_counts_holds=False,
    motif_window=16,
    autocorrelation_threshold=0.2,
    autocorrelation_lags=(2, 5),
    autocorrelation_penalties=(-3.0, -7.0),
    autocorrelation_negative_factors=(1.0, 2.5),
    autocorrelation_first_step=9,
    minimum_steps_before_leap_back=0,
    highest_note_ignores_rests=True,
    in_key_third_stays_in_key=True,
    intervals=IntervalRewards(octave=0.06, rest=0.01),
)
PREFIX = MelodyRuleSettings(melody_length=24, motif_window=5, in_key_third_stays_in_key=True)
compiled_rules = partial(jax.jit, static_argnums=1)(rule_rewards)


def score_one(tokens: list[int], rules: MelodyRuleSettings = DEFAULTS) -> dict[str, np.ndarray]:
    return score_melodies([tokens], rules)[0].rules


def plain_scores(tokens: list[int], rules: MelodyRuleSettings) -> dict[str, list[float]]:
    return {name: plain_rule(name, tokens, rules) for name in RULE_NAMES}


def assert_equal_rules(ours: dict[str, np.ndarray], expected: dict, atol: float) -> None:
    for name in RULE_NAMES:
        np.testing.assert_allclose(ours[name], expected[name], rtol=0, atol=atol, err_msg=name)


# The reference's values


def borderline_lags() -> np.ndarray:
    """How many lags at each step of the golden melodies lie on the threshold itself."""
    count = np.zeros(GOLDEN_TOKENS.shape, int)
    for row, melody in enumerate(GOLDEN):
        for step, _, _ in melody["autocorr_borderline"]:
            count[row, step] += 1
    return count


@pytest.mark.parametrize("name", RULE_NAMES)
def test_golden_rules(name: str) -> None:
    difference = score(GOLDEN_TOKENS).rules[name] - golden_rule(name)
    assert_zero_but_for_borderline(difference, allowed=name == "penalize_autocorrelation")


def test_golden_totals() -> None:
    difference = score(GOLDEN_TOKENS).total - golden("total")
    assert_zero_but_for_borderline(difference, allowed=True)


def assert_zero_but_for_borderline(difference: np.ndarray, *, allowed: bool) -> None:
    """At a coefficient of exactly 0.15 the reference's rounding decides on 3 · 0.15 or nothing."""
    borderline = borderline_lags()
    if allowed:
        lags = np.round(np.abs(difference[borderline > 0]) / 0.45)
        assert (lags <= borderline[borderline > 0]).all()
        np.testing.assert_allclose(np.abs(difference[borderline > 0]), 0.45 * lags, atol=1e-6)
        difference = np.where(borderline > 0, 0.0, difference)
    np.testing.assert_allclose(difference, 0, atol=1e-6)


def test_golden_values_in_training_precision() -> None:
    rewards = compiled_rules(jnp.asarray(GOLDEN_TOKENS), DEFAULTS)
    assert all(reward.dtype == jnp.float32 for reward in rewards.values())
    assert_equal_rules(rewards, score(GOLDEN_TOKENS).rules, atol=1e-5)


def test_golden_intervals() -> None:
    code_of_reference = {
        -1.0: IntervalClass.REST,
        -1.5: IntervalClass.HOLD,
        -2.0: IntervalClass.REST_AFTER_TONIC_OR_FIFTH,
        -2.5: IntervalClass.HOLD_AFTER_TONIC_OR_FIFTH,
        -3.0: IntervalClass.IN_KEY_THIRD,
        -5.0: IntervalClass.IN_KEY_FIFTH,
    }
    expected = golden("interval")
    for code, ours in code_of_reference.items():
        expected[expected == code] = ours
    np.testing.assert_array_equal(intervals(jnp.asarray(GOLDEN_TOKENS), DEFAULTS), expected)


def test_golden_leap_states() -> None:
    track = track_leaps(jnp.asarray(GOLDEN_TOKENS), DEFAULTS)
    expected = np.array(
        [
            [
                [direction * (origin or 0), since]
                for direction, origin, since in melody["leap_state"]
            ]
            for melody in GOLDEN
        ]
    )
    np.testing.assert_array_equal(track.pending, expected[:, :, 0])
    np.testing.assert_array_equal(track.steps_since, expected[:, :, 1])


# Against the plain formulation, at other lengths and settings


@settings(max_examples=40, deadline=None)
@given(tokens=melodies(1, 128))
def test_rules_agree_with_plain_formulation(tokens: list[int]) -> None:
    assert_equal_rules(score_one(tokens), plain_scores(tokens, DEFAULTS), atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(tokens=melodies(33, 64))
def test_corrected_rules_agree_with_plain_formulation(tokens: list[int]) -> None:
    ours, expected = score_one(tokens, CORRECTED), plain_scores(tokens, CORRECTED)
    assert_equal_rules(ours, expected, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(tokens=melodies(1, 32))
def test_rules_of_a_set_length_agree_with_plain_formulation(tokens: list[int]) -> None:
    assert_equal_rules(score_one(tokens, PREFIX), plain_scores(tokens, PREFIX), atol=1e-9)


@pytest.mark.parametrize("length", [1, 3, 33])
def test_array_of_any_length_agrees_with_plain_formulation(length: int) -> None:
    tokens = random_melodies(seed=length, count=20, length=length)
    rules = score(tokens).rules
    for row, melody in enumerate(tokens.tolist()):
        own = {name: rules[name][row] for name in RULE_NAMES}
        assert_equal_rules(own, plain_scores(melody, DEFAULTS), atol=1e-9)


def test_exact_threshold_in_32_bits_up_to_the_stated_length() -> None:
    # Extreme tokens make the largest products; a coefficient of exactly 3/20 is not above it.
    length = LONGEST_EXACT_IN_INT32
    rng = np.random.default_rng(0)
    tokens = np.stack(
        [rng.choice([0, 37], length), np.arange(length) % 2 * 37, (np.arange(length) > 90) * 37]
    )
    ours = jax.jit(partial(RULES["penalize_autocorrelation"], settings=DEFAULTS))(tokens)
    for row, melody in enumerate(tokens.tolist()):
        expected = plain_rule("penalize_autocorrelation", melody, DEFAULTS)
        np.testing.assert_allclose(ours[row], expected, atol=1e-5)


def test_coefficient_on_the_threshold_is_not_penalised() -> None:
    melody = next(melody for melody in GOLDEN if melody["autocorr_borderline"])
    [[step, lag, coefficient]] = melody["autocorr_borderline"]
    assert abs(coefficient) == pytest.approx(0.15)
    tokens = jnp.asarray([melody["tokens"]])
    at, just_below = (
        RULES["penalize_autocorrelation"](
            tokens,
            MelodyRuleSettings(
                autocorrelation_threshold=t,
                autocorrelation_lags=(lag,),
                autocorrelation_penalties=(-3.0,),
                autocorrelation_negative_factors=(1.0,),
            ),
        )[0, step]
        for t in (0.15, 0.1499)
    )
    assert at == 0
    assert just_below == pytest.approx(-0.45)


def test_autocorrelation_of_long_melodies_in_double_precision() -> None:
    tokens = random_melodies(seed=5, count=1, length=260)
    ours = score(tokens).rules["penalize_autocorrelation"][0]
    expected = plain_rule("penalize_autocorrelation", tokens[0].tolist(), DEFAULTS)
    np.testing.assert_allclose(ours, expected, atol=1e-9)


# Properties


@settings(max_examples=60, deadline=None)
@given(tokens=melodies(32, 32), other=melodies(32, 32), step=st.integers(0, 31))
def test_rules_are_causal(tokens: list[int], other: list[int], step: int) -> None:
    changed = tokens[: step + 1] + other[step + 1 :]
    rewards = compiled_rules(jnp.asarray([tokens, changed]), DEFAULTS)
    for name in RULE_NAMES:
        original, after_change = rewards[name][:, : step + 1]
        np.testing.assert_array_equal(original, after_change, err_msg=name)


def transposed(tokens: np.ndarray, semitones: int) -> np.ndarray:
    return np.where(tokens >= 2, tokens + semitones, tokens)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), octaves=st.integers(1, 2))
def test_transposing_by_octaves_changes_only_tonic_and_autocorrelation(
    seed: int, octaves: int
) -> None:
    tokens = random_melodies(seed, count=8, length=32, highest=13)
    low = compiled_rules(jnp.asarray(tokens), DEFAULTS)
    high = compiled_rules(jnp.asarray(transposed(tokens, 12 * octaves)), DEFAULTS)
    for name in set(RULE_NAMES) - {"tonic", "penalize_autocorrelation"}:
        np.testing.assert_array_equal(low[name], high[name], err_msg=name)


@pytest.mark.parametrize("mode", MODES)
def test_rules_of_the_key_in_every_mode(mode: str) -> None:
    tokens = random_melodies(seed=3, count=20, length=16, highest=37)
    rules = MelodyRuleSettings(tonic="D", mode=mode)
    for row in tokens.tolist():
        for name in ("key", "tonic", "preferred_intervals"):
            ours = RULES[name](jnp.asarray([row]), rules)[0]
            np.testing.assert_allclose(ours, plain_rule(name, row, rules), atol=1e-5, err_msg=name)


@pytest.mark.parametrize("mode", ["major", "minor"])
def test_rules_of_the_key_move_with_the_key(mode: str) -> None:
    tokens = random_melodies(seed=1, count=200, length=32, highest=26)
    tokens[::4, [0, 28]] = 14
    for name in ("key", "tonic", "preferred_intervals"):
        in_c = RULES[name](jnp.asarray(tokens), MelodyRuleSettings(mode=mode))
        assert (in_c != 0).any()
        for tonic in range(1, 12):
            moved = jnp.asarray(transposed(tokens, tonic))
            in_key = RULES[name](moved, MelodyRuleSettings(tonic=tonic, mode=mode))
            np.testing.assert_array_equal(in_c, in_key, err_msg=f"{name}, tonic {tonic}")


def test_transposition_by_semitones_leaves_rules_without_key_unchanged() -> None:
    tokens = random_melodies(seed=2, count=50, length=32, highest=26)
    only_notes = np.where(tokens < 2, 7, tokens)
    without_key = set(RULE_NAMES) - {"key", "tonic", "preferred_intervals"}
    original, moved = score(tokens), score(transposed(tokens, 11))
    for name in without_key - {"penalize_autocorrelation"}:
        np.testing.assert_array_equal(original.rules[name], moved.rules[name], err_msg=name)
    # Rests and holds are numbers in the autocorrelation, so that only pure notes are invariant.
    original, moved = score(only_notes), score(transposed(only_notes, 11))
    for name in without_key:
        np.testing.assert_allclose(original.rules[name], moved.rules[name], atol=1e-12)


# The settings that correct the reference


def test_highest_note_may_ignore_rests() -> None:
    holds_and_one_rest = [[1, *[0] * 31]]
    corrected = MelodyRuleSettings(highest_note_ignores_rests=True)
    assert score(np.array(holds_and_one_rest)).rules["high_low_unique"][0, -1] == 3
    assert score(np.array(holds_and_one_rest), corrected).rules["high_low_unique"][0, -1] == 0


def test_in_key_third_may_have_to_stay_in_key() -> None:
    e, g_sharp, c = 18, 22, 14
    corrected = MelodyRuleSettings(in_key_third_stays_in_key=True)
    assert score_one([e, g_sharp])["preferred_intervals"][1] == pytest.approx(0.75)
    assert score_one([e, g_sharp], corrected)["preferred_intervals"][1] == pytest.approx(0.45)
    assert score_one([e, c], corrected)["preferred_intervals"][1] == pytest.approx(0.75)


def test_the_close_may_have_to_be_on_the_tonic() -> None:
    """E held to the end in D minor earns 9 as published."""
    d, e, a = 16, 18, 23
    published = MelodyRuleSettings(tonic="D", mode="minor")
    corrected = MelodyRuleSettings(tonic="D", mode="minor", tonic_close_on_tonic=True)

    def earned(close: list[int], rules: MelodyRuleSettings) -> list[float]:
        return score_one([a] * 28 + close, rules)["tonic"][-4:].tolist()

    assert earned([e, 1, 1, 1], published) == [0, 3, 3, 3]
    assert earned([e, 1, 1, 1], corrected) == [0, 0, 0, 0]
    assert earned([d, 1, 1, 0], published) == earned([d, 1, 1, 0], corrected) == [3, 3, 3, 3]
    assert earned([d, 1, a, 1], corrected) == [3, 3, 0, 0]
    assert earned([e, d, 1, 1], published) == [0, 0, 3, 3]
    assert earned([e, d, 1, 1], corrected) == [0, 3, 3, 3], "a tonic that comes later counts too"
    held = [a] * 24 + [d, 1, 1, 1, 1, 1, 1, 1]
    assert score_one(held, published)["tonic"].sum() == 9
    assert score_one(held, corrected)["tonic"].sum() == 12


def test_the_tonic_may_lie_in_any_octave() -> None:
    low, middle, high = 2, 14, 26
    anywhere = MelodyRuleSettings(tonic_in_any_octave=True)
    for pitch in (low, middle, high):
        melody = [pitch, *[16] * 27, pitch, 1, 1, 1]
        assert score_one(melody, anywhere)["tonic"].sum() == 15
        assert score_one(melody)["tonic"].sum() == (15 if pitch == middle else 9)
    assert not score_one([16, 0, *[1] * 26, 16, 16, 16, 16], anywhere)["tonic"].any()


def test_a_long_note_may_be_no_repetition() -> None:
    half_note, six_notes = [14, *[1] * 7, 16], [14] * 6
    corrected = MelodyRuleSettings(repetition_counts_holds=False)
    assert score_one(half_note)["penalize_repeating"].sum() == -200
    assert score_one(half_note, corrected)["penalize_repeating"].sum() == 0
    assert score_one(six_notes, corrected)["penalize_repeating"].sum() == -100


def test_immediate_leap_back_may_be_rewarded() -> None:
    up_and_back = [14, 23, 15]
    corrected = MelodyRuleSettings(minimum_steps_before_leap_back=0)
    assert score_one(up_and_back)["leap_up_back"].tolist() == [0, 0, 0]
    assert score_one(up_and_back, corrected)["leap_up_back"].tolist() == [0, 0, 5]


# The reward and the scores


def test_reward_has_every_rule_and_is_zero_past_the_end() -> None:
    tokens = jnp.asarray(GOLDEN_TOKENS)
    mask = jnp.arange(32) < 1 + jnp.arange(200)[:, None] % 32
    terms = jax.jit(MelodyReward())(tokens, mask)
    rewards = compiled_rules(tokens, DEFAULTS)
    assert set(terms) == set(RULE_NAMES) == set(PLAIN_RULES)
    assert tuple(RULES) == RULE_NAMES
    for name in RULE_NAMES:
        np.testing.assert_array_equal(terms[name], np.where(mask, rewards[name], 0))


def test_reward_fits_the_protocol_inside_a_compiled_program() -> None:
    reward = Reward(MelodyReward(), weights={"motif": 2.0, "key": 0.0})
    tokens = jnp.asarray(GOLDEN_TOKENS)
    earned = jax.jit(reward)(tokens, jnp.ones(tokens.shape, bool))
    expected = score(GOLDEN_TOKENS, weights={"motif": 2.0, "key": 0.0})
    np.testing.assert_allclose(earned.total, expected.total, atol=1e-4)
    assert not earned.terms["key"].any()


def test_total_is_the_sum_of_weighted_rules_in_order() -> None:
    weights = {name: 0.1 + index for index, name in enumerate(RULE_NAMES)}
    weighted, plain = score(GOLDEN_TOKENS, weights=weights), score(GOLDEN_TOKENS)
    total = np.zeros(GOLDEN_TOKENS.shape)
    for name in RULE_NAMES:
        np.testing.assert_array_equal(weighted.rules[name], weights[name] * plain.rules[name])
        total = total + weighted.rules[name]
    np.testing.assert_array_equal(weighted.total, total)


def test_melodies_of_mixed_lengths_score_as_each_alone() -> None:
    mixed = [GOLDEN_TOKENS[i, : 1 + i % 32].tolist() for i in range(40)] + [[14] * 70]
    together = score_melodies(mixed)
    for melody, scores in zip(mixed, together, strict=True):
        assert len(scores.total) == len(melody)
        assert_equal_rules(scores.rules, score_one(melody), atol=1e-12)


def test_scoring_is_double_and_leaves_jax_in_single_precision() -> None:
    assert score(GOLDEN_TOKENS[:1]).total.dtype == np.float64
    assert jnp.zeros(1).dtype == jnp.float32


@pytest.mark.parametrize(
    ("melody", "message"),
    [([3, 38], "token 38 at step 2"), ([-1], "token -1"), ([], "empty"), ([1.5], "whole numbers")],
)
def test_bad_tokens_are_the_users_error(melody: list[int], message: str) -> None:
    with pytest.raises(UserError, match=message):
        score_melodies([[14], melody])


def test_unknown_weight_is_the_users_error() -> None:
    with pytest.raises(UserError, match="no rule 'kye'"):
        score(GOLDEN_TOKENS, weights={"kye": 1.0})


@pytest.mark.parametrize(
    "wrong",
    [
        {"tonic": "H"},
        {"tonic": 12},
        {"mode": "locrian"},
        {"melody_length": 0},
        {"motif_window": 0},
        {"autocorrelation_lags": (1, 1)},
        {"autocorrelation_lags": (1, 2)},
        {"autocorrelation_first_step": 0},
        {"autocorrelation_threshold": 0.12345},
        {"autocorrelation_threshold": 1.5},
    ],
)
def test_settings_out_of_range_are_the_users_error(wrong: dict) -> None:
    with pytest.raises(UserError):
        MelodyRuleSettings(**wrong)


def test_tonics_by_name_and_number() -> None:
    names = {"C": 0, "c#": 1, "Db": 1, "F#": 6, "Bb": 10, "Cb": 11, "B#": 0, "7": 7}
    assert {name: parse_pitch_class(name) for name in names} == names


@given(melodies(40), st.integers(1, 6))
@settings(deadline=None, max_examples=30)
def test_a_limit_keeps_the_first_repetitions_and_no_more(melody: list[int], limit: int) -> None:
    """On a melody that goes round in circles after a free beginning."""
    circling = [*melody[:8], *[14, 1, 16, 17, 21, 1, 19, 16] * 4]
    free = score_one(circling)["repeated_motif"]
    limited = score_one(circling, MelodyRuleSettings(repeated_motif_limit=limit))["repeated_motif"]
    earning = np.flatnonzero(free)
    assert len(earning) > 6
    np.testing.assert_array_equal(limited[earning[:limit]], free[earning[:limit]])
    assert np.count_nonzero(limited) == limit
