"""A preference model: the utility of a sequence, learned from votes, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, cast

import equinox as eqx
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
from seqtutor.preferences.fitting import Posterior, fit
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
        weights: of the standardised features.
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
    weights: Float[Array, " features"]
    factor: Float[Array, "features features"]
    bias: Float[Array, ""]
    log_tie: Float[Array, ""]
    names: tuple[str, ...] = eqx.field(static=True)
    tokens: tuple[int, ...] = eqx.field(static=True)
    basis: Basis = eqx.field(static=True)
    has_ties: bool = eqx.field(static=True)
    max_length: int = eqx.field(static=True)
    vocabulary_size: int = eqx.field(static=True)

    @property
    def tie(self) -> Float[Array, ""]:
        """ν: how likely a tie is, beside either side where both are equally good."""
        return jnp.exp(self.log_tie) if self.has_ties else jnp.zeros(())

    @property
    def config(self) -> dict[str, Any]:
        """What `from_config` rebuilds the shapes of the weights from."""
        static = ("tokens", "basis", "has_ties", "max_length", "vocabulary_size")
        own = {name: getattr(self, name) for name in static}
        network = {} if self.network is None else {"network": self.network}
        # Names may be those of tokens: as one list, no entry can be taken for a model's.
        return {**network, "names": list(self.names), **own, "tokens": list(self.tokens)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> PreferenceWeights:
        """A model of these shapes whose numbers are zero."""
        names = tuple(map(str, config["names"]))
        row = jnp.zeros(len(names))
        return cls(
            config.get("network"),
            row,
            row,
            row,
            jnp.zeros((len(names), len(names))),
            jnp.zeros(()),
            jnp.zeros(()),
            names,
            tuple(map(int, config["tokens"])),
            config["basis"],
            bool(config["has_ties"]),
            int(config["max_length"]),
            int(config["vocabulary_size"]),
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

    def of_prefixes(
        self, tokens: Int[Array, "batch time"], mask: Bool[Array, "batch time"]
    ) -> tuple[Float[Array, "batch time"], Float[Array, "batch time"]]:
        """The utility of each prefix and its standard deviation, in nats of a vote's log-odds.

        Both are relative to a sequence whose features are the means over the compared ones.
        """
        own = self.weights
        z = (self.features.of_prefixes(tokens, mask) - own.center) / own.scale
        return z @ own.weights, jnp.sqrt(jnp.sum((z @ own.factor) ** 2, axis=-1))


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
    number = len(votes)
    posterior = fit(values.z[:number] - values.z[number:], votes.scores)
    weights = _weights_of(posterior, values, features, used, tokens, basis, length, vocabulary.size)
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


def _weights_of(
    posterior: Posterior,
    values: Standardised,
    features: SequenceFeatures,
    network: SequenceModel | None,
    tokens: tuple[int, ...],
    basis: Basis,
    max_length: int,
    vocabulary_size: int,
) -> PreferenceWeights:
    def single(array: Any) -> Array:
        return jnp.asarray(array, jnp.float32)

    return PreferenceWeights(
        network,
        single(values.center),
        single(values.scale),
        single(posterior.weights),
        single(np.linalg.cholesky(posterior.covariance)),
        single(posterior.bias),
        single(posterior.log_tie or 0.0),
        features.names,
        tokens,
        basis,
        posterior.log_tie is not None,
        max_length,
        vocabulary_size,
    )


def require_same_features(weights: PreferenceWeights, features: SequenceFeatures) -> None:
    """Refuse features that are not those that the model learned from."""
    require(
        weights.names == features.names,
        "the task's features are not those that the preference model learned from; make it anew "
        "with seqtutor prefer",
    )
