"""How fast a discriminator learns and judges, at the default and the published sizes.

Prints the seconds of an epoch on 1,400 real and 1,400 generated sequences of 100 tokens out of
3,216, the size of the published set, estimated from a smaller number of batches, and sequences
judged a second. With --convolution it also times XLA's own convolution against the product of
windows that the discriminator uses, forwards and backwards inside a compiled loop.

    python benchmarks/discriminator_speed.py small lee bjare
    python benchmarks/discriminator_speed.py --convolution
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from seqtutor.adversarial.settings import DiscriminationSettings, DiscriminatorSettings
from seqtutor.adversarial.training import logits_of, new_discriminator_state, train_epoch
from seqtutor.types import SequenceBatch

VOCABULARY, LENGTH, SEQUENCES = 3216, 100, 1400
BATCHES = 4


def seconds(run: Callable[[], object]) -> float:
    """The best of two runs after one that compiles."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        jax.block_until_ready(run())
        times.append(time.perf_counter() - start)
    return min(times[1:])


def random_sequences(number: int, seed: int) -> SequenceBatch:
    tokens = np.random.default_rng(seed).integers(0, VOCABULARY, (number, LENGTH))
    return SequenceBatch(jnp.asarray(tokens, jnp.int32), jnp.ones(tokens.shape, bool))


def measure(name: str, settings: DiscriminationSettings) -> tuple[float, float]:
    """Seconds an epoch, and sequences judged a second."""
    sizes = DiscriminatorSettings.of(name)
    state = new_discriminator_state(VOCABULARY, sizes, settings, jax.random.key(0))
    number = BATCHES * settings.batch // 2
    real, generated = random_sequences(number, 0), random_sequences(number, 1)
    epoch = seconds(lambda: train_epoch(state, real, generated, settings))
    judged = seconds(lambda: logits_of(state.discriminator, real))
    return epoch * SEQUENCES / number, number / judged


def convolutions() -> None:
    def windows(x: jax.Array, kernel: jax.Array) -> jax.Array:
        width, size, filters = kernel.shape
        before = jnp.pad(x, ((0, 0), (width - 1, 0), (0, 0)))
        every = jnp.concatenate([before[:, at : at + LENGTH] for at in range(width)], axis=-1)
        product = every.reshape(-1, width * size) @ kernel.reshape(-1, filters)
        return product.reshape(len(x), LENGTH, filters)

    def xla(x: jax.Array, kernel: jax.Array) -> jax.Array:
        padding, names = [(kernel.shape[0] - 1, 0)], ("NWC", "WIO", "NWC")
        return jax.lax.conv_general_dilated(x, kernel, (1,), padding, dimension_numbers=names)

    kernel = jax.random.normal(jax.random.key(0), (8, 32, 32))
    batches = jax.random.normal(jax.random.key(1), (BATCHES, 64, LENGTH, 32))
    for name, convolve in (("windows", windows), ("xla", xla)):

        def update(kernel: jax.Array, x: jax.Array, convolve=convolve) -> tuple[jax.Array, None]:
            loss = lambda x, kernel: jnp.sum(jnp.max(convolve(x, kernel), axis=1) ** 2)  # noqa: E731
            to_x, to_kernel = jax.grad(loss, argnums=(0, 1))(x, kernel)
            return kernel - 1e-9 * to_kernel * (1 + jnp.sum(to_x)), None

        loop = jax.jit(lambda kernel, update=update: jax.lax.scan(update, kernel, batches)[0])
        print(
            f"{name:8} {1e3 * seconds(lambda loop=loop: loop(kernel)) / BATCHES:8.1f} ms a batch",
            flush=True,
        )


def main() -> None:
    if "--convolution" in sys.argv:
        convolutions()
        return
    for name in sys.argv[1:] or ["small"]:
        for options in ({}, {"gradient_penalty": 1.0}, {"prefixes": True}):
            if name != "small" and options:
                continue
            epoch, judged = measure(name, DiscriminationSettings(**options))
            print(
                f"{name:6} {options!s:26} {epoch:7.2f} s an epoch {judged:8.0f} judged/s",
                flush=True,
            )


if __name__ == "__main__":
    main()
