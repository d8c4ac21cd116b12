"""A preference model: the utility of a sequence, learned from votes, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from seqtutor.comparisons import ComparedSequences
from seqtutor.errors import UserError
from seqtutor.models.base import SequenceModel
from seqtutor.preferences.features import (
    features_of,
    frequent_tokens,
    joined,
    network_features,
    token_features,
)
from seqtutor.preferences.fitting import fit
from seqtutor.preferences.settings import Basis
from seqtutor.settings import require
from seqtutor.task_records import SequenceFeatures
from seqtutor.vocabulary import Vocabulary

LEAST_DEVIATION = 1e-6
"""Of a feature over the compared sequences; one that varies less is not divided by it."""


class PreferenceWeights(eqx.Module):
    """The arrays of a preference model, and what they belong to.

    Attributes:
        network: that computes features; `None` where none are of a network.
        center, scale: mean and deviation of the features over the compared sequences.
        weights: of the standardised features, and of the squares of the first `squares` of them.
        factor: F of the weights' covariance F·Fᵀ.
        bias, log_tie: b and log ν of the votes; `log_tie` does not count without `has_ties`.
        names: of the features.
        tokens: whose shares are features; empty where the task has features of its own.
        max_length: of a sequence.
    """

    kind: ClassVar[str] = "preference model"

    network: SequenceModel | None
    center: Float[Array, " features"]
    scale: Float[Array, " features"]
    weights: Float[Array, " terms"]
    factor: Float[Array, "terms terms"]
    bias: Float[Array, ""]
    log_tie: Float[Array, ""]
    names: tuple[str, ...] = eqx.field(static=True)
    tokens: tuple[int, ...] = eqx.field(static=True)
    basis: Basis = eqx.field(static=True)
    has_ties: bool = eqx.field(static=True)
    squares: int = eqx.field(static=True)
    max_length: int = eqx.field(static=True)
    vocabulary_size: int = eqx.field(static=True)

    @property
    def tie(self) -> Float[Array, ""]:
        """ν: how likely a tie is, beside either side where both are equally good."""
        return jnp.exp(self.log_tie) if self.has_ties else jnp.zeros(())

    @property
    def config(self) -> dict[str, Any]:
        """What `from_config` rebuilds the shapes of the weights from."""
        static = ("tokens", "basis", "has_ties", "squares", "max_length", "vocabulary_size")
        own = {name: getattr(self, name) for name in static}
        network = {} if self.network is None else {"network": self.network}
        # Names may be those of tokens: as one list, no entry can be taken for a model's.
        return {**network, "names": list(self.names), **own, "tokens": list(self.tokens)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> PreferenceWeights:
        """A model of these shapes whose numbers are zero."""
        names = tuple(map(str, config["names"]))
        raw, squares = len(names), int(config["squares"])
        number = raw + squares
        return cls(
            config.get("network"),
            center=jnp.zeros(raw),
            scale=jnp.zeros(raw),
            weights=jnp.zeros(number),
            factor=jnp.zeros((number, number)),
            bias=jnp.zeros(()),
            log_tie=jnp.zeros(()),
            names=names,
            tokens=tuple(map(int, config["tokens"])),
            basis=config["basis"],
            has_ties=bool(config["has_ties"]),
            squares=squares,
            max_length=int(config["max_length"]),
            vocabulary_size=int(config["vocabulary_size"]),
        )


@dataclass(frozen=True)
class PreferenceModel:
    """A utility of sequences with its uncertainty.

    Attributes:
        weights: the arrays.
        features: of sequences, in the order of the weights.
        vocabulary: of the sequences.
        origin: how it was made, in the types of JSON.
    """

    weights: PreferenceWeights
    features: SequenceFeatures
    vocabulary: Vocabulary
    origin: dict[str, Any] = field(default_factory=dict)

    def utilities(
        self, values: Float[Array, "*shape features"]
    ) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
        """The utility of features and its standard deviation."""
        own = self.weights
        z = with_squares((values - own.center) / own.scale, own.squares)
        return z @ own.weights, jnp.sqrt(jnp.sum((z @ own.factor) ** 2, axis=-1))

    def of_prefixes(
        self, tokens: Int[Array, "batch time"], mask: Bool[Array, "batch time"]
    ) -> tuple[Float[Array, "batch time"], Float[Array, "batch time"]]:
        """The utility of each prefix and its standard deviation, in nats of a vote's log-odds.

        Both are relative to a sequence whose features are the means over the compared ones.
        """
        ids, real = jnp.asarray(tokens), jnp.asarray(mask)
        return self.utilities(self.features.of_prefixes(ids, real))


def with_squares(values: Any, squares: int) -> Any:
    """Standardised features and, of the first so many, their squares with mean 0 and deviation 1.

    The deviation is that of the square of a normal variable. With squares a preference can have
    its optimum in between.
    """
    first = values[..., :squares]
    numpy = jnp if isinstance(values, jax.Array) else np
    return numpy.concatenate([values, (first**2 - 1) / 2**0.5], axis=-1)


def squares_of(basis: Basis, features: SequenceFeatures, network: SequenceModel | None) -> int:
    """How many of the features are squared: all that describe a sequence, none of a network's."""
    if basis == "network":
        return 0
    of_network = 0 if network is None else network.feature_size + 1
    return len(features.names) - of_network


