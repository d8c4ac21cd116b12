"""The reward of molecules, a host reward in the sense of `seqtutor.rewards.protocols`."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from seqtutor.errors import UserError
from seqtutor.files import atomic_write
from seqtutor.tasks.molecule.encoding import decode
from seqtutor.tasks.molecule.goals import Goal
from seqtutor.tasks.molecule.known import KnownMolecules
from seqtutor.tasks.molecule.oracle import CALLS, Oracle
from seqtutor.tasks.molecule.reward_settings import MoleculeRewardSettings
from seqtutor.tasks.molecule.scaffold_memory import ScaffoldMemory
from seqtutor.tasks.molecule.scoring import MoleculeScorer
from seqtutor.tasks.molecule.terms import Scores, Values, measurer_for, terms_of
from seqtutor.vocabulary import Vocabulary
from seqtutor.workers.cache import Pending

UNMEASURED = "unmeasured.csv"
"""The file of a run's strings that could not be measured, in its folder."""


class MoleculeReward:
    """Terms of generated molecules, one number a sequence, paid at its last token.

    `start` and `PendingTerms.collect` let the device continue while worker processes score; a call
    does both. The terms are not weighted; `settings.weights` has their weights.

    Without the `diversity` term and a goal the terms are a function of the tokens. The term depends
    on earlier batches, so that a run repeats only if batches are collected in the same order. With
    a goal, its value for every new molecule is recorded in `oracle`, and the run ends once the
    calls are used; the terms do not depend on that.

    A string that reaches the greatest length without an end token is scored as it is.

    Args:
        settings: the terms; those with a weight of zero are left out.
        vocabulary: of SMILES tokens, with an end token.
        scorer: measures what `measurer_for(settings, goal)` says; by default one in this process.
        goal: is recorded for every new molecule.
        calls: that may be made of the goal's oracle; `None` for no limit.
        known: the molecules that the term `known` refers to.

    Raises:
        UserError: if the settings have the term `known` and there are no known molecules.
    """

    def __init__(
        self,
        settings: MoleculeRewardSettings,
        vocabulary: Vocabulary,
        scorer: MoleculeScorer | None = None,
        goal: Goal | None = None,
        calls: int | None = None,
        known: KnownMolecules | None = None,
    ) -> None:
        self.settings = settings
        self.vocabulary = vocabulary
        self.goal = goal
        self.known = known
        if known is None and "known" in settings.weights:
            raise UserError("the term known needs the molecules that it refers to")
        self.scorer = scorer or MoleculeScorer.with_workers(
            measurer_for(settings, goal), 0, scorers=settings.own_scorers
        )
        wants_memory = "diversity" in settings.weights
        self.memory = ScaffoldMemory(settings.diversity) if wants_memory else None
        self.oracle = None if goal is None else Oracle(calls)
        self._unmeasured: dict[str, str] = {}

    @property
    def has_memory(self) -> bool:
        """With the `diversity` term or a goal."""
        return self.memory is not None or self.oracle is not None

    def restart(self) -> None:
        """Empty the memory; measurements of strings are kept."""
        if self.memory is not None:
            self.memory.restart()
        if self.oracle is not None:
            self.oracle.restore(())

    def state(self) -> dict[str, Any]:
        """The scaffolds and the calls, in JSON's types."""
        return {name: part.state() for name, part in self._parts.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Set the memory to what `state` returned."""
        for name, part in self._parts.items():
            part.restore(state[name])

    @property
    def _parts(self) -> dict[str, ScaffoldMemory | Oracle]:
        """The parts that have a memory, by name."""
        parts = {"diversity": self.memory, "oracle": self.oracle}
        return {name: part for name, part in parts.items() if part is not None}

    @property
    def end(self) -> str | None:
        """A message once the calls of the goal are used."""
        if self.oracle is None or not self.oracle.is_spent:
            return None
        return f"the {len(self.oracle):,} calls of the oracle are used"

    def write(self, folder: Path) -> None:
        """Write the calls of the goal's oracle, and the strings that could not be measured."""
        if self.oracle is not None:
            self.oracle.write(folder / CALLS)
        if self._unmeasured:
            _write_unmeasured({**read_unmeasured(folder), **self._unmeasured}, folder)
            self._unmeasured.clear()

    def __call__(self, tokens: Any, mask: Any) -> dict[str, Values]:
        """The terms of `Int["batch time"]` tokens, each `Float["batch"]`."""
        return self.start(tokens, mask).collect()

    def start(self, tokens: Any, mask: Any) -> PendingTerms:
        """Begin to score; the end tokens already say what the mask does."""
        return self.start_strings(decode(np.asarray(tokens), self.vocabulary))

    def start_strings(self, strings: list[str]) -> PendingTerms:
        """Begin to score SMILES strings."""
        return PendingTerms(self, self.scorer.start(strings))

    def terms(self, scores: Scores) -> dict[str, Values]:
        """The terms of a batch; the goal's values and the batch's scaffolds are recorded."""
        self._unmeasured |= {scores.strings[i]: reason for i, reason in scores.reasons.items()}
        if self.goal is not None and self.oracle is not None:
            self.oracle.ask(scores.smiles, self.goal.value(scores.columns))
        terms = terms_of(self.settings, scores)
        if self.known is not None:
            terms["known"] = -self.known.contains(scores.smiles).astype(float)
        if self.memory is not None:
            terms["diversity"] = self.memory.term(scores.scaffolds)
        return terms

    def close(self) -> None:
        """End the worker processes, if there are any."""
        self.scorer.close()


class PendingTerms:
    """Terms that are being computed."""

    def __init__(self, reward: MoleculeReward, pending: Pending[Scores]) -> None:
        self._reward = reward
        self._pending = pending

    def collect(self) -> dict[str, Values]:
        """Wait for the terms.

        With a memory, to be called once, in the order of batches.
        """
        return self._reward.terms(self._pending.collect())


def _write_unmeasured(reasons: Mapping[str, str], folder: Path) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("string", "reason"), *reasons.items()])
    atomic_write(folder / UNMEASURED, text.getvalue())


def read_unmeasured(folder: Path) -> dict[str, str]:
    """The strings of a run that could not be measured, with the reasons, in order."""
    path = folder / UNMEASURED
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        return dict(row[:2] for row in list(csv.reader(file))[1:] if len(row) > 1)
