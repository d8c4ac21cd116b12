"""The configuration of a tuning run: complete, written as `config.yaml`, and re-runnable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Generic, TypeVar

from seqtutor.errors import UserError
from seqtutor.files import parse_json, read_regular
from seqtutor.models.files import CONFIG as MODEL_CONFIG
from seqtutor.models.files import MOST_CONFIG
from seqtutor.preferences.settings import PreferenceTerm
from seqtutor.runs.run_folder import CONFIG, MODEL, from_plain, plain, read_settings
from seqtutor.settings import require
from seqtutor.task_records import NoSettings
from seqtutor.task_registry import find_spec, task_names
from seqtutor.task_spec import OWN_NAMES, TaskSpec
from seqtutor.training.settings import TutorSettings

_Settings = TypeVar("_Settings")
_UNREADABLE = (ValueError, AttributeError, TypeError, KeyError, RecursionError)


@dataclass(frozen=True)
class RunOutputs:
    """What a run writes at its end besides its policy.

    Attributes:
        samples: sequences for its folder.
        evaluate: sequences that are generated for its table and page.
    """

    samples: int
    evaluate: int


@dataclass(frozen=True)
class RunConfig(Generic[_Settings]):
    """All that decides the outcome of a tuning run.

    Attributes:
        task: the name of the task.
        tutor: the method and how it learns.
        settings: the task's own.
        prior: folder of the prior; `None` for the one that comes with the package.
        preference: a preference model as a term of the reward.
        outputs: what is written at the end; `None` if that was not recorded. It does not decide the
            policy.
    """

    task: str
    tutor: TutorSettings = field(default_factory=TutorSettings.of)
    settings: _Settings = field(default_factory=NoSettings)  # type: ignore[assignment]
    prior: Path | None = None
    preference: PreferenceTerm = field(default_factory=PreferenceTerm)
    outputs: RunOutputs | None = field(default=None, compare=False)

    def content(self) -> dict[str, Any]:
        """All but the outputs in YAML's types; the task's settings have no level of their own."""
        has_term = self.preference.model is not None
        return {
            "task": self.task,
            "prior": plain(self.prior),
            "tutor": plain(self.tutor),
            **({"preference": plain(self.preference)} if has_term else {}),
            **plain(self.settings),
        }

    def record(self) -> dict[str, Any]:
        """The content with the outputs, as it is written to a run's folder."""
        outputs = {} if self.outputs is None else {"outputs": plain(self.outputs)}
        return self.content() | outputs


def read_config(spec: TaskSpec[Any], path: Path) -> RunConfig[Any]:
    """Read the configuration of a run of a task, checking names and types.

    Args:
        spec: the task.
        path: the file, or the folder of the run.

    Raises:
        UserError: if it cannot be read, is one of another task, or holds an unknown or badly typed
            entry.
    """
    path = path / CONFIG if path.is_dir() else path
    if is_game(path.parent):
        raise UserError(
            f"{path.parent} is the folder of a game, not of a run of tune; a game goes on when the "
            "command that began it is given again"
        )
    content = read_settings(path)
    task = content.pop("task", None)
    if not _fits(spec, task, content):
        raise UserError(
            f"the run in {path.parent} is not one of the task {spec.name}"
            + ("" if task is None else f", but of {task}")
            + "; name its own task before it"
        )
    prior = content.pop("prior", None)
    require(
        prior is None or isinstance(prior, str),
        f"{path} is not a usable configuration: prior must be a folder, not {prior!r}",
    )
    tutor = from_plain(TutorSettings, content.pop("tutor", {}), path)
    preference = from_plain(PreferenceTerm, content.pop("preference", {}), path)
    recorded = content.pop("outputs", None)
    outputs = None if recorded is None else from_plain(RunOutputs, recorded, path)
    settings = from_plain(spec.settings_type, content, path)
    prior = None if prior is None else Path(prior)
    return RunConfig(spec.name, tutor, settings, prior, preference, outputs)


def is_game(folder: Path) -> bool:
    """Whether a folder is that of a game, finished or not.

    Raises:
        UserError: if the folder has a configuration that cannot be read.
    """
    config = folder / CONFIG
    return config.is_file() and {"generator", "adversary"} <= read_settings(config).keys()


def task_of_folder(folder: Path) -> str | None:
    """The name of the task of the run, the runs of seeds, or the model in a folder, if it tells it.

    Raises:
        UserError: if the configuration of a run cannot be read.
    """
    if folder.suffix == ".yaml":
        folder = folder.parent
    for config in (folder / CONFIG, *sorted(folder.glob(f"seed*/{CONFIG}"))):
        if config.is_file():
            content = read_settings(config)
            task = _known(content.get("task")) or _task_of_earlier_version(content)
            return task or _task_of_model(config.parent / MODEL)
    return _task_of_model(folder)


def _task_of_model(folder: Path) -> str | None:
    try:
        content = parse_json(read_regular(folder / MODEL_CONFIG, MOST_CONFIG).decode("utf-8"))
        return _known(content["origin"].get("task"))
    except (OSError, UserError, *_UNREADABLE):
        return None


def _known(task: object) -> str | None:
    return task if isinstance(task, str) else None


def _task_of_earlier_version(content: Mapping[str, Any]) -> str | None:
    """The task whose settings fit the configuration of a version that did not write its name."""
    fitting = (name for name in task_names() if _fits(find_spec(name), None, content))
    return next(fitting, None)


def _fits(spec: TaskSpec[Any], task: Any, content: Mapping[str, Any]) -> bool:
    """Whether the run is one of this task. Earlier versions did not write the task's name."""
    if task is not None:
        return bool(task == spec.name)
    own = {one.name for one in fields(spec.settings_type)}
    return set(content) <= own | set(OWN_NAMES)
