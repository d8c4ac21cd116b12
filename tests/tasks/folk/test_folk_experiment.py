"""The generators of the experiment, and what is measured of them."""

from __future__ import annotations

import math
from dataclasses import replace

import jax
import numpy as np
import pytest
from test_folk_dataset import build

from seqtutor.adversarial.evaluation import (
    MEASURES,
    RealSequences,
    measure_generator,
    measure_real,
)
from seqtutor.adversarial.settings import JudgeSettings
from seqtutor.errors import UserError
from seqtutor.models.lstm import LSTM
from seqtutor.runs.games import GameConfig
from seqtutor.runs.run_folder import RunFolder, read_config
from seqtutor.tasks.folk.table_1 import PAPER_TABLE_1
from seqtutor.tasks.folk.variants import (
    ANCHORED,
    PUBLISHED,
    REAL,
    VARIANTS,
    GameSizes,
    require_variants,
    title_of,
    variant_named,
)


def dataset(**settings):
    return build(**settings).as_dataset("here")


def test_published_generators_earn_d_at_the_end_and_know_no_prior():
    for name in PUBLISHED:
        variant = variant_named(name, GameSizes(), 0.25)
        assert variant.tutoring.method == name.replace("merl-baseline", "merl")
        assert variant.tutoring.c == 1.0
        assert (variant.adversary.term, variant.adversary.shape) == ("probability", "end")
        assert not variant.adversary.discrimination.prefixes


def test_anchored_generators_and_controls_play_one_game_but_for_what_pays_them():
    games = {
        name: variant_named(name, GameSizes(), 0.25)
        for name in VARIANTS
        if name not in (*PUBLISHED, "untrained")
    }
    assert set(games) == {*ANCHORED, "constant", "random", "frozen"}
    assert {variant.tutoring.c for variant in games.values()} == {0.25}
    assert games["rloo"].adversary == games["psi"].adversary
    for name in ("constant", "random", "frozen"):
        assert games[name].tutoring == games["rloo"].tutoring
        own, rloo = vars(games[name].adversary), vars(games["rloo"].adversary)
        assert {key for key in own if own[key] != rloo[key]} == {"source"}
        assert own["source"] == name


def test_the_untrained_control_plays_reinforces_game_from_another_start():
    reinforce, control = (
        variant_named(name, GameSizes(rollouts=3), 0.25) for name in ("reinforce", "untrained")
    )
    assert (reinforce.start, control.start) == ("prior", "untrained")
    assert replace(control, name="reinforce", start="prior") == reinforce
    assert title_of(control.name) != title_of(reinforce.name)


@pytest.mark.parametrize("name", VARIANTS)
def test_rollouts_are_for_those_that_learn_from_fresh_sequences(name):
    sizes = GameSizes(rollouts=3)
    with pytest.raises(UserError, match="rollouts must be at least 1"):
        require_variants([name], GameSizes(rollouts=0))
    if name in ("psi", "g", "path"):
        with pytest.raises(UserError, match=f"generator {name} .*whole replay.*--generators"):
            require_variants([name], sizes)
        return
    adversary = variant_named(name, sizes, 0.25).adversary
    assert (adversary.shape, adversary.rollouts) == ("rollouts", 3)
    assert adversary.term == variant_named(name, GameSizes(), 0.25).adversary.term


def test_names_are_checked():
    with pytest.raises(UserError, match="there is no generator 'none'"):
        require_variants(["psi", "none"], GameSizes())
    with pytest.raises(UserError, match="psi is named twice"):
        require_variants(["psi", "rloo", "psi"], GameSizes())
    titles = [title_of(name) for name in (*VARIANTS, "maximum-likelihood", REAL)]
    assert len(set(titles)) == len(titles)


def test_the_papers_figures_are_of_measures_that_there_are():
    assert all(set(row) <= {measure.name for measure in MEASURES} for row in PAPER_TABLE_1.values())
    assert set(PAPER_TABLE_1) <= {"maximum-likelihood", *VARIANTS}


def test_a_game_comes_back_from_its_folder(tmp_path):
    for name in VARIANTS:
        variant = variant_named(name, GameSizes(discriminator="lee"), 0.5).in_a_game(3, 20)
        game = GameConfig(
            name, "data", "prior", 7, variant.tutoring, variant.adversary, variant.start
        )
        folder = RunFolder.start(tmp_path / name, game, {})
        assert read_config(GameConfig, folder.path / "config.yaml") == game


