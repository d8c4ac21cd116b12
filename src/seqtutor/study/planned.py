"""What a study was planned to be, beside what has come of it so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from seqtutor.runs.terminal import counted
from seqtutor.study.plan import Plan, Study
from seqtutor.study.power import PowerPlan, power_of


@dataclass(frozen=True)
class Progress:
    """How far a study has come.

    Attributes:
        planned: listeners who are laid out.
        listeners: listeners whose votes count.
        power: of these listeners; `None` where pairs are adaptive or the plan tells no effect.
        planned_power: of all who are planned; likewise.
    """

    planned: int
    listeners: int
    power: PowerPlan | None = None
    planned_power: PowerPlan | None = None

    def __str__(self) -> str:
        return " ".join([self._reached(), *self._found(), *self._early()])

    def _reached(self) -> str:
        if self.listeners < self.planned:
            count = "counts" if self.listeners == 1 else "count"
            return f"{self.listeners:,} of the {self.planned:,} planned listeners {count}."
        return f"{counted(self.planned, 'listener was', 'listeners were')} planned."

    def _found(self) -> list[str]:
        own, whole = self.power, self.planned_power
        # Fewer than two listeners test nothing.
        if own is None or whole is None or self.listeners < 2:
            return []
        rest = f", not in {whole.in_words} as planned" if self.listeners < self.planned else ""
        return [
            f"A log-odds of {own.effect:.2f} between two models is found in {own.in_words} of "
            f"such studies{rest}."
        ]

    def _early(self) -> list[str]:
        if self.listeners >= self.planned:
            return []
        return [
            "p and intervals hold for a number of listeners that was fixed beforehand, not for a "
            "study that ends when they please."
        ]

    def to_json(self) -> dict[str, Any]:
        """Plain values; null where no power is known."""
        return {
            "listeners": self.planned,
            "effect": None if self.power is None else self.power.effect,
            "power": None if self.planned_power is None else self.planned_power.power,
            "power_reached": None if self.power is None else self.power.power,
        }


def comparisons_of(plan: Plan) -> int:
    """Comparisons that count of each listener who finishes."""
    return sum(one.kind == "comparison" for one in plan.sheets[0])


def progress_of(plan: Plan, listeners: int, votes: int) -> Progress:
    """How far a study has come.

    Args:
        plan: of the study.
        listeners: whose votes count.
        votes: of theirs that count; of sessions that are not finished there are fewer.
    """
    planned = len(plan.sheets)
    if plan.is_adaptive or plan.effect is None:
        return Progress(planned, listeners)
    whole = comparisons_of(plan)
    each = min(whole, max(1, round(votes / max(1, listeners))))
    effect, models = plan.effect, len(plan.models)
    return Progress(
        planned,
        listeners,
        power_of(listeners, effect, each, models),
        power_of(planned, effect, whole, models),
    )


def facts_of(study: Study) -> dict[str, str]:
    """What a reader needs to repeat a study, by name."""
    plan, rules = study.plan, study.plan.rules
    sheet = plan.sheets[0]
    clips = sum(clip.use == "compared" for clip in plan.clips) // len(plan.models)
    sides = f"sets of {plan.set_size}" if plan.form == "sets" else "pairs"
    practice, catches = (sum(t.kind == kind for t in sheet) for kind in ("practice", "catch"))
    hears = rules.unheard < 1
    left_out = [
        f"{counted(rules.catch_failures, 'failed catch trial', 'failed catch trials')} or more",
        f"a median answer within {rules.fastest:g} s",
        f"over {100 * rules.one_side:g} % of ratings on one side or without preference",
        *([f"a side never started in over {100 * rules.unheard:g} % of comparisons"] * hears),
        *(["a session that was not finished"] if rules.partial == "drop" else []),
    ]
    return {
        "Question": plan.words.question,
        "Models": ", ".join(plan.model_names),
        "Clips": f"{clips} of each model, compared in {sides}. {plan.rule}",
        "Pairs of models": f"adaptive, goal {plan.goal}" if plan.is_adaptive else "balanced",
        "Sampling": f"{_temperature(plan)}, seed {plan.seed}",
        "Listeners planned": f"{len(plan.sheets):,}",
        "Trials of each": (
            f"{counted(comparisons_of(plan), 'comparison', 'comparisons')}, {practice} for "
            f"practice, {counted(catches, 'catch trial', 'catch trials')}"
        ),
        "Headphones": "tested first" if plan.screen else "not tested",
        "Left out for": "; ".join(left_out),
        "Plan": f"SHA-256 {study.sha256}",
    }


def _temperature(plan: Plan) -> str:
    return (
        "temperature not told" if plan.temperature is None else f"temperature {plan.temperature:g}"
    )
