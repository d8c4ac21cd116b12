"""Scorers of the user's own: functions and commands that give molecules a number, in batches.

They score the molecules that RDKit could measure, each once, by its canonical SMILES string. What
goes wrong is a `Failure` of the molecule at which it did.

A function that takes a list is called with a batch, any other with one string after the other.
Which of both it is, the annotation of its first parameter says; without one, it is called with a
list of one molecule first, and takes lists if it returns one of the same length.
"""

from __future__ import annotations

import inspect
import math
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from seqtutor.machine import usable_cores
from seqtutor.references import load_reference
from seqtutor.settings import require
from seqtutor.tasks.molecule.measurer import Measured
from seqtutor.tasks.molecule.reward_settings import CustomTerm, MoleculeRewardSettings
from seqtutor.workers.batches import BatchPool, in_thread
from seqtutor.workers.cache import CachedPool, Pending
from seqtutor.workers.command import CommandPool, why_no_number, words_of
from seqtutor.workers.pool import Pool, open_pool
from seqtutor.workers.worker import Failure, apply

ScorerPool = CachedPool[list[float | Failure]]

_LIST = re.compile(r"(\w+\.)*(list|sequence|iterable|collection|tuple)\b", re.IGNORECASE)
_LARGEST = 3e38
"""Rewards are in single precision."""


class MoleculeString(str):
    """A SMILES string that has the properties of its molecule as attributes.

    They are those of `seqtutor.tasks.molecule.properties.Molecule`, with RDKit's object as `rdkit`.
    """

    @cached_property
    def _molecule(self) -> Any:
        from seqtutor.tasks.molecule.properties import parse

        return parse(str(self))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._molecule, name)


class Answer(list[Any]):
    """The scores of a batch; `takes_lists` says what the function was found to take."""

    takes_lists: bool | None = None


@dataclass
class FunctionCall:
    """Calls a user's function with a batch of SMILES strings; can be sent to worker processes.

    Attributes:
        name: module:NAME or FILE.py:NAME.
        takes_lists: whether it is called with a batch, and not with one string after the other;
            `None` until that is known.
    """

    name: str
    takes_lists: bool | None = None

    @classmethod
    def of(cls, name: str) -> FunctionCall:
        """A call of a function, by what the annotation of its parameter says.

        Raises:
            UserError: if the function cannot be imported.
        """
        return cls(name, takes_lists(load_reference(name)))

    def prepare(self) -> None:
        """Import the function, which may take longer than to score a molecule."""
        load_reference(self.name)

    def __call__(self, batch: tuple[str, ...]) -> Answer | Failure:
        """The scores of a batch, or a `Failure` for the whole of it."""
        function = load_reference(self.name)
        strings = [MoleculeString(one) for one in batch]
        together: list[float | Failure] | Failure | None = None
        if self.takes_lists is not False:
            together = _together(function, strings)
            if not isinstance(together, Failure):
                self.takes_lists = True
                return self._answer(together)
            if self.takes_lists:
                return together
        values = [apply(function, one) for one in strings]
        scores = [as_score(value) for value in values]
        # It took the strings, even if it has no finite number for any.
        if any(isinstance(value, float | int | str | None) for value in values):
            self.takes_lists = False
        elif isinstance(together, Failure):
            note = f"; called with a list: {together.reason}"
            scores = [Failure(s.reason + s.place + note) for s in scores if isinstance(s, Failure)]
        return self._answer(scores)

    def _answer(self, scores: list[float | Failure]) -> Answer:
        answer = Answer(scores)
        answer.takes_lists = self.takes_lists
        return answer


def takes_lists(function: Callable[..., Any]) -> bool | None:
    """Whether a function's first parameter is annotated as a list; `None` without annotation."""
    try:
        parameter = next(iter(inspect.signature(function).parameters.values()))
    except (TypeError, ValueError, StopIteration):
        return None
    if parameter.annotation is inspect.Parameter.empty:
        return None
    annotation = parameter.annotation
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return _LIST.match(text) is not None


def _together(function: Any, strings: list[MoleculeString]) -> list[float | Failure] | Failure:
    found = apply(function, list(strings))
    if isinstance(found, Failure):
        return found
    is_list = hasattr(found, "__len__") and not isinstance(found, (str, bytes, dict))
    if not is_list or len(found) != len(strings):
        return Failure(f"returned {found!r:.60} for a list of {len(strings)} molecules")
    return [as_score(one) for one in found]


def as_score(value: Any) -> float | Failure:
    """A finite number, or why it is none."""
    if isinstance(value, Failure):
        return value
    try:
        score = float(value)
    except (TypeError, ValueError, OverflowError):
        why = why_no_number(value) if isinstance(value, str) else "which is not a number"
        return Failure(f"returned {value!r:.60}, {why}")
    if math.isnan(score):
        return Failure("is not a number (NaN)")
    if not abs(score) < _LARGEST:
        return Failure("is infinite" if math.isinf(score) else f"is too large ({score:g})")
    return score


