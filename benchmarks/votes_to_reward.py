"""From 300 simulated votes to a policy: how far a learned preference can be followed.

    python benchmarks/votes_to_reward.py              # prints the tables, draws the figure
    python benchmarks/votes_to_reward.py --seeds 1    # one set of votes instead of three
    python benchmarks/votes_to_reward.py --quick      # three policies for each set of votes

Listeners have a hidden preference that no rule of the melody task rewards: stepwise motion, but not
nothing else; a range of about nine semitones; a long last note. Each listener weighs these in an
own way, answers by Davidson's likelihood with ties, favours the left side a little, and does not
listen in one vote of twenty. Thirty of them compare pairs of the prior's melodies, ten votes each.

A preference model learns from these votes. The prior is tuned on its utility with Ψ-learning at
several c, with and without pessimism, and by direct preference optimisation on the same votes. Of
each policy, KL(π‖p) and the mean hidden preference are measured, and for some of them forty other
listeners, whose votes nothing has learned from, compare its melodies with the prior's.

All of that is done for several sets of listeners and votes; the last table has means over them and
95 % intervals of Student's t.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Array, Float, Int
from scipy import stats

from seqtutor.comparisons import ComparedSequences
from seqtutor.data import Sequences
from seqtutor.measures.sampling import draw
from seqtutor.models.base import SequenceModel
from seqtutor.preferences.model import PreferenceModel, fit_preference
from seqtutor.preferences.reward import TERM, increments_by_length
from seqtutor.preferences.validation import validate
from seqtutor.rewards import Reward, compiled, learned
from seqtutor.runs.policies import load_prior
from seqtutor.task import Task
from seqtutor.task_registry import find_spec
from seqtutor.training.run import chunks
from seqtutor.training.settings import TutorSettings
from seqtutor.training.tutor import Tutor

LENGTH = 32
LOWEST_PITCH = 2
"""The smallest token that is a pitch."""
TIE, SIDE_BIAS, INATTENTIVE = 0.5, 0.3, 0.05
TASTE = 0.35
"""Deviation of the logarithm of a listener's weight of each part of the preference."""
DPO_LEARNING_RATE = 5e-4
"""At the default of tune the first epoch goes further than three hundred votes can tell."""
FIGURE = Path(__file__).parents[1] / "docs" / "figures" / "study" / "over_optimisation.png"


def parts_of_preference(tokens: Int[np.ndarray, "n time"]) -> Float[np.ndarray, "n 3"]:
    """What listeners like of each melody: stepwise motion, range, a long last note."""
    rows = []
    for row in tokens:
        at = np.flatnonzero(row >= LOWEST_PITCH)
        pitch = row[at]
        size = np.abs(np.diff(pitch))
        steps = np.mean((size > 0) & (size <= 2)) if len(size) else 0.0
        extent = np.ptp(pitch) if len(pitch) else 0
        ending = len(row) - at[-1] if len(at) else 0
        rows.append(
            (
                -(((steps - 0.8) / 0.25) ** 2),
                -(((extent - 9) / 6) ** 2),
                min(ending, 4) / 2,
            )
        )
    return np.array(rows)


def hidden_preference(tokens: Int[np.ndarray, "n time"]) -> Float[np.ndarray, " n"]:
    """The mean listener's utility, in nats of log-odds."""
    return parts_of_preference(tokens).sum(axis=1)


@dataclass(frozen=True)
class Listener:
    """Weights of the parts of the preference."""

    name: str
    weights: Float[np.ndarray, " parts"]

    def votes(
        self,
        left: Int[np.ndarray, "n time"],
        right: Int[np.ndarray, "n time"],
        random: np.random.Generator,
    ) -> Float[np.ndarray, " n"]:
        """1, ½ or 0 for each pair."""
        difference = (parts_of_preference(left) - parts_of_preference(right)) @ self.weights
        half = (difference + SIDE_BIAS) / 2
        chances = np.stack([np.exp(half), np.full_like(half, TIE), np.exp(-half)], axis=1)
        chances /= chances.sum(axis=1, keepdims=True)
        asleep = random.random(len(half)) < INATTENTIVE
        chances[asleep] = 1 / 3
        outcome = (random.random((len(half), 1)) > chances.cumsum(axis=1)).sum(axis=1)
        return np.array([1.0, 0.5, 0.0])[outcome]


