"""One run on several devices: its sequences are split among them, its networks are on each.

The program is the same for one device and for several. It says where arrays are to be, and XLA's
partitioner adds what must be exchanged: gradients, replayed sequences, a collection on its way into
the replay. Random numbers are those of one device, since JAX draws each number by its place in the
whole array; sums are taken in another order, so that results agree up to rounding.
"""

from __future__ import annotations

from functools import cache
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from seqtutor.errors import UserError

SEQUENCES = "sequences"

_Tree = TypeVar("_Tree")


def require_devices(number: int, **sizes: int) -> None:
    """Refuse a number of devices that are not there, or that does not divide these sizes.

    Raises:
        UserError: if that is so.
    """
    if number < 1:
        raise UserError(f"devices must be at least 1, not {number}")
    for name, size in sizes.items():
        if size % number:
            raise UserError(
                f"{name} ({size}) must be a multiple of the number of devices ({number})"
            )
    if number == 1:
        return
    there, platform = jax.device_count(), jax.default_backend()
    # Every process has the same part of them.
    if number > there or number > jax.local_device_count() * jax.process_count():
        share = number // jax.process_count()
        hint = (
            f"; XLA_FLAGS=--xla_force_host_platform_device_count={share} makes that many of a CPU"
            if platform == "cpu"
            else ""
        )
        raise UserError(f"there {_are(there, platform)}, not {number}{hint}")


def _are(number: int, platform: str) -> str:
    return f"is 1 {platform} device" if number == 1 else f"are {number} {platform} devices"


def split(tree: _Tree, devices: int) -> _Tree:
    """Within a program: arrays whose first axis counts sequences, an equal part on each device."""
    return _held(tree, devices, PartitionSpec(SEQUENCES))


def everywhere(tree: _Tree, devices: int) -> _Tree:
    """Within a program: the whole of each array on each device."""
    return _held(tree, devices, PartitionSpec())


def _held(tree: _Tree, devices: int, spec: PartitionSpec) -> _Tree:
    if devices == 1:
        return tree
    return jax.lax.with_sharding_constraint(tree, NamedSharding(_mesh(devices), spec))


def placed(tree: _Tree, devices: int, *, is_split: bool = False) -> _Tree:
    """Outside of programs: as `split` or `everywhere`; what is there already stays as it is.

    Where other processes have some of the devices, they must place the same arrays.
    """
    spec = PartitionSpec(SEQUENCES) if is_split else PartitionSpec()
    sharding = NamedSharding(_mesh(devices), spec)
    if sharding.is_fully_addressable:
        return jax.device_put(tree, sharding)
    return jax.tree.map(lambda array: _own_part(array, sharding), tree)


def _own_part(array: jax.Array, sharding: NamedSharding) -> jax.Array:
    """An array over several processes, of which this one places what its devices hold."""
    if not array.is_fully_addressable:
        return array
    if jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(_own_part(jax.random.key_data(array), sharding))
    whole = np.asarray(array)
    return jax.make_array_from_callback(whole.shape, sharding, lambda index: whole[index])


def gathered(tree: _Tree, devices: int) -> _Tree:
    """Outside of programs: arrays that were split, the whole of each on each device."""
    sharding = NamedSharding(_mesh(devices), PartitionSpec())
    return jax.jit(lambda arrays: arrays, out_shardings=sharding)(tree)


def copied(tree: _Tree, devices: int) -> _Tree:
    """Outside of programs: a copy that is all on this process's first device."""
    if devices == 1:
        return jax.tree.map(jnp.copy, tree)
    return jax.device_put(jax.device_get(tree))


@cache
def _mesh(devices: int) -> Mesh:
    share = devices // jax.process_count()
    chosen = [
        device
        for process in range(jax.process_count())
        for device in jax.local_devices(process)[:share]
    ]
    return Mesh(np.array(chosen), (SEQUENCES,))
