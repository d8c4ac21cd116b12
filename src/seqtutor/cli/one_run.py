"""One tuning run of `seqtutor tune`, from its folder to its model, with a bar."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from seqtutor.cli.tune_options import TuneOptions
from seqtutor.errors import UserError
from seqtutor.runs.tuning import Tuning, differing

if TYPE_CHECKING:
    from seqtutor.cli.tuning import TaskTools
    from seqtutor.models.base import SequenceModel
    from seqtutor.runs.interruption import Interrupted
    from seqtutor.runs.run_folder import RunFolder
    from seqtutor.task import Task
    from seqtutor.training.run import DivergedError, Record
    from seqtutor.training.tutor import Tutor

_Tuning = TypeVar("_Tuning", bound=Tuning)


@contextmanager
def tutor_for(tuning: _Tuning, options: TuneOptions, tools: TaskTools[_Tuning]) -> Iterator[Tutor]:
    """The tutor, whose reward is closed at the end, however that comes."""
    prior = tools.load_prior(tuning)
    with tools.task(tuning, prior) as task:
        yield options.place.tutor(task, prior.model, tuning.tutor, repr(tuning))


def tune(
    tuning: _Tuning, folder: RunFolder, options: TuneOptions, tools: TaskTools[_Tuning]
) -> None:
    """One run, with a bar, to its model; it goes on if the folder holds a part of it."""
    import shutil

    from seqtutor.runs.interruption import stop_request, telling
    from seqtutor.runs.progress import console
    from seqtutor.runs.provenance import made_by
    from seqtutor.runs.run_folder import CONFIG, RunFolder
    from seqtutor.runs.run_on_disk import CHECKPOINTS

    if (folder.path / CONFIG).is_file():
        folder.require_unlocked()
    _require_own_folder(tuning, folder, options)
    again = _resume_command(tuning, folder.path, options)
    # From the moment that there is something to go on with, an interruption is to say so.
    with tutor_for(tuning, options, tools) as tutor, stop_request() as is_to_stop:

        def begin() -> None:
            # Again, now that nobody else can change what is there.
            _require_own_folder(tuning, folder, options)
            if not (folder.path / CONFIG).is_file():
                RunFolder.start(folder.path, tuning, made_by(tutor.prior, tutor.devices))
            symbol, weight = tutor.method.symbol, tutor.settings.c
            console.print(
                f"Tuning with {symbol}, c = {weight:g}, into {folder.path} (compiling first)"
            )
            if (told := tools.described(tuning)) is not None:
                console.print(told, highlight=False)

        def finish(policy: SequenceModel) -> None:
            finish_run(policy, tutor.task, tuning, folder, options.samples, tools)
            shutil.rmtree(folder.path / CHECKPOINTS, ignore_errors=True)

        with telling(lambda: _stopped_at_once(folder, again)):
            _run_with_bar(tutor, folder, tools, again, is_to_stop, begin, finish)
        if is_to_stop():
            raise without_table(tuning, folder.path, options)


def _run_with_bar(
    tutor: Tutor,
    folder: RunFolder,
    tools: TaskTools[_Tuning],
    again: str,
    is_to_stop: Callable[[], bool],
    begin: Callable[[], None],
    finish: Callable[[SequenceModel], None],
) -> None:
    """Run with a bar; `again` is the command that goes on once it is interrupted."""
    from seqtutor.runs.interruption import Interrupted
    from seqtutor.runs.progress import console, note_of, progress_bar
    from seqtutor.runs.run_on_disk import StoppedError, run_on_disk
    from seqtutor.training.run import DivergedError

    done = folder.records()
    with progress_bar() as progress:
        bar = progress.add_task(
            tutor.method.symbol,
            total=tutor.iterations * tutor.steps_per_iteration,
            completed=int(done[-1]["step"]) if done else 0,
            note="",
        )

        def on_record(record: Record) -> None:
            progress.update(bar, completed=record["step"], note=note_of(record))

        try:
            run_on_disk(
                tutor,
                folder,
                is_to_stop=is_to_stop,
                on_record=on_record,
                on_remark=console.print,
                begin=begin,
                finish=finish,
            )
        except DivergedError as error:
            raise with_last_good(error, tutor.task, folder) from None
        except StoppedError as stop:
            raise Interrupted(f"interrupted at step {stop.step:,}; go on with: {again}") from None


def _stopped_at_once(folder: RunFolder, again: str) -> KeyboardInterrupt:
    """An interruption in the midst of a chunk, and from where the run can go on."""
    from seqtutor.runs.interruption import Interrupted
    from seqtutor.runs.run_folder import CONFIG
    from seqtutor.runs.run_on_disk import saved_steps

    if not (folder.path / CONFIG).is_file():
        return KeyboardInterrupt()
    steps = saved_steps(folder)
    where = f"the checkpoint of step {steps[0]:,}" if steps else "the start"
    return Interrupted(f"interrupted; go on from {where} with: {again}")


def _require_own_folder(tuning: Tuning, folder: RunFolder, options: TuneOptions) -> None:
    """Refuse a folder that is neither unused nor holds the interrupted run that is meant.

    Raises:
        UserError: if it is neither.
    """
    from seqtutor.files import require_unused
    from seqtutor.runs.run_folder import CONFIG

    path = folder.path
    if options.resume is None:
        if (path / CONFIG).is_file() and not folder.is_complete:
            again = _resume_command(tuning, path, options)
            raise UserError(f"{path} holds an unfinished run; go on with: {again}")
        require_unused(path)
        return
    if folder.is_complete:
        raise UserError(f"the run in {path} is complete; there is nothing to go on with")
    require_same(tuning, folder)


def require_same(tuning: Tuning, folder: RunFolder) -> None:
    """Refuse settings that are not those of the folder's run, naming them."""
    changed = differing(folder.config(type(tuning)), tuning)
    if changed:
        raise UserError(
            f"the run in {folder.path} goes on with its own settings; leave out what would change "
            f"{', '.join(changed)}"
        )


