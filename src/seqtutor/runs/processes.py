"""One run in several processes, on one machine or on many: the first leads, the others follow.

The first process runs as one alone does, with its folder, its records and its guards. Before each
piece of work on the devices it says what is to be done, and the others do the same on theirs. They
write nothing.

Orders go through the store of `jax.distributed`, where waiting costs nothing: operations on the
devices of all processes give up on one that comes half a minute late.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jaxtyping import Array, Int, PRNGKeyArray

from seqtutor.errors import UserError
from seqtutor.models.action_values import ActionValueNetwork
from seqtutor.models.files import weights_hash
from seqtutor.settings import require
from seqtutor.training.metrics import HostMetrics, Metrics
from seqtutor.training.plan import TutorState
from seqtutor.training.tutor import Tutor
from seqtutor.training.watching import in_thread

_Tree = TypeVar("_Tree")

_A_WEEK = 7 * 24 * 3600 * 1000
"""Milliseconds that a process waits for an order. If the first one dies, JAX ends it sooner."""

BEGIN, ADVANCE, EVALUATE, GATHER, END = "begin", "advance", "evaluate", "gather", "end"


def join(coordinator: str, processes: int, process: int) -> None:
    """Meet the other processes; must come before anything is computed.

    Args:
        coordinator: host and port that the first process listens on.
        processes: how many there are.
        process: which of them this is, from zero.

    Raises:
        UserError: if they do not meet.
    """
    # Its handler would take SIGTERM from those that save a run.
    jax.config.update("jax_enable_preemption_service", False)
    try:
        # JAX would end the program if they do not come in time; a user can end it too.
        in_thread(
            lambda: jax.distributed.initialize(
                coordinator, processes, process, initialization_timeout=_A_WEEK // 1000
            )
        )
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"process {process} of {processes} cannot join: {reason}") from None


class Orders:
    """What the first process tells the others, one after the other."""

    def __init__(self) -> None:
        # JAX has no public way to its store of keys and values.
        from jax._src.distributed import global_state

        self._store: Any = global_state.client
        self._number = 0

    def give(self, *words: object) -> None:
        """Tell all others."""
        self._store.key_value_set(self._next(), " ".join(map(str, words)))

    def take(self) -> list[str]:
        """Wait for the next order."""
        order: str = self._store.blocking_key_value_get(self._next(), _A_WEEK)
        return order.split()

    def _next(self) -> str:
        self._number += 1
        return f"seqtutor/order/{self._number}"


@cache
def orders() -> Orders:
    """Those of this process, once it has joined the others."""
    return Orders()


@dataclass(frozen=True)
class LeadingTutor(Tutor):
    """The tutor of the first process, which has the others do what it does.

    `configuration` tells what else must be the same in all of them, such as the reward's settings.
    """

    configuration: str = field(default="", compare=False)
    orders: Orders = field(default_factory=orders, compare=False)

    def advance(self, state: TutorState, iterations: int) -> tuple[TutorState, HostMetrics]:
        """As a tutor does; the others get the state where it is new to them."""
        if state.iteration.is_fully_addressable:
            self.orders.give(BEGIN, digest(self, self.configuration))
            state = self.placed(_from_first(state))
        self.orders.give(ADVANCE, iterations)
        return super().advance(state, iterations)

    def evaluate_policy(
        self, network: ActionValueNetwork, key: PRNGKeyArray, iteration: Int[Array, ""]
    ) -> Metrics:
        """As a tutor does; the others do their part of the collection."""
        self.orders.give(EVALUATE)
        return super().evaluate_policy(network, key, iteration)

    def whole(self, state: TutorState) -> TutorState:
        """As a tutor does; the others give their part."""
        self.orders.give(GATHER)
        return super().whole(state)


@contextmanager
def leading() -> Iterator[None]:
    """Within, this process leads; at the end, however that comes, the others are let go.

    Only an interruption in the midst of the devices' work cannot tell them: they end with JAX's
    word that the first process is gone.
    """
    try:
        yield
    except BaseException as error:
        if type(error) is not KeyboardInterrupt:
            orders().give(END)
            # The order is kept in this process, which may end at once: first all must have it.
            with suppress(RuntimeError):
                jax.distributed.shutdown()
        raise
    orders().give(END)


def follow(tutor: Tutor, configuration: str = "") -> None:
    """Do what the first process says until it says that this is the end.

    Raises:
        UserError: if that process has another prior, other settings or another configuration.
        KeyboardInterrupt: at an interruption, if this is the main thread.
    """
    in_thread(lambda: _follow(tutor, configuration))


def _follow(tutor: Tutor, configuration: str) -> None:
    state = tutor.initial_state()
    while True:
        order, *details = orders().take()
        if order == END:
            return
        if order == BEGIN:
            require(
                details == [digest(tutor, configuration)],
                "the first process has another prior or other settings; give the same command to "
                "each, but for --process",
            )
            state = tutor.placed(_from_first(tutor.initial_state()))
        elif order == ADVANCE:
            state, _ = tutor.advance(state, int(details[0]))
        elif order == EVALUATE:
            tutor.evaluate_policy(state.network, state.key, state.iteration)
        else:
            tutor.whole(state)


def digest(tutor: Tutor, configuration: str) -> str:
    """A hash of what must be the same in all processes."""
    task = tutor.task
    what = (configuration, tutor.settings, tutor.devices, task.vocabulary, task.max_length)
    return weights_hash(tutor.prior, repr(what))


def _from_first(tree: _Tree) -> _Tree:
    """The first process's arrays, in all of them."""
    leaves, structure = jax.tree.flatten(tree)
    are_keys = [jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) for leaf in leaves]
    plain = [
        np.asarray(jax.random.key_data(leaf) if is_key else leaf)
        for leaf, is_key in zip(leaves, are_keys, strict=True)
    ]
    shared = [jnp.asarray(np.asarray(leaf)) for leaf in multihost_utils.broadcast_one_to_all(plain)]
    return jax.tree.unflatten(
        structure,
        [
            jax.random.wrap_key_data(leaf) if is_key else leaf
            for leaf, is_key in zip(shared, are_keys, strict=True)
        ],
    )
