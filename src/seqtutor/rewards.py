"""Rewards: named terms of a sequence, weighted and summed.

A reward function takes `tokens` (`Int["batch time"]`) and `mask` (`Bool["batch time"]`, true up to
and with the last token) and gives a dictionary of terms. A term is `Float["batch time"]`, one
number a step, or `Float["batch"]`, paid at the last token. It must be causal: what step t earns
depends on tokens up to t alone.

A plain function works on NumPy arrays and is called from the compiled loop. One that is written in
JAX and marked with `compiled` becomes part of it; it is compiled once for a task, so that what it
reads besides its arguments must not change. One that is itself learned, such as a discriminator, is
marked with `learned` and takes its parameters as a first argument, so that they can change from one
call of the loop to the next without another compilation.

A plain function that holds something may have more names. `close()` ends what it has started, such
as worker processes. `remembers` is true of one that what it judged before counts for; then
`restart()` makes it forget that, for another run, `state()` gives it in JSON's types, for a
checkpoint, and `restore(state)` brings it back. `end` is a reason why there is nothing more to
judge, or `None`: a run ends with the chunk in which it appears. `start(tokens, mask)` begins to
judge a batch and gives something whose `collect()` waits for the terms: with it, methods that learn
from a replay learn while it judges.
"""

from __future__ import annotations

import itertools
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import io_callback
from jaxtyping import Array, Bool, Float, Int

from seqtutor.errors import UserError

RewardFunction = Callable[..., Mapping[str, Any]]
_Function = TypeVar("_Function", bound=Callable)
_Tree = TypeVar("_Tree")


def compiled(function: _Function) -> _Function:
    """Mark a reward function as written in JAX, to be compiled into the training loop."""
    function.is_compiled_reward = True  # type: ignore[attr-defined]
    return function


def learned(function: _Function) -> _Function:
    """Mark a reward function in JAX that takes `parameters`, `tokens` and `mask`.

    The parameters are a pytree. A tutor hands its `reward_parameters` to it, as an argument of the
    compiled program and no part of it.
    """
    function.is_learned_reward = True  # type: ignore[attr-defined]
    return compiled(function)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Earned:
    """What a batch of sequences earned: every weighted term a step, and their sum."""

    terms: dict[str, Float[Array, "batch time"]]
    total: Float[Array, "batch time"]


