"""Discriminators: the probability that a sequence is real, as a logit.

D(x) = σ(logit) is the probability that a sequence x is from the data and not from a generator. The
optimal discriminator has the logit log p_data(x)/p_gen(x) (Goodfellow et al. 2014, proposition 1).
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray


class Discriminator(eqx.Module):
    """Maps whole sequences, and every prefix of them, to logits.

    The logit of a sequence is that of its longest prefix. Tokens beyond the mask, or beyond a
    prefix, have no influence.
    """

    @abstractmethod
    def prefix_logits(
        self, tokens: Int[Array, "batch time"], *, key: PRNGKeyArray | None = None
    ) -> Float[Array, "batch time"]:
        """The logit of the tokens up to and including each step; `key` is for dropout."""

    def logits(
        self,
        tokens: Int[Array, "batch time"],
        mask: Bool[Array, "batch time"],
        *,
        key: PRNGKeyArray | None = None,
    ) -> Float[Array, " batch"]:
        """The logit of each sequence; `key` is for dropout."""
        last = jnp.sum(mask, axis=1, keepdims=True) - 1
        return jnp.take_along_axis(self.prefix_logits(tokens, key=key), last, axis=1)[:, 0]


class ConvolutionalDiscriminator(Discriminator):
    """Embedding → convolutions of several widths → ReLU → max over time → highway → logit.

    The network of Yu et al. (2017, SeqGAN), after Kim (2014) and Srivastava et al. (2015). Theirs
    has windows inside the sequence only. Here a window ends at each step and reads zeros before the
    first token, so that a sequence may be shorter than a filter, a filter can detect the start of
    the sequence, and one pass gives the logits of all prefixes.
    """

    kind: ClassVar[str] = "convolutional discriminator"

    embedding: Float[Array, "vocab embedding"]
    kernels: tuple[Float[Array, "width embedding filters"], ...]
    biases: tuple[Float[Array, " filters"], ...]
    gate_weight: Float[Array, "features features"]
    gate_bias: Float[Array, " features"]
    transform_weight: Float[Array, "features features"]
    transform_bias: Float[Array, " features"]
    output_weight: Float[Array, " features"]
    output_bias: Float[Array, ""]
    dropout: float = eqx.field(static=True)

    def __init__(
        self,
        vocabulary_size: int,
        *,
        embedding_size: int,
        widths: tuple[int, ...],
        filters: tuple[int, ...],
        dropout: float,
        key: PRNGKeyArray,
    ) -> None:
        """Draw weights from normal distributions scaled to their inputs; all biases are zero.

        Args:
            vocabulary_size: number of tokens.
            embedding_size: size of the embedding of a token.
            widths: number of tokens that the filters of each group read.
            filters: number of filters of each width.
            dropout: share of the features before the last layer that training sets to zero.
            key: PRNG key of the weights.
        """
        features = sum(filters)
        embedding_key, gate_key, transform_key, output_key, *keys = jax.random.split(
            key, 4 + len(widths)
        )
        self.embedding = jax.random.normal(embedding_key, (vocabulary_size, embedding_size))
        self.kernels = tuple(
            (width * embedding_size) ** -0.5
            * jax.random.normal(one, (width, embedding_size, number))
            for one, width, number in zip(keys, widths, filters, strict=True)
        )
        self.biases = tuple(jnp.zeros(number) for number in filters)
        square, scale = (features, features), features**-0.5
        self.gate_weight = scale * jax.random.normal(gate_key, square)
        self.gate_bias = jnp.zeros(features)
        self.transform_weight = scale * jax.random.normal(transform_key, square)
        self.transform_bias = jnp.zeros(features)
        self.output_weight = scale * jax.random.normal(output_key, (features,))
        self.output_bias = jnp.zeros(())
        self.dropout = dropout

    @property
    def vocabulary_size(self) -> int:
        """Number of tokens."""
        return self.embedding.shape[0]

    @property
    def config(self) -> dict[str, Any]:
        """What `from_config` rebuilds the shapes of the weights from."""
        return {
            "vocabulary_size": self.vocabulary_size,
            "embedding_size": self.embedding.shape[1],
            "widths": [kernel.shape[0] for kernel in self.kernels],
            "filters": [kernel.shape[2] for kernel in self.kernels],
            "dropout": self.dropout,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> ConvolutionalDiscriminator:
        """A discriminator of these sizes; the caller fills in the weights.

        Raises:
            ValueError: if a size is not a positive whole number.
        """
        widths, filters = tuple(config["widths"]), tuple(config["filters"])
        sizes = (config["vocabulary_size"], config["embedding_size"], *widths, *filters)
        if not all(type(size) is int and size > 0 for size in sizes):
            raise ValueError("its sizes are not positive whole numbers")
        return cls(
            config["vocabulary_size"],
            embedding_size=config["embedding_size"],
            widths=widths,
            filters=filters,
            dropout=float(config["dropout"]),
            key=jax.random.key(0),
        )

    def embed(self, tokens: Int[Array, "batch time"]) -> Float[Array, "batch time embedding"]:
        """The embedding of each token."""
        return self.embedding[tokens]

    def logits(
        self,
        tokens: Int[Array, "batch time"],
        mask: Bool[Array, "batch time"],
        *,
        key: PRNGKeyArray | None = None,
    ) -> Float[Array, " batch"]:
        """The logit of each sequence; `key` is for dropout."""
        return self.logits_of_embedded(self.embed(tokens), mask, key=key)

    def logits_of_embedded(
        self,
        embedded: Float[Array, "batch time embedding"],
        mask: Bool[Array, "batch time"],
        *,
        key: PRNGKeyArray | None = None,
    ) -> Float[Array, " batch"]:
        """The logits of embedded sequences, as a function to be differentiated."""
        responses = jnp.where(mask[..., None], self._responses(embedded), -jnp.inf)
        return self._read(jax.nn.relu(jnp.max(responses, axis=1)), key)

    def prefix_logits(
        self, tokens: Int[Array, "batch time"], *, key: PRNGKeyArray | None = None
    ) -> Float[Array, "batch time"]:
        """Logits of all prefixes; dropout is the same for all prefixes of a sequence."""
        so_far = jax.lax.cummax(self._responses(self.embed(tokens)), axis=1)
        return self._read(jax.nn.relu(so_far), key)

    def _responses(
        self, embedded: Float[Array, "batch time embedding"]
    ) -> Float[Array, "batch time features"]:
        """The sum of each filter over the window that ends at each step."""
        batch, time, size = embedded.shape
        widest = max(kernel.shape[0] for kernel in self.kernels)
        before = jnp.pad(embedded, ((0, 0), (widest - 1, 0), (0, 0)))
        found = []
        for kernel, bias in zip(self.kernels, self.biases, strict=True):
            width, _, filters = kernel.shape
            starts = range(widest - width, widest)
            windows = jnp.concatenate([before[:, at : at + time] for at in starts], axis=-1)
            # One matrix product: inside a compiled loop XLA's own convolution took about
            # eight times as long on CPU.
            product = windows.reshape(-1, width * size) @ kernel.reshape(-1, filters)
            found.append(product.reshape(batch, time, filters) + bias)
        return jnp.concatenate(found, axis=-1)

    def _read(
        self, features: Float[Array, "*shape features"], key: PRNGKeyArray | None
    ) -> Float[Array, "*shape"]:
        """Highway layer, dropout and the last layer."""
        gate = jax.nn.sigmoid(features @ self.gate_weight + self.gate_bias)
        transformed = jax.nn.relu(features @ self.transform_weight + self.transform_bias)
        highway = gate * transformed + (1 - gate) * features
        if key is not None:
            shape = (len(features), *(1,) * (features.ndim - 2), features.shape[-1])
            kept = jax.random.bernoulli(key, 1 - self.dropout, shape)
            highway = jnp.where(kept, highway / (1 - self.dropout), 0.0)
        return highway @ self.output_weight + self.output_bias


class ConstantDiscriminator(Discriminator):
    """A control without information: the logit is 0, so that D = ½."""

    def prefix_logits(
        self, tokens: Int[Array, "batch time"], *, key: PRNGKeyArray | None = None
    ) -> Float[Array, "batch time"]:
        """Zeros."""
        del key
        return jnp.zeros(tokens.shape)


class RandomDiscriminator(Discriminator):
    """A control of pure noise: D is uniform in (0, 1), and the same for the same tokens.

    The logit of a prefix comes from a hash of its tokens and `seed`, so that nothing generalises
    from one sequence to another.
    """

    seed: Int[Array, ""]

    def prefix_logits(
        self, tokens: Int[Array, "batch time"], *, key: PRNGKeyArray | None = None
    ) -> Float[Array, "batch time"]:
        """Logistic random numbers."""
        del key

        def extend(state: Array, token: Array) -> tuple[Array, Array]:
            state = _mixed(state ^ (token.astype(jnp.uint32) + jnp.uint32(0x9E3779B9)))
            return state, state

        start = _mixed(jnp.full(tokens.shape[0], self.seed.astype(jnp.uint32)))
        _, hashes = jax.lax.scan(extend, start, tokens.T)
        # The highest 24 bits, in the middle of their interval: never 0 or 1.
        uniform = ((hashes.T >> 8).astype(jnp.float32) + 0.5) * 2.0**-24
        return jnp.log(uniform) - jnp.log1p(-uniform)


def _mixed(bits: Array) -> Array:
    """Spread 32 bits so that each depends on all (the finaliser of MurmurHash3)."""
    bits = (bits ^ (bits >> 16)) * jnp.uint32(0x85EBCA6B)
    bits = (bits ^ (bits >> 13)) * jnp.uint32(0xC2B2AE35)
    return bits ^ (bits >> 16)