def basis_features(
    basis: Basis,
    vocabulary: Vocabulary,
    max_length: int,
    *,
    of_task: SequenceFeatures | None,
    tokens: tuple[int, ...],
    network: SequenceModel | None,
) -> SequenceFeatures:
    """The features of a basis: those of the task or, if it has none, of tokens; those of a network.

    Raises:
        UserError: if the features of the task are needed and not given.
    """
    parts = []
    if basis != "network":
        if not tokens and of_task is None:
            raise UserError(
                "the preference model reads features that the task defines; name the task with them"
            )
        own = token_features(tokens, vocabulary, max_length) if tokens else of_task
        parts.append(cast(SequenceFeatures, own))
    if network is not None and basis != "features":
        parts.append(network_features(network))
    return joined(parts)


def fit_preference(
    votes: ComparedSequences,
    vocabulary: Vocabulary,
    network: SequenceModel,
    *,
    basis: Basis = "network",
    of_task: SequenceFeatures | None = None,
) -> PreferenceModel:
    """Learn a utility from votes.

    Args:
        votes: at least two that prefer a side.
        vocabulary: of the sequences.
        network: the prior, whose features are read.
        basis: what is read of a sequence.
        of_task: the features that the task has, if it has some.

    Raises:
        UserError: if there are too few votes.
    """
    is_of_tokens = basis != "network" and of_task is None
    tokens = tuple(frequent_tokens(votes.both)) if is_of_tokens else ()
    length = votes.left.tokens.shape[1]
    used = None if basis == "features" else network
    features = basis_features(
        basis, vocabulary, length, of_task=of_task, tokens=tokens, network=used
    )
    values = standardised(features_of(features, votes.both))
    number, squares = len(votes), squares_of(basis, features, used)
    z = with_squares(values.z, squares)
    posterior = fit(z[:number] - z[number:], votes.scores)
    weights = PreferenceWeights(
        used,
        center=_single(values.center),
        scale=_single(values.scale),
        weights=_single(posterior.weights),
        factor=_single(np.linalg.cholesky(posterior.covariance)),
        bias=_single(posterior.bias),
        log_tie=_single(posterior.log_tie or 0.0),
        names=features.names,
        tokens=tokens,
        basis=basis,
        has_ties=posterior.log_tie is not None,
        squares=squares,
        max_length=length,
        vocabulary_size=vocabulary.size,
    )
    return PreferenceModel(
        weights,
        features,
        vocabulary,
        {"precision": posterior.precision, "evidence": posterior.evidence},
    )


@dataclass(frozen=True)
class Standardised:
    """Features with mean 0 and deviation 1, and what they were."""

    z: Float[np.ndarray, "sequences features"]
    center: Float[np.ndarray, " features"]
    scale: Float[np.ndarray, " features"]


def standardised(values: Float[np.ndarray, "sequences features"]) -> Standardised:
    """The features less their means, divided by their deviations where they vary."""
    center, deviation = values.mean(axis=0), values.std(axis=0)
    scale = np.where(deviation < LEAST_DEVIATION, 1.0, deviation)
    return Standardised((values - center) / scale, center, scale)


def _single(array: Any) -> Array:
    return jnp.asarray(array, jnp.float32)


def require_same_features(weights: PreferenceWeights, features: SequenceFeatures) -> None:
    """Refuse features that are not those that the model learned from."""
    require(
        weights.names == features.names,
        "the task's features are not those that the preference model learned from; make it anew "
        "with seqtutor prefer",
    )
