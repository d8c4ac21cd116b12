"""A memory of scaffolds, by which the same scaffold is worth less each time that it is generated.

The term is a function of the batch and of the batches before. Three rules keep it reproducible: a
molecule's count is over the remembered molecules and the whole of its own batch, whatever the order
within the batch; batches are remembered in the order in which they come; and a batch that comes
twice in a row gets the same answer without being remembered again, so that a caller may ask twice.

The idea is that of REINVENT's diversity filter (Blaschke et al. 2020), which excludes a scaffold
for the rest of the run once its bucket is full. Here old molecules are forgotten, which bounds the
memory and lets a scaffold return.
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
    """The scaffolds of the latest molecules; several threads may use it."""

    def __init__(self, settings: DiversityTerm) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._order: deque[str] = deque()
        self._counts: Counter[str] = Counter()
        self._last_batch: tuple[str | None, ...] = ()
        self._last_answer: Float[np.ndarray, " batch"] = np.zeros(0)

    def term(self, scaffolds: Sequence[str | None]) -> Float[np.ndarray, " batch"]:
        """The term for each molecule of a batch, which is then remembered.

        Args:
            scaffolds: of the molecules; `None` for strings that are not molecules.

        Returns:
            0 up to `allowed` molecules of a scaffold, then falling linearly to −1 at twice as many.
        """
        batch = tuple(scaffolds)
        with self._lock:
            if batch != self._last_batch:
                known = [scaffold for scaffold in batch if scaffold is not None]
                self._order.extend(known)
                self._counts.update(known)
                self._last_batch, self._last_answer = batch, self._penalties(batch)
                self._forget()
            return self._last_answer.copy()

    def state(self) -> dict[str, Any]:
        """The scaffolds, oldest first, and the last batch with its answer, in JSON's types."""
        with self._lock:
            return {
                "scaffolds": list(self._order),
                "last_batch": list(self._last_batch),
                "last_answer": self._last_answer.tolist(),
            }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Replace the memory by what `state` returned."""
        with self._lock:
            self._order = deque(state["scaffolds"])
            self._counts = Counter(self._order)
            self._last_batch = tuple(state["last_batch"])
            self._last_answer = np.array(state["last_answer"], float)
            self._forget()

    def restart(self) -> None:
        """Empty the memory."""
        self.restore({"scaffolds": [], "last_batch": [], "last_answer": []})

    def _penalties(self, batch: Sequence[str | None]) -> Float[np.ndarray, " batch"]:
        allowed = self.settings.allowed
        counts = np.array([self._counts[key] if key is not None else 0 for key in batch], float)
        return np.clip((allowed - counts) / allowed, -1.0, 0.0)

    def _forget(self) -> None:
        while len(self._order) > self.settings.remembered:
            oldest = self._order.popleft()
            self._counts[oldest] -= 1
            if not self._counts[oldest]:
                del self._counts[oldest]
