"""One process at a time works in a folder."""

from __future__ import annotations

import contextlib
import fcntl
import threading
import time

import pytest

from seqtutor.errors import UserError
from seqtutor.files import require_unused
from seqtutor.runs.folder_lock import locked, made_and_locked


def test_a_folder_is_locked_once(tmp_path):
    with (
        locked(tmp_path),
        pytest.raises(UserError, match="another process runs"),
        locked(tmp_path),
    ):
        pass
    with locked(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def test_a_lock_whose_file_was_removed_before_it_was_taken_does_not_count(tmp_path, monkeypatch):
    """The one before removes the file between another's opening and locking it."""
    lock, flock, taken = tmp_path / ".lock", fcntl.flock, []

    def removed_first(file, operation):
        if not taken:
            lock.unlink()
        taken.append(file)
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", removed_first)
    with locked(tmp_path):
        assert len(taken) == 2
        with pytest.raises(UserError, match="another process runs"), locked(tmp_path):
            pass
    assert not list(tmp_path.iterdir())


def test_many_that_want_one_folder_have_it_one_at_a_time(tmp_path):
    inside, most = [], []
    all_there = threading.Barrier(4)

    def want(name):
        all_there.wait()
        for _ in range(200):
            with contextlib.suppress(UserError), locked(tmp_path):
                inside.append(name)
                time.sleep(1e-4)
                most.append(len(inside))
                inside.remove(name)

    threads = [threading.Thread(target=want, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(most) == {1}


def test_a_folder_that_cannot_be_written_is_the_users_error(tmp_path):
    (tmp_path / ".lock").mkdir()
    with pytest.raises(UserError, match="cannot write to"), locked(tmp_path):
        pass


@pytest.mark.parametrize("there", [0, 1, 2, 3])
def test_of_what_was_made_for_a_lock_only_what_was_used_stays(tmp_path, there):
    parts = ["a", "a/b", "a/b/c"]
    for part in parts[:there]:
        (tmp_path / part).mkdir()
    folder = tmp_path / "a/b/c"
    with made_and_locked(folder):
        pass
    left = [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*"))]
    assert left == parts[:there]
    with made_and_locked(folder):
        (folder / "file").touch()
    assert (folder / "file").exists()
    assert not (folder / ".lock").exists()


def test_what_a_killed_process_left_of_a_lock_does_not_take_the_folder(tmp_path):
    folder = tmp_path / "run" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / ".lock").touch()
    require_unused(tmp_path / "run")
    with locked(folder):
        (folder / "step").touch()
    with pytest.raises(UserError, match="exists already"):
        require_unused(tmp_path / "run")


def test_a_lock_that_is_a_link_is_not_followed(tmp_path):
    """A stranger's folder must not reach any file but its own."""
    precious = tmp_path / "precious.txt"
    precious.write_text("precious")
    folder = tmp_path / "strangers"
    folder.mkdir()
    (folder / ".lock").symlink_to(precious)
    with pytest.raises(UserError, match="cannot write to"), locked(folder):
        pass
    assert precious.read_text() == "precious"


@pytest.mark.parametrize("name", ["model", "samples", "samples/one"])
def test_a_folder_with_a_link_to_another_one_is_refused(tmp_path, name):
    """A run that goes on in it would write there."""
    victim, folder = tmp_path / "victim", tmp_path / "run"
    victim.mkdir()
    (folder / name).parent.mkdir(parents=True)
    (folder / name).symlink_to(victim)
    with pytest.raises(UserError, match=f"{name} is a link"), made_and_locked(folder):
        (folder / name / "config.json").touch()
    assert not list(victim.iterdir())
