"""A PostgreSQL server of its own, for as long as a test needs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_USER = "postgres"


def _programs() -> Path | None:
    """The folder of Debian's newest server, or that of an `initdb` in the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    in_path = shutil.which("initdb")
    if found:
        return found[-1].parent
    return None if in_path is None else Path(in_path).resolve().parent


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of an empty database; the test is skipped where there is no server to start."""
    programs = _programs()
    if programs is None:
        pytest.skip("there is no PostgreSQL: apt-get install postgresql")
    # The server refuses to run as root; Debian's package brings a user.
    user = _USER if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="seqtutor-postgres-"))

    def run(*command: str) -> None:
        subprocess.run(
            command, user=user, check=True, stdout=subprocess.DEVNULL, timeout=60, cwd="/"
        )

    try:
        if user is not None:
            shutil.chown(folder, user)
        data = str(folder / "data")
        run(str(programs / "initdb"), "--auth=trust", "--username=study", "--no-sync", "-D", data)
        # Reached by a socket in the folder: no port can be taken by another test.
        options = f"-k {folder} -c listen_addresses='' -c max_connections=200"
        control = str(programs / "pg_ctl")
        run(control, "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield f"postgresql://study@/postgres?host={folder}"
        finally:
            run(control, "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
