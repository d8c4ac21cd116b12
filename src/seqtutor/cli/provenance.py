"""What made a run: the command, versions and the machine."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from datetime import date
from importlib.metadata import version
from pathlib import Path

COMMAND = "SEQTUTOR_COMMAND"
"""Variable in which a command that starts others tells them what was typed."""


def command_line() -> str:
    """The command as it was typed, also in the processes that it starts."""
    return os.environ.get(COMMAND) or shlex.join(["seqtutor", *sys.argv[1:]])


def commit() -> str | None:
    """The commit of the checkout that runs, if it is one; "+" marks uncommitted changes."""
    here = Path(__file__).parent

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(here), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--", str(here.parent))
        return git("rev-parse", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def made_by_in_words() -> str:
    """A sentence for a report: the command, versions, the machine and the day."""
    told = made_by()
    commit = f" (commit {told['commit'][:10]})" if isinstance(told["commit"], str) else ""
    return (
        f"Made by `{told['command']}` with seqtutor {told['seqtutor']}{commit}, JAX {told['jax']} "
        f"and Python {told['python']} on {told['cores']} cores ({told['machine']}), "
        f"{date.today().isoformat()}."
    )


def made_by() -> dict[str, str | int | None]:
    """Command, versions and machine, to be kept beside a run's settings."""
    return {
        "command": command_line(),
        "seqtutor": version("seqtutor"),
        "commit": commit(),
        "jax": version("jax"),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
    }