def listeners(number: int, seed: int) -> list[Listener]:
    """Listeners of the same kind, each with an own taste."""
    random = np.random.default_rng(seed)
    return [
        Listener(f"listener {row}", np.exp(TASTE * random.normal(size=3))) for row in range(number)
    ]


def votes_of(
    panel: list[Listener], tokens: Int[np.ndarray, "n time"], votes: int, seed: int
) -> ComparedSequences:
    """Votes on pairs of these melodies, each melody in one pair."""
    random = np.random.default_rng(seed)
    left, right = tokens[:votes], tokens[votes : 2 * votes]
    owner = np.arange(votes) % len(panel)
    scores = np.zeros(votes)
    for row, one in enumerate(panel):
        own = owner == row
        scores[own] = one.votes(left[own], right[own], random)
    names = tuple(panel[row].name for row in owner)
    sides = (Sequences(side, np.ones(side.shape, bool)) for side in (left, right))
    return ComparedSequences(*sides, scores, listeners=names)


def reward_from(model: PreferenceModel) -> Reward:
    """The term of `tune` as a function of its weights, its pessimism and 1/c.

    They are parameters of one program, which serves all runs.
    """

    @learned
    def term(parameters: Any, tokens: Array, mask: Array) -> dict[str, Array]:
        weights, pessimism, inverse_c = parameters
        utilities, deviations = replace(model, weights=weights).of_prefixes(tokens, mask)
        bound = utilities - pessimism * deviations
        return {TERM: inverse_c * increments_by_length(bound, mask)}

    return Reward(term)


@dataclass(frozen=True)
class Point:
    """A policy on the frontier.

    Attributes:
        way: how it was tuned, such as "Ψ, k = 1".
        c: weight of the prior.
        step: of the run, where the policy is one on the way.
        kl: KL(π‖p), in nats a sequence.
        hidden: the mean listener's utility over its melodies.
        error: standard error of `hidden`.
        learned: the utility that the preference model sees, mean over its melodies.
    """

    way: str
    c: float
    step: int
    kl: float
    hidden: float
    error: float
    learned: float


class Measurer:
    """Measures policies against one prior and one preference model."""

    def __init__(self, prior: SequenceModel, model: PreferenceModel, number: int) -> None:
        self.prior, self.model, self.number = prior, model, number
        self._learned = jax.jit(lambda ids, mask: model.of_prefixes(ids, mask)[0][:, -1])

    def melodies(self, policy: SequenceModel, number: int, seed: int) -> Int[np.ndarray, "n time"]:
        """Samples of a policy."""
        return draw(policy, self.prior, number=number, length=LENGTH, seed=seed).tokens

    def point(self, policy: SequenceModel, way: str, c: float, step: int) -> Point:
        """KL and preferences of a policy."""
        found = draw(policy, self.prior, number=self.number, length=LENGTH, seed=77)
        hidden = hidden_preference(found.tokens)
        seen = np.asarray(self._learned(found.tokens, found.mask))
        return Point(
            way,
            c,
            step,
            float(found.kl.mean()),
            float(hidden.mean()),
            float(hidden.std() / np.sqrt(len(hidden))),
            float(seen.mean()),
        )


@dataclass(frozen=True)
class Preference:
    """How other listeners answer on a policy's melodies beside the prior's.

    Attributes:
        rate: share of the policy's melodies that are preferred, a tie counting half.
        low, high: its 95 % interval over listeners.
        p_value: of a t test of the listeners' rates against one half.
    """

    rate: float
    low: float
    high: float
    p_value: float


