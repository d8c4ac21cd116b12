"""Policies by the names that commands take: a run's folder, a model's folder, or "prior"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from seqtutor.errors import UserError
from seqtutor.methods.registry import DEFAULT_METHOD
from seqtutor.models.base import SequenceModel
from seqtutor.models.files import SavedModel, load_model, weights_hash
from seqtutor.runs.config import RunConfig, is_game, read_config
from seqtutor.runs.made_of import PRIOR_SHA256
from seqtutor.runs.run_folder import CONFIG, RunFolder, read_made_by
from seqtutor.settings import require
from seqtutor.task_spec import TaskSpec

PRIOR = "prior"
"""The name of the prior that comes with the package."""


@dataclass(frozen=True)
class NamedPolicy:
    """A policy of a task.

    Attributes:
        name: of the run's method, of the model's folder, or "prior".
        saved: the model, as it was saved.
        length: of the sequences on which it was tuned or trained.
        spec: the task.
        config: of the run that tuned it; `None` for a mere model.
        made_by: what the run's configuration says about its making.
        reference: the prior that it is compared with, if that is known already.
    """

    name: str
    saved: SavedModel
    length: int
    spec: TaskSpec[Any]
    config: RunConfig[Any] | None = None
    made_by: Mapping[str, Any] = field(default_factory=dict)
    reference: SavedModel | None = None

    @property
    def seed(self) -> int:
        """The seed of the run; 0 for a mere model."""
        return 0 if self.config is None else self.config.tutor.seed

    @property
    def folder(self) -> Path | None:
        """Of the run or the model."""
        found = self.saved.folder
        return found if found is None or self.config is None else found.parent

    @property
    def prior_sha256(self) -> str:
        """Of the weights of the prior that it was tuned from, as far as that is known."""
        return str(self.made_by.get(PRIOR_SHA256) or weights_hash(self.prior().model))

    @property
    def model(self) -> SequenceModel:
        """The sequence model alone."""
        return self.saved.model

    def prior(self) -> SavedModel:
        """The prior from which it was tuned; a mere model is compared with the shipped prior.

        If that is the policy itself, or has another vocabulary, the same object is returned.

        Raises:
            UserError: if it is no longer where it was.
        """
        return self._prior

    @cached_property
    def _prior(self) -> SavedModel:
        if self.reference is not None:
            return self.reference
        if self.config is not None:
            return load_prior(self.spec, self.config.prior)
        if not self.spec.priors:
            return self.saved
        prior = load_prior(self.spec)
        # The same object, so that its divergence from itself is exactly zero.
        is_own = prior.folder == self.saved.folder or prior.vocabulary != self.saved.vocabulary
        return self.saved if is_own else prior

    def as_prior(self, saved: SavedModel | None = None) -> NamedPolicy:
        """The model, or another one in its place, as the prior of an experiment."""
        saved = self.saved if saved is None else saved
        return NamedPolicy(PRIOR, saved, self.length, self.spec, reference=saved)


def load_prior(spec: TaskSpec[Any], folder: Path | None = None) -> SavedModel:
    """Read a model of a task, or the prior that comes with the package.

    Raises:
        UserError: if there is none, it cannot be read, or it is a model of another task.
    """
    if folder is None:
        if not spec.priors:
            raise UserError(
                f"the task {spec.name} comes without a prior: train one with seqtutor pretrain "
                f"{spec.reference or spec.name} and give its folder with --prior"
            )
        folder = next(iter(spec.priors.values()))
    saved = load_model(folder)
    spec.check_prior(saved)
    return saved


def find_policy(spec: TaskSpec[Any], name: str) -> NamedPolicy:
    """Read the policy of a name: a run's folder, a model's folder, or that of a shipped prior.

    Raises:
        UserError: if there is none, or it belongs to another task.
    """
    path = Path(name)
    if spec.priors and name in (PRIOR, *spec.priors):
        return _of_model(spec, name, load_prior(spec, spec.priors.get(name)))
    run = RunFolder(path)
    if (path / CONFIG).is_file():
        config = None if is_game(path) else read_config(spec, path)
        if not run.is_complete:
            raise UserError(f"the run in {path} is not finished: it has no model yet")
        if config is None:
            return _of_model(spec, path.name, load_prior(spec, run.model))
        saved = load_prior(spec, run.model)
        made_by = read_made_by(path / CONFIG)
        length = _length(spec, name, saved)
        return NamedPolicy(config.tutor.method, saved, length, spec, config, made_by)
    if seeds := _runs_of_seeds(path):
        raise UserError(f"{path} holds a run for each seed; name one, such as {seeds[0]}")
    is_missing = name == PRIOR and not path.exists()
    return _of_model(spec, path.name, load_prior(spec, None if is_missing else path))


def with_seeds(names: Iterable[str]) -> tuple[str, ...]:
    """The names, with the run of each seed in place of a folder of `tune --seeds`.

    Raises:
        UserError: if a run or model is named twice.
    """
    found = tuple(one for name in names for one in (_runs_of_seeds(Path(name)) or (name,)))
    repeated = sorted({name for name in found if found.count(name) > 1})
    if repeated:
        raise UserError(f"{', '.join(repeated)} is named twice; name each run once")
    return found


def common_settings(policies: Sequence[NamedPolicy], hint: str) -> Any:
    """The task's settings that all runs among the policies share; defaults where there is no run.

    Args:
        policies: runs and mere models of one task.
        hint: what to do if the runs differ, for the error.

    Raises:
        UserError: if the runs were tuned with different settings.
    """
    own = distinct_settings(policies)
    require(len(own) < 2, f"the runs were tuned with different settings of the task; {hint}")
    return own[0] if own else policies[0].spec.settings_type()


def usual_settings(policy: NamedPolicy) -> Any:
    """The task's settings that `tune` would begin with from a mere model, complete."""
    spec = policy.spec
    settings = spec.preset().settings(DEFAULT_METHOD)
    return spec.complete(settings, policy.prior())[0]


def distinct_settings(policies: Sequence[NamedPolicy]) -> list[Any]:
    """The different settings of the task of the runs among the policies."""
    found: list[Any] = []
    for policy in policies:
        if policy.config is not None and policy.config.settings not in found:
            found.append(policy.config.settings)
    return found


def distinct_titles(titles: Sequence[str], folders: Sequence[Path | None]) -> list[str]:
    """The titles, with the names of their folders where several are equal; or their whole paths."""
    found = list(titles)
    for name_of in (lambda folder: folder.name, str):
        found = [
            now if found.count(now) == 1 or folder is None else f"{title} ({name_of(folder)})"
            for title, now, folder in zip(titles, found, folders, strict=True)
        ]
    return found


def _runs_of_seeds(path: Path) -> list[str]:
    if (path / CONFIG).is_file():
        return []
    folders = [config.parent for config in path.glob(f"seed*/{CONFIG}")]
    return [str(folder) for folder in sorted(folders, key=lambda one: (len(one.name), one.name))]


def _of_model(spec: TaskSpec[Any], name: str, saved: SavedModel) -> NamedPolicy:
    return NamedPolicy(name, saved, _length(spec, name, saved), spec)


def _length(spec: TaskSpec[Any], name: str, saved: SavedModel) -> int:
    known = saved.origin.get("max_length")
    length = known if isinstance(known, int) else spec.default_length()
    if length is None:
        raise UserError(f"the model {name} does not say how long its sequences are")
    return length