def test_tunes_are_measured_on_the_test_part_alone():
    data = build(tokenisation="joint")
    real = RealSequences.of(data.as_dataset("here"), at_most=5)
    assert len(real.training) == len(real.judging.training) == 5
    known = {row.tobytes() for row in data.train}
    assert all(row.tobytes() in known for row in np.asarray(real.training.tokens))
    np.testing.assert_array_equal(real.held_out.tokens, data.test)
    np.testing.assert_array_equal(real.validation.tokens, data.validation)


def test_of_many_tunes_some_are_measured_on_always_the_same():
    data = build(tokenisation="joint")
    first, again = (RealSequences.of(data.as_dataset("here"), held_out_at_most=3) for _ in range(2))
    assert first.counts == {"played": len(data.train), "held_out": 3}
    np.testing.assert_array_equal(first.held_out.tokens, again.held_out.tokens)
    for part, own in ((first.held_out, data.test), (first.validation, data.validation)):
        rows = [np.flatnonzero((own == row).all(axis=1))[0] for row in np.asarray(part.tokens)]
        assert len(rows) == 3
        assert rows == sorted(set(rows))
    most = len(data.test) + len(data.validation)
    all_of_them = RealSequences.of(data.as_dataset("here"), held_out_at_most=most)
    np.testing.assert_array_equal(all_of_them.held_out.tokens, data.test)


def test_without_a_test_part_the_judge_has_halves_of_the_validation_part():
    data = build(tokenisation="joint", fractions=(0.7, 0.3, 0.0))
    real = RealSequences.of(data.as_dataset("here"))
    assert len(real.training) == len(data.train)
    np.testing.assert_array_equal(real.held_out.tokens, data.validation)
    halves = [np.asarray(part.tokens) for part in (real.judging.validation, real.judging.test)]
    assert sum(map(len, halves)) == len(data.validation)
    np.testing.assert_array_equal(halves[0], data.validation[::2])
    np.testing.assert_array_equal(halves[1], data.validation[1::2])


def test_real_tunes_stand_where_samples_would():
    """Nothing is known of their likelihood, since nobody generated them."""
    real = RealSequences.of(dataset(tokenisation="joint"))
    own = measure_real(replace(real, training=real.held_out))
    other = measure_real(real)
    assert own["bleu"].value == own["corpus_bleu"].value == pytest.approx(1)
    assert other["bleu"].value < 1
    assert all(
        math.isnan(value) for value in (other["cross_entropy"].value, other["judge_mean"].value)
    )


def test_the_judges_of_a_generator_are_several_and_their_mean_counts():
    real = RealSequences.of(dataset(tokenisation="joint"))
    model = LSTM(len(build(tokenisation="joint").tokens), (8,), key=jax.random.key(0))
    batch = replace(JudgeSettings().discrimination, batch=4)
    settings = JudgeSettings(epochs=2, patience=1, discrimination=batch)
    kept = []
    one, two = (
        measure_generator(model, real, settings, judges=number, seed=5, on_judge=kept.append)
        for number in (1, 2)
    )
    assert len(kept) == 2, "the first judge of each"
    assert (one["bleu"].value, one["self_bleu"].value) == (
        two["bleu"].value,
        two["self_bleu"].value,
    )
    first = one["judge_mean"].value
    second = 2 * two["judge_mean"].value - first
    assert 0 < second < 1
    assert abs(second - first) > 1e-6, "the second judge is another one"
    assert 0 < two["judge_real"].value < 1
    # Of two values the standard error of the mean is half of their difference.
    assert two["judge_mean"].standard_error == pytest.approx(
        abs(second - one["judge_mean"].value) / 2
    )
    assert math.isnan(one["judge_mean"].standard_error)


def test_too_few_tunes_to_hold_any_out_are_told_with_their_number():
    data = build(tokenisation="joint")
    with pytest.raises(
        UserError, match="validation part has 1 sequences of 16 tokens; a game needs at least 2"
    ):
        RealSequences.of(replace(data, validation=data.validation[:1]).as_dataset("here"))
