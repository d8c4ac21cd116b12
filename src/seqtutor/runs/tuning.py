"""A tuning run in its folder, from its configuration to its model; an interrupted run continues."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from seqtutor.data import Sequences
from seqtutor.errors import UserError
from seqtutor.files import require_unused
from seqtutor.measures.sampling import draw
from seqtutor.methods.registry import method_named
from seqtutor.models.base import SequenceModel
from seqtutor.models.files import SavedModel, save_model
from seqtutor.runs.config import RunConfig, RunOutputs, read_config
from seqtutor.runs.devices import Place
from seqtutor.runs.made_of import PRIOR_SHA256, made_of, require_made_of, what_differs
from seqtutor.runs.policies import load_prior
from seqtutor.runs.preferred import opened_task, remarks_on_term, votes_of, with_vote_estimates
from seqtutor.runs.provenance import is_job, lasting_origin, made_by
from seqtutor.runs.run_folder import CHECKPOINTS, CONFIG, RunFolder, differing, read_made_by
from seqtutor.runs.run_on_disk import run_on_disk
from seqtutor.runs.value_file import save_value
from seqtutor.task import Task
from seqtutor.task_records import Drawn
from seqtutor.task_spec import TaskSpec
from seqtutor.training.run import DivergedError, OnRecord, ignore_record
from seqtutor.training.tutor import Tutor

SAMPLES, LAST_GOOD = "samples", "last-good"

OnRemark = Callable[[str], None]


def ignore(_: Any) -> None:
    """Do nothing with a remark."""


def completed(spec: TaskSpec[Any], config: RunConfig[Any]) -> tuple[RunConfig[Any], list[str]]:
    """The configuration with nothing left open, and warnings about it.

    Raises:
        UserError: if the prior cannot be read, or does not fit the settings.
    """
    prior = load_prior(spec, config.prior)
    settings, warnings = spec.complete(config.settings, prior)
    tutor = config.tutor
    if method_named(tutor.method).learns_from_votes:
        with spec.opened(settings, prior, 0) as task:
            tutor = with_vote_estimates(tutor, task, prior.model)
    return replace(config, settings=settings, tutor=tutor), [
        *warnings,
        *remarks_on_term(config.preference),
    ]


def outputs_asked(
    spec: TaskSpec[Any], config: Path | None, outputs: RunOutputs
) -> RunOutputs | None:
    """The outputs to record: those of the command, or, in a job's process, of its configuration.

    Jobs of several runs make no tables of their own, and so ask for less than the user did.
    """
    if config is None or not is_job():
        return outputs
    return read_config(spec, config).outputs


def outputs_recorded(spec: TaskSpec[Any], folder: Path) -> RunOutputs | None:
    """The outputs that the run in a folder goes on with; `None` if there is no run yet."""
    if not (folder / CONFIG).is_file():
        return None
    numbers = spec.numbers
    usual = RunOutputs(numbers.samples_of_run, numbers.evaluation_of_run)
    return read_config(spec, folder).outputs or usual


def remark_on_origin(spec: TaskSpec[Any], config: RunConfig[Any], path: Path) -> str | None:
    """In what a run differs from the one whose configuration it takes, beside the configuration.

    Args:
        spec: the task.
        config: of the run.
        path: the configuration of the earlier one, or the folder of that run.
    """
    recorded = read_made_by(path / CONFIG if path.is_dir() else path)
    if config.prior != read_config(spec, path).prior:
        recorded.pop(PRIOR_SHA256, None)  # The user gave another, with --prior.
    now = made_of(spec, load_prior(spec, config.prior).model, config=config)
    differs = what_differs(recorded, now, spec)
    return f"the run of {path} was begun with {differs}: this one is another" if differs else None


@contextmanager
def open_tutor(
    spec: TaskSpec[Any],
    config: RunConfig[Any],
    *,
    place: Place | None = None,
    reward_workers: int | None = None,
) -> Iterator[Tutor]:
    """The tutor of a configuration; its reward is closed when the context ends.

    Args:
        spec: the task.
        config: with nothing left open.
        place: the devices and processes.
        reward_workers: worker processes of the reward; `None` for one for each core.
    """
    prior = load_prior(spec, config.prior)
    with opened_task(spec, config.settings, prior, reward_workers, config.preference) as task:
        votes = votes_of(config.tutor, task)
        yield (place or Place()).tutor(task, prior.model, config.tutor, repr(config), votes)


def tune_in_folder(
    spec: TaskSpec[Any],
    config: RunConfig[Any],
    tutor: Tutor,
    folder: RunFolder,
    *,
    samples: int = 0,
    is_to_stop: Callable[[], bool] = lambda: False,
    on_record: OnRecord = ignore_record,
    on_remark: OnRemark = ignore,
    on_begin: Callable[[], None] = lambda: None,
    on_end: Callable[[], None] = lambda: None,
) -> SequenceModel:
    """Run a tutor to its end in a folder; a run that the folder holds already continues.

    Args:
        spec: the task.
        config: of the run; it is written into the folder.
        tutor: of this configuration.
        folder: new, or with an unfinished run of the same configuration.
        samples: sequences to write into the folder at the end.
        is_to_stop: asked after each chunk; the run is saved and stops where it says so.
        on_record: called with each record; the run ends with the first for which it returns False,
            and is complete.
        on_remark: called with what the user should know, such as a collapse.
        on_begin: called once the folder is locked and has its configuration.
        on_end: called after the training, before its samples are written.

    Raises:
        StoppedError: after `is_to_stop` said so.
        DivergedError: if the loss or a reward term is not finite; the policy before that chunk is
            saved in the folder, and the message says where.
        UserError: if the folder holds something else, or another process runs in it.
    """

    def begin() -> None:
        require_own_folder(spec, config, folder)
        now = made_of(spec, tutor.prior, tutor.task.max_length, config)
        if (folder.path / CONFIG).is_file():
            require_made_of(folder.path, now, spec, "start anew in another folder")
        else:
            RunFolder.start(folder.path, config.record(), made_by(tutor.devices) | now)
        on_begin()

    def finish(policy: SequenceModel) -> None:
        on_end()
        finish_run(spec, config, policy, tutor.task, folder, samples)
        shutil.rmtree(folder.path / CHECKPOINTS, ignore_errors=True)

    try:
        return run_on_disk(
            tutor,
            folder,
            is_to_stop=is_to_stop,
            on_record=on_record,
            on_remark=on_remark,
            begin=begin,
            finish=finish,
            keep=partial(save_value, tutor, folder),
        )
    except DivergedError as error:
        raise with_last_good(error, spec, config, tutor.task, folder) from None


def finish_run(
    spec: TaskSpec[Any],
    config: RunConfig[Any],
    policy: SequenceModel,
    task: Task,
    folder: RunFolder,
    samples: int,
) -> None:
    """Write samples and then the model, which makes the run complete."""
    origin = _origin(spec, config, task, folder)
    if samples:
        write_samples(spec, config, policy, task, origin, samples, folder.path / SAMPLES)
    save_model(SavedModel(policy, task.vocabulary, origin), folder.model)


def write_samples(
    spec: TaskSpec[Any],
    config: RunConfig[Any],
    policy: SequenceModel,
    task: Task,
    origin: dict[str, Any],
    number: int,
    folder: Path,
) -> list[Path]:
    """Generate sequences and write them as the task does; gives the paths of the files."""
    drawn = draw(
        policy,
        policy,
        number=number,
        length=task.max_length,
        end=task.vocabulary.end,
        seed=config.tutor.seed,
    )
    sequences = Sequences(drawn.tokens, drawn.mask)
    seed = config.tutor.seed
    samples = Drawn(
        sequences,
        task.vocabulary,
        origin,
        config.settings,
        seed,
        has_reward=True,
        may_run_code=True,
        run=folder.parent,
    )
    return spec.write(samples, folder, spec.sample_type())


def _origin(
    spec: TaskSpec[Any], config: RunConfig[Any], task: Task, folder: RunFolder
) -> dict[str, Any]:
    """What the model of a run says about itself, so that its task can read what it writes."""
    own = {"task": config.task, "run": folder.path.name, "max_length": task.max_length}
    return lasting_origin(load_prior(spec, config.prior).origin) | own


def require_own_folder(
    spec: TaskSpec[Any], config: RunConfig[Any], folder: RunFolder, *, resume: str | None = None
) -> None:
    """Refuse a folder that is neither unused nor holds an unfinished run of this configuration.

    Args:
        spec: the task.
        config: of the run.
        folder: of the run.
        resume: the command that continues an unfinished run in the folder, where the user has not
            asked for that; such a folder is then refused.

    Raises:
        UserError: if it is refused.
    """
    path = folder.path
    if not (path / CONFIG).is_file():
        require_unused(path)
        return
    if folder.is_complete:
        require_unused(path)
    if resume is not None:
        raise UserError(f"{path} holds an unfinished run; continue it with: {resume}")
    require_same(spec, config, folder)


def require_same(spec: TaskSpec[Any], config: RunConfig[Any], folder: RunFolder) -> None:
    """Refuse a configuration that is not the one of the folder's run.

    Raises:
        UserError: which names the settings that differ.
    """
    own = read_config(spec, folder.path)
    changed = differing(own.content(), config.content())
    if changed:
        raise UserError(
            f"the run in {folder.path} continues with its own settings; leave out what would "
            f"change {', '.join(changed)}"
        )


def with_last_good(
    error: DivergedError,
    spec: TaskSpec[Any],
    config: RunConfig[Any],
    task: Task,
    folder: RunFolder,
) -> DivergedError:
    """Save the last good policy; gives the error whose message says where it is."""
    kept = folder.path / LAST_GOOD
    origin = _origin(spec, config, task, folder)
    save_model(SavedModel(error.last_good, task.vocabulary, origin), kept)
    message = f"{error}; the policy before that is in {kept}"
    return DivergedError(message, error.last_good, error.seed)


def has_diverged(folder: RunFolder) -> bool:
    """Whether the run of a folder ended with a loss or reward that was not finite."""
    return (folder.path / LAST_GOOD).is_dir() and (folder.path / CONFIG).is_file()
