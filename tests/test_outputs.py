"""Where results would go is looked at before the work that leads to them."""

import pytest

from seqtutor.cli.main import main
from seqtutor.errors import UserError
from seqtutor.files import require_unused, require_writable


@pytest.mark.parametrize("check", [require_unused, require_writable])
def test_looking_leaves_nothing_behind(tmp_path, check):
    check(tmp_path / "new" / "folder" / "output.csv")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("a user's")
    for where in (tmp_path / "file" / "x", tmp_path / "file" / "x" / "y", tmp_path / ("x" * 300)):
        with pytest.raises(UserError, match="cannot write"):
            check(where)
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_a_file_may_be_written_again_and_a_folder_may_not_be_replaced(tmp_path):
    (tmp_path / "x.csv").write_text("older")
    require_writable(tmp_path / "x.csv")
    with pytest.raises(UserError, match="it is a folder"):
        require_writable(tmp_path)


@pytest.mark.parametrize(
    "command",
    [
        ["score", "molecule", "m.smi", "--output", "m.smi/x.csv"],
        ["score", "molecule", "m.smi", "--grid", "m.smi/x.svg"],
        ["report", "melody", "prior", "--output", "m.smi/x.html"],
        ["sample", "melody", "prior", "--output", "m.smi/x"],
    ],
)
def test_no_work_is_done_for_what_cannot_be_written(tmp_path, command, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.smi").write_text("CCO\n")
    assert main(command) == 2
    (line,) = capfd.readouterr().err.strip().splitlines()
    assert line == f"seqtutor: cannot write {command[-1]}: Not a directory"
