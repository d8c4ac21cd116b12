"""The distribution over the next token, by generator (after Fig. 2 of Bjare & Meredith 2020)."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from seqtutor.files import atomic_write
from seqtutor.measures.sampling import step_probabilities
from seqtutor.models.base import SequenceModel
from seqtutor.report.style import INK, QUIET, figure_style, method_style
from seqtutor.tasks.folk.variants import MAXIMUM_LIKELIHOOD, title_of
from seqtutor.vocabulary import Vocabulary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN = 30
"""Tokens with a bar of their own; all others share one, further right."""
PANELS_IN_A_ROW = 4

Distribution = Float[np.ndarray, " vocab"]


@dataclass(frozen=True)
class NextToken:
    """Distributions over the vocabulary after the first tokens of a sequence.

    Attributes:
        names: of the tokens, by their ids.
        given: number of tokens before.
        real: the id of the token that follows in the sequence.
        probabilities: by generator; the others are compared with the first.
    """

    names: tuple[str, ...]
    given: int
    real: int
    probabilities: Mapping[str, Distribution]

    @property
    def first(self) -> Distribution:
        """The distribution of the first generator."""
        return next(iter(self.probabilities.values()))

    @property
    def order(self) -> Int[np.ndarray, " vocab"]:
        """All ids, from the most likely one by the first generator down."""
        return np.argsort(-self.first, kind="stable")


def next_token(
    models: Mapping[str, SequenceModel],
    vocabulary: Vocabulary,
    sequence: Int[np.ndarray, " time"],
    given: int,
) -> NextToken:
    """The distributions of generators after the first `given` tokens of a sequence.

    Raises:
        ValueError: if the sequence has no token there.
    """
    if not 0 <= given < len(sequence):
        raise ValueError(f"a sequence of {len(sequence)} tokens has none after {given}")
    prefix = jnp.asarray(sequence[: given + 1], jnp.int32)[None]
    probabilities = {
        name: np.asarray(step_probabilities(model, prefix))[0, -1] for name, model in models.items()
    }
    return NextToken(vocabulary.tokens, given, int(sequence[given]), probabilities)


def next_token_figure(found: NextToken) -> Figure:
    """A panel of bars for each generator, in the order of the first one's probabilities.

    An outline in the other panels is the first one's distribution; a triangle marks the token that
    follows in the sequence.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    names = tuple(found.probabilities)
    rows = -(-len(names) // PANELS_IN_A_ROW)
    columns = min(len(names), PANELS_IN_A_ROW)
    with figure_style():
        figure = Figure(figsize=(3.3 * columns, 2.5 * rows), layout=ConstrainedLayoutEngine())
        grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
        for index, axes in enumerate(grid.flat):
            if index < len(names):
                _panel(axes, found, names[index])
            else:
                axes.set_visible(False)
        for axes in grid[:, 0]:
            axes.set_ylabel("probability")
        figure.supxlabel("rank of a token by the probability in the first panel", fontsize=9)
    return figure


def heights(probabilities: Distribution, found: NextToken) -> Float[np.ndarray, " bars"]:
    """The probabilities of the tokens that are shown, and the sum of all others, if any."""
    ordered = probabilities[found.order]
    if len(ordered) <= SHOWN:
        return ordered
    return np.append(ordered[:SHOWN], ordered[SHOWN:].sum())


def _panel(axes: Axes, found: NextToken, name: str) -> None:
    own, outline = heights(found.probabilities[name], found), heights(found.first, found)
    places = np.arange(len(own), dtype=float)
    if len(own) > SHOWN:
        places[SHOWN] += 2
    is_prior = name == MAXIMUM_LIKELIHOOD
    color = INK if is_prior else method_style(name, tuple(found.probabilities)).color
    axes.bar(places, own, width=0.85, color=color)
    if not is_prior:
        axes.step(places[:SHOWN], outline[:SHOWN], where="mid", color=QUIET, linewidth=1)
        axes.hlines(outline[SHOWN:], places[SHOWN:] - 0.8, places[SHOWN:] + 0.8, color=QUIET)
    rank = min(int(np.flatnonzero(found.order == found.real)[0]), len(own) - 1)
    axes.plot(
        [places[rank]], [-0.03], marker="^", color=color, markersize=5, clip_on=False,
        transform=axes.get_xaxis_transform(),
    )  # fmt: skip
    axes.set_title(f"{title_of(name)}: {entropy(found.probabilities[name]):.2f} nats", fontsize=9)
    ticks = [0, SHOWN // 3, 2 * SHOWN // 3]
    labels = [str(tick + 1) for tick in ticks]
    if len(own) > SHOWN:
        ticks, labels = [*ticks, SHOWN + 2], [*labels, "all others"]
    axes.set_xticks(ticks, labels)
    axes.tick_params(axis="x", pad=6)
    axes.grid(axis="y")


def entropy(probabilities: Distribution) -> float:
    """In nats."""
    some = probabilities[probabilities > 0].astype(np.float64)
    return float(-np.sum(some * np.log(some)))


def write_next_token(found: NextToken, path: Path) -> Path:
    """All tokens with their probabilities as CSV, in the figure's order.

    Raises:
        UserError: if the file cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["rank", "token", "really follows", *(title_of(n) for n in found.probabilities)]
    )
    for rank, token in enumerate(found.order, start=1):
        chances = (f"{one[token]:.6g}" for one in found.probabilities.values())
        is_real = "yes" if token == found.real else ""
        writer.writerow([rank, found.names[token], is_real, *chances])
    return atomic_write(path, text.getvalue())
