"""Where one run is computed: devices and processes. They change nothing but rounding."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from seqtutor.settings import require

if TYPE_CHECKING:
    from seqtutor.comparisons import ComparedSequences
    from seqtutor.models.base import SequenceModel
    from seqtutor.task import Task
    from seqtutor.training.settings import TutorSettings
    from seqtutor.training.tutor import Tutor

HOST_DEVICES = "xla_force_host_platform_device_count"


@dataclass(frozen=True)
class Place:
    """Where one run is computed."""

    devices: int | None = None
    """Devices that share the work of one run, those of all processes together; by default one for
    each process. On a CPU a device is a core."""
    processes: int = 1
    """Processes that share the work of one run, on one machine or on many. Each gets the same
    command but for --process; the first one alone writes files."""
    process: int = 0
    """Which of the processes this one is, from 0."""
    coordinator: str | None = None
    """Where the first of several processes can be reached by the others."""

    def __post_init__(self) -> None:
        require(self.processes >= 1, f"--processes must be at least 1, not {self.processes}")
        require(
            0 <= self.process < self.processes,
            f"--process must lie between 0 and {self.processes - 1}, not {self.process}",
        )
        require(self.total >= 1, f"--devices must be at least 1, not {self.devices}")
        require(
            self.total % self.processes == 0,
            f"--devices ({self.total}) must be a multiple of --processes ({self.processes})",
        )
        has_port = (self.coordinator or "").rpartition(":")[2].isdecimal()
        require(
            self.processes == 1 or has_port,
            "several processes need --coordinator HOST:PORT, where the first of them is reached",
        )
        require(
            self.processes > 1 or self.coordinator is None,
            "--coordinator is for several processes: give --processes too",
        )

    @property
    def total(self) -> int:
        """Devices of all processes."""
        return self.processes if self.devices is None else self.devices

    @property
    def follows(self) -> bool:
        """Whether another process leads."""
        return self.process > 0

    @property
    def arguments(self) -> str:
        """The options as they are typed, after a space; empty where all have their defaults."""
        words = [] if self.devices is None else ["--devices", str(self.devices)]
        if self.coordinator is not None:
            words += ["--coordinator", self.coordinator, "--processes", str(self.processes)]
            words += ["--process", str(self.process)]
        return "".join(f" {shlex.quote(word)}" for word in words)

    @contextmanager
    def joined(self) -> Iterator[None]:
        """A context in which the devices exist and the processes are connected.

        Enter it before JAX computes anything.

        Raises:
            UserError: if the processes do not meet.
        """
        if self.total == 1:
            yield
            return
        import jax

        if HOST_DEVICES not in os.environ.get("XLA_FLAGS", ""):
            here = min(self.total // self.processes, os.cpu_count() or 1)
            # Where JAX has begun already, there are the devices that there are.
            with suppress(RuntimeError):
                jax.config.update("jax_num_cpu_devices", here)
        if self.processes == 1:
            yield
            return
        from seqtutor.runs.processes import join, leading
        from seqtutor.runs.progress import console

        assert self.coordinator is not None
        console.print(f"Waiting until all {self.processes} processes are at {self.coordinator}")
        join(self.coordinator, self.processes, self.process)
        if self.follows:
            yield
            return
        with leading():
            yield

    def tutor(
        self,
        task: Task,
        prior: SequenceModel,
        settings: TutorSettings,
        configuration: str,
        votes: ComparedSequences | None = None,
    ) -> Tutor:
        """A tutor that works on these devices.

        `configuration` is a text of all that decides the outcome, which all processes must share.

        Raises:
            UserError: if they are not there, or cannot share the work equally.
        """
        from seqtutor.training.tutor import Tutor

        if self.processes == 1 or self.follows:
            return Tutor(task, prior, settings, devices=self.total, votes=votes)
        from seqtutor.runs.processes import LeadingTutor

        return LeadingTutor(
            task,
            prior,
            settings,
            devices=self.total,
            votes=votes,
            configuration=configuration,
        )
