"""Simulated studies with one defect each, and without any."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import permutations

from seqtutor.study.simulated import Habit, Population, SimulatedListener
from seqtutor.study.votes import Kind, Vote
from seqtutor.study.warnings import Defect

MODELS = ("prior", "q", "psi", "g")
STRENGTHS = {"q": 0.5, "psi": 1.0, "g": -0.2}
BROKEN_CLIP = "psi/3"
Study = tuple[list[Vote], list[str]]
"""Votes, and names of the clips' files."""


@dataclass(frozen=True)
class Plan:
    """The size of a study and how listeners and clips vary."""

    listeners: int = 30
    comparisons: int = 24
    clips: int = 10
    catch: int = 4
    strengths: Mapping[str, float] = field(default_factory=lambda: STRENGTHS)
    spread: float = 0.2
    clip_spread: float = 0.2


def clean(seed: int, plan: Plan) -> Study:
    return _votes(_listeners(Population(), seed, plan), seed, plan), _files(seed, plan)


def position_bias(seed: int, plan: Plan) -> Study:
    return _votes(_listeners(Population(position=0.5), seed, plan), seed, plan), _files(seed, plan)


def inattentive(seed: int, plan: Plan) -> Study:
    listeners = _listeners(Population(inattentive=0.1), seed, plan)
    return _votes(listeners, seed, plan), _files(seed, plan)


def robot(seed: int, plan: Plan) -> Study:
    habit: Habit = ("fast", "constant", "alternating")[seed % 3]  # type: ignore[assignment]
    return _with_habit(habit, seed, plan), _files(seed, plan)


def one_sided(seed: int, plan: Plan) -> Study:
    return _with_habit("left" if seed % 2 else "right", seed, plan), _files(seed, plan)


def duplicates(seed: int, plan: Plan) -> Study:
    votes = clean(seed, plan)[0]
    copied = [
        replace(vote, listener="copy", seconds=vote.seconds + 0.1)
        for vote in votes
        if vote.listener == "l1"
    ]
    return [*votes, *copied], _files(seed, plan)


def taste_groups(seed: int, plan: Plan) -> Study:
    population = Population(other_strengths={"q": 0.5, "psi": -1.0, "g": 1.0}, other_share=0.4)
    return _votes(_listeners(population, seed, plan), seed, plan), _files(seed, plan)


def unbalanced(seed: int, plan: Plan) -> Study:
    """A plan that forgets two thirds of the comparisons of one pair."""
    votes, files = clean(seed, plan)
    chance = random.Random(seed)
    kept = [
        vote for vote in votes if {vote.left, vote.right} != {"q", "g"} or chance.random() < 1 / 3
    ]
    return kept, files


def broken_clip(seed: int, plan: Plan) -> Study:
    clips = {**_clips(seed, plan), BROKEN_CLIP: -7.0}
    return _votes(_listeners(Population(), seed, plan, clips), seed, plan), _files(seed, plan)


def named_file(seed: int, plan: Plan) -> Study:
    votes, files = clean(seed, plan)
    return votes, [*files[:-1], "psi_07.ogg"]


PLANTED: dict[Defect, Callable[[int, Plan], Study]] = {
    "position bias": position_bias,
    "inattentive listeners": inattentive,
    "robot": robot,
    "one-sided listener": one_sided,
    "duplicate accounts": duplicates,
    "taste groups": taste_groups,
    "unbalanced pairs": unbalanced,
    "broken clip": broken_clip,
    "named file": named_file,
}


def _listeners(
    population: Population, seed: int, plan: Plan, clips: Mapping[str, float] | None = None
) -> list[SimulatedListener]:
    drawn = replace(population, strengths=plan.strengths, spread=plan.spread)
    clips = _clips(seed, plan) if clips is None else clips
    return [drawn.listener(n, MODELS, seed, clips=clips) for n in range(plan.listeners)]


def _clips(seed: int, plan: Plan) -> dict[str, float]:
    chance = random.Random(f"clips {seed}")
    names = [f"{model}/{number}" for model in MODELS for number in range(plan.clips)]
    return {name: chance.gauss(0.0, plan.clip_spread) for name in names}


def _with_habit(habit: Habit, seed: int, plan: Plan) -> list[Vote]:
    listeners = _listeners(Population(), seed, plan)
    listeners[2] = replace(listeners[2], habit=habit)
    return _votes(listeners, seed, plan)


def _votes(listeners: Sequence[SimulatedListener], seed: int, plan: Plan) -> list[Vote]:
    return simulated_votes(listeners, MODELS, plan.comparisons, plan.clips, plan.catch, seed)


def _files(seed: int, plan: Plan) -> list[str]:
    count = len(MODELS) * plan.clips
    return [hashlib.sha256(f"{seed} {n}".encode()).hexdigest()[:16] + ".ogg" for n in range(count)]


def simulated_votes(
    listeners: Sequence[SimulatedListener],
    models: Sequence[str],
    comparisons: int,
    clips: int = 10,
    catch: int = 0,
    seed: int = 0,
) -> list[Vote]:
    """A whole study of pairs: each listener hears every pair about as often, on both sides.

    Args:
        listeners: who answers; they are named l0, l1, ….
        models: what is compared.
        comparisons: of each listener.
        clips: of each model, drawn at random for each comparison; named MODEL/0, MODEL/1, ….
        catch: catch trials of each listener, at random places.
        seed: of the plan.
    """
    chance = random.Random(seed)
    votes = []
    for number, listener in enumerate(listeners):
        plan = _pairs(models, comparisons, chance)
        catches = set(chance.sample(range(comparisons + catch), catch))
        for order in range(comparisons + catch):
            is_catch = order in catches
            left, right = chance.sample(list(models), 2) if is_catch else plan.pop()
            left_clips = (f"{left}/{chance.randrange(clips)}",)
            right_clips = (f"{right}/{chance.randrange(clips)}",)
            kind: Kind = "catch" if is_catch else "comparison"
            expected = chance.choice((-1, 1)) if is_catch else 0
            answer = listener.answer(left, right, left_clips, right_clips, kind, expected)
            votes.append(
                Vote(
                    f"l{number}",
                    left,
                    right,
                    left_clips,
                    right_clips,
                    answer.rating,
                    order,
                    answer.seconds,
                    answer.left_plays,
                    answer.right_plays,
                    kind,
                    expected,
                )
            )
    return votes


def _pairs(models: Sequence[str], count: int, chance: random.Random) -> list[tuple[str, str]]:
    """Ordered pairs in random order, each as often as the others as far as the count allows."""
    cells = list(permutations(models, 2))
    rounds = -(-count // len(cells))
    plan = [cell for _ in range(rounds) for cell in chance.sample(cells, len(cells))]
    plan = plan[:count]
    chance.shuffle(plan)
    return plan
