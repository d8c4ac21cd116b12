"""Several rewards as one, such as a task's own reward beside a discriminator's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqtutor.errors import UserError
from seqtutor.rewards.protocols import compiled, learned
from seqtutor.rewards.reward import Reward
from seqtutor.vocabulary import Vocabulary


def weighted_sum(rewards: Sequence[Reward], weights: Sequence[float] | None = None) -> Reward:
    """A reward with the terms of several rewards, each multiplied by the weight of its reward.

    The parameters of the sum are those of the learned reward among them, of which there may be one,
    and so with the targets that weights follow.
    A reward that computes in worker processes is waited for: it does not compute while a method
    learns.

    Args:
        rewards: at least one; no two may have a term of the same name.
        weights: one for each reward; all are 1 if not given.

    Raises:
        UserError: if there is no reward, or more than one is learned, or more than one has targets.
    """
    chosen = [1.0] * len(rewards) if weights is None else list(weights)
    if not rewards or len(chosen) != len(rewards):
        raise UserError("a sum of rewards needs at least one, and a weight for each")
    if sum(reward.is_learned for reward in rewards) > 1:
        raise UserError("only one of the rewards of a sum can be learned")
    if sum(reward.targets is not None for reward in rewards) > 1:
        raise UserError("only one of the rewards of a sum can have targets")
    return _sum_of(tuple(rewards), tuple(chosen))


@dataclass(frozen=True, eq=False)
class _WeightedSum(Reward):
    """Passes on to its parts whatever a reward can do beside computing terms."""

    parts: tuple[Reward, ...] = ()
    factors: tuple[float, ...] = ()

    def bound_to(self, vocabulary: Vocabulary) -> Reward:
        bound = tuple(part.bound_to(vocabulary) for part in self.parts)
        is_same = all(one is other for one, other in zip(bound, self.parts, strict=True))
        return self if is_same else _sum_of(bound, self.factors)

    @contextmanager
    def reporting_failures(self) -> Iterator[None]:
        with ExitStack() as stack:
            for part in self.parts:
                stack.enter_context(part.reporting_failures())
            yield

    @property
    def has_memory(self) -> bool:
        return any(part.has_memory for part in self.parts)

    def restart(self) -> None:
        for part in self.parts:
            part.restart()

    def state(self) -> Any:
        return [part.state() for part in self.parts] if self.has_memory else None

    def restore(self, state: Any) -> None:
        if self.has_memory:
            for part, own in zip(self.parts, state, strict=True):
                part.restore(own)

    @property
    def end(self) -> str | None:
        return next((part.end for part in self.parts if part.end is not None), None)

    def write(self, folder: Path) -> None:
        for part in self.parts:
            part.write(folder)

    def record_in(self, folder: Path | None) -> None:
        for part in self.parts:
            part.record_in(folder)

    def remarks(self, is_over: bool = False) -> list[str]:
        return [remark for part in self.parts for remark in part.remarks(is_over)]

    def use_records(self, folders: Sequence[Path]) -> None:
        for part in self.parts:
            part.use_records(folders)

    def cost(self, sequences: int) -> list[str]:
        return [one for part in self.parts for one in part.cost(sequences)]

    def unscored(self, tokens: Any, mask: Any) -> dict[str, dict[int, str]]:
        found = [part.unscored(tokens, mask) for part in self.parts]
        return {name: rows for part in found for name, rows in part.items()}

    def close(self) -> None:
        for part in self.parts:
            part.close()


def _sum_of(parts: tuple[Reward, ...], factors: tuple[float, ...]) -> _WeightedSum:
    def terms(parameters: Any, tokens: Any, mask: Any) -> Mapping[str, Any]:
        found: dict[str, Any] = {}
        for part, factor in zip(parts, factors, strict=True):
            own_parameters = parameters if part.is_learned else None
            if part.targets is not None:
                # Not weighted here: the weights of the sum are those that change.
                own: Mapping[str, Any] = part.terms(tokens, mask, own_parameters)
            else:
                weighted = part(tokens, mask, own_parameters).terms
                own = {name: factor * term for name, term in weighted.items()}
            if repeated := found.keys() & own.keys():
                raise UserError(f"two rewards of a sum have a term {min(repeated)!r}")
            found |= own
        return found

    weights = {
        name: factor * weight
        for part, factor in zip(parts, factors, strict=True)
        if part.targets is not None
        for name, weight in part.weights.items()
    }
    targets = next((part.targets for part in parts if part.targets is not None), None)
    if any(part.is_learned for part in parts):
        return _WeightedSum(learned(terms), weights, targets, parts=parts, factors=factors)

    @compiled
    def fixed(tokens: Any, mask: Any) -> Mapping[str, Any]:
        return terms(None, tokens, mask)

    return _WeightedSum(fixed, weights, targets, parts=parts, factors=factors)
