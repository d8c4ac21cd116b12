"""One run of `tune` as a person follows it: a progress bar, remarks, and logs besides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from seqtutor.runs.config import RunConfig
from seqtutor.runs.costs import announce_cost, rewarded_after
from seqtutor.runs.event_logs import LogName, event_logs
from seqtutor.runs.interruption import Interrupted
from seqtutor.runs.progress import console, note_of, progress_bar
from seqtutor.runs.run_folder import RunFolder
from seqtutor.runs.run_on_disk import StoppedError
from seqtutor.runs.tuning import tune_in_folder
from seqtutor.task_spec import TaskSpec
from seqtutor.training.run import Record
from seqtutor.training.tutor import Tutor


def tune_with_bar(
    spec: TaskSpec[Any],
    config: RunConfig[Any],
    tutor: Tutor,
    folder: RunFolder,
    *,
    samples: int,
    evaluate: int,
    is_to_stop: Callable[[], bool],
    on_begin: Callable[[], None],
    logs: Sequence[LogName],
    again: str,
) -> None:
    """Tune in a folder, as `tune_in_folder` does with most of these arguments.

    Where the reward is dear, it is told before and after the training what the samples and the
    table and page, of `evaluate` sequences, cost. `logs` are the names of other programs that show
    the records, and `again` is the command that continues the run.

    Raises:
        Interrupted: after `is_to_stop` said so, with what to do to continue.
        UserError: as of `tune_in_folder`.
    """
    done = folder.records()
    after = rewarded_after(config.tutor, samples, evaluate)
    way = "--evaluate N makes it fewer, 0 leaves out table and page"

    def begin() -> None:
        on_begin()
        announce_cost(tutor.task.reward, after, f"After the training ({way}) ")

    def end() -> None:
        announce_cost(tutor.task.reward, after, "For samples, table and page ")

    with progress_bar() as progress, event_logs(logs, folder, config.content()) as log:
        bar = progress.add_task(
            tutor.method.symbol,
            total=tutor.steps,
            completed=int(done[-1]["step"]) if done else 0,
            note="",
        )

        def show(record: Record) -> None:
            progress.update(bar, completed=record["step"], note=note_of(record))
            log(record)

        try:
            tune_in_folder(
                spec,
                config,
                tutor,
                folder,
                samples=samples,
                is_to_stop=is_to_stop,
                on_record=show,
                on_remark=console.print,
                on_begin=begin,
                on_end=end,
            )
        except StoppedError as stop:
            raise Interrupted(
                f"interrupted at step {stop.step:,}; continue with: {again}"
            ) from None