@dataclass(frozen=True, eq=False)
class Reward:
    """A reward function with a weight for each of its terms; terms not named weigh one.

    Raises:
        UserError: if the function remembers what it judged, and cannot tell it or forget it.
    """

    function: RewardFunction
    weights: Mapping[str, float] = field(default_factory=dict)
    _failures: list[Exception] = field(default_factory=list, init=False, repr=False)
    _started: dict[int, Any] = field(default_factory=dict, init=False, repr=False)
    _tickets: Iterator[int] = field(default_factory=itertools.count, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.remembers:
            for name in ("restart", "state", "restore"):
                if not callable(getattr(self.function, name, None)):
                    raise UserError(
                        f"a reward that remembers what it judged needs {name}(); see "
                        "seqtutor.rewards"
                    )

    def __call__(
        self,
        tokens: Int[Array, "batch time"],
        mask: Bool[Array, "batch time"],
        parameters: Any = None,
    ) -> Earned:
        """Weighted terms per step and their sum, zero past the end of a sequence.

        `parameters` are those of a learned reward; others take none.

        Raises:
            UserError: if the function gives no named terms, a weight names none of them, a term
                has another shape, or a learned reward has no parameters.
        """
        return self._weighted(self._terms(tokens, mask, parameters), mask)

    @property
    def can_start(self) -> bool:
        """Whether the function can begin to judge before the answer is needed."""
        return callable(getattr(self.function, "start", None))

    def start(
        self, tokens: Int[Array, "batch time"], mask: Bool[Array, "batch time"], before: _Tree
    ) -> tuple[Int[Array, ""], _Tree]:
        """Begin to judge sequences.

        What comes back is the ticket for `collect`, and `before` as it was: the compiler cannot but
        put off whatever is worked out from it until the judging has begun.
        """

        def call(tokens: Any, mask: Any, passed: _Tree) -> tuple[np.int32, _Tree]:
            with self._noting_failure():
                ticket = next(self._tickets)
                pending = self.function.start(np.asarray(tokens), np.asarray(mask))  # type: ignore[attr-defined]
                self._started[ticket] = pending
                return np.int32(ticket), passed

        return io_callback(
            call,
            (jax.ShapeDtypeStruct((), np.int32), jax.eval_shape(lambda: before)),
            tokens,
            mask,
            before,
        )

    def collect(
        self, ticket: Int[Array, ""], mask: Bool[Array, "batch time"], after: Any
    ) -> Earned:
        """What the sequences earned that were started with the ticket, as a call would say it.

        It is asked for when `after` has been worked out.

        Raises:
            UserError: as a call does.
        """
        shapes = self._shapes(mask.shape)

        def call(ticket: Any, _: Any) -> dict[str, np.ndarray]:
            with self._noting_failure():
                terms = _as_arrays(self._started.pop(int(ticket)).collect())
                _require_same(terms, shapes)
                return terms

        terms = io_callback(call, shapes, ticket, after)
        return self._weighted({name: terms[name] for name in shapes}, mask)

    def _weighted(self, terms: Mapping[str, jax.Array], mask: Bool[Array, "batch time"]) -> Earned:
        unknown = set(self.weights) - set(terms)
        if unknown:
            raise UserError(
                f"the reward has no term {sorted(unknown)[0]!r}; its terms are {', '.join(terms)}"
            )
        weighted = {
            name: self.weights.get(name, 1.0) * per_step(name, term, mask)
            for name, term in terms.items()
        }
        return Earned(weighted, sum(weighted.values(), jnp.zeros(mask.shape)))

    @property
    def is_learned(self) -> bool:
        """Whether the function takes parameters."""
        return getattr(self.function, "is_learned_reward", False)

    def with_parameters(self, parameters: Any) -> Reward:
        """A learned reward as it is with these parameters, which are compiled into its programs."""
        function = self.function

        @compiled
        def fixed(tokens: jax.Array, mask: jax.Array) -> Mapping[str, Any]:
            return function(parameters, tokens, mask)

        return Reward(fixed, self.weights)

    @property
    def remembers(self) -> bool:
        """Whether what was judged before counts too, so that runs cannot share it."""
        return bool(getattr(self.function, "remembers", False))

    def restart(self) -> None:
        """Forget what was judged before; called where a run begins."""
        if self.remembers:
            self.function.restart()  # type: ignore[attr-defined]

    def state(self) -> Any:
        """What was judged before, in JSON's types; `None` of a reward that remembers nothing."""
        return self.function.state() if self.remembers else None  # type: ignore[attr-defined]

    def restore(self, state: Any) -> None:
        """Remember what `state` gave, and nothing else; called where a run goes on."""
        if self.remembers:
            self.function.restore(state)  # type: ignore[attr-defined]

    @property
    def end(self) -> str | None:
        """Why a run ends here, if it does."""
        return getattr(self.function, "end", None)

    def raise_failure(self) -> None:
        """Say why the function failed in the compiled loop, if it did.

        What comes out of the loop itself names its parts, not the function's.

        Raises:
            UserError: with the function's own error.
        """
        if not self._failures:
            return
        self._started.clear()
        error = self._failures[0]
        self._failures.clear()
        if isinstance(error, UserError):
            raise error
        what = f"{type(error).__name__}: {error}"
        raise UserError(f"the reward failed: {what}{_place(error, self.function)}") from error

    def close(self) -> None:
        """End what the function has started, such as worker processes."""
        getattr(self.function, "close", lambda: None)()

    def _terms(
        self, tokens: jax.Array, mask: jax.Array, parameters: Any
    ) -> Mapping[str, jax.Array]:
        if self.is_learned and parameters is None:
            raise UserError(
                "the reward is learned and has no parameters yet; give the tutor its "
                "reward_parameters, or call with_parameters"
            )
        if getattr(self.function, "is_compiled_reward", False):
            first = (parameters,) if self.is_learned else ()
            terms = _named(self.function(*first, jnp.asarray(tokens), jnp.asarray(mask)))
            return {name: jnp.asarray(term, jnp.float32) for name, term in terms.items()}
        shapes = self._shapes(tokens.shape)

        def call(*arguments: Any) -> dict[str, np.ndarray]:
            with self._noting_failure():
                terms = _call_on_host(self.function, *arguments)
                _require_same(terms, shapes)
                return terms

        terms = jax.pure_callback(
            call,
            shapes,
            tokens,
            mask,
            # A reward may look at its whole batch, so that each run's batch gets a call of its own.
            vmap_method="sequential",
        )
        return {name: terms[name] for name in shapes}  # in the function's own order

    def _shapes(self, shape: tuple[int, ...]) -> dict[str, jax.ShapeDtypeStruct]:
        """Of the terms; what is asked for its shape alone is not part of a run."""
        remembered = self.state()
        with self._noting_failure():
            shapes = _shapes_of_host_reward(self.function, shape)
        self.restore(remembered)
        return shapes

    @contextmanager
    def _noting_failure(self) -> Iterator[None]:
        """Keep the function's own error, of which the compiled loop would tell the place alone."""
        try:
            yield
        except Exception as error:
            self._failures.append(error)
            raise


def as_reward(reward: Reward | RewardFunction) -> Reward:
    """A bare function as a reward whose terms all weigh one; a `Reward` as it is."""
    return reward if isinstance(reward, Reward) else Reward(reward)


def _place(error: Exception, function: RewardFunction) -> str:
    """Where in the function's own file it failed, as far as that can be told."""
    code = getattr(function, "__code__", None) or getattr(type(function).__call__, "__code__", None)
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if code is not None and frame.filename == code.co_filename]
    return f" (line {own[-1].lineno} of {own[-1].filename})" if own else ""