def preference_over_prior(
    policy: Int[np.ndarray, "n time"], prior: Int[np.ndarray, "n time"], panel: list[Listener]
) -> Preference:
    """Each listener compares as many pairs, with the policy's melody on either side in turn."""
    random = np.random.default_rng(5)
    each = len(policy) // len(panel)
    rates = []
    for row, one in enumerate(panel):
        own = slice(row * each, (row + 1) * each)
        is_left = np.arange(each) % 2 == 0
        left = np.where(is_left[:, None], policy[own], prior[own])
        right = np.where(is_left[:, None], prior[own], policy[own])
        scores = one.votes(left, right, random)
        rates.append(np.mean(np.where(is_left, scores, 1 - scores)))
    test = stats.ttest_1samp(rates, 0.5)
    low, high = stats.t.interval(0.95, len(rates) - 1, np.mean(rates), stats.sem(rates))
    return Preference(float(np.mean(rates)), float(low), float(high), float(test.pvalue))


def followed(tutor: Tutor) -> Iterator[tuple[int, SequenceModel]]:
    """The policy after each record of a run."""
    for progress in chunks(tutor):
        yield int(progress.record["step"]), tutor.policy(progress.state.network)


def table_row(point: Point, preference: Preference | None) -> str:
    """A line of the table."""
    held_out = (
        ""
        if preference is None
        else f"{100 * preference.rate:6.1f} % [{100 * preference.low:.1f}, "
        f"{100 * preference.high:.1f}] p = {preference.p_value:.1g}"
    )
    return (
        f"{point.way:<14} {point.c:6.3g} {point.kl:8.2f} {point.hidden:9.2f} ± "
        f"{1.96 * point.error:.2f} {point.learned:9.2f}   {held_out}"
    )


