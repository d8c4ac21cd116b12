"""The melody experiment on paper: tables, figures 2 and 3, pictures and samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from seqtutor.files import atomic_write
from seqtutor.models.base import SequenceModel
from seqtutor.report.plots import History, Quantity, token_probabilities, training_curves
from seqtutor.report.style import method_style, save_for_page_and_print
from seqtutor.report.tables import Table, render_markdown, write_csv
from seqtutor.tasks.melody.encoding import melody_vocabulary
from seqtutor.tasks.melody.piano_roll import piano_roll_figure
from seqtutor.tasks.melody.render import RenderSettings, write_melodies
from seqtutor.training.rollout import sample

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("mid", "abc", "musicxml")
SHOWN_TOKENS = ("off", "hold", *(f"{letter}{octave}" for octave in (3, 4, 5) for letter in "CEG"))
SAMPLES = 16
SHOWN = 6


@dataclass(frozen=True)
class MelodyReport:
    """All that is to be shown of one preset: its table, its curves, its policies.

    `prior_log_prior` is the mean log p(a|s) of the prior's own samples, in nats.
    """

    preset: str
    table: Table
    prior_log_prior: float
    histories: Mapping[str, Sequence[Mapping[str, Sequence[float]]]]
    policies: Mapping[str, SequenceModel]
    prior: SequenceModel


def write_report(reports: Sequence[MelodyReport], folder: Path, remark: str) -> Path:
    """Write everything into a folder and return the page that leads through it.

    `remark` says how much was run.
    """
    page = [
        "# Melody: the prior and what tuning makes of it\n",
        "Sixteenth-note melodies of two bars. The samples open in any player (MIDI), notation "
        "program (MusicXML) or ABC tool.\n",
        f"{remark}\n",
    ]
    for report in reports:
        page += _section(report, folder / report.preset)
    return atomic_write(folder / "report.md", "\n".join(page))


def _section(report: MelodyReport, folder: Path) -> list[str]:
    models = {"prior": report.prior, **report.policies}
    write_csv(report.table, folder / "table.csv")
    save_for_page_and_print(
        training_figure(report.histories, report.prior_log_prior), folder / "training"
    )
    _note_probabilities(models, folder)
    links = _samples(models, folder)
    name = folder.name
    return [
        f"## Preset {report.preset}\n",
        render_markdown(report.table),
        f"\n![Likelihood and reward during training]({name}/training.png)\n",
        "What is collected during training has random tokens at first (ε-greedy), hence the low "
        "start of the likelihood. The dashed line is the likelihood of the prior's own samples.\n",
        f"![Note probabilities over a melody]({name}/note_probabilities.png)\n",
        "The probability of each token before every step of one melody, the first of the samples "
        "below; circles are the tokens that were drawn.\n",
        "Samples, drawn at random, not chosen:\n",
        *links,
        "",
    ]


def training_figure(
    histories: Mapping[str, Sequence[History]],
    prior_log_prior: float,
    path: str | Path | None = None,
) -> Figure:
    """Likelihood under the prior and reward during training (figure 2 of Sequence Tutor).

    Args:
        histories: for each method, the records of each seed's run.
        prior_log_prior: mean log p(a|s) of the prior's own samples, in nats, to compare with.
        path: where the figure is written.

    Raises:
        UserError: if the file cannot be written.
    """
    likelihood = Quantity(
        "log_prior",
        "mean log p(a|s), nats",
        "Likelihood under the prior",
        (prior_log_prior, "the prior's own"),
    )
    reward = Quantity("reward", "mean reward a step", "Music theory reward, weighted")
    return training_curves(histories, (likelihood, reward), path)


def _note_probabilities(models: Mapping[str, SequenceModel], folder: Path) -> None:
    """What each policy was about to play at every step of one of its melodies (figure 3)."""
    drawn = {name: _draw(model, 1) for name, model in models.items()}
    shown = {name: drawn[name] for name in models if name != "rl-only"}
    figure = token_probabilities(
        {
            name: np.asarray(eqx.filter_jit(_probabilities)(models[name], tokens))[0]
            for name, tokens in shown.items()
        },
        {name: np.asarray(tokens)[0] for name, tokens in shown.items()},
        melody_vocabulary().tokens,
        shown_names=SHOWN_TOKENS,
        step_label="sixteenth",
        group=16,
    )
    save_for_page_and_print(figure, folder / "note_probabilities")


def _probabilities(model: SequenceModel, tokens: jax.Array) -> jax.Array:
    return jnp.exp(jax.nn.log_softmax(model.unroll(tokens)))


def _draw(model: SequenceModel, number: int) -> jax.Array:
    return sample(model, jax.random.key(0), number, 32).tokens


def _samples(models: Mapping[str, SequenceModel], folder: Path) -> list[str]:
    links = []
    for name, model in models.items():
        melodies = np.asarray(_draw(model, SAMPLES))
        label = method_style(name).label
        target = folder / "samples" / name
        write_melodies(melodies, target, FORMATS, settings=RenderSettings(title=label))
        piano_roll_figure(
            list(melodies[:SHOWN]),
            [f"{label}, melody {number}" for number in range(1, SHOWN + 1)],
            target / "piano_rolls.png",
            [method_style(name).color] * SHOWN,
        )
        relative = target.relative_to(folder.parent)
        links.append(f"- [{label}]({relative}): ![piano rolls]({relative}/piano_rolls.png)")
    return links
