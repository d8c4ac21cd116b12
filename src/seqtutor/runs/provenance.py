"""What made a run: the command, versions and the machine."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from seqtutor.machine import processor, usable_cores

COMMAND = "SEQTUTOR_COMMAND"
"""Variable in which a command that starts others, and waits for them, tells what was typed."""

PACKAGES = ("jax", "jaxlib", "numpy", "equinox", "optax", "music21", "rdkit")
"""Those on which results depend."""


def command_line() -> str:
    """The command as it was typed, also in the processes that it starts."""
    return os.environ.get(COMMAND) or shlex.join(["seqtutor", *sys.argv[1:]])


def is_job() -> bool:
    """Whether another command has started this process, and waits for it."""
    return COMMAND in os.environ


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
    facts = made_by()
    commit = f" (commit {facts['commit'][:10]})" if isinstance(facts["commit"], str) else ""
    return (
        f"Made by `{facts['command']}` with seqtutor {facts['seqtutor']}{commit}, "
        f"JAX {facts['jax']} and Python {facts['python']} on {facts['cores']} cores "
        f"({facts['processor']}), {date.today().isoformat()}."
    )


def made_by(devices: int | None = None) -> dict[str, str | int | None]:
    """Command, versions, machine and time, to be kept beside a run's settings.

    With the number of devices that share the work, also what they are.
    """
    facts = {
        "command": command_line(),
        "seqtutor": version("seqtutor"),
        "commit": commit(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        **{name: found for name in PACKAGES if (found := _version(name))},
        "machine": platform.machine(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "usable_cores": usable_cores(),
    }
    if devices is None:
        return facts
    import jax

    return facts | {"device": jax.devices()[0].device_kind, "devices": devices}


OF_TRAINING = ("made_by", "finished", "start", "settings", "epochs", "test", "tuned")
"""What a model's origin says about its training; a model tuned from it has another training."""


def lasting_origin(origin: Mapping[str, Any]) -> dict[str, Any]:
    """What a model's origin says about its tokens and data, which hold for tuned models as well."""
    return {name: value for name, value in origin.items() if name not in OF_TRAINING}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
