"""What is drawn is what was measured."""

import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from seqtutor.errors import UserError
from seqtutor.measures.intervals import mean_interval
from seqtutor.report.plots import (
    Quantity,
    seed_band,
    short_count,
    token_probabilities,
    training_curves,
)
from seqtutor.report.style import method_style, save_figure
from seqtutor.tasks.melody.encoding import melody_vocabulary

METHODS = ("q", "psi", "g", "rl-only", "prior")
QUANTITIES = [
    Quantity("log_p", "mean log p(a|s) (nats)", "Prior", (-3.64, "uniform")),
    Quantity("reward", "mean reward", "Reward"),
]


def histories():
    generator = np.random.default_rng(3)
    step = np.arange(0, 5000, 500)
    return {
        method: [
            {"step": step, "log_p": generator.normal(size=10), "reward": generator.normal(size=10)}
            for _ in range(3)
        ]
        for method in ("q", "psi", "mine")
    }


def test_lines_are_the_means_and_bands_the_ranges():
    data = histories()
    figure = training_curves(data, QUANTITIES)
    assert len(figure.axes) == 2
    for panel, quantity in zip(figure.axes, QUANTITIES, strict=True):
        assert panel.get_ylabel() == quantity.label
        assert panel.get_title(loc="left") == quantity.title
        assert panel.get_xlabel() == "environment steps"
        for line, band, (method, seeds) in zip(
            panel.lines, panel.collections, data.items(), strict=False
        ):
            values = np.stack([seed[quantity.name] for seed in seeds])
            np.testing.assert_allclose(line.get_ydata(), values.mean(axis=0))
            np.testing.assert_array_equal(line.get_xdata(), seeds[0]["step"])
            assert line.get_label() == method_style(method).label
            drawn = band.get_paths()[0].vertices[:, 1]
            assert (drawn.min(), drawn.max()) == pytest.approx((values.min(), values.max()))
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["Q", "Ψ", "mine"]


def test_band_of_seeds_with_different_steps_is_at_the_shared_ones():
    seeds = [
        {"step": [0, 10, 20, 30], "x": [1.0, 2.0, 3.0, 4.0]},
        {"step": [0, 20, 30, 40], "x": [5.0, 7.0, 8.0, 9.0]},
    ]
    band = seed_band(seeds, "x")
    np.testing.assert_array_equal(band.step, [0, 20, 30])
    np.testing.assert_array_equal(band.mean, [3.0, 5.0, 6.0])
    np.testing.assert_array_equal(band.low, [1.0, 3.0, 4.0])
    interval = seed_band(seeds, "x", "interval")
    _, half_width = mean_interval([[1.0, 3.0, 4.0], [5.0, 7.0, 8.0]])
    np.testing.assert_allclose(interval.high - interval.mean, half_width)
    with pytest.raises(ValueError, match="share no step"):
        seed_band([{"step": [1], "x": [1.0]}, {"step": [2], "x": [1.0]}], "x")


def test_one_seed_has_a_band_without_width():
    for kind in ("range", "interval"):
        band = seed_band([{"step": [0, 1], "x": [2.0, 3.0]}], "x", kind)
        np.testing.assert_array_equal(band.low, band.high)


def test_the_priors_own_likelihood_is_a_dashed_line_in_its_panel_alone():
    seeds = [{"step": [0, 1], "log_prior": [-3.0, -1.8], "reward": [0.0, 1.0]}]
    likelihood = Quantity("log_prior", "nats", "Likelihood", (-1.5, "the prior's own"))
    panels = training_curves({"psi": seeds}, (likelihood, Quantity("reward", "reward"))).axes
    (dashed,) = (line for line in panels[0].lines if set(line.get_ydata()) == {-1.5})
    assert dashed.get_linestyle() == "--"
    assert [text.get_text() for text in panels[0].texts] == ["the prior's own"]
    low, high = panels[0].get_ylim()
    assert low < -3.0 < -1.5 < high
    assert len(panels[1].lines) == 1
    assert not panels[1].texts


