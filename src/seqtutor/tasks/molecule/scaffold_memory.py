"""A memory of scaffolds, so that the same one again and again is worth less and less.

A reward is to be a function of what it judges; this term is one of the memory too. It stays
tractable by three rules. A batch is judged as a whole: a molecule's count is of those remembered
and of its own batch, whatever their order in it. What is judged is remembered, in the order in
which batches are judged, so that a run that judges the same batches gets the same terms. And a
batch that comes a second time in a row gets the answer of the first, without being remembered
again, so that a loop may call twice where it wants one answer.

The idea is that of REINVENT's diversity filter (Blaschke et al. 2020), which forbids what fills a
scaffold's bucket for the rest of the run. Here old molecules are forgotten, which bounds the memory
and lets a scaffold come back.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from seqtutor.tasks.molecule.reward_settings import DiversityTerm


class ScaffoldMemory:
    """The scaffolds of the latest molecules; safe to use from several threads."""

    def __init__(self, settings: DiversityTerm) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._order: deque[str] = deque()
        self._counts: Counter[str] = Counter()
        self._last_batch: tuple[str | None, ...] = ()
        self._last_answer: Float[np.ndarray, " batch"] = np.zeros(0)

    def judge(self, scaffolds: Sequence[str | None]) -> Float[np.ndarray, " batch"]:
        """The term for each molecule of a batch, which is remembered.

        Args:
            scaffolds: what counts as the same kind of molecule; `None` for what does not count.

        Returns:
            0 up to `allowed` molecules of a scaffold, then falling evenly to −1 at twice as many.
        """
        batch = tuple(scaffolds)
        with self._lock:
            if batch != self._last_batch:
                self._remember(batch)
                self._last_batch, self._last_answer = batch, self._terms(batch)
                self._forget()
            return self._last_answer.copy()

    def state(self) -> dict[str, Any]:
        """All that `restore` needs, in JSON's types.

        The scaffolds, the oldest first, and the last batch with its answer.
        """
        with self._lock:
            return {
                "scaffolds": list(self._order),
                "last_batch": list(self._last_batch),
                "last_answer": self._last_answer.tolist(),
            }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Remember what another memory did, and nothing else."""
        with self._lock:
            self._order = deque(state["scaffolds"])
            self._counts = Counter(self._order)
            self._last_batch = tuple(state["last_batch"])
            self._last_answer = np.array(state["last_answer"], float)
            self._forget()

    def restart(self) -> None:
        """Remember nothing."""
        self.restore({"scaffolds": [], "last_batch": [], "last_answer": []})

    def _remember(self, batch: Sequence[str | None]) -> None:
        known = [scaffold for scaffold in batch if scaffold is not None]
        self._order.extend(known)
        self._counts.update(known)

    def _terms(self, batch: Sequence[str | None]) -> Float[np.ndarray, " batch"]:
        allowed = self.settings.allowed
        counts = np.array([self._counts[key] if key is not None else 0 for key in batch], float)
        return np.clip((allowed - counts) / allowed, -1.0, 0.0)

    def _forget(self) -> None:
        while len(self._order) > self.settings.remembered:
            oldest = self._order.popleft()
            self._counts[oldest] -= 1
            if not self._counts[oldest]:
                del self._counts[oldest]
