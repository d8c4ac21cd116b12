"""What this process runs on."""

from __future__ import annotations

import os
import platform
import sys
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


def peak_memory() -> float | None:
    """The most memory that this process has had, in MiB; `None` where it is not known."""
    try:
        import resource
    except ImportError:  # There is no such module on Windows.
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 2**20 if sys.platform == "darwin" else most / 2**10


def machine_facts() -> dict[str, str | int | None]:
    """What a speed was measured on."""
    import jax

    return {
        "machine": platform.machine(),
        "device": device(),
        "devices": jax.device_count(),
        "cores": os.cpu_count(),
        "jax": jax.__version__,
    }
