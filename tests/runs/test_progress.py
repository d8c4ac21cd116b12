"""Progress where there is no terminal."""

import errno
import subprocess
import sys

import pytest
from rich.console import Console

from seqtutor.runs import progress as progress_module
from seqtutor.runs.progress import SpeedColumn, progress_bar, seconds_left


def test_a_bar_in_a_file_prints_lines_with_the_time_left(monkeypatch, capsys):
    monkeypatch.setattr(progress_module, "LINE_EVERY", 0.0)
    clock = [0.0]
    with progress_bar() as progress:
        progress.get_time = lambda: clock[0]
        bar = progress.add_task("Ψ", total=8000, note="compiles")
        for clock[0], completed, note in ((10.0, 1000, "r 1.00"), (20.0, 2000, "r 2.00")):
            progress.update(bar, completed=completed, note=note)
        progress.update(bar, completed=2000, note="r 2.00")
        lines = [" ".join(line.split()) for line in capsys.readouterr().err.splitlines()]
    assert lines == ["Ψ 12 % r 1.00", "Ψ 25 % r 2.00 0:01:00 left"]


@pytest.mark.parametrize("width", [8, 80, 200])
def test_lines_in_a_file_are_whole_whatever_the_width(width, monkeypatch, capsys):
    monkeypatch.setattr(progress_module, "LINE_EVERY", 0.0)
    monkeypatch.setattr(progress_module, "console", Console(stderr=True, width=width, markup=False))
    note = f"[3/10] {'a long name of a case, ' * 5}expected gap"
    with progress_bar() as progress:
        bar = progress.add_task("Verifying [every] method", total=8, note="compiles")
        progress.update(bar, completed=6, note=note)
        progress.update(bar, completed=8)
        progress.update(bar, note=note)
        # The end is told when it comes, and once, whatever goes on beside it.
        progress.add_task("Another", total=8, note="", visible=False)
        during, last = capsys.readouterr().err.splitlines()
    assert not capsys.readouterr().err
    assert during == f"Verifying [every] method 75 %  {note}"
    assert last.startswith("Verifying [every] method  100 %  ")
    assert last.endswith(f"  {note}")


def test_the_speed_at_the_end_is_that_of_the_whole_and_of_nothing_done_before(capsys):
    clock = [0.0]
    with progress_bar() as progress:
        progress.get_time = lambda: clock[0]
        bar = progress.add_task("Ψ", total=900, completed=100, unit="molecules", note="")
        for clock[0], done in ((98.0, 300), (99.9, 600), (100.0, 900)):
            progress.update(bar, completed=done)
    assert "  8 molecules/s  " in capsys.readouterr().err


@pytest.mark.parametrize(("mean_speed", "left"), [(False, 50.0), (True, 250.0)])
def test_a_bar_of_many_jobs_goes_by_their_mean_speed(mean_speed, left):
    clock = [0.0]
    with progress_bar() as progress:
        progress.get_time = lambda: clock[0]
        bar = progress.add_task(
            "All", total=300, completed=100, note="", mean_speed=mean_speed, visible=False
        )
        # Nothing for a while, as all compile; then two a second.
        for clock[0], done in ((225.0, 150), (250.0, 200)):
            progress.update(bar, completed=done)
        assert [seconds_left(task) for task in progress.tasks] == [left]


def test_a_single_unit_has_no_speed_but_the_seconds_so_far(capsys):
    clock = [0.0]
    with progress_bar() as progress:
        progress.get_time = lambda: clock[0]
        bar = progress.add_task("Drawing", total=1, unit="pages", note="")
        clock[0] = 7.0
        (during,) = (SpeedColumn().render(task).plain for task in progress.tasks)
        progress.update(bar, completed=1)
    assert during == "7 s"
    (line,) = capsys.readouterr().err.splitlines()
    assert line.split() == ["Drawing", "100", "%", "00:07"]


def test_it_is_silent_between(capsys):
    with progress_bar() as progress:
        bar = progress.add_task("Ψ", total=8, note="compiles")
        for step in range(8):
            progress.update(bar, completed=step)
        assert not capsys.readouterr().err


class Gone:
    """A terminal that was closed, or a pipe whose reader has gone."""

    encoding = "utf-8"

    def __init__(self, is_terminal):
        self.isatty = lambda: is_terminal

    def write(self, text):
        raise OSError(errno.EIO, "Input/output error")

    def flush(self):
        raise OSError(errno.EIO, "Input/output error")


@pytest.mark.parametrize("is_terminal", [True, False])
def test_what_cannot_be_shown_is_no_reason_to_end(is_terminal, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Gone(is_terminal))
    with progress_bar() as progress:
        bar = progress.add_task("run", total=2, note="")
        progress.update(bar, completed=1)
        progress_module.console.print("a remark")
        progress.update(bar, completed=2)


def test_printing_imports_nothing_so_that_a_signal_handler_can_print_at_any_time():
    code = (
        "import sys; from seqtutor.runs.progress import console, progress_bar; "
        "known = set(sys.modules); console.print('a :smile: of 1,024', style='yellow')\n"
        "with progress_bar() as progress:\n"
        "    bar = progress.add_task('Ψ', total=2, note='compiles')\n"
        "    progress.update(bar, completed=1)\n"
        "print(sorted(set(sys.modules) - known))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.splitlines()[0] == "a :smile: of 1,024"
    assert done.stdout.strip() == "[]"
