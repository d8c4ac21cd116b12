"""From 300 simulated votes to a policy: how far a learned preference can be followed.

    python benchmarks/votes_to_reward.py              # prints the tables, draws the figure
    python benchmarks/votes_to_reward.py --quick      # a trial of two minutes

Listeners have a hidden preference that no rule of the melody task rewards: stepwise motion, but not
nothing else; a range of about nine semitones; a long last note. Each listener weighs these in an
own way, answers by Davidson's likelihood with ties, favours the left side a little, and does not
listen in one vote of twenty. Thirty of them compare pairs of the prior's melodies, ten votes each.

A preference model learns from these votes. The prior is tuned on its utility with Ψ-learning at
several c, with and without pessimism, and by direct preference optimisation on the same votes. Of
each policy, KL(π‖p) and the mean hidden preference are measured, and for some of them forty other
listeners, whose votes nothing has learned from, compare its melodies with the prior's.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
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
from seqtutor.rewards import Reward, learned
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


def main() -> None:
    """Vote, learn, tune, measure, draw."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--votes", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1, help="of the votes")
    parser.add_argument("--steps", type=int, default=100_000, help="environment steps of a run")
    parser.add_argument("--basis", default="features", choices=("features", "network", "both"))
    parser.add_argument("--only", choices=("psi", "dpo"), help="the other points are those before")
    parser.add_argument("--record", type=Path, default=Path("runs/votes_to_reward.json"))
    parser.add_argument("--output", type=Path, default=FIGURE)
    given = parser.parse_args()
    weights_of_prior = (1.0, 0.25) if given.quick else (2.0, 1.0, 0.5, 0.25, 0.12, 0.06)
    amounts = (0.0, 1.0) if given.quick else (0.0, 1.0, 2.0)
    steps, number = (40_000, 1000) if given.quick else (given.steps, 4000)

    spec = find_spec("melody")
    prior = load_prior(spec)
    own = draw(prior.model, prior.model, number=2 * given.votes, length=LENGTH, seed=given.seed)
    votes = votes_of(listeners(30, given.seed), own.tokens, given.votes, given.seed)
    of_task = spec.features()
    model = fit_preference(votes, prior.vocabulary, prior.model, basis=given.basis, of_task=of_task)
    held_out = validate(votes, model)
    print(
        f"{given.votes} votes, basis {given.basis}: held-out accuracy {held_out.accuracy:.3f} ± "
        f"{1.96 * held_out.standard_error:.3f}, log loss {held_out.log_loss:.3f} (by chance "
        f"{held_out.chance_log_loss:.3f}), calibration error {held_out.calibration_error:.3f}, "
        f"slope {held_out.slope:.2f}; side bias {float(model.weights.bias):+.2f} (true "
        f"{SIDE_BIAS:+.2f}), ν {float(model.weights.tie):.2f} (true {TIE})"
    )
    measurer = Measurer(prior.model, model, number)
    other = listeners(40, 1000 + given.seed)
    of_prior = measurer.melodies(prior.model, 1600, seed=5)
    points = [measurer.point(prior.model, "prior", np.inf, 0)]
    print(f"{'':<14} {'c':>6} {'KL':>8} {'hidden':>9}        {'learned':>9}   other listeners")
    print(table_row(points[0], None))
    start = time.perf_counter()

    def add(policy: SequenceModel, way: str, c: float, step: int, *, asks: bool) -> None:
        points.append(measurer.point(policy, way, c, step))
        preference = None
        if asks:
            melodies = measurer.melodies(policy, 1600, seed=6)
            preference = preference_over_prior(melodies, of_prior, other)
        line = table_row(points[-1], preference)
        print(f"{line}   ({time.perf_counter() - start:.0f} s)", flush=True)

    task = Task(prior.vocabulary, LENGTH, reward_from(model))
    for pessimism in amounts if given.only != "dpo" else ():
        for c in weights_of_prior:
            settings = TutorSettings.of("psi", c=1.0, discount=1.0, steps=steps, log_every=steps)
            parameters = (model.weights, jnp.asarray(pessimism), jnp.asarray(1 / c))
            tutor = Tutor(task, prior.model, settings, reward_parameters=parameters)
            *_, (step, policy) = followed(tutor)
            add(policy, f"Ψ, k = {pessimism:g}", c, step, asks=True)
    estimates = {"tie": float(model.weights.tie), "side_bias": float(model.weights.bias)}
    fixed = reward_from(model).with_parameters((model.weights, jnp.ones(()), jnp.ones(())))
    plain = Task(prior.vocabulary, LENGTH, fixed)
    prices = (1.0,) if given.quick else (1.0, 0.3, 0.1)
    for c in prices if given.only != "psi" else ():
        settings = TutorSettings.of(
            "dpo",
            c=c,
            steps=steps,
            log_every=steps // 8,
            learning_rate=DPO_LEARNING_RATE,
            **estimates,
        )
        tutor = Tutor(plain, prior.model, settings, votes=votes)
        for step, policy in followed(tutor):
            add(policy, f"DPO, c = {c:g}", c, step, asks=step == tutor.steps)
    if given.only is not None:
        earlier = [Point(**one) for one in json.loads(given.record.read_text())]
        ways = {point.way for point in points}
        points = sorted(
            [*points, *(one for one in earlier if one.way not in ways)],
            key=lambda one: (one.way != "prior", one.way.startswith("DPO")),
        )
    given.record.parent.mkdir(parents=True, exist_ok=True)
    given.record.write_text(json.dumps([vars(point) for point in points], indent=1) + "\n")
    drawn(points, given.output, given.votes)
    print(f"{given.output}, {given.record}")


if __name__ == "__main__":
    main()