def probabilities(time=32):
    generator = np.random.default_rng(5)
    table = generator.dirichlet(np.ones(38), size=time)
    return table, generator.integers(0, 38, size=time)


def test_heat_map_shows_the_probabilities_and_the_sampled_tokens():
    names = melody_vocabulary().tokens
    tables, tokens = {}, {}
    for method in ("psi", "g"):
        tables[method], tokens[method] = probabilities()
    figure = token_probabilities(
        tables, tokens, names, shown_names=["off", "hold", "C4"], step_label="sixteenth", group=16
    )
    for panel, method, title in zip(figure.axes[:2], ("psi", "g"), ("Ψ", "G"), strict=True):
        np.testing.assert_array_equal(panel.images[0].get_array(), tables[method].T)
        marks = next(c for c in panel.collections if c.get_label() == "sampled")
        np.testing.assert_array_equal(marks.get_offsets()[:, 1], tokens[method])
        assert panel.get_title(loc="left") == title
        assert [text.get_text() for text in panel.get_yticklabels()] == ["off", "hold", "C4"]
        assert list(panel.get_yticks()) == [0, 1, 14]
    assert figure.axes[1].get_xlabel() == "sixteenth"
    assert figure.axes[2].get_ylabel() == "probability"
    with pytest.raises(ValueError, match="shape"):
        token_probabilities(tables, {m: t[:-1] for m, t in tokens.items()}, names)


def test_labels_of_the_token_axis_do_not_overlap():
    table, tokens = probabilities()
    figure = token_probabilities({"g": table}, {"g": tokens}, melody_vocabulary().tokens)
    assert_no_overlap(figure, figure.axes[0].get_yticklabels())
    assert_no_overlap(figure, figure.axes[0].get_xticklabels())


def assert_no_overlap(figure, texts):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    boxes = [text.get_window_extent(canvas.get_renderer()) for text in texts if text.get_text()]
    assert len(boxes) > 1
    for index, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[index + 1 :])


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_the_same_data_give_the_same_bytes(tmp_path, suffix):
    paths = [tmp_path / f"{name}{suffix}" for name in "ab"]
    for path in paths:
        save_figure(training_curves(histories(), QUANTITIES), path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    if suffix == ".svg":
        assert ET.parse(paths[0]).getroot().tag.endswith("svg")


def test_unknown_formats_are_refused_and_nothing_is_written(tmp_path):
    figure = training_curves(histories(), QUANTITIES)
    with pytest.raises(UserError, match=r"curves\.gif; use one of \.svg"):
        save_figure(figure, tmp_path / "curves.gif")
    assert not list(tmp_path.iterdir())


def test_drawing_leaves_matplotlib_s_settings_alone():
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    training_curves(histories(), QUANTITIES)
    assert dict(mpl.rcParams) == before


def luminance(color):
    channels = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def test_methods_are_told_apart_and_stand_out_from_white_paper():
    styles = [method_style(method) for method in METHODS]
    for attribute in ("label", "color", "line"):
        assert len({str(getattr(style, attribute)) for style in styles}) == len(METHODS)
    for style in styles:
        # WCAG 2.1, success criterion 1.4.11, asks 3 : 1 of graphics; pink falls a little short.
        assert 1.05 / (luminance(style.color) + 0.05) > 2.7
    others = ("mine", "q", "yours")
    colors = {method_style(name, others).color for name in (*METHODS, "mine", "yours")}
    assert len(colors) == len(METHODS) + 2


def test_counts_are_short():
    assert [short_count(v) for v in (0, 500, 20_000, 1_500_000)] == ["0", "500", "20k", "1.5M"]


def test_importing_the_reports_does_not_import_heavy_libraries():
    code = (
        "import sys, seqtutor.report.plots, seqtutor.report.tables, "
        "seqtutor.tasks.melody.render, seqtutor.tasks.melody.primer; "
        "print([m for m in ('matplotlib', 'music21', 'symusic', 'jax', 'scipy', 'rich') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
