"""Pictures of melodies: note probabilities (figure 3 of Sequence Tutor) and piano rolls."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from seqtutor.measures.sampling import step_probabilities
from seqtutor.models.base import SequenceModel
from seqtutor.report.plots import token_probabilities
from seqtutor.report.style import method_style, save_for_page_and_print
from seqtutor.task_records import Drawn, Gallery
from seqtutor.tasks.melody.encoding import melody_vocabulary, names_for
from seqtutor.tasks.melody.piano_roll import piano_roll_figure
from seqtutor.tasks.melody.spec import key_of

SHOWN_TOKENS = ("off", "hold", *(f"{letter}{octave}" for octave in (3, 4, 5) for letter in "CEG"))
"""Of the model: notes of the tonic triad of C major, before they are moved."""
SHOWN_MELODIES = 6


def illustrate(gallery: Gallery) -> list[str]:
    """Write the pictures; gives paragraphs of Markdown that show them."""
    name = gallery.folder.name
    _note_probabilities(gallery.models, gallery.samples, gallery.folder / "note_probabilities")
    paragraphs = [
        f"![Note probabilities over a melody]({name}/note_probabilities.png)\n",
        "The probability of each token before every step of one melody that the policy generated; "
        "circles are the tokens that were drawn.\n",
    ]
    for policy, drawn in gallery.samples.items():
        style = method_style(policy)
        path = gallery.folder / f"piano_rolls_{policy}.png"
        piano_roll_figure(
            list(drawn.sequences.tokens[:SHOWN_MELODIES]),
            [f"{style.label}, melody {number + 1}" for number in range(SHOWN_MELODIES)],
            path,
            [style.color] * SHOWN_MELODIES,
            transposition=drawn.settings.rules.semitones,
        )
        paragraphs.append(f"![Piano rolls, {style.label}]({name}/{path.name})\n")
    return paragraphs


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
