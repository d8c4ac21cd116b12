"""Policies by the names that commands take: a run's folder, a model's folder, or "prior"."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from seqtutor.errors import UserError
from seqtutor.models.base import SequenceModel
from seqtutor.tasks.melody.settings import MelodyTuning
from seqtutor.tasks.melody.task import load_melody_model
from seqtutor.training.run_folder import CONFIG, RunFolder


@dataclass(frozen=True)
class NamedPolicy:
    """A policy of melodies.

    Attributes:
        name: of the run's method, of the model's folder, or "prior".
        model: the policy itself.
        length: of the melodies it was tuned or trained on, in sixteenths.
        prior_folder: the prior it was tuned from; `None` for the one that comes with the package.
    """

    name: str
    model: SequenceModel
    length: int
    prior_folder: Path | None = None

    def prior(self) -> SequenceModel:
        """The prior it was tuned from.

        Raises:
            UserError: if that is no longer where it was.
        """
        return load_melody_model(self.prior_folder).model


def find_policy(name: str) -> NamedPolicy:
    """Read the policy of that name.

    Raises:
        UserError: if there is none.
    """
    if name == "prior":
        return NamedPolicy(name, load_melody_model().model, MelodyTuning.length)
    path = Path(name)
    run = RunFolder(path)
    if (path / CONFIG).is_file():
        tuning = run.config(MelodyTuning)
        if not run.is_complete:
            raise UserError(f"the run in {path} has not come to its end: it has no model yet")
        model = load_melody_model(run.model).model
        return NamedPolicy(tuning.tutor.method, model, tuning.length, tuning.prior)
    seeds = sorted(config.parent.name for config in path.glob(f"seed*/{CONFIG}"))
    if seeds:
        raise UserError(f"{path} holds a run for each seed; name one, such as {path / seeds[0]}")
    saved = load_melody_model(path)
    length = saved.origin.get("max_length")
    return NamedPolicy(
        path.name, saved.model, length if isinstance(length, int) else MelodyTuning.length
    )
