"""Checkpoints: all that changes during a run, on disk, so that it continues bit for bit.

A checkpoint is two files. `step-N.safetensors` holds every array of the state, and what else the
run needs, such as the state of a reward, as the bytes of a JSON text. `step-N.json`, its manifest,
is written after it and holds its hash, so that a checkpoint counts only when it is whole. The
newest two are kept: should one be damaged, the one before it is taken.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import safetensors.numpy

from seqtutor.errors import UserError
from seqtutor.files import LARGEST_TEXT, atomic_write, parse_json, read_regular
from seqtutor.machine import usable_cores
from seqtutor.models.files import UNREADABLE

KEPT = 2
_FORMAT = 2
_EXTRA = "reward"
_LARGEST_MANIFEST = 1 << 16
"""Bytes."""

_State = TypeVar("_State")
_OfState = TypeVar("_OfState", covariant=True)


class Resumable(Protocol[_OfState]):
    """What can go on from a checkpoint: a tutor, an adversary, a training by maximum likelihood."""

    def initial_state(self) -> _OfState:
        """Where it begins: a pytree that has the shapes of every later state."""


@dataclass(frozen=True)
class Checkpoint(Generic[_State]):
    """A state to continue from, the step it was saved at, and remarks for the user about it.

    `extra` is what `save` was given besides the state.
    """

    state: _State
    step: int
    extra: Any = None
    remarks: tuple[str, ...] = ()


def surroundings(devices: int = 1) -> dict[str, str]:
    """What must be the same for a run to go on bit for bit."""
    packages = ("seqtutor", "jax", "jaxlib", "numpy", "equinox", "optax")
    device = jax.devices()[0]
    return {
        **{name: version(name) for name in packages},
        "python": platform.python_version(),
        "machine": f"{platform.machine()} {device.platform} {device.device_kind}",
        "devices": str(devices),
        # XLA shares sums among its threads, one for each core that the process may use.
        "cores": str(usable_cores()),
    }


class Checkpoints:
    """The checkpoints of one run.

    `settings` is a hash of all that makes the run, `devices` how many share its work.
    """

    def __init__(self, folder: Path, settings: str, devices: int = 1) -> None:
        """Point at a folder; nothing is read or written yet."""
        self.folder = folder
        self.settings = settings
        self.devices = devices
        self._damaged: set[int] = set()

    def save(self, state: Any, step: int, extra: Any = None) -> None:
        """Write a checkpoint, and then remove all but the newest ones and what is damaged.

        Args:
            state: a pytree of arrays.
            step: how far the run has come.
            extra: what else it needs to go on, in JSON's types, if anything.

        Raises:
            UserError: if it cannot be written; older checkpoints stay as they were.
        """
        arrays = _named_arrays(state)
        if extra is not None:
            arrays[_EXTRA] = np.frombuffer(json.dumps(extra).encode(), np.uint8)
        content = safetensors.numpy.save(arrays)
        manifest = {
            "format": _FORMAT,
            "step": step,
            "sha256": hashlib.sha256(content).hexdigest(),
            "settings": self.settings,
            "surroundings": surroundings(self.devices),
        }
        atomic_write(self._arrays(step), content)
        atomic_write(self._manifest(step), json.dumps(manifest, indent=1) + "\n")
        self._damaged.discard(step)
        whole = [one for one in self.steps() if one not in self._damaged]
        for old in (*whole[KEPT:], *self._damaged):
            # The manifest first: without it the arrays are not a checkpoint.
            self._manifest(old).unlink(missing_ok=True)
            self._arrays(old).unlink(missing_ok=True)

    def forget(self) -> None:
        """Remove all checkpoints, and their folder where nothing else is in it."""
        for step in self.steps():
            self._manifest(step).unlink(missing_ok=True)
        for arrays in self.folder.glob("step-*.safetensors"):
            arrays.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.folder.rmdir()

    def steps(self) -> list[int]:
        """The steps at which there are checkpoints, newest first; they may be damaged."""
        names = (path.stem.removeprefix("step-") for path in self.folder.glob("step-*.json"))
        return sorted((int(name) for name in names if name.isdecimal()), reverse=True)

    def latest(self, run: Resumable[_State]) -> Checkpoint[_State] | None:
        """The newest whole checkpoint of these settings; `None` if there never was one.

        Raises:
            UserError: if there are checkpoints but none can be used, with the reason for each.
        """
        reasons: list[str] = []
        of_another: list[UserError] = []
        for step in self.steps():
            try:
                found = self._load(step, run, tuple(reasons))
            except UNREADABLE as error:
                reasons.append(f"the checkpoint of step {step:,} is damaged ({error})")
            except UserError as error:
                # If an older one belongs to this run, so did this one, and its manifest is damaged.
                of_another.append(error)
                reasons.append(f"the checkpoint of step {step:,} is damaged (in its manifest)")
            else:
                self._damaged = {one for one in self.steps() if one > step}
                return found
        if of_another:
            raise of_another[0]
        if reasons:
            raise UserError(
                f"there is no usable checkpoint in {self.folder}: {'; '.join(reasons)}; remove "
                "that folder to begin again"
            )
        return None

    def _load(
        self, step: int, run: Resumable[_State], remarks: tuple[str, ...]
    ) -> Checkpoint[_State]:
        manifest = parse_json(read_regular(self._manifest(step), _LARGEST_MANIFEST).decode())
        if manifest["step"] != step:
            raise ValueError("its manifest names another step")
        if manifest["format"] > _FORMAT:
            raise UserError(f"{self.folder} was written by a newer version; upgrade seqtutor")
        if manifest["format"] < _FORMAT:
            raise UserError(
                f"{self.folder} was written by an older version, which alone can go on with it; "
                "start anew in another folder"
            )
        if manifest["settings"] != self.settings:
            raise UserError(
                f"the checkpoints in {self.folder} belong to other settings or data than are given "
                "now; undo the change (of a run's config.yaml), or start anew in another folder"
            )
        shapes = eqx.filter_eval_shape(run.initial_state)
        content = read_regular(self._arrays(step), _size_of(shapes) + LARGEST_TEXT)
        if hashlib.sha256(content).hexdigest() != manifest["sha256"]:
            raise ValueError("its content is not what was saved")
        arrays = safetensors.numpy.load(content)
        extra = None
        if _EXTRA in arrays:
            extra = json.loads(arrays[_EXTRA].tobytes())
        changes = _changed(manifest["surroundings"], surroundings(self.devices))
        return Checkpoint(_filled(shapes, arrays), manifest["step"], extra, remarks + changes)

    def _arrays(self, step: int) -> Path:
        return self.folder / f"step-{step}.safetensors"

    def _manifest(self, step: int) -> Path:
        return self.folder / f"step-{step}.json"


def _changed(before: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    # Older manifests do not tell the cores, nor the devices, of which there was always one.
    before = {"devices": "1", **before}
    changes = [
        f"{name} was {before[name]} and is {now[name]}"
        for name in now
        if name in before and before[name] != now[name]
    ]
    if not changes:
        return ()
    return (f"this run will not go on bit for bit as it would have: {'; '.join(changes)}",)


def _named_arrays(state: Any) -> dict[str, np.ndarray]:
    return {
        jax.tree_util.keystr(path): np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(state)
    }


def _size_of(shapes: Any) -> int:
    """Bytes of the arrays, but for those of random keys."""
    leaves = jax.tree_util.tree_leaves(shapes)
    return sum(leaf.size * leaf.dtype.itemsize for leaf in leaves if not _is_key(leaf))


def _filled(shapes: _State, arrays: Mapping[str, np.ndarray]) -> _State:
    """The state of these shapes with these arrays in their places."""

    def place(path: Any, shape: Any) -> jax.Array:
        name = jax.tree_util.keystr(path)
        array = arrays[name]
        if _is_key(shape):
            return jax.random.wrap_key_data(jnp.asarray(array))
        if array.dtype != shape.dtype:
            raise ValueError(f"{name} has another type")
        if array.shape != shape.shape:
            # Its content is whole and its settings are the same.
            raise UserError(
                f"{name} of the checkpoint has another shape than the task gives it now, "
                f"{array.shape} and not {shape.shape}: its max_length or vocabulary has changed; "
                "undo that, or start anew in another folder"
            )
        # A copy of its own: the loop gives the state's memory away.
        return jnp.array(array)

    return jax.tree_util.tree_map_with_path(place, shapes)


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
