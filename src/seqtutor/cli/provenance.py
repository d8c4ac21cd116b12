"""What made a run: the command, versions and the machine."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from importlib.metadata import version


def command_line() -> str:
    """The command as it was typed."""
    return shlex.join(["seqtutor", *sys.argv[1:]])


def made_by() -> dict[str, str | int | None]:
    """Command, versions and machine, to be kept beside a run's settings."""
    return {
        "command": command_line(),
        "seqtutor": version("seqtutor"),
        "jax": version("jax"),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
    }
