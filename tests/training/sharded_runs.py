"""Runs on two devices beside one, in double precision; a process of its own, for its devices.

Prints what came of each case as JSON.
"""

from __future__ import annotations

import json
from dataclasses import replace

import jax
import numpy as np

from seqtutor.rewards import Reward
from seqtutor.training.run import chunks, run_tutor
from seqtutor.training.settings import TutorSettings, applicable_settings
from seqtutor.training.tutor import Tutor
from tiny_problems import arrays_of, in_float64, prior, task

LENGTH, ENVIRONMENTS = 4, 16


def above_mean(tokens, mask):
    """A reward in NumPy that looks at its whole batch."""
    return {"above_mean": (tokens > tokens[mask].mean()) * 1.0}


class Startable:
    """The same reward, which begins before it is asked for the answer."""

    def __init__(self, tokens=None, mask=None):
        self.batch = tokens, mask

    def __call__(self, tokens, mask):
        return above_mean(tokens, mask)

    def start(self, tokens, mask):
        return Startable(tokens, mask)

    def collect(self):
        return above_mean(*self.batch)


def tutor_of(method: str, *, on_host=None, **changes) -> Tutor:
    """Forty collections with a record after each ten."""
    exercise = task(3, LENGTH, has_end=True)
    if on_host is not None:
        exercise = replace(exercise, reward=Reward(on_host))
    settings = TutorSettings.of(
        method,
        discount=1.0,
        environments=ENVIRONMENTS,
        steps=ENVIRONMENTS * LENGTH * 40,
        log_every=ENVIRONMENTS * LENGTH * 10,
        collapse_distinct=0.0,
        **applicable_settings(method, replay_capacity=4 * ENVIRONMENTS, batch=8, updates=2),
        **changes,
    )
    return Tutor(exercise, in_float64(prior(3, hidden=(4,))), settings)


def prioritised() -> Tutor:
    """Ψ-learning from a prioritised replay."""
    return tutor_of("psi", priority_exponent=0.6)


def outcome(weights, records) -> dict:
    """What a run learned and recorded, without its times."""
    return {
        "weights": [array.tolist() for array in arrays_of(weights)],
        "records": [{k: v for k, v in record.items() if k != "seconds"} for record in records],
    }


def whole_run(tutor: Tutor, devices: int) -> dict:
    """A run from its beginning to its end."""
    tuned = run_tutor(replace(tutor, devices=devices))
    return outcome(tuned.policy, tuned.records)


def run_that_moves(tutor: Tutor, *devices: int) -> dict:
    """A run each of whose chunks is on another number of devices."""
    state, records = None, []
    for number in devices:
        progress = next(chunks(replace(tutor, devices=number), state, records))
        state = jax.device_put(jax.device_get(progress.state))
        records.append(progress.record)
    return outcome(tutor.policy(state.network), records)


def replay_shares(tutor: Tutor) -> list[int]:
    """How many sequences of the replay are on each of two devices."""
    progress = next(chunks(replace(tutor, devices=2)))
    shards = progress.state.replay.stored.tokens.addressable_shards
    return [np.shape(shard.data)[0] for shard in shards]


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    psi, rloo = prioritised(), tutor_of("rloo", on_host=above_mean)
    meanwhile = tutor_of("psi", on_host=Startable())
    cases = {
        "psi": [whole_run(psi, 1), whole_run(psi, 2), run_that_moves(psi, 2, 1, 2, 1)],
        "rloo": [whole_run(rloo, 1), whole_run(rloo, 2)],
        "meanwhile": [whole_run(meanwhile, 1), whole_run(meanwhile, 2)],
        "shares": replay_shares(psi),
    }
    print(json.dumps(cases))
