"""Public reports on libraries that tune models by reinforcement learning, tried on this one.

A task of eight letters and five steps; each run takes seconds.
"""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import seqtutor as st
from public_case import Case

WORDS = ["abca", "bcab", "cabc", "aabb", "bbcc", "ccaa", "abab", "bcbc"] * 40


def rewards(tokens: np.ndarray, mask: np.ndarray) -> dict[str, np.ndarray]:
    return {"a": (tokens == 0).astype(float) * mask}


def task(reward: Any = rewards) -> st.Task:
    return st.Task(st.Vocabulary("abc.", end_token="."), max_length=5, reward=reward)


@cache
def prior() -> Any:
    return st.pretrain(task(), WORDS, epochs=3, hidden_sizes=(8,))


def tuned(reward: Any = rewards, method: str = "rloo", **options: Any) -> Any:
    options = {"steps": 4096, "c": 1.0, "discount": 1.0, "log_every": 1024} | options
    return st.tune(prior(), task(reward), method=method, **options)


def records(**options: Any) -> list[dict[str, float]]:
    found: list[dict[str, float]] = []
    tuned(on_record=found.append, **options)
    return found


def refused(call: Any) -> str:
    try:
        call()
    except st.UserError as error:
        return str(error)
    return "not refused"


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "seqtutor", *arguments], capture_output=True, text=True, check=False
    )


def tuning() -> Iterator[Case]:
    """Divergence, rewards, stopping, going on, loading."""
    yield Case(
        "trl#615; LlamaFactory#664, #3902",
        "the divergence from the prior is never negative: it is exact, not an estimate",
        lambda f: min(one["kl"] for one in records(method="ppo")) > -1e-6,
        True,
    )
    yield Case(
        "trl#521; LlamaFactory#3557; ColossalAI#3888; trlx#491; pytorch-a2c#66",
        "rewards below zero throughout train as well: they rise",
        lambda f: _rise(lambda t, m: {"a": -(t != 0).astype(float) * m}),
        True,
    )
    yield Case(
        "trl#2884, #2976, #3452, #3857, PR 5640",
        "groups whose rewards are all the same leave finite numbers and the policy at the prior",
        lambda f: _constant(),
        True,
    )
    yield Case(
        "ms-swift#8123; trl PR 5775, PR 5902; stable-baselines#279, #693; MARLlib#239",
        "a reward that is not a number ends the run and names the term",
        lambda f: "bad" in refused(lambda: tuned(_not_a_number)),
        True,
    )
    yield Case(
        "REINVENT4#276",
        "a reward of another shape than the sequences is refused, and says which",
        lambda f: "a" in refused(lambda: tuned(lambda t, m: {"a": np.zeros(3)})),
        True,
    )
    yield Case(
        "stable-baselines#178",
        "every record has numbers, the first one too",
        lambda f: all(math.isfinite(v) for one in records() for v in one.values()),
        True,
    )
    yield Case(
        "stable-baselines3#1872; rl_games#348; torchrl#2370; ml-agents#1718",
        "a callback ends the training, and what was learned is kept",
        lambda f: _stopped(),
        (1, True),
    )
    yield Case(
        "stable-baselines3#29, #1277, #1643, #928; stable-baselines#301, #692, #950, #1188, #1192; "
        "trl#1643, #2444, #2657",
        "saved, loaded and asked again: the same probabilities and samples",
        _loaded,
        True,
    )
    yield Case(
        "stable-baselines3#1643, #928",
        "the same seed gives the same policy",
        lambda f: _texts(tuned(seed=3)) == _texts(tuned(seed=3)),
        True,
    )
    yield Case(
        "magenta#711, #1830; magenta-demos PR 38",
        "a primer that does not exist is refused in a line",
        lambda f: _is_line(command("sample", "melody", "prior", "--prime", str(f / "primer.mid"))),
        True,
    )
    yield Case(
        "magenta#1696, #1116",
        "the Note RNN is there after the installation, and can be sampled before any tuning",
        lambda f: _code("sample", "melody", "prior", "--number", "1", "--output", str(f / "s")),
        0,
    )
    yield Case(
        "REINVENT4#202",
        "a setting that does not exist is named",
        lambda f: "--output-csv" in command("tune", "melody", "--output-csv", "x").stderr,
        True,
    )
    yield Case(
        "stable-baselines3#364; REINVENT4#333",
        "a run folder of another task is refused in a line",
        lambda f: _is_line(command("tune", "melody", "--resume", str(f))),
        True,
    )
    yield Case(
        "trl#232, PR 254",
        "a run ends at a distance from the prior that is asked for",
        lambda f: "--stop-at-kl" in command("tune", "melody", "--help-all").stdout,
        True,
    )


def _rise(reward: Any) -> bool:
    found = records(reward=reward, c=0.1, steps=40_000, log_every=4_000)
    return found[-1]["reward"] > found[0]["reward"]


def _constant() -> bool:
    found = records(reward=lambda t, m: {"same": np.zeros(len(t)) + 7.0}, method="grpo")
    return all(math.isfinite(v) for one in found for v in one.values()) and found[-1]["kl"] < 0.05


def _not_a_number(tokens: np.ndarray, mask: np.ndarray) -> dict[str, np.ndarray]:
    return {"good": np.zeros(len(tokens)), "bad": np.full(len(tokens), np.nan)}


def _stopped() -> tuple[int, bool]:
    seen: list[Any] = []

    def stop(record: Any) -> bool:
        seen.append(record)
        return False

    tutor = tuned(on_record=stop)
    return len(seen), len(tutor.sample(3)) == 3


def _loaded(folder: Path) -> bool:
    tutor = tuned(output=folder / "run")
    again = st.load(folder / "run")
    return _texts(tutor) == _texts(again)


def _texts(tutor: Any) -> list[str]:
    return ["".join(map(str, one)) for one in tutor.sample(30, seed=1)]


def _code(*arguments: str) -> int:
    return command(*arguments).returncode


def _is_line(done: subprocess.CompletedProcess[str]) -> bool:
    last = done.stderr.strip().splitlines()[-1:]
    return done.returncode == 2 and bool(last) and "Traceback" not in done.stderr