def drawn(points: list[Point], path: Path, votes: int) -> None:
    """Hidden preference and learned utility against KL."""
    ways = list(dict.fromkeys(point.way for point in points if point.way != "prior"))
    start = next(point for point in points if point.way == "prior")
    plt.rcParams.update({"font.size": 9})
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained", sharex=True)
    colors = ["#D55E00", "#0072B2", "#009E73", "#CC79A7", "#8C564B", "#E69F00"]
    for way, color in zip(ways, colors[: len(ways)], strict=True):
        # Of DPO one run, from its start; of Ψ a run for each c.
        own = [one for one in points if one.way == way]
        own.sort(key=lambda one: one.step if way.startswith("DPO") else one.kl)
        kl = [0.0, *(one.kl for one in own)]
        style = {"color": color, "label": way, "marker": "o", "markersize": 3.5}
        hidden = np.array([start.hidden, *(one.hidden for one in own)])
        error = 1.96 * np.array([start.error, *(one.error for one in own)])
        axes[0].plot(kl, hidden, **style)
        axes[0].errorbar(kl, hidden, error, color=color, ls="", lw=1)
        axes[1].plot(kl, [start.learned, *(one.learned for one in own)], **style)
        best = int(np.argmax(hidden))
        if best < len(kl) - 1 and not way.startswith("DPO"):
            axes[0].axvline(kl[best], color=color, lw=0.7, ls=":")
    axes[0].axhline(start.hidden, color="0.5", lw=0.8, ls="--")
    axes[0].set_ylabel("hidden preference of the mean listener (nats)")
    axes[1].set_ylabel("utility that the model of the votes sees (nats)")
    axes[1].set_yscale("symlog", linthresh=5.0)
    axes[1].set_ylim(bottom=-0.5)
    for axis in axes:
        axis.set_xlabel("KL(policy ‖ prior), nats a melody")
        axis.set_xscale("symlog", linthresh=1.0)
        axis.set_xlim(left=0)
        axis.set_xticks([0, 0.5, 1, 2, 5, 10, 20, 50, 100], [0, 0.5, 1, 2, 5, 10, 20, 50, 100])
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].legend(frameon=False, fontsize=8)
    figure.suptitle(
        f"Tuned on {votes} votes: dotted lines mark where more KL begins to cost the listeners",
        fontsize=9,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


@dataclass(frozen=True)
class Size:
    """How much is measured for each set of votes."""

    votes: int
    steps: int
    number: int
    prices: tuple[float, ...]
    amounts: tuple[float, ...]
    prices_of_dpo: tuple[float, ...]


WHOLE = Size(
    300, 100_000, 4000, (2.0, 1.0, 0.5, 0.25, 0.12, 0.06), (0.0, 1.0, 2.0), (1.0, 0.3, 0.1)
)
QUICK = Size(300, 100_000, 4000, (1.0, 0.25), (1.0,), (0.3,))


@dataclass(frozen=True)
class Voted:
    """One set of votes, what was learned from it, and who answers for nothing but measuring."""

    votes: ComparedSequences
    model: PreferenceModel
    others: list[Listener]


def voted(prior: Any, seed: int, size: Size, basis: Any) -> Voted:
    """Let listeners vote on the prior's melodies, and learn from it."""
    own = draw(prior.model, prior.model, number=2 * size.votes, length=LENGTH, seed=seed)
    votes = votes_of(listeners(30, seed), own.tokens, size.votes, seed)
    of_task = find_spec("melody").features()
    model = fit_preference(votes, prior.vocabulary, prior.model, basis=basis, of_task=of_task)
    held_out = validate(votes, model)
    print(
        f"seed {seed}: {size.votes} votes, basis {basis}: held-out accuracy "
        f"{held_out.accuracy:.3f} ± {1.96 * held_out.standard_error:.3f}, log loss "
        f"{held_out.log_loss:.3f} (by chance {held_out.chance_log_loss:.3f}), calibration error "
        f"{held_out.calibration_error:.3f}, slope {held_out.slope:.2f}; side bias "
        f"{float(model.weights.bias):+.2f} (true {SIDE_BIAS:+.2f}), ν "
        f"{float(model.weights.tie):.2f} (true {TIE})",
        flush=True,
    )
    return Voted(votes, model, listeners(40, 1000 + seed))


class Runs:
    """The runs on one set of votes, and what is measured of their policies."""

    def __init__(self, prior: Any, own: Voted, size: Size, program: Reward) -> None:
        self.prior, self.own, self.size, self.program = prior, own, size, program
        self.measurer = Measurer(prior.model, own.model, size.number)
        self.of_prior = self.measurer.melodies(prior.model, 1600, seed=5)
        self.points = [self.measurer.point(prior.model, "prior", np.inf, 0)]
        self.preferences: dict[tuple[str, float], Preference] = {}
        self.start = time.perf_counter()
        print(table_row(self.points[0], None))

    def add(self, policy: SequenceModel, way: str, c: float, step: int, *, asks: bool) -> None:
        """Measure a policy; `asks`: also by other listeners."""
        self.points.append(self.measurer.point(policy, way, c, step))
        preference = None
        if asks:
            melodies = self.measurer.melodies(policy, 1600, seed=6)
            preference = preference_over_prior(melodies, self.of_prior, self.own.others)
            self.preferences[way, c] = preference
        line = table_row(self.points[-1], preference)
        print(f"{line}   ({time.perf_counter() - self.start:.0f} s)", flush=True)

    def by_reward(self) -> None:
        """Ψ on the preference model's term, at each c and k."""
        task = Task(self.prior.vocabulary, LENGTH, self.program)
        steps = self.size.steps
        for pessimism in self.size.amounts:
            for c in self.size.prices:
                settings = TutorSettings.of(
                    "psi", c=1.0, discount=1.0, steps=steps, log_every=steps
                )
                parameters = (self.own.model.weights, jnp.asarray(pessimism), jnp.asarray(1 / c))
                tutor = Tutor(task, self.prior.model, settings, reward_parameters=parameters)
                *_, (step, policy) = followed(tutor)
                self.add(policy, f"Ψ, k = {pessimism:g}", c, step, asks=True)

    def by_votes(self) -> None:
        """Direct preference optimisation at each c."""
        weights, steps = self.own.model.weights, self.size.steps
        parameters = (weights, jnp.ones(()), jnp.ones(()))
        fixed = Reward(compiled(partial(self.program.function, parameters)), self.program.weights)
        task = Task(self.prior.vocabulary, LENGTH, fixed)
        for c in self.size.prices_of_dpo:
            settings = TutorSettings.of(
                "dpo",
                c=c,
                steps=steps,
                log_every=steps // 8,
                learning_rate=DPO_LEARNING_RATE,
                tie=float(weights.tie),
                side_bias=float(weights.bias),
            )
            tutor = Tutor(task, self.prior.model, settings, votes=self.own.votes)
            for step, policy in followed(tutor):
                self.add(policy, f"DPO, c = {c:g}", c, step, asks=step == tutor.steps)


def over_seeds(runs: list[list[Point]]) -> list[Point]:
    """The mean of each policy over sets of votes; `error` is then that of the mean."""
    found = []
    for same in zip(*runs, strict=True):
        first = same[0]
        hidden = np.array([one.hidden for one in same])
        error = stats.sem(hidden) if len(hidden) > 1 else first.error
        kl, seen = (np.mean([getattr(one, name) for one in same]) for name in ("kl", "learned"))
        mean = float(hidden.mean())
        found.append(replace(first, kl=float(kl), hidden=mean, error=float(error), learned=seen))
    return found


def print_summary(runs: list[Runs]) -> None:
    """Means over sets of votes with 95 % intervals over them."""
    print(f"means over {len(runs)} sets of votes:")
    for row in range(len(runs[0].points)):
        same = [one.points[row] for one in runs]
        way, c = same[0].way, same[0].c
        if way != "prior" and same[0].step < max(p.step for p in runs[0].points if p.way == way):
            continue
        kl, hidden = ([getattr(one, name) for one in same] for name in ("kl", "hidden"))
        line = f"{way:<14} {c:6.3g}  KL {_interval(kl)}  hidden {_interval(hidden)}"
        if way != "prior":
            rates = [100 * one.preferences[way, c].rate for one in runs]
            line += f"  preferred {_interval(rates, 1)} %"
        print(line)


def _interval(values: list[float], digits: int = 2) -> str:
    mean = float(np.mean(values))
    if len(values) < 2:
        return f"{mean:.{digits}f}"
    half = float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))
    ends = f"{min(values):.{digits}f} … {max(values):.{digits}f}"
    return f"{mean:.{digits}f} ± {half:.{digits}f} ({ends})"


