"""The real command, with a checkpoint after every chunk, for `benchmarks/faults.py`.

    python benchmarks/fault_child.py tune melody …
    python benchmarks/fault_child.py reward raises

The second form tunes by a user's own reward that fails at its tenth call: it raises, gives NaN or
another shape, gives no numbers, or never comes back. `SEQTUTOR_CLOCK=jumps` makes the system's
clock jump by days.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

FAILS_AT = 10


def jump() -> None:
    """From now on the time of day is wrong by up to a year either way, differently each time."""
    real, draw = time.time, random.Random(0)
    time.time = lambda: real() + draw.uniform(-3e7, 3e7)


def run_command(arguments: list[str]) -> int:
    """`seqtutor` itself, but for the time between checkpoints."""
    from seqtutor.cli.main import main
    from seqtutor.runs import run_on_disk

    defaults = run_on_disk.run_on_disk.__kwdefaults__
    assert defaults is not None
    defaults["seconds"] = 0.0
    return main(arguments)


def failing(kind: str) -> Callable[[Any, Any], dict[str, Any]]:
    """A reward that behaves until its tenth call."""
    import numpy as np

    calls = itertools.count(1)

    def reward(tokens: Any, mask: Any) -> dict[str, Any]:
        good = {"good": np.ones(tokens.shape, np.float32)}
        if next(calls) < FAILS_AT:
            return good
        if kind == "raises":
            raise ZeroDivisionError("division by zero")
        if kind == "hangs":
            print("hanging", flush=True)
            time.sleep(3600)
        bad: dict[str, dict[str, Any]] = {
            "NaN": {"good": np.full(tokens.shape, np.nan)},
            "shape": {"good": np.ones((3, 3, 3))},
            "text": {"good": "much"},
            "names": {"other": np.ones(tokens.shape)},
        }
        return bad[kind]

    return reward


def run_reward(kind: str) -> int:
    """Five lines of a user whose reward fails."""
    import seqtutor as st
    from seqtutor.errors import UserError

    settings: dict[str, Any] = {"environments": 4, "batch": 2, "updates": 1}
    settings |= {"replay_capacity": 8, "log_every": 16}
    task = st.Task(st.Vocabulary(tuple("abcd")), max_length=4, reward=failing(kind))
    prior = st.pretrain(task, ["abcd", "bcda", "cdab", "dabc"] * 40, epochs=1, batch=8)
    print("tuning", flush=True)
    try:
        st.tune(prior, task, method="psi", steps=16 * 40, **settings)
    except UserError as error:
        print(f"seqtutor: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    # A shell starts what runs in the background with SIGINT ignored, and this would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if os.environ.get("SEQTUTOR_CLOCK") == "jumps":
        jump()
    if sys.argv[1] == "reward":
        sys.exit(run_reward(sys.argv[2]))
    sys.exit(run_command(sys.argv[1:]))
