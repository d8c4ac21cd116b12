"""Progress on the terminal: steps per second, time left, and a few numbers that matter."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import cached_property
from typing import IO, Any, cast

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from seqtutor.errors import printable

LINE_EVERY = 30.0
"""Seconds between two lines of a bar that goes to a file."""


class _StandardError:
    """The standard error as it is at the moment; what cannot be written there is lost.

    A terminal that is closed, or a reader that has gone, does not end a run.
    """

    @property
    def _file(self) -> IO[str]:
        # While bars are drawn, rich puts itself in its place and keeps what was there.
        return getattr(sys.stderr, "rich_proxied_file", sys.stderr)

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):
            self._file.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._file.flush()

    def __getattr__(self, name: str) -> Any:
        if name == "rich_proxied_file":
            raise AttributeError(name)
        return getattr(self._file, name)


class _Console(Console):
    """Shows the characters that a terminal would obey: a name may come from a stranger's file."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print, as of rich."""
        super().print(
            *(printable(one) if isinstance(one, str) else one for one in objects), **options
        )


console = _Console(file=cast(IO[str], _StandardError()), markup=False, emoji=False)
"""Everything that is not a result goes here, so that results can be piped.

Without emoji: rich would import their names with the first text, and a signal whose handler prints
may come in the middle of that.
"""


class SpeedColumn(ProgressColumn):
    """Units a second, in thousands; of a single unit the seconds so far."""

    def render(self, task: Task) -> Text:
        """The speed lately, at the end that of the whole; of less than a second there is none."""
        seconds = task.finished_time or task.elapsed or 0.0
        if seconds < 1.0:
            return Text()
        if task.total is not None and task.total <= 1:
            # At the end, the time taken stands in the next column.
            return Text() if task.finished else Text(f"{seconds:.0f} s", style="cyan")
        begun = task.fields.get("begun", 0)
        speed = (task.completed - begun) / seconds if task.finished else task.speed
        unit = task.fields.get("unit", "steps")
        return Text(f"{_thousands(speed)} {unit}/s", style="cyan") if speed else Text()


def seconds_left(bar: Task) -> float | None:
    """Seconds that a bar needs: at its speed of late, or with `mean_speed` at that of the whole.

    A bar of many jobs stands still while each of them compiles, and rushes afterwards.
    """
    if bar.finished or not bar.fields.get("mean_speed"):
        return bar.time_remaining
    made = bar.completed - bar.fields.get("begun", 0)
    if not made or not bar.elapsed or bar.remaining is None:
        return None
    return bar.elapsed / made * bar.remaining


class _TimeColumn(TimeRemainingColumn):
    """The time left, at the end the time taken."""

    def render(self, task: Task) -> Text:
        """The time, without hours where there are none."""
        left = seconds_left(task)
        if task.finished or left is None or task.total is None:
            return super().render(task)
        hours, rest = divmod(math.ceil(left), 3600)
        clock = f"{rest // 60:02d}:{rest % 60:02d}"
        return Text(f"{hours:d}:{clock}" if hours else clock, style="progress.remaining")


def _time_left(bar: Task) -> str:
    """For a line in a file: how long the bar needs."""
    left = seconds_left(bar)
    return f"  {timedelta(seconds=math.ceil(left))} left" if left else ""


def _thousands(number: float) -> str:
    return f"{number / 1000:.1f}k" if number >= 1000 else f"{number:.0f}"


def note_of(record: Mapping[str, float]) -> str:
    """The numbers of a tuning run's record that tell how it goes."""
    # Rounding can leave the KL divergence of two equal policies just below zero.
    shown = {**record, "kl": max(0.0, record["kl"])}
    return "r {reward:.2f} log p {log_prior:.2f} KL {kl:.2f}".format(**shown)


class _LoggedProgress(Progress):
    """Progress bars; without a terminal they print whole lines instead.

    What is drawn fits the width and is cut to it; a line in a file is never cut.
    """

    def add_task(
        self,
        description: str,
        start: bool = True,
        total: float | None = 100.0,
        completed: int = 0,
        visible: bool = True,
        **fields: Any,
    ) -> TaskID:
        """Add a bar; what is `completed` already took none of the time that it shows."""
        return super().add_task(
            description, start, total, completed, visible, begun=completed, **fields
        )

    def update(self, task_id: TaskID, **changes: Any) -> None:
        """Update a bar, and print a line if the last one is long ago or the bar is at its end."""
        super().update(task_id, **changes)
        if self.console.is_terminal:
            return
        bar, now = self._tasks[task_id], time.monotonic()
        note = f"  {bar.fields['note']}" if bar.fields.get("note") else ""
        line = f"{bar.description} {bar.percentage:.0f} %{note}"
        printed_at, printed = self._printed.setdefault(task_id, (now, ""))
        if bar.finished:
            self._print_end(bar)
        elif line != printed and now - printed_at >= LINE_EVERY:
            self._printed[task_id] = now, line
            self._print_line(line + _time_left(bar))

    def stop(self) -> None:
        """Stop, and without a terminal print the last line of bars that are not at their end."""
        super().stop()
        if self.console.is_terminal:
            return
        for bar in self.tasks:
            if bar.visible:
                self._print_end(bar)

    def _print_end(self, bar: Task) -> None:
        """Print the bar's last line, once."""
        if bar.id in self._ended:
            return
        self._ended.add(bar.id)
        drawn = [column for column in self.columns if isinstance(column, ProgressColumn)]
        shown = [column(bar) for column in drawn if not isinstance(column, BarColumn)]
        self._print_line("  ".join(filter(None, (str(text).strip() for text in shown))))

    def _print_line(self, line: str) -> None:
        self.console.print(line, highlight=False, soft_wrap=True)

    @cached_property
    def _printed(self) -> dict[TaskID, tuple[float, str]]:
        """For each bar, the time of its last line and the line."""
        return {}

    @cached_property
    def _ended(self) -> set[TaskID]:
        """Bars that had their last line."""
        return set()


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Bars with speed, the time left (at the end: the time taken) and a note each."""
    with _LoggedProgress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=12),
        TextColumn("{task.percentage:>3.0f} %", markup=False),
        SpeedColumn(Column(no_wrap=True)),
        _TimeColumn(compact=True, elapsed_when_finished=True),
        TextColumn("{task.fields[note]}", style="dim", markup=False),
        console=console,
        disable=not console.is_terminal,
    ) as progress:
        yield progress