def main() -> None:
    """Vote, learn, tune, measure, draw."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--votes", type=int, default=300)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="of the votes")
    parser.add_argument("--basis", default="features", choices=("features", "network", "both"))
    parser.add_argument("--record", type=Path, default=Path("runs/votes_to_reward.json"))
    parser.add_argument("--output", type=Path, default=FIGURE)
    given = parser.parse_args()
    size = replace(QUICK if given.quick else WHOLE, votes=given.votes)
    prior = load_prior(find_spec("melody"))
    print(f"{'':<14} {'c':>6} {'KL':>8} {'hidden':>9}        {'learned':>9}   other listeners")
    done: list[Runs] = []
    for seed in given.seeds:
        own = voted(prior, seed, size, given.basis)
        # One program serves all sets of votes.
        program = done[0].program if done else reward_from(own.model)
        runs = Runs(prior, own, size, program)
        runs.by_reward()
        runs.by_votes()
        done.append(runs)
        given.record.parent.mkdir(parents=True, exist_ok=True)
        every = [[vars(point) for point in one.points] for one in done]
        given.record.write_text(json.dumps(every, indent=1) + "\n")
    print_summary(done)
    drawn(over_seeds([one.points for one in done]), given.output, given.votes)
    print(f"{given.output}, {given.record}")


if __name__ == "__main__":
    main()
