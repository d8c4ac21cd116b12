"""The reward of molecules, in the protocol of `seqtutor.rewards`."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqtutor.tasks.molecule.encoding import decode
from seqtutor.tasks.molecule.reward_settings import MoleculeRewardSettings
from seqtutor.tasks.molecule.scaffold_memory import ScaffoldMemory
from seqtutor.tasks.molecule.scoring import MoleculeScorer, PendingScores
from seqtutor.tasks.molecule.terms import Values, measurer_for, terms_of
from seqtutor.vocabulary import Vocabulary


class MoleculeReward:
    """Terms of generated molecules, one number a sequence, paid at its last token.

    Called, it waits for the answer; `start` and `PendingTerms.collect` let the device go on while
    worker processes score. The terms are not weighted; `settings.weights` holds their weights.

    Without the `diversity` term this is a function of the tokens. With it, what was judged before
    counts too: batches must be collected in the same order for a run to repeat, and `memory.state`
    belongs into a checkpoint.

    A string that reaches the greatest length without an end token is judged as it stands.

    Args:
        settings: the terms; their weights are only asked whether they are zero.
        vocabulary: of SMILES tokens, with an end token.
        scorer: measures what `measurer_for(settings)` says; by default one in this process.
    """

    def __init__(
        self,
        settings: MoleculeRewardSettings,
        vocabulary: Vocabulary,
        scorer: MoleculeScorer | None = None,
    ) -> None:
        self.settings = settings
        self.vocabulary = vocabulary
        self.scorer = scorer or MoleculeScorer(measurer_for(settings))
        wants_memory = "diversity" in settings.weights
        self.memory = ScaffoldMemory(settings.diversity) if wants_memory else None

    @classmethod
    def with_workers(
        cls,
        settings: MoleculeRewardSettings,
        vocabulary: Vocabulary,
        workers: int | None = None,
    ) -> MoleculeReward:
        """A reward with its own worker processes, one for each core by default."""
        scorer = MoleculeScorer.with_workers(measurer_for(settings), workers)
        return cls(settings, vocabulary, scorer)

    @property
    def remembers(self) -> bool:
        """Whether what was judged before counts too: with the `diversity` term."""
        return self.memory is not None

    def restart(self) -> None:
        """Forget what was judged before; what was measured is kept."""
        if self.memory is not None:
            self.memory.restore(())

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
        """Wait for the terms. With the `diversity` term, call it once, in the order of batches."""
        scores = self._pending.collect()
        terms = terms_of(self._reward.settings, scores)
        if self._reward.memory is not None:
            terms["diversity"] = self._reward.memory.judge(scores.scaffolds)
        return terms
