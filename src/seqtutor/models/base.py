"""The interface of all sequence models, and the wrapper that makes any of them ready for tuning."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from seqtutor.errors import UserError
from seqtutor.models.settings import ModelSettings


def shift_right(tokens: Int[Array, "batch time"], begin: int) -> Int[Array, "batch time"]:
    """The inputs that predict `tokens`: the begin id, then every token but the last."""
    first = jnp.full_like(tokens[:, :1], begin)
    return jnp.concatenate([first, tokens[:, :-1]], axis=1)


class SequenceModel(eqx.Module):
    """An autoregressive distribution over sequences of tokens.

    A model has a body, which maps the tokens so far to features, and a readout, which maps features
    to logits over the next token. The body runs one token at a time (`advance`, for sampling) or
    over whole sequences (`features`, for learning); both must give the same numbers up to rounding,
    which `seqtutor.models.consistency` checks at the start of every run.

    A kind of model that can be trained from scratch defines `kind` and `Settings`, a constructor
    that takes `(vocabulary_size, settings, key)` and sets `vocabulary_size`, `feature_size` and
    `settings` (a static field), and the methods `initial_state`, `advance` and `readout`; the rest
    has defaults. All leaves of the pytree are arrays of floating-point numbers; anything else is a
    static field. `seqtutor.models.registry` finds it by its name.
    """

    kind: ClassVar[str]
    """The name of the class in files and on the command line."""
    Settings: ClassVar[type[ModelSettings] | None] = None
    """The record of its settings; `None` for a kind that is made of other models."""

    vocabulary_size: int = eqx.field(static=True)
    feature_size: int = eqx.field(static=True)

    @classmethod
    def create(
        cls, vocabulary_size: int, settings: ModelSettings, key: PRNGKeyArray
    ) -> SequenceModel:
        """A new model with random weights; by default what the constructor gives."""
        return cls(vocabulary_size, settings, key)  # type: ignore[call-arg, arg-type]

    @property
    def config(self) -> dict[str, Any]:
        """What `from_config` rebuilds the shapes of the weights from.

        The values are those of JSON, or models that this one is made of. By default the size of the
        vocabulary and the settings.

        Raises:
            UserError: if the kind has no file format.
        """
        return {"vocabulary_size": self.vocabulary_size, **vars(settings_of(self))}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SequenceModel:
        """A model with the shapes of a `config`; the caller fills in the weights.

        Raises:
            ValueError, KeyError, TypeError, UserError: if the values are not usable.
        """
        size = config["vocabulary_size"]
        if type(size) is not int or size < 1 or cls.Settings is None:
            raise ValueError(f"a {cls.kind} cannot have {size!r} tokens")
        given = {name: value for name, value in config.items() if name != "vocabulary_size"}
        # JSON has no tuples.
        given = {n: tuple(v) if isinstance(v, list) else v for n, v in given.items()}
        return cls.create(size, cls.Settings(**given), jax.random.key(0))

    @abstractmethod
    def initial_state(self, batch: int, length: int) -> Any:
        """The state before any token, for `batch` sequences.

        Args:
            batch: number of sequences.
            length: how often `advance` will be called at most, so that a key-value cache can be
                allocated.
        """

    @abstractmethod
    def advance(
        self, state: Any, tokens: Int[Array, " batch"]
    ) -> tuple[Any, Float[Array, "batch features"]]:
        """Read one token of each sequence; the features predict the next one.

        The first token is `begin`. The new state has the structure, shapes and types of the old.
        """

    def features(self, tokens: Int[Array, "batch time"]) -> Float[Array, "batch time features"]:
        """Features that predict each token from those before it; `begin` is put in front.

        By default a scan of `advance`.
        """
        batch, length = tokens.shape
        inputs, state = shift_right(tokens, self.begin).T, self.initial_state(batch, length)
        _, features = jax.lax.scan(lambda *at: self.advance(*at), state, inputs)
        return features.swapaxes(0, 1)

    @abstractmethod
    def readout(self, features: Float[Array, "*shape features"]) -> Float[Array, "*shape vocab"]:
        """Logits over the next token."""

    @property
    def begin(self) -> int:
        """The id that is read before the first token; it is one above those of the vocabulary."""
        return self.vocabulary_size

    def step(
        self, state: Any, tokens: Int[Array, " batch"]
    ) -> tuple[Any, Float[Array, "batch vocab"]]:
        """Read one token of each sequence and return the logits of the next."""
        state, features = self.advance(state, tokens)
        return state, self.readout(features)

    def unroll(self, tokens: Int[Array, "batch time"]) -> Float[Array, "batch time vocab"]:
        """Logits of every token given those before it (teacher forcing)."""
        return self.readout(self.features(tokens))

    def as_policy_start(self, length: int) -> SequenceModel:
        """The same distribution, in a form that is tuned on sequences of up to `length` tokens.

        Rewards depend on the position in a sequence, so a policy must be able to know it. By
        default a trainable vector per position, zero at first, is added to the features.
        """
        return AdaptedModel(self, jnp.zeros((length, self.feature_size)))

    def with_zero_readout(self) -> SequenceModel:
        """The same body with a trainable readout whose logits are all zero at first.

        By default a linear one, which replaces the model's own.
        """
        return AdaptedModel(self, jnp.zeros((1, self.feature_size))).with_zero_readout()

    @property
    def matrices(self) -> list[Float[Array, "inner columns"]]:
        """The matrices that the features of each token are multiplied by.

        `seqtutor bench` counts operations by their sizes. By default all matrices among the
        weights, although no product is needed for a table from which rows are taken.
        """
        return [leaf for leaf in jax.tree.leaves(self) if leaf.ndim == 2]


def settings_of(model: SequenceModel) -> ModelSettings:
    """The settings that a new model of the same kind and sizes is created with.

    Raises:
        UserError: if the model has none, as those that are made of other models.
    """
    settings = getattr(model, "settings", None)
    if not isinstance(settings, ModelSettings):
        raise UserError(f"a model of the kind {model.kind!r} has no settings to create another by")
    return settings


class LinearReadout(eqx.Module):
    """Logits as a linear function of features."""

    weight: Float[Array, "features vocab"]
    bias: Float[Array, " vocab"]


class AdaptedModel(SequenceModel):
    """Any model with a trainable vector per position and, if asked for, a new readout.

    This is what `as_policy_start` and `with_zero_readout` give by default.
    """

    kind: ClassVar[str] = "adapted"

    model: SequenceModel
    positions: Float[Array, "length features"]
    new_readout: LinearReadout | None

    def __init__(
        self,
        model: SequenceModel,
        positions: Float[Array, "length features"],
        new_readout: LinearReadout | None = None,
    ) -> None:
        """Wrap a model.

        Args:
            model: gives the features.
            positions: a vector per position that is added to the features; from the last one on it
                stays the same.
            new_readout: replaces the model's own.
        """
        self.model = model
        self.positions = positions
        self.new_readout = new_readout
        self.vocabulary_size = model.vocabulary_size
        self.feature_size = model.feature_size

    @property
    def config(self) -> dict[str, Any]:
        """The model, the number of positions, and whether the readout is a new one."""
        return {
            "model": self.model,
            "positions": len(self.positions),
            "has_new_readout": self.new_readout is not None,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> AdaptedModel:
        """A wrapper whose own weights are zeros."""
        model = config["model"]
        adapted = cls(model, jnp.zeros((config["positions"], model.feature_size)))
        return adapted.with_zero_readout() if config["has_new_readout"] else adapted

    def as_policy_start(self, length: int) -> AdaptedModel:
        """The same distribution with a vector for each of `length` positions.

        New vectors are copies of the last.
        """
        missing = max(0, length - len(self.positions))
        positions = jnp.pad(self.positions, ((0, missing), (0, 0)), mode="edge")
        return AdaptedModel(self.model, positions, self.new_readout)

    def with_zero_readout(self) -> AdaptedModel:
        """The same body with a linear readout of zeros."""
        size = self.vocabulary_size
        readout = LinearReadout(jnp.zeros((self.feature_size, size)), jnp.zeros(size))
        return AdaptedModel(self.model, self.positions, readout)

    def initial_state(self, batch: int, length: int) -> tuple[Any, Int[Array, ""]]:
        """The state of the model, and position zero."""
        return self.model.initial_state(batch, length), jnp.zeros((), jnp.int32)

    def advance(
        self, state: tuple[Any, Int[Array, ""]], tokens: Int[Array, " batch"]
    ) -> tuple[tuple[Any, Int[Array, ""]], Float[Array, "batch features"]]:
        """Read one token of each sequence."""
        inner, position = state
        inner, features = self.model.advance(inner, tokens)
        return (inner, position + 1), features + self._vectors(position)

    def features(self, tokens: Int[Array, "batch time"]) -> Float[Array, "batch time features"]:
        """The features of the model, each plus the vector of its position."""
        return self.model.features(tokens) + self._vectors(jnp.arange(tokens.shape[1]))

    def _vectors(self, positions: Int[Array, "*shape"]) -> Float[Array, "*shape features"]:
        return self.positions[jnp.minimum(positions, len(self.positions) - 1)]

    def readout(self, features: Float[Array, "*shape features"]) -> Float[Array, "*shape vocab"]:
        """Logits over the next token."""
        if self.new_readout is None:
            return self.model.readout(features)
        return features @ self.new_readout.weight + self.new_readout.bias

    @property
    def matrices(self) -> list[Float[Array, "inner columns"]]:
        """Those of the model, and that of a new readout."""
        new = [] if self.new_readout is None else [self.new_readout.weight]
        return [*self.model.matrices, *new]
