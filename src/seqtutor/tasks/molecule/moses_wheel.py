"""Fetching the wheel of molsets, which carries the MOSES set, with pip.

The user's own configuration of mirrors, proxies and certificates applies. The wheel is only a
container here: its declared dependencies no longer install.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from seqtutor.cache import cache_folder
from seqtutor.errors import UserError
from seqtutor.files import make_folder


@dataclass(frozen=True)
class Release:
    """One file of a package index, identified by its hash."""

    name: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        """The name of the wheel in the index."""
        return f"{self.name}-{self.version}-py3-none-any.whl"


MOSES_RELEASE = Release(
    "molsets", "0.3.1", "7f4450e3ebecebe79c3a2a55950c93daddee071120daf64a163d03481e811d34"
)
MEGABYTES = 52


def wheel_path(release: Release = MOSES_RELEASE) -> Path:
    """The path of the wheel in the cache, whether it exists or not."""
    return cache_folder() / release.file_name


def require_wheel(release: Release = MOSES_RELEASE) -> Path:
    """The path of the wheel.

    Raises:
        UserError: if it has not been fetched yet.
    """
    path = wheel_path(release)
    if not path.is_file():
        raise UserError(
            "the MOSES set has not been fetched yet; fetch it with: seqtutor data moses"
        )
    return path


def fetch_wheel(release: Release = MOSES_RELEASE, source: Path | None = None) -> Path:
    """Fetch the wheel with pip, or copy it from a file, unless the cache has it.

    pip's own progress goes to standard error. Only the whole file, with the right hash, is moved to
    its place, so an interrupted call can be repeated.

    Args:
        release: which file.
        source: a copy of the wheel, for a machine without a network.

    Returns:
        The path of the wheel.

    Raises:
        UserError: if it cannot be fetched or written, or has another hash.
    """
    path = wheel_path(release)
    if path.is_file() and _sha256(path) == release.sha256:
        return path
    folder = make_folder(path.parent)
    try:
        # In the cache folder itself, so that the last step is a rename on one file system.
        with tempfile.TemporaryDirectory(dir=folder, prefix=".fetching-") as temporary:
            fetched = Path(temporary) / release.file_name
            if source is None:
                _download(release, Path(temporary))
            else:
                shutil.copyfile(source, fetched)
            if _sha256(fetched) != release.sha256:
                raise UserError(_another_file(release, source))
            os.replace(fetched, path)
    except OSError as error:
        raise UserError(f"cannot write the MOSES wheel to {folder}: {error}") from None
    return path


def _download(release: Release, folder: Path) -> None:
    requirement = folder / "requirement.txt"
    requirement.write_text(f"{release.name}=={release.version} --hash=sha256:{release.sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    command += ["--require-hashes", "--no-input", "--disable-pip-version-check"]
    command += ["--no-cache-dir", "--dest", str(folder), "--requirement", str(requirement)]
    # pip unpacks under TMPDIR first; so it needs room on one file system, and leaves nothing.
    environment = {**os.environ, "TMPDIR": str(folder)}
    process = subprocess.run(command, stdout=2, stderr=subprocess.PIPE, env=environment)
    if process.returncode:
        raise UserError(explained(process.stderr.decode(errors="replace"), release, folder))


def explained(messages: str, release: Release, folder: Path) -> str:
    """One line that explains pip's messages, which may be a long traceback."""
    if "No module named pip" in messages:
        return (
            f"{sys.executable} has no pip to fetch the MOSES set with; install it (python -m "
            f"ensurepip), or give a copy of {release.file_name} with --wheel"
        )
    if "DO NOT MATCH THE HASHES" in messages:
        return _another_file(release, None)
    if "No space left on device" in messages or "Disk quota exceeded" in messages:
        return (
            f"there is no room for the MOSES set in {folder.parent}: it takes {MEGABYTES} MB twice"
        )
    # After its retries, pip reports an index that does not answer as one without versions.
    unreachable = ("from versions: none", "connection", "timed out", "sslerror")
    if any(words in messages.lower() for words in unreachable):
        return (
            f"no package index with {release.name} {release.version} can be reached; repeat this "
            f"with a network, or give a copy of {release.file_name} with --wheel"
        )
    errors = [line for line in messages.splitlines() if line.startswith("ERROR: ")]
    reason = errors[-1].removeprefix("ERROR: ") if errors else messages.strip().split("\n")[-1]
    return f"pip cannot fetch {release.name} {release.version}: {reason}"


def _another_file(release: Release, source: Path | None) -> str:
    return (
        f"{source or 'the file of the package index'} is not the expected {release.file_name}: it "
        "has another SHA-256; nothing was kept"
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
