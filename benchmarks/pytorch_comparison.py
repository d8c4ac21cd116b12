"""The papers' algorithm in eager PyTorch, beside this package's loop, in one process.

PyTorch is no dependency of the package: in an environment of your own,

    pip install torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu
    pip install . && python benchmarks/pytorch_comparison.py

The PyTorch side is Jaques et al. 2017 on the melody task, with Ψ-learning (eq. 7-14): an LSTM of
100 cells that starts from the prior, one step of one melody, its nine rules and the prior's
log-probability as reward, then one update on 32 transitions from the replay, each with the
recurrent state that it was seen in; ε-greedy, squared error, Adam, clipped gradients, a target
network that follows by 1 %. It is written to be quick: a preallocated replay, fused cells, a fused
Adam, multi-tensor updates of the target, no gradients while playing, no copies between host and
device, as many threads as serve it best. Before anything is measured, its rules and its network
are held against the package's.

Both learn the same policy's objective from the same prior, but not the same number of times from
each step, so that there are two ratios: environment steps and learned transitions a second. With
fewer updates after each collection the package's loop has more of the one and less of the other:
eight are its default. All take turns for a few seconds each; the ratios are those to the eager loop
in the same round, and the median is told.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import jax
import numpy as np
import torch
import tyro
from torch import Tensor, nn

from seqtutor.models.files import load_model
from seqtutor.models.lstm import LSTM
from seqtutor.tasks.melody.spec import SHIPPED_PRIOR
from seqtutor.tasks.melody.task import melody_task
from seqtutor.training.settings import TutorSettings
from seqtutor.training.tutor import Tutor
from stepwise_rules import LENGTH, MelodyRules, check
from torch_weights import CELL, from_torch, to_torch

VOCABULARY, HIDDEN, BEGIN = 38, 100, 38


@dataclass(frozen=True)
class Options:
    """Measure both."""

    rounds: int = 7
    """How often they take turns."""
    seconds: float = 3.0
    """Of each turn, about."""
    environments: int = TutorSettings.environments
    """Of the package's loop; what is not named here is its defaults."""
    updates: tuple[int, ...] = (8, 4, 3)
    """Of the package's loop after each collection, each measured."""
    devices: tuple[int, ...] = (1, 2)
    """That share the work of the package's loop, each number measured."""
    c: float = 0.5
    discount: float = 0.5
    batch: int = 32
    target_rate: float = 0.01
    learning_rate: float = 1e-3
    gradient_norm: float = 10.0
    replay: int = 32_000
    epsilon: float = 0.1
    """Share of random tokens; the papers' falls from 1 to 0.01, which costs the same."""


@dataclass(frozen=True)
class Speed:
    """What was done in a second."""

    steps: float
    transitions: float


class NoteRNN(nn.Module):
    """An LSTM of one layer and its readout."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(VOCABULARY + 1, HIDDEN)
        self.readout = nn.Linear(HIDDEN, VOCABULARY)

    def forward(
        self, tokens: Tensor, state: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Values of the next token, and the state after reading these."""
        inputs = nn.functional.one_hot(tokens, VOCABULARY + 1).float()
        hidden, memory = self.cell(inputs, state)
        return self.readout(hidden), hidden, memory

    @classmethod
    def of(cls, prior: LSTM) -> NoteRNN:
        """The package's prior."""
        network = cls()
        weights = to_torch(prior)
        cell = {name: weights.pop(name) for name in CELL}
        network.cell.load_state_dict(cell)
        network.readout.load_state_dict(weights)
        return network

    def as_model(self, prior: LSTM) -> LSTM:
        """The package's model with these weights; `of` the other way around."""
        return from_torch(prior, {**self.cell.state_dict(), **self.readout.state_dict()})


