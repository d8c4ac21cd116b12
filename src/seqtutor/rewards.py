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
judge, or `None`: a run ends with the chunk in which it appears.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from seqtutor.errors import UserError

RewardFunction = Callable[..., Mapping[str, Any]]
_Function = TypeVar("_Function", bound=Callable)


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
        terms = self._terms(tokens, mask, parameters)
        unknown = set(self.weights) - set(terms)
        if unknown:
            raise UserError(
                f"the reward has no term {sorted(unknown)[0]!r}; its terms are {', '.join(terms)}"
            )
        weighted = {
            name: self.weights.get(name, 1.0) * per_step(name, term, mask)
            for name, term in terms.items()
        }
        return Earned(weighted, sum(weighted.values(), jnp.zeros(tokens.shape)))

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
        error = self._failures[0]
        self._failures.clear()
        if isinstance(error, UserError):
            raise error
        raise UserError(f"the reward failed: {type(error).__name__}: {error}") from error

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
        # What is asked for its shape alone is not part of a run.
        remembered = self.state()
        shapes = _shapes_of_host_reward(self.function, tokens.shape)
        self.restore(remembered)

        def call(*arguments: Any) -> dict[str, np.ndarray]:
            try:
                terms = _call_on_host(self.function, *arguments)
                _require_same(terms, shapes)
            except Exception as error:
                self._failures.append(error)
                raise
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


def as_reward(reward: Reward | RewardFunction) -> Reward:
    """A bare function as a reward whose terms all weigh one; a `Reward` as it is."""
    return reward if isinstance(reward, Reward) else Reward(reward)


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
    terms = _named(function(np.asarray(tokens), np.asarray(mask)))
    return {name: _as_numbers(name, term) for name, term in terms.items()}


def _as_numbers(name: str, term: Any) -> np.ndarray:
    try:
        array = np.asarray(term)
        if np.iscomplexobj(array):
            raise TypeError
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
