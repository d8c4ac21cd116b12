"""Progress where there is no terminal."""

from seqtutor.cli import progress as progress_module
from seqtutor.cli.progress import progress_bar


def test_a_bar_that_goes_to_a_file_tells_in_lines_how_it_goes(monkeypatch, capsys):
    monkeypatch.setattr(progress_module, "LINE_EVERY", 0.0)
    with progress_bar() as progress:
        bar = progress.add_task("Ψ", total=8, note="compiles")
        progress.update(bar, completed=2, note="r 1.00")
        progress.update(bar, completed=6, note="r 2.00")
        lines = [" ".join(line.split()) for line in capsys.readouterr().err.splitlines()]
    assert lines == ["Ψ 25 % r 1.00", "Ψ 75 % r 2.00"]


def test_it_is_silent_between(capsys):
    with progress_bar() as progress:
        bar = progress.add_task("Ψ", total=8, note="compiles")
        for step in range(8):
            progress.update(bar, completed=step)
        assert not capsys.readouterr().err