class Replay:
    """A ring of transitions in tensors that are made once."""

    def __init__(self, capacity: int) -> None:
        self.capacity, self.added = capacity, 0
        self.previous = torch.zeros(capacity, dtype=torch.long)
        self.token = torch.zeros(capacity, dtype=torch.long)
        self.reward = torch.zeros(capacity)
        self.goes_on = torch.zeros(capacity)
        self.state = torch.zeros(2, capacity, HIDDEN)
        self.next_state = torch.zeros(2, capacity, HIDDEN)

    def add(
        self,
        previous: int,
        token: int,
        reward: float,
        goes_on: bool,
        states: tuple[Tensor, Tensor, Tensor, Tensor],
    ) -> None:
        """Store a transition; the states are hidden and memory before and after reading."""
        slot = self.added % self.capacity
        self.added += 1
        self.previous[slot], self.token[slot] = previous, token
        self.reward[slot], self.goes_on[slot] = reward, float(goes_on)
        self.state[0, slot], self.state[1, slot] = states[0][0], states[1][0]
        self.next_state[0, slot], self.next_state[1, slot] = states[2][0], states[3][0]

    def rows(self, number: int) -> Tensor:
        """Rows of stored transitions, uniformly."""
        return torch.randint(0, min(self.added, self.capacity), (number,))


class EagerTutor:
    """Play a step, learn once, again and again."""

    def __init__(self, options: Options, prior: LSTM, *, has_rules: bool = True) -> None:
        self.options, self.has_rules = options, has_rules
        self.prior, self.network, self.target = (NoteRNN.of(prior) for _ in range(3))
        for frozen in (self.prior, self.target):
            frozen.requires_grad_(False)
        self.optimiser = torch.optim.Adam(
            self.network.parameters(), lr=options.learning_rate, fused=True
        )
        self.weights = [one.detach() for one in self.network.parameters()]
        self.target_weights = list(self.target.parameters())
        self.replay = Replay(options.replay)
        self.begin_melody()

    def begin_melody(self) -> None:
        """Silence: states of zeros, nothing heard."""
        zeros = torch.zeros(1, HIDDEN)
        self.previous = BEGIN
        self.prior_state = self.state = (zeros, zeros)
        self.rules = MelodyRules()

    @torch.no_grad()
    def play(self) -> None:
        """One step with the exploring policy, stored."""
        options = self.options
        read = torch.tensor([self.previous])
        prior_values, *prior_state = self.prior(read, self.prior_state)
        values, *state = self.network(read, self.state)
        if torch.rand(()).item() < options.epsilon:
            token = int(torch.randint(0, VOCABULARY, ()).item())
        else:
            token = int(values.argmax().item())
        log_prior = torch.log_softmax(prior_values[0], 0)[token].item()
        earned = self.rules.reward(token) if self.has_rules else float(token == 14)
        step = len(self.rules.heard) if self.has_rules else (self.replay.added % LENGTH) + 1
        reward = earned / options.c + log_prior
        goes_on = step < LENGTH
        self.replay.add(self.previous, token, reward, goes_on, (*self.state, *state))
        self.previous, self.prior_state, self.state = token, tuple(prior_state), tuple(state)
        if not goes_on:
            self.begin_melody()

    def learn(self) -> None:
        """One update on transitions of the replay (eq. 14)."""
        options, replay = self.options, self.replay
        rows = replay.rows(options.batch)
        state, next_state = replay.state[:, rows], replay.next_state[:, rows]
        token = replay.token[rows]
        with torch.no_grad():
            following, _, _ = self.target(token, (next_state[0], next_state[1]))
            value = torch.logsumexp(following, 1) * replay.goes_on[rows]
            goal = replay.reward[rows] + options.discount * value
        values, _, _ = self.network(replay.previous[rows], (state[0], state[1]))
        taken = values.gather(1, token[:, None])[:, 0]
        loss = nn.functional.mse_loss(taken, goal)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), options.gradient_norm)
        self.optimiser.step()
        with torch.no_grad():
            torch._foreach_lerp_(self.target_weights, self.weights, options.target_rate)

    def run(self, seconds: float) -> Speed:
        """Steps and updates in turn, for so long."""
        steps, start = 0, time.perf_counter()
        while (taken := time.perf_counter() - start) < seconds:
            for _ in range(LENGTH):
                self.play()
                self.learn()
            steps += LENGTH
        return Speed(steps / taken, steps * self.options.batch / taken)


