"""What this process runs on."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from pathlib import Path


def usable_cores() -> int:
    """The cores that this process may use, which may be fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor() -> str:
    """The processor's name, as the system tells it."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def device() -> str:
    """The name of what JAX computes on: of a CPU the processor's, since JAX has none for it."""
    import jax

    first = jax.devices()[0]
    return processor() if first.platform == "cpu" else first.device_kind