def _named(terms: Any) -> Mapping[str, Any]:
    if not isinstance(terms, Mapping) or not terms or not all(isinstance(k, str) for k in terms):
        raise UserError(
            "a reward function must give a dictionary of at least one named term, such as "
            f"{{'length': …}}, not {type(terms).__name__}"
        )
    return terms


def per_step(
    name: str, term: jax.Array, mask: Bool[Array, "batch time"]
) -> Float[Array, "batch time"]:
    """Spread a term over steps: one number a sequence is paid at its last token."""
    if term.shape == mask.shape:
        return jnp.where(mask, term, 0.0)
    if term.shape == mask.shape[:1]:
        following = jnp.concatenate([mask[:, 1:], jnp.zeros_like(mask[:, :1])], axis=1)
        return jnp.where(mask & ~following, term[:, None], 0.0)
    raise UserError(
        f"the reward term {name!r} has shape {term.shape}; it must be {mask.shape[:1]}, one number "
        f"a sequence, or {mask.shape}, one number a step"
    )


def _call_on_host(function: RewardFunction, tokens: Any, mask: Any) -> dict[str, np.ndarray]:
    return _as_arrays(function(np.asarray(tokens), np.asarray(mask)))


def _as_arrays(terms: Any) -> dict[str, np.ndarray]:
    return {name: _as_numbers(name, term) for name, term in _named(terms).items()}


def _as_numbers(name: str, term: Any) -> np.ndarray:
    try:
        array = np.asarray(term)
        if np.iscomplexobj(array):
            raise TypeError
        # What is too large becomes infinite, which the run then names.
        with np.errstate(over="ignore"):
            return np.asarray(array, np.float32)
    except (TypeError, ValueError):
        raise UserError(f"the reward term {name!r} is not an array of real numbers") from None


def _require_same(
    terms: Mapping[str, np.ndarray], expected: Mapping[str, jax.ShapeDtypeStruct]
) -> None:
    """JAX would take terms by their place in the alphabet, whatever their names."""
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


def _shapes_of_host_reward(
    function: RewardFunction, shape: tuple[int, ...]
) -> dict[str, jax.ShapeDtypeStruct]:
    """Call the function once, on sequences of the first token, to learn its terms."""
    terms = _call_on_host(function, np.zeros(shape, np.int32), np.ones(shape, bool))
    return {name: jax.ShapeDtypeStruct(term.shape, np.float32) for name, term in terms.items()}