class CompiledTutor:
    """The package's loop, with its defaults but for the updates that follow a collection."""

    def __init__(self, options: Options, prior: LSTM, updates: int, devices: int) -> None:
        settings = TutorSettings.of(
            "psi",
            environments=options.environments,
            replay_capacity=32 * options.environments,
            updates=updates,
        )
        self.tutor = Tutor(melody_task(), prior, settings, devices=devices)
        self.state, _ = self.tutor.advance(self.tutor.initial_state(), 8)
        speed = self.run(0.0)
        self.iterations = max(
            8, round(options.seconds * speed.steps / self.tutor.steps_per_iteration)
        )

    def run(self, seconds: float) -> Speed:
        """Collections with their updates, for about so long."""
        iterations = self.iterations if seconds else 8
        start = time.perf_counter()
        self.state, _ = jax.block_until_ready(self.tutor.advance(self.state, iterations))
        taken = time.perf_counter() - start
        learned = iterations * self.tutor.updates * self.tutor.batch * LENGTH
        return Speed(iterations * self.tutor.steps_per_iteration / taken, learned / taken)


def check_network(prior: LSTM) -> None:
    """Hold the PyTorch network against the package's on random tokens.

    Raises:
        AssertionError: if a value differs.
    """
    tokens = np.random.default_rng(0).integers(0, VOCABULARY, (4, LENGTH))
    expected = np.asarray(prior.unroll(jax.numpy.asarray(tokens)))
    network = NoteRNN.of(prior)
    state = (torch.zeros(4, HIDDEN), torch.zeros(4, HIDDEN))
    read = np.concatenate([np.full((4, 1), BEGIN), tokens[:, :-1]], axis=1)
    with torch.no_grad():
        for step in range(LENGTH):
            values, *after = network(torch.tensor(read[:, step]), state)
            state = (after[0], after[1])
            np.testing.assert_allclose(values.numpy(), expected[:, step], atol=1e-4)


def best_threads(measure: Callable[[], Speed]) -> int:
    """One thread or all: whatever is quicker."""
    every = torch.get_num_threads()
    speeds = {}
    for threads in {1, every}:
        torch.set_num_threads(threads)
        speeds[threads] = measure().steps
    best = max(speeds, key=speeds.__getitem__)
    torch.set_num_threads(best)
    return best


def main(options: Options) -> None:
    """Check, measure in turns, print."""
    jax.config.update("jax_num_cpu_devices", max(options.devices))
    prior = load_model(SHIPPED_PRIOR).model
    assert isinstance(prior, LSTM)
    check_network(prior)
    check(np.random.default_rng(0).choice([0, 1, 14, 16, 18, 21, 26], (200, LENGTH)))
    eager, without_rules = (EagerTutor(options, prior, has_rules=one) for one in (True, False))
    threads = best_threads(lambda: eager.run(options.seconds / 2))
    ways: dict[str, EagerTutor | CompiledTutor] = {
        "PyTorch eager, the papers' loop": eager,
        "the same without the nine rules": without_rules,
    }
    for updates in options.updates:
        for devices in options.devices:
            name = f"seqtutor, {updates} updates of 64, {devices} device(s)"
            ways[name] = CompiledTutor(options, prior, updates, devices)
    print(
        f"PyTorch {torch.__version__} with {threads} thread(s), JAX {jax.__version__} on "
        f"{jax.devices()[0].device_kind}, {options.rounds} rounds of {options.seconds:g} s"
    )
    speeds: dict[str, list[Speed]] = {name: [] for name in ways}
    for _ in range(options.rounds):
        for name, way in ways.items():
            speeds[name].append(way.run(options.seconds))
    of_eager = next(iter(speeds.values()))
    row = "{:40}{:>16}{:>22}{:>12}{:>16}"
    print(row.format("", "env. steps/s", "learned transitions/s", "steps ×", "transitions ×"))
    for name, rounds in speeds.items():
        pairs = list(zip(rounds, of_eager, strict=True))
        numbers = (
            statistics.median(one.steps for one in rounds),
            statistics.median(one.transitions for one in rounds),
            statistics.median(own.steps / eager.steps for own, eager in pairs),
            statistics.median(own.transitions / eager.transitions for own, eager in pairs),
        )
        shown = [f"{number:,.0f}" for number in numbers[:2]]
        print(row.format(name, *shown, *(f"{number:.1f}" for number in numbers[2:])))


if __name__ == "__main__":
    main(tyro.cli(Options))
