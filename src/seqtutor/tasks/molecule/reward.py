"""The reward of molecules, a host reward in the sense of `seqtutor.rewards.protocols`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from seqtutor.errors import UserError
from seqtutor.tasks.molecule.encoding import decode
from seqtutor.tasks.molecule.goals import Goal
from seqtutor.tasks.molecule.known import KnownMolecules
from seqtutor.tasks.molecule.oracle import CALLS, Oracle
from seqtutor.tasks.molecule.reward_settings import MoleculeRewardSettings
from seqtutor.tasks.molecule.scaffold_memory import ScaffoldMemory
from seqtutor.tasks.molecule.scoring import MoleculeScorer
from seqtutor.tasks.molecule.terms import Scores, Values, measurer_for, terms_of
from seqtutor.tasks.molecule.tokens import shortened
from seqtutor.vocabulary import Vocabulary
from seqtutor.workers.cache import Pending

_HOPELESS = 8
"""If no molecule of a batch can be measured and this many fail, the function is at fault."""


class MoleculeReward:
    """Terms of generated molecules, one number a sequence, paid at its last token.

    `start` and `PendingTerms.collect` let the device go on while worker processes score; a call
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
        goal: what to record.
        calls: that may be made of the goal's oracle; `None` for no limit.
        known: the molecules that the term `known` refers to.
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
        self.scorer = scorer or MoleculeScorer(measurer_for(settings, goal))
        wants_memory = "diversity" in settings.weights
        self.memory = ScaffoldMemory(settings.diversity) if wants_memory else None
        self.oracle = None if goal is None else Oracle(calls)
        self._lost: dict[str, str] = {}

    @classmethod
    def with_workers(
        cls,
        settings: MoleculeRewardSettings,
        vocabulary: Vocabulary,
        workers: int | None = None,
        goal: Goal | None = None,
        calls: int | None = None,
        known: KnownMolecules | None = None,
    ) -> MoleculeReward:
        """A reward with its own worker processes, one for each core by default."""
        scorer = MoleculeScorer.with_workers(measurer_for(settings, goal), workers)
        return cls(settings, vocabulary, scorer, goal, calls, known)

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
    def end(self) -> str | None:
        """That the calls of the goal are used, once they are."""
        if self.oracle is None or not self.oracle.is_spent:
            return None
        return f"the {len(self.oracle):,} calls of the oracle are used"

    def write(self, folder: Path) -> None:
        """Write the calls of the goal's oracle, if there is a goal."""
        if self.oracle is not None:
            self.oracle.write(folder / CALLS)

    @property
    def _parts(self) -> dict[str, ScaffoldMemory | Oracle]:
        """The parts that have a memory, by name."""
        parts = {"diversity": self.memory, "oracle": self.oracle}
        return {name: part for name, part in parts.items() if part is not None}

    def record(self, scores: Scores) -> None:
        """Record the goal's value of each new molecule of a batch, and why others have none.

        Raises:
            UserError: if no molecule of the batch could be measured, though some could be read.
        """
        for index, reason in scores.reasons.items():
            self._lost[scores.strings[index]] = reason
        if len(scores.reasons) >= _HOPELESS and not scores.is_valid.any():
            raise UserError(f"no molecule of a batch could be measured: {self._last_lost()}")
        if self.goal is not None and self.oracle is not None:
            self.oracle.ask(scores.smiles, self.goal.value(scores.columns))

    def lost_in_words(self) -> str | None:
        """How many strings could not be measured, and why the last; `None` if all could."""
        if not self._lost:
            return None
        return (
            f"{len(self._lost):,} strings could not be measured and counted as invalid, the last: "
            f"{self._last_lost()}"
        )

    def _last_lost(self) -> str:
        string, reason = next(reversed(self._lost.items()))
        return f"{shortened(string, 60)}: {reason}"

    def __call__(self, tokens: Any, mask: Any) -> dict[str, Values]:
        """The terms of `Int["batch time"]` tokens, each `Float["batch"]`."""
        return self.start(tokens, mask).collect()

    def start(self, tokens: Any, mask: Any) -> PendingTerms:
        """Begin to score; the end token says what the mask does."""
        return self.start_strings(decode(np.asarray(tokens), self.vocabulary))

    def start_strings(self, strings: list[str]) -> PendingTerms:
        """Begin to score SMILES strings."""
        return PendingTerms(self, self.scorer.start(strings))

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
        scores = self._pending.collect()
        self._reward.record(scores)
        terms = terms_of(self._reward.settings, scores)
        if self._reward.known is not None:
            terms["known"] = -self._reward.known.contains(scores.smiles).astype(float)
        if self._reward.memory is not None:
            terms["diversity"] = self._reward.memory.judge(scores.scaffolds)
        return terms
