"""The reward of molecules, in the protocol of `seqtutor.rewards`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from seqtutor.errors import UserError
from seqtutor.tasks.molecule.encoding import decode
from seqtutor.tasks.molecule.goals import Goal
from seqtutor.tasks.molecule.known import KnownMolecules
from seqtutor.tasks.molecule.oracle import Oracle
from seqtutor.tasks.molecule.reward_settings import MoleculeRewardSettings
from seqtutor.tasks.molecule.scaffold_memory import ScaffoldMemory
from seqtutor.tasks.molecule.scoring import MoleculeScorer, PendingScores
from seqtutor.tasks.molecule.terms import Scores, Values, measurer_for, terms_of
from seqtutor.tasks.molecule.tokens import shortened
from seqtutor.vocabulary import Vocabulary

_HOPELESS = 8
"""So many molecules of a batch that could not be measured, and none that could: a fault of what
measures."""


class MoleculeReward:
    """Terms of generated molecules, one number a sequence, paid at its last token.

    Called, it waits for the answer; `start` and `PendingTerms.collect` let the device go on while
    worker processes score. The terms are not weighted; `settings.weights` holds their weights.

    Without the `diversity` term the terms are a function of the tokens. With it, what was judged
    before counts too: batches must be collected in the same order for a run to repeat. With a goal,
    its value for every new molecule is recorded in `oracle`, and the run ends once the calls are
    used; what the molecules earn does not depend on that. What either remembers is in `state`.

    A string that reaches the greatest length without an end token is judged as it stands.

    Args:
        settings: the terms; their weights are only asked whether they are zero.
        vocabulary: of SMILES tokens, with an end token.
        scorer: measures what `measurer_for(settings, goal)` says; by default one in this process.
        goal: what to record.
        calls: that may be made of the goal's oracle; `None` for no limit.
        known: what the term `known` refers to.
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
    def remembers(self) -> bool:
        """Whether what was judged before counts too: with the `diversity` term or a goal."""
        return self.memory is not None or self.oracle is not None

    def restart(self) -> None:
        """Forget what was judged before; what was measured is kept."""
        if self.memory is not None:
            self.memory.restart()
        if self.oracle is not None:
            self.oracle.restore(())

    def state(self) -> dict[str, Any]:
        """All that is remembered, in JSON's types."""
        return {name: part.state() for name, part in self._parts.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Remember what `state` gave, and nothing else."""
        for name, part in self._parts.items():
            part.restore(state[name])

    @property
    def end(self) -> str | None:
        """Why there is nothing more to judge: the goal's calls are used."""
        if self.oracle is None or not self.oracle.is_spent:
            return None
        return f"the {len(self.oracle):,} calls of the oracle are used"

    @property
    def _parts(self) -> dict[str, ScaffoldMemory | Oracle]:
        """What remembers, by name."""
        parts = {"diversity": self.memory, "oracle": self.oracle}
        return {name: part for name, part in parts.items() if part is not None}

    def record(self, scores: Scores) -> None:
        """Note the goal's value of each new molecule of a batch, and what could not be measured.

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
        """Begin to score; the mask is not needed, since the end token says the same."""
        return self.start_strings(decode(np.asarray(tokens), self.vocabulary))

    def start_strings(self, strings: list[str]) -> PendingTerms:
        """Begin to score SMILES strings."""
        return PendingTerms(self, self.scorer.start(strings))

    def close(self) -> None:
        """End the worker processes, if there are any."""
        self.scorer.close()


class PendingTerms:
    """Terms that are on their way."""

    def __init__(self, reward: MoleculeReward, pending: PendingScores) -> None:
        self._reward = reward
        self._pending = pending

    def collect(self) -> dict[str, Values]:
        """Wait for the terms.

        With the `diversity` term or a goal, call it once, in the order of batches.
        """
        scores = self._pending.collect()
        self._reward.record(scores)
        terms = terms_of(self._reward.settings, scores)
        if self._reward.known is not None:
            terms["known"] = -self._reward.known.contains(scores.smiles).astype(float)
        if self._reward.memory is not None:
            terms["diversity"] = self._reward.memory.judge(scores.scaffolds)
        return terms
