"""How fast the whole loop runs: collection, reward, replay and updates together, compiled.

Prints environment steps and learned transitions a second for each method at the default settings of
the melody task: of one run alone, of one run over as many devices as there are cores (as `seqtutor
tune --devices` runs it), and of as many runs side by side as there are cores, each with one thread,
which is how `seqtutor reproduce` runs them.

    python benchmarks/loop_speed.py
"""

from __future__ import annotations

import os
import subprocess
import sys

ONE_THREAD = "--xla_cpu_multi_thread_eigen=false"
METHODS = ("q", "psi", "g", "rl-only")
ITERATIONS = 20
SECONDS = 5.0


def measure(method: str, devices: int) -> tuple[float, float]:
    """Environment steps and learned transitions a second, once compiled."""
    import jax

    jax.config.update("jax_num_cpu_devices", devices)
    from seqtutor.models.files import load_model
    from seqtutor.runs.speed import Loop, Measurement
    from seqtutor.tasks.melody.spec import SHIPPED_PRIOR
    from seqtutor.tasks.melody.task import melody_task
    from seqtutor.training.settings import TutorSettings
    from seqtutor.training.tutor import Tutor

    tutor = Tutor(
        melody_task(), load_model(SHIPPED_PRIOR).model, TutorSettings.of(method), devices=devices
    )
    loop = Loop(tutor, ITERATIONS)
    whole = Measurement(loop.advance, ITERATIONS)
    whole.measure(SECONDS)
    return tutor.steps_per_iteration / whole.median, loop.transitions / whole.median


def main() -> None:
    """Measure and print."""
    if len(sys.argv) > 1:
        print(*measure(sys.argv[1], int(sys.argv[2])))
        return
    cores = len(os.sched_getaffinity(0))
    for runs, devices, flags in ((1, 1, ""), (1, cores, ""), (cores, 1, ONE_THREAD)):
        for method in METHODS:
            environment = {**os.environ, "XLA_FLAGS": flags}
            command = [sys.executable, __file__, method, str(devices)]
            started = [
                subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)
                for _ in range(runs)
            ]
            speeds = [tuple(map(float, p.communicate()[0].split())) for p in started]
            steps, learned = (sum(column) for column in zip(*speeds, strict=True))
            print(
                f"{runs} run(s) of {devices} device(s) on {cores} cores, {method:<8} "
                f"{steps:>9,.0f} environment steps/s {learned:>10,.0f} learned transitions/s",
                flush=True,
            )


if __name__ == "__main__":
    main()