class _FunctionPool(BatchPool):
    """Gives molecules one by one to a function, until that is known to take lists."""

    def __init__(self, pool: Pool, call: FunctionCall, most: int, workers: int) -> None:
        super().__init__(pool, most if call.takes_lists else 1, workers)
        self._of_lists = most

    def note(self, answer: Any) -> None:
        if isinstance(answer, Answer) and answer.takes_lists:
            self.most = self._of_lists


def require_usable(reward: MoleculeRewardSettings) -> None:
    """Find every scorer of a reward, without calling it.

    Raises:
        UserError: if a function cannot be imported, there is no such program, or a scorer has
            neither.
    """
    for name, scorer in reward.scorers.items():
        option = f"--reward.scorers.{name}"
        require(
            scorer.code != "",
            f"the scorer {name} does nothing: give {option}.function or {option}.command",
        )
    for scorer in reward.own_scorers.values():
        if scorer.command:
            words_of(scorer.command)
        else:
            load_reference(scorer.function)


def open_scorer(term: CustomTerm, workers: int | None = None) -> ScorerPool:
    """A pool that scores canonical SMILES strings, each once.

    Args:
        term: the scorer.
        workers: processes, where the term does not say how many; `None` for one for each core.

    Raises:
        UserError: if the function cannot be imported, or there is no such program.
    """
    number = workers if term.workers is None else term.workers
    number = usable_cores() if number is None else number
    pool: Pool
    if term.command:
        command = CommandPool(term.command, number, term.seconds)
        pool = BatchPool(command, term.batch, number)
    else:
        call = FunctionCall.of(term.function)
        pool = _FunctionPool(open_pool(call, number, term.seconds), call, term.batch, number)
    return CachedPool(pool, lambda strings, results: [as_score(one) for one in results])


class ScoringPool:
    """Measures strings by one pool, and scores the molecules among them by others.

    Args:
        measuring: gives for each string a `Measured`, or what stands in its place.
        scorers: by name; their scores become further values of the `Measured`, in this order.
    """

    def __init__(self, measuring: Pool, scorers: Mapping[str, ScorerPool]) -> None:
        self._measuring, self._scorers = measuring, scorers
        self.on_scored: Callable[[Mapping[str, Mapping[str, float | Failure]]], None] | None = None
        """Called with what a batch found out anew, by scorer and canonical SMILES."""
        self._lock = threading.Lock()
        self._seconds, self._scored_molecules = 0.0, 0

    def submit(self, items: Sequence[Any]) -> Future[list[Any]]:
        """Begin; the future holds a result for each string, in order."""
        return in_thread(self._scored, self._measuring.submit(items))

    def close(self) -> None:
        """Close all pools."""
        self._measuring.close()
        for scorer in self._scorers.values():
            scorer.close()

    @property
    def seconds(self) -> float | None:
        """Of a molecule that was given to all scorers, on average; `None` before the first."""
        with self._lock:
            return self._seconds / self._scored_molecules if self._scored_molecules else None

    def _scored(self, measuring: Future[list[Any]]) -> list[Any]:
        results = measuring.result()
        smiles = [one.smiles for one in results if isinstance(one, Measured)]
        begun = time.monotonic()
        pending = {name: scorer.start(smiles) for name, scorer in self._scorers.items()}
        scores = {name: one.collect() for name, one in pending.items()}
        self._note(pending, scores, smiles, time.monotonic() - begun)
        rows = {name: iter(own) for name, own in scores.items()}
        return [
            _with_scores(one, {name: next(row) for name, row in rows.items()})
            if isinstance(one, Measured)
            else one
            for one in results
        ]

    def _note(
        self,
        pending: Mapping[str, Pending[list[float | Failure]]],
        scores: Mapping[str, list[float | Failure]],
        smiles: Sequence[str],
        seconds: float,
    ) -> None:
        """Keep how long new molecules took, and tell what was found out of them."""
        new = {name: set(one.new) for name, one in pending.items()}
        most = max(map(len, new.values()), default=0)
        with self._lock:
            if most:
                self._seconds += seconds
                self._scored_molecules += most
            if self.on_scored is not None:
                found = {
                    name: {s: v for s, v in zip(smiles, own, strict=True) if s in new[name]}
                    for name, own in scores.items()
                }
                self.on_scored(found)


def _with_scores(measured: Measured, scores: Mapping[str, float | Failure]) -> Measured:
    numbers = [math.nan if isinstance(one, Failure) else one for one in scores.values()]
    failed = {name: one for name, one in scores.items() if isinstance(one, Failure)}
    reasons = {name: one.reason + one.place for name, one in failed.items()}
    return measured._replace(values=(*measured.values, *numbers), failures=reasons)