def _resume_command(tuning: Tuning, path: Path, options: TuneOptions) -> str:
    """The command that goes on with a run, with what its folder does not know."""
    command = f"seqtutor tune {tuning.task} --resume {shlex.quote(str(path))}"
    usual = type(options)
    for name in options.resumed_with:
        if getattr(options, name) != getattr(usual, name):
            command += f" --{name.replace('_', '-')} {getattr(options, name)}"
    command += options.place.arguments
    return command + (" (and so in each other process)" if options.place.processes > 1 else "")


def finish_run(
    policy: SequenceModel,
    task: Task,
    tuning: _Tuning,
    folder: RunFolder,
    samples: int,
    tools: TaskTools[_Tuning],
) -> None:
    """Write samples and then the model, which makes the run complete."""
    if samples:
        tools.write_samples(policy, tuning, samples, folder.path / "samples")
    tools.finish(task, tuning, folder.path)
    _save(policy, task, folder.model)


def _save(policy: SequenceModel, task: Task, folder: Path) -> None:
    from seqtutor.models.files import SavedModel, save_model

    origin = {"run": folder.parent.name, "max_length": task.max_length}
    save_model(SavedModel(policy, task.vocabulary, origin), folder)


def with_last_good(error: DivergedError, task: Task, folder: RunFolder) -> UserError:
    """Keep the last good policy; the error that says where it is."""
    kept = folder.path / "last-good"
    _save(error.last_good, task, kept)
    return UserError(f"{error}; the policy as it was before is in {kept}")


def without_table(tuning: Tuning, output: Path, options: TuneOptions) -> Interrupted:
    """An interruption after which the policy is there, and how to get its table."""
    from seqtutor.runs.interruption import Interrupted

    if options.seeds > 1:
        again = f"give the same command again with --output {shlex.quote(str(output))}"
    else:
        again = _resume_command(tuning, output, options)
    return Interrupted(f"interrupted; the policy is in {output}; for its table: {again}")
