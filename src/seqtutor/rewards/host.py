"""Calls of a reward function on the host from compiled programs."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import io_callback
from jaxtyping import Array, Bool, Int

from seqtutor.errors import UserError, in_one_line, place_in
from seqtutor.rewards.breakdown import named
from seqtutor.rewards.protocols import AsynchronousReward, PendingTerms, memory_of

_Tree = TypeVar("_Tree")

Shapes = dict[str, jax.ShapeDtypeStruct]


class HostCalls:
    """One reward function and its calls from compiled programs.

    Programs refer to this object. It keeps the batches that were started and not yet collected, and
    the function's own errors, of which JAX reports only the place in the program.
    """

    def __init__(self, function: Any) -> None:
        self.function = function
        self._failures: list[UserError] = []
        self._started: dict[int, PendingTerms] = {}
        self._tickets = itertools.count()

    def call(
        self, tokens: Int[Array, "batch time"], mask: Bool[Array, "batch time"]
    ) -> dict[str, Array]:
        """The terms of a batch, in the function's own order.

        Outside of compiled programs the function is called at once.

        Raises:
            UserError: if the function fails on this batch or the one that it is tried on, or what
                it returns are not named terms.
        """
        if not isinstance(tokens, jax.core.Tracer) and not isinstance(mask, jax.core.Tracer):
            with self._noting_failure():
                return {n: jnp.asarray(term) for n, term in self._terms(tokens, mask).items()}
        shapes = self._shapes(tokens.shape)

        def call(tokens: Any, mask: Any) -> dict[str, np.ndarray]:
            with self._noting_failure():
                return _same(self._terms(tokens, mask), shapes)

        # A reward may depend on its whole batch, so that under `vmap` each batch gets its own call.
        terms = jax.pure_callback(call, shapes, tokens, mask, vmap_method="sequential")
        return {name: terms[name] for name in shapes}

    def start(
        self, tokens: Int[Array, "batch time"], mask: Bool[Array, "batch time"], before: _Tree
    ) -> tuple[Int[Array, ""], _Tree]:
        """Begin to compute the terms of a batch.

        Returns:
            The ticket for `collect`, and `before` unchanged: the compiler has to put off all that
            is computed from it until the function has been started.
        """

        def call(tokens: Any, mask: Any, passed: _Tree) -> tuple[np.int32, _Tree]:
            assert isinstance(self.function, AsynchronousReward)
            with self._noting_failure():
                ticket = next(self._tickets)
                self._started[ticket] = self.function.start(np.asarray(tokens), np.asarray(mask))
                return np.int32(ticket), passed

        shapes = (jax.ShapeDtypeStruct((), np.int32), jax.eval_shape(lambda: before))
        return io_callback(call, shapes, tokens, mask, before)

    def collect(
        self, ticket: Int[Array, ""], shape: tuple[int, ...], after: Any
    ) -> dict[str, Array]:
        """The terms of the batch of this shape that was started with the ticket.

        They are asked for once `after` has been computed.
        """
        shapes = self._shapes(shape)

        def call(ticket: Any, _: Any) -> dict[str, np.ndarray]:
            with self._noting_failure():
                return _same(_as_arrays(self._started.pop(int(ticket)).collect()), shapes)

        terms = io_callback(call, shapes, ticket, after)
        return {name: terms[name] for name in shapes}

    @contextmanager
    def reporting_failures(self) -> Iterator[None]:
        """Within, a failure of the function in a compiled program is raised as a `UserError`.

        JAX would print a traceback and raise an error that names parts of the program.
        """
        self._failures.clear()
        printer = logging.getLogger("jax._src.callback")
        was_disabled, printer.disabled = printer.disabled, True
        try:
            yield
        except Exception:
            if self._failures:
                self._started.clear()
                raise self._failures[0] from self._failures[0].__cause__
            raise
        finally:
            printer.disabled = was_disabled

    @contextmanager
    def _noting_failure(self) -> Iterator[None]:
        """Keep an error of the function, as a `UserError`."""
        try:
            yield
        except UserError as error:
            self._failures.append(error)
            raise
        except (Exception, SystemExit) as error:
            failure = failed(self.function, error)
            self._failures.append(failure)
            raise failure from error

    def _terms(self, tokens: Any, mask: Any) -> dict[str, np.ndarray]:
        return _as_arrays(self.function(np.asarray(tokens), np.asarray(mask)))

    def _shapes(self, shape: tuple[int, ...]) -> Shapes:
        """The shapes of the terms of a batch, from a call that leaves no trace in a memory."""
        memory = memory_of(self.function)
        before = None if memory is None else memory.state()
        with self._noting_failure():
            terms = self._terms(np.zeros(shape, np.int32), np.ones(shape, bool))
        if memory is not None:
            memory.restore(before)
        return {name: jax.ShapeDtypeStruct(term.shape, np.float32) for name, term in terms.items()}


def failed(function: Any, error: BaseException) -> UserError:
    """The error that says where in a user's function another error arose."""
    return UserError(f"the reward failed: {in_one_line(error)}{place_in(function, error)}")


def as_numbers(name: str, term: Any) -> np.ndarray:
    """A term in single precision; numbers too large for it become infinite.

    Raises:
        UserError: if it is not an array of real numbers.
    """
    try:
        array = np.asarray(term)
        if np.iscomplexobj(array):
            raise TypeError
        with np.errstate(over="ignore"):
            return np.asarray(array, np.float32)
    except (TypeError, ValueError):
        raise UserError(f"the reward term {name!r} is not an array of real numbers") from None


def _as_arrays(terms: Any) -> dict[str, np.ndarray]:
    return {name: as_numbers(name, term) for name, term in named(terms).items()}


def _same(terms: dict[str, np.ndarray], expected: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The terms, if they have these names and shapes; JAX would match them by alphabet alone."""
    if terms.keys() != expected.keys():
        raise UserError(
            f"the reward's terms were {', '.join(expected)} and are {', '.join(terms)} now; they "
            "must be the same at every call"
        )
    for name, term in terms.items():
        if term.shape != expected[name].shape:
            raise UserError(
                f"the reward term {name!r} has shape {term.shape} now and had "
                f"{expected[name].shape}; it must be the same at every call"
            )
    return terms
