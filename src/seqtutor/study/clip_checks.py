"""Checks of clips: those that always lose or cannot be started, and names that tell the model."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from seqtutor.study.bradley_terry import probabilities
from seqtutor.study.inference import Inference
from seqtutor.study.tally import LEFT, RIGHT, cells_of
from seqtutor.study.votes import Vote

FEWEST_VOTES = 6
MOST_KEPT = 0.1
"""Share of its comparisons that a broken clip does not lose at most."""
_LONG_NAME = 4
"""Letters from which on a model's name is looked for inside of words, too."""


def broken_clips(
    votes: Sequence[Vote], inference: Inference, level: float
) -> list[tuple[str, str]]:
    """Clips that lose nearly always, unlike their model, or were not started, with the reason.

    That a clip loses so often by chance has at most the probability of the binomial law with the
    mean probability of its comparisons (Hoeffding 1956).
    """
    from scipy.special import bdtr

    models = inference.tally.models
    chance = probabilities(inference.fitted.parameters)
    cell = {(models[i], models[j]): place for place, (i, j) in enumerate(cells_of(len(models)))}
    kept: dict[str, list[tuple[bool, float]]] = defaultdict(list)
    started: dict[str, list[bool]] = defaultdict(list)
    for vote in votes:
        sides = (
            (vote.left_clips, vote.left_plays, vote.rating <= 0, RIGHT),
            (vote.right_clips, vote.right_plays, vote.rating >= 0, LEFT),
        )
        for clips, plays, is_kept, loses in sides:
            for clip in clips:
                started[clip].append(plays > 0)
                if vote.kind == "comparison" and vote.left != vote.right:
                    lost = chance[cell[vote.left, vote.right], loses]
                    kept[clip].append((is_kept, 1 - float(lost)))
    found = [
        (0.0, clip, f"it was not started in {own.count(False)} of {len(own)} comparisons")
        for clip, own in started.items()
        if len(own) >= 3 and own.count(False) > len(own) / 2
    ]
    for clip, both in kept.items():
        number, held = len(both), sum(one for one, _ in both)
        if number < FEWEST_VOTES or held > MOST_KEPT * number:
            continue
        mean = sum(one for _, one in both) / number
        p = float(bdtr(held, number, mean)) * len(kept)
        if p < level:
            expected = (1 - mean) * number
            found.append(
                (p, clip, f"it lost {number - held} of {number} comparisons, where "
                 f"{expected:.0f} were to be expected of its model")
            )  # fmt: skip
    return [(clip, why) for _, clip, why in sorted(found)]


def named_files(files: Iterable[str], models: Sequence[str]) -> list[tuple[str, str]]:
    """Files whose path has the name of a model in it, and which one.

    The name counts where no letter or digit stands beside it, a name of four letters or more
    anywhere: `psi-3.ogg` and `myprior3.ogg`, but not `q` in `a7q3.ogg`.
    """
    names = {model: _letters(PurePosixPath(model).name) for model in models}
    found = []
    for file in files:
        text = _letters(file.rsplit(".", 1)[0] if "." in PurePosixPath(file).name else file)
        for model, name in names.items():
            inside = name in text if len(name) >= _LONG_NAME else False
            alone = re.search(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])", text)
            if name and (inside or alone):
                found.append((file, model))
                break
    return found


def _letters(text: str) -> str:
    return text.casefold()
