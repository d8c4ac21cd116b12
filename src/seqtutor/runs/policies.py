"""Policies by the names that commands take: a run's folder, a model's folder, or "prior"."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from seqtutor.errors import UserError
from seqtutor.models.base import SequenceModel
from seqtutor.models.files import SavedModel
from seqtutor.runs.run_folder import CONFIG, RunFolder
from seqtutor.runs.tuning import Tuning

Load = Callable[[Path | None], SavedModel]
"""Reads a task's model, or the prior that comes with the package."""

PRIOR = "prior"


@dataclass(frozen=True)
class NamedPolicy:
    """A policy of a task.

    Attributes:
        name: of the run's method, of the model's folder, or "prior".
        saved: the policy itself, as it was saved.
        length: of the sequences it was tuned or trained on.
        load: reads the task's models.
        prior_folder: the prior it was tuned from; `None` for the one that comes with the package.
        tuning: what made the run; `None` for a mere model.
    """

    name: str
    saved: SavedModel
    length: int
    load: Load
    prior_folder: Path | None = None
    tuning: Any = None

    @property
    def seed(self) -> int:
        """That of the run; 0 of a mere model."""
        return 0 if self.tuning is None else self.tuning.tutor.seed

    @property
    def model(self) -> SequenceModel:
        """The policy alone."""
        return self.saved.model

    def prior(self) -> SequenceModel:
        """The prior it was tuned from; if that is the policy itself, the same object.

        Raises:
            UserError: if the prior is no longer where it was.
        """
        prior, own = self.load(self.prior_folder), self.saved.folder
        return self.model if own is not None and prior.folder == own else prior.model


def with_seeds(names: Iterable[str]) -> tuple[str, ...]:
    """The names, with the run of each seed in place of a folder of `tune --seeds`."""
    return tuple(one for name in names for one in (_seeds_in(Path(name)) or (name,)))


def _seeds_in(path: Path) -> list[str]:
    if (path / CONFIG).is_file():
        return []
    folders = [config.parent for config in path.glob(f"seed*/{CONFIG}")]
    return [str(folder) for folder in sorted(folders, key=lambda one: (len(one.name), one.name))]


def policy_named(
    name: str, kind: type[Tuning], load: Load, length: int | None = None
) -> NamedPolicy:
    """Read the policy of that name.

    Args:
        name: a run's folder, a model's folder, or "prior".
        kind: the tuning of the task's runs.
        load: reads the task's models.
        length: of sequences, for a model that does not say how long they are.

    Raises:
        UserError: if there is none, or it belongs to another task.
    """
    if name == PRIOR:
        return _of_model(name, load(None), load, length)
    path = Path(name)
    run = RunFolder(path)
    if (path / CONFIG).is_file():
        _require_own_task(path, kind)
        tuning: Any = run.config(kind)
        if not run.is_complete:
            raise UserError(f"the run in {path} has not come to its end: it has no model yet")
        method, saved = tuning.tutor.method, load(run.model)
        return NamedPolicy(method, saved, tuning.length, load, tuning.prior, tuning)
    seeds = _seeds_in(path)
    if seeds:
        raise UserError(f"{path} holds a run for each seed; name one, such as {seeds[0]}")
    return _of_model(path.name, load(path), load, length)


def _of_model(name: str, saved: SavedModel, load: Load, length: int | None) -> NamedPolicy:
    known = saved.origin.get("max_length")
    own = known if isinstance(known, int) else length
    if own is None:
        raise UserError(f"the model {name} does not say how long its sequences are")
    return NamedPolicy(name, saved, own, load)


def _require_own_task(path: Path, kind: type[Tuning]) -> None:
    """Tell a run of another task by entries that this one does not know, in place of its own."""
    try:
        content = RunFolder(path).settings()
    except UserError:
        return  # Reading it as a configuration says what is wrong.
    known = {one.name for one in fields(kind)}
    special = known - {one.name for one in fields(Tuning)} - {"length", "prior"}
    if not special & set(content) and set(content) - known:
        raise UserError(
            f"the run in {path} is not one of the task {kind.task}; name its own before it: "
            "melody, molecule or folk"
        )
