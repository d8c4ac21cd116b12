import gzip
import os
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from moses_copy import as_npz, moses_sample, release_of, statistics, write_wheel

from seqtutor.errors import UserError
from seqtutor.tasks.molecule.moses import read_statistics, read_strings
from seqtutor.tasks.molecule.moses_wheel import (
    MOSES_RELEASE,
    Release,
    fetch_wheel,
    require_wheel,
    wheel_path,
)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, and a pip that knows of no index."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("SEQTUTOR_CACHE", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    return folder


@pytest.fixture
def wheel(tmp_path):
    """The wheel in a folder that pip looks into."""
    (tmp_path / "index").mkdir()
    return write_wheel(tmp_path / "index")


def test_what_the_wheel_holds_is_read(tmp_path):
    path = write_wheel(tmp_path)
    for split in ("train", "test", "test_scaffolds"):
        assert read_strings(split, path) == moses_sample(split)
    found, expected = read_statistics("test_scaffolds", path), statistics()
    np.testing.assert_array_equal(found.chemnet_mean, expected["FCD"]["mu"])
    np.testing.assert_array_equal(found.chemnet_covariance, np.eye(4))
    np.testing.assert_array_equal(found.fingerprints, expected["SNN"]["fps"])
    assert found.scaffolds == {"c1ccccc1": 7}


def test_statistics_cannot_call_anything(tmp_path):
    class Harm:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "harm"),)

    path = write_wheel(tmp_path, test_stats=as_npz({"FCD": Harm()}))
    with pytest.raises(UserError, match="not an array or a counter"):
        read_statistics("test", path)
    assert not (tmp_path / "harm").exists()


def test_a_damaged_wheel_is_the_users_error(tmp_path):
    path = write_wheel(tmp_path, train=gzip.compress(b"smi\nCC\n"))
    with pytest.raises(UserError, match="column 'smi'"):
        read_strings("train", path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(UserError, match="cannot be read"):
        read_strings("train", path)


def test_pip_fetches_the_wheel_once(cache, wheel):
    release = release_of(wheel)
    with pytest.raises(UserError, match="seqtutor data moses"):
        require_wheel(release)
    path = fetch_wheel(release)
    assert path == require_wheel(release) == wheel_path(release)
    assert path.read_bytes() == wheel.read_bytes()
    assert [file.name for file in cache.iterdir()] == [path.name]
    wheel.unlink()
    assert fetch_wheel(release) == path, "what is there is not fetched again"


def test_a_wheel_that_was_damaged_since_is_fetched_again(cache, wheel):
    release = release_of(wheel)
    cache.mkdir()
    wheel_path(release).write_bytes(wheel.read_bytes()[:-1])
    assert fetch_wheel(release).read_bytes() == wheel.read_bytes()


def test_another_file_of_that_name_is_not_kept(cache, wheel):
    with pytest.raises(UserError, match="another SHA-256; nothing was kept"):
        fetch_wheel(MOSES_RELEASE)
    with pytest.raises(UserError, match="another SHA-256; nothing was kept"):
        fetch_wheel(MOSES_RELEASE, source=wheel)
    assert not list(cache.iterdir())


def test_a_copy_serves_where_there_is_no_network(cache, wheel, tmp_path):
    release = release_of(wheel)
    copy = wheel.rename(tmp_path / "copy.whl")
    with pytest.raises(UserError, match=r"repeat this with a network, or give a copy .* --wheel"):
        fetch_wheel(release)
    assert fetch_wheel(release, source=copy).read_bytes() == copy.read_bytes()
    assert len(list(cache.iterdir())) == 1
    with pytest.raises(UserError, match="cannot write"):
        fetch_wheel(Release("other", "1", "0" * 64), source=tmp_path / "gone.whl")


def test_an_index_that_does_not_answer_is_told_in_one_line(cache, monkeypatch):
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(
        UserError, match=r"no package index with molsets 0\.3\.1 can be reached"
    ) as told:
        fetch_wheel(MOSES_RELEASE)
    assert "\n" not in str(told.value)


def test_a_cache_that_cannot_be_made_is_the_users_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SEQTUTOR_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(UserError, match="cannot make the folder"):
        fetch_wheel(MOSES_RELEASE)


class StallingIndex(BaseHTTPRequestHandler):
    """A package index that sends the first half of the wheel, and then nothing more."""

    stalled = threading.Event()
    released = threading.Event()

    def do_GET(self) -> None:
        self.send_response(200)
        if self.path.endswith(".whl"):
            self.send_header("Content-Length", "52000000")
            self.end_headers()
            self.wfile.write(bytes(26_000_000))
            self.stalled.set()
            self.released.wait(60)
        else:
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            name = MOSES_RELEASE.file_name
            self.wfile.write(f'<a href="/{name}#sha256={MOSES_RELEASE.sha256}">it</a>'.encode())

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


def test_an_interrupted_fetch_leaves_nothing(cache, monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), StallingIndex)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple")
    monkeypatch.setenv("NO_PROXY", "*")
    command = [sys.executable, "-m", "seqtutor", "data", "moses"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert StallingIndex.stalled.wait(60)
    assert len(list(cache.iterdir())) == 1
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=60)
    StallingIndex.released.set()
    server.shutdown()
    assert process.returncode == 130
    assert told.strip().splitlines()[-1] == "seqtutor: interrupted"
    assert "Downloading" in told, "pip's own progress is shown"
    assert not list(cache.iterdir())


def test_a_full_disk_is_told_in_one_line(tmp_path: Path):
    from seqtutor.tasks.molecule.moses_wheel import explained

    traceback = (
        "ERROR: Exception:\nTraceback (most recent call last):\n  ...\n"
        "    self.output_file.write(data)\nOSError: [Errno 28] No space left on device\n"
    )
    told = explained(traceback, MOSES_RELEASE, tmp_path / "fetching")
    assert told == f"there is no room for the MOSES set in {tmp_path}: it takes 52 MB twice"
    told = explained("python: No module named pip\n", MOSES_RELEASE, tmp_path)
    assert "ensurepip" in told
