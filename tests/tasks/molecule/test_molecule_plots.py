from __future__ import annotations

import numpy as np
import pytest

from seqtutor.report.plots import TAILS, bin_edges
from seqtutor.report.style import method_style
from seqtutor.tasks.molecule.plots import (
    PANELS,
    Panel,
    property_distributions,
)

LOGP, RING = Panel("logp", "logP"), Panel("largest_ring", "ring", is_count=True)


def sets():
    generator = np.random.default_rng(0)
    made = {
        name: {
            "logp": np.append(generator.normal(mean, 1, size), np.nan),
            "largest_ring": generator.choice([5, 6, 7], size),
        }
        for name, mean, size in (("training set", 2, 900), ("prior", 2, 400), ("psi", 4, 300))
    }
    return made


def test_curves_are_the_shares_of_each_set():
    made = sets()
    figure = property_distributions(made, [LOGP, RING], background="training set")
    panels = [axes for axes in figure.axes if axes.axison]
    assert [panel.get_xlabel() for panel in panels] == ["logP", "ring"]
    for panel, one in zip(panels, (LOGP, RING), strict=True):
        for name, patch in zip(made, panel.patches, strict=True):
            values, edges, _ = patch.get_data()
            own = made[name][one.name]
            own = own[np.isfinite(own)]
            within = ((own >= edges[0]) & (own <= edges[-1])).mean()
            assert np.sum(values * np.diff(edges)) == pytest.approx(within)
            assert within > 1 - 2 * TAILS / 100 - 0.005
            assert patch.get_fill() == (name == "training set")
    ring = panels[1].patches[1]
    shares = [np.mean(made["prior"]["largest_ring"] == size) for size in (5, 6, 7)]
    np.testing.assert_allclose(ring.get_data().values, shares)


def test_methods_keep_their_looks_and_the_legend_their_names():
    figure = property_distributions(sets(), [LOGP])
    patches = figure.axes[0].patches
    assert [patch.get_label() for patch in patches] == ["training set", "prior", "Ψ"]
    from matplotlib.colors import to_rgba

    assert patches[2].get_edgecolor() == to_rgba(method_style("psi").color)


def test_what_no_set_has_is_left_out():
    figure = property_distributions(sets())
    shown = [axes.get_xlabel() for axes in figure.axes if axes.axison]
    assert shown == [one.label for one in PANELS if one.name in ("logp", "largest_ring")]
    with pytest.raises(ValueError, match="no set has any"):
        property_distributions({"prior": {"logp": [np.nan]}}, [LOGP])


def test_axes_end_where_hardly_any_value_is_left():
    values = np.append(np.linspace(0, 1, 999), 1e6)
    edges = bin_edges([values, values[:10]], is_count=False)
    assert -0.01 < edges[0] < 0.01
    assert 0.98 < edges[-1] < 1.0
    assert bin_edges([np.array([3.0, 3.0])], is_count=False)[[0, -1]].tolist() == [2.5, 3.5]
    few, many = (len(bin_edges([values[:size]], is_count=False)) - 1 for size in (16, 900))
    assert (few, many) == (10, 30)
    assert bin_edges([np.array([5, 6, 8])], is_count=True).tolist() == [4.5, 5.5, 6.5, 7.5, 8.5]
