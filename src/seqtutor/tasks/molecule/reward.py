"""The reward of molecules, a host reward in the sense of `seqtutor.rewards.protocols`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from seqtutor.tasks.molecule.score_records import ScoreRecords
from seqtutor.tasks.molecule.scored_log import FAILURES, ScoredLog, ScorerWatch
from seqtutor.tasks.molecule.scoring import MoleculeScorer, in_words
from seqtutor.tasks.molecule.terms import Scores, Values, recording_measurer, terms_of
from seqtutor.vocabulary import Vocabulary
from seqtutor.workers.cache import Pending

RECORD = "record"
"""The name of the record in the state of a reward."""


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
        scorer: measures what `measurer_for(settings, goal)` says and, for the record of a run, what
            `recording_measurer` says; by default one in this process.
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
            recording_measurer(settings, goal), 0, scorers=settings.own_scorers
        )
        wants_memory = "diversity" in settings.weights
        self.memory = ScaffoldMemory(settings.diversity) if wants_memory else None
        self.oracle = None if goal is None else Oracle(calls)
        self.log = ScoredLog(settings)
        self._watch = ScorerWatch(settings.own_scorers)

    @property
    def has_memory(self) -> bool:
        """With the `diversity` term or a goal, and while a run is recorded."""
        return bool(self._parts)

    def restart(self) -> None:
        """Empty the memory and the record; measurements of strings are kept."""
        if self.memory is not None:
            self.memory.restart()
        if self.oracle is not None:
            self.oracle.restore(())
        if self.log.is_open:
            self.log.restore({})

    def state(self) -> dict[str, Any]:
        """The scaffolds, the calls and how far the record has come, in JSON's types."""
        return {name: part.state() for name, part in self._parts.items()}

    def restore(self, state: Mapping[str, Any] | None) -> None:
        """Set the memory and the record to what they were when `state` was called."""
        known = state or {}
        for name, part in self._parts.items():
            # An earlier version kept no record.
            part.restore(known.get(name, {}) if name == RECORD else known[name])

    @property
    def _parts(self) -> dict[str, ScaffoldMemory | Oracle | ScoredLog]:
        """The parts that have a memory, by name."""
        record = self.log if self.log.is_open else None
        parts = {"diversity": self.memory, "oracle": self.oracle, RECORD: record}
        return {name: part for name, part in parts.items() if part is not None}

    def record_in(self, folder: Path | None) -> None:
        """Record what is scored in the folder of a run; what is there already is used again."""
        self.log.record_in(folder)
        known = self.log.known_scores()
        self.scorer.know_scores(known)
        self._watch = ScorerWatch(self.settings.own_scorers)
        self._watch.trust(name for name, scores in known.items() if scores)

    def use_records(self, folders: Sequence[Path]) -> None:
        """Take the scores that runs with this reward found out, and keep what is new with them."""
        if own := self.settings.own_scorers:
            self.scorer.use_records(ScoreRecords(folders, list(own)))

    def cost(self, sequences: int) -> str | None:
        """What so many sequences more cost at most, if functions or commands of the user's score.

        The time is that of the molecules that they scored so far.
        """
        own = self.settings.own_scorers
        if not own or not sequences:
            return None
        names = " and ".join(f"{name} ({term.code})" for name, term in own.items())
        seconds = self.scorer.seconds
        pace = ""
        if seconds is not None:
            whole = in_words(seconds * sequences)
            pace = f", at {seconds:.2g} s each as so far about {whole}"
        return f"up to {sequences:,} molecules more are to be scored by {names}{pace}"

    def unscored(self, tokens: Any, mask: Any) -> dict[str, dict[int, str]]:
        """By the name of a term, by row, why a sequence has no score and a neutral one stands in.

        Sequences that were rewarded before are not given to the scorers again.
        """
        if not self.settings.own_scorers:
            return {}
        return self.scorer.score(decode(np.asarray(tokens), self.vocabulary)).failures

    def remarks(self, is_over: bool) -> list[str]:
        """What could not be scored: the first of each scorer, and at the end the numbers."""
        return self.log.remarks(is_over)

    @property
    def end(self) -> str | None:
        """A message once the calls of the goal are used."""
        if self.oracle is None or not self.oracle.is_spent:
            return None
        return f"the {len(self.oracle):,} calls of the oracle are used"

    def write(self, folder: Path) -> None:
        """Write the calls of the goal's oracle, and what is new in the record."""
        if self.oracle is not None:
            self.oracle.write(folder / CALLS)
        self.log.flush()

    def __call__(self, tokens: Any, mask: Any) -> dict[str, Values]:
        """The terms of `Int["batch time"]` tokens, each `Float["batch"]`."""
        return self.start(tokens, mask).collect()

    def start(self, tokens: Any, mask: Any) -> PendingTerms:
        """Begin to score; the end tokens already say what the mask does."""
        array = np.asarray(tokens)
        return self.start_strings(decode(array, self.vocabulary), array.size)

    def start_strings(self, strings: list[str], steps: int = 0) -> PendingTerms:
        """Begin to score SMILES strings, for which so many environment steps were made."""
        if self.scorer.keeps_records:
            return PendingTerms(self, _Slowly(self.scorer, strings), steps)
        return PendingTerms(self, self.scorer.start(strings), steps)

    def terms(self, scores: Scores, steps: int = 0) -> dict[str, Values]:
        """The terms of a batch; the goal's values, its scaffolds and all terms are recorded."""
        if self.goal is not None and self.oracle is not None:
            self.oracle.ask(scores.smiles, self.goal.value(scores.columns))
        terms = terms_of(self.settings, scores)
        if self.known is not None:
            terms["known"] = -self.known.contains(scores.smiles).astype(float)
        if self.memory is not None:
            terms["diversity"] = self.memory.term(scores.scaffolds)
        self.log.add(steps, scores, terms)
        if self.log.is_open:
            self._require_scores(scores)
            if self.settings.own_scorers:
                # They may be slow: a kill loses the scores of one collection, not of a chunk.
                self.log.flush()
        return terms

    def _require_scores(self, scores: Scores) -> None:
        try:
            self._watch.check(scores)
        except UserError as error:
            self.log.flush()
            raise UserError(f"{error}; {FAILURES} in the run's folder has all") from None

    def close(self) -> None:
        """End the worker processes, if there are any."""
        self.scorer.close()


@dataclass(frozen=True)
class _Slowly:
    """Scores that are found out when they are asked for, in parts that are recorded."""

    scorer: MoleculeScorer
    strings: list[str]

    def collect(self) -> Scores:
        return self.scorer.score_slowly(self.strings)


class PendingTerms:
    """Terms that are being computed."""

    def __init__(
        self, reward: MoleculeReward, pending: Pending[Scores] | _Slowly, steps: int
    ) -> None:
        self._reward = reward
        self._pending = pending
        self._steps = steps

    def collect(self) -> dict[str, Values]:
        """Wait for the terms.

        With a memory, to be called once, in the order of batches.
        """
        return self._reward.terms(self._pending.collect(), self._steps)
