"""Distributions over the next token of a real sequence."""

from __future__ import annotations

import csv

import jax
import numpy as np
import pytest

from seqtutor.measures.controls import TemperedModel
from seqtutor.report.style import save_figure
from seqtutor.tasks.folk.next_token import (
    SHOWN,
    NextToken,
    entropy,
    heights,
    next_token,
    next_token_figure,
    write_next_token,
)
from tiny_problems import TOKENS, prior, step_by_step, vocabulary

MODEL = prior(3, scale=2.0)


def test_each_model_is_asked_after_the_tokens_that_are_given():
    models = {"maximum-likelihood": MODEL, "psi": TemperedModel(MODEL, 0.5)}
    found = next_token(models, vocabulary(3), np.asarray(TOKENS[0]), 2)
    assert (found.given, found.real) == (2, int(TOKENS[0, 2]))
    for name, model in models.items():
        expected = jax.nn.softmax(step_by_step(model, TOKENS)[0, 2])
        np.testing.assert_allclose(found.probabilities[name], expected, atol=1e-5)
    ordered = found.probabilities["maximum-likelihood"][found.order]
    assert (np.diff(ordered) <= 0).all()
    with pytest.raises(ValueError, match="has none after 7"):
        next_token(models, vocabulary(3), np.asarray(TOKENS[0]), 7)


def many(size: int) -> NextToken:
    """The real token is the last in the first model's order."""
    chances = np.random.default_rng(0).dirichlet(np.ones(size), 2)
    names = tuple(f"token {index}" for index in range(size))
    by_name = {"maximum-likelihood": chances[0], "merl": chances[1]}
    return NextToken(names, 3, int(chances[0].argmin()), by_name)


@pytest.mark.parametrize("size", [SHOWN - 3, SHOWN, 2 * SHOWN])
def test_figure_and_file_hold_the_whole_vocabulary(size, tmp_path):
    found = many(size)
    figure = next_token_figure(found)
    save_figure(figure, tmp_path / "next.png")
    panels = [axes for axes in figure.axes if axes.get_visible()]
    assert len(panels) == 2
    for axes, chances in zip(panels, found.probabilities.values(), strict=True):
        bars = [bar.get_height() for bar in axes.patches]
        assert len(bars) == min(size, SHOWN + 1)
        assert sum(bars) == pytest.approx(1)
        np.testing.assert_allclose(bars, heights(chances, found))
        assert f"{entropy(chances):.2f} nats" in axes.get_title(loc="left")
    path = write_next_token(found, tmp_path / "next.csv")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["really follows"] for row in rows] == [""] * (size - 1) + ["yes"]
    assert sum(float(row["MERL"]) for row in rows) == pytest.approx(1, abs=1e-4)
    likely = [float(row["Maximum likelihood"]) for row in rows]
    assert likely == sorted(likely, reverse=True)


def test_the_entropy_of_certainty_and_of_none():
    assert entropy(np.array([0.0, 1.0, 0.0])) == 0.0
    assert entropy(np.full(8, 1 / 8)) == pytest.approx(np.log(8))
