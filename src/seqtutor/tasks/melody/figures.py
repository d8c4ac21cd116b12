"""Pictures of melodies: note probabilities (figure 3 of Sequence Tutor) and scores."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from seqtutor.measures.sampling import step_probabilities
from seqtutor.models.base import SequenceModel
from seqtutor.report.plots import token_probabilities
from seqtutor.report.style import save_for_page_and_print
from seqtutor.task_records import Drawn, Gallery
from seqtutor.tasks.melody.encoding import melody_vocabulary, names_for
from seqtutor.tasks.melody.render import RenderSettings, write_melodies
from seqtutor.tasks.melody.spec import key_of
from seqtutor.tasks.scores.rendering import scores_in_report

SHOWN_TOKENS = ("off", "hold", *(f"{letter}{octave}" for octave in (3, 4, 5) for letter in "CEG"))
"""Of the model: notes of the tonic triad of C major, before they are moved."""


def illustrate(gallery: Gallery) -> list[str]:
    """Write the pictures; gives paragraphs of Markdown that show them."""
    name = gallery.folder.name
    _note_probabilities(gallery.models, gallery.samples, gallery.folder / "note_probabilities")
    paragraphs = [
        f"![Note probabilities over a melody]({name}/note_probabilities.png)\n",
        "The probability of each token before every step of one melody that the policy generated; "
        "circles are the tokens that were drawn.\n",
    ]
    return paragraphs + scores_in_report(gallery, _write_scores)


def _write_scores(drawn: Drawn, folder: Path) -> list[Path]:
    rules = drawn.settings.rules
    written = RenderSettings(key=key_of(rules), transposition=rules.semitones)
    return write_melodies(drawn.sequences.tokens, folder, ("svg",), settings=written)


def _note_probabilities(
    models: Mapping[str, SequenceModel], samples: Mapping[str, Drawn], stem: Path
) -> None:
    """What each policy expected at every step of one of its own melodies."""
    rules = next(iter(samples.values())).settings.rules
    names = names_for(key_of(rules), rules.semitones)
    tokens = {name: jnp.asarray(samples[name].sequences.tokens[:1]) for name in models}
    figure = token_probabilities(
        {name: np.asarray(step_probabilities(models[name], tokens[name]))[0] for name in models},
        {name: np.asarray(tokens[name])[0] for name in models},
        names,
        shown_names=[names[melody_vocabulary().tokens.index(name)] for name in SHOWN_TOKENS],
        step_label="sixteenth",
        group=16,
    )
    save_for_page_and_print(figure, stem)
