"""Model folders: `config.json`, `model.safetensors` and `vocabulary.json`.

Nothing in a folder is executed when it is read, and no code that it names is imported: its kinds
of models must be known already, so that a stranger's folder is safe to load.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import safetensors
import safetensors.numpy

from seqtutor.errors import UserError
from seqtutor.files import atomic_write, make_folder, parse_json, read_regular, require_regular
from seqtutor.models.base import SequenceModel
from seqtutor.models.registry import registered_kind
from seqtutor.vocabulary import Vocabulary

FORMAT = 1
_HASH = "weights_sha256"
CONFIG, WEIGHTS, VOCABULARY = "config.json", "model.safetensors", "vocabulary.json"
LONGEST = 1 << 20
"""Largest number of tokens in the sequences of a model."""
MOST_CONFIG = 16 << 20
"""Largest configuration that is read, in bytes; those of the package have some thousands."""
UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    RecursionError,
    OverflowError,
    safetensors.SafetensorError,
)
"""What may be raised where a file of weights, or what describes them, is damaged."""


KindOf = Callable[[str], type[Any]]
"""Gives the class of a kind by its name; raises a `UserError` where there is none."""


@dataclass(frozen=True)
class SavedModel:
    """A model, its vocabulary, and its origin: command, data, settings, versions.

    `folder` is where it was read from; files of its task may lie beside it.
    """

    model: SequenceModel
    vocabulary: Vocabulary
    origin: dict[str, Any] = field(default_factory=dict)
    folder: Path | None = None


def save_model(saved: SavedModel, folder: Path) -> None:
    """Write the folder of a sequence model, as `write_folder` does."""
    write_folder(saved.model, saved.vocabulary, saved.origin, folder)


def load_model(folder: Path, kinds: Iterable[type[SequenceModel]] = ()) -> SavedModel:
    """Read the folder of a sequence model.

    Args:
        folder: of the model.
        kinds: classes that it may be of, beside the registered ones.

    Raises:
        UserError: if it is missing, incomplete, damaged, of a newer format, or its kind is not
            known.
    """
    given = {kind.kind: kind for kind in kinds}
    model, vocabulary, origin = read_folder(
        folder, lambda name: given[name] if name in given else registered_kind(name)
    )
    return SavedModel(model, vocabulary, origin, folder)


def write_folder(model: Any, vocabulary: Vocabulary, origin: dict[str, Any], folder: Path) -> None:
    """Write a folder, whole or not at all.

    The model is a pytree of arrays with `kind`, `vocabulary_size`, `config` and `from_config` as
    those of `SequenceModel`.

    A new folder gets its name when everything is in it. In a folder that exists, an older model is
    replaced and other files stay; if that is interrupted, the folder holds no model.

    Raises:
        UserError: if the model has no file format, or the folder cannot be written.
    """
    weights = {name: np.asarray(array) for name, array in named_weights(model).items()}
    content = safetensors.numpy.save(weights)
    config = {
        "format": FORMAT,
        "model": _config_of(model),
        "origin": origin,
        _HASH: hashlib.sha256(content).hexdigest(),
    }
    # Inside a folder that exists: it may be the mount point of another disk.
    parent = folder if folder.exists() else folder.parent
    unfinished = make_folder(parent) / f".{folder.name}.{secrets.token_hex(4)}.tmp"
    try:
        vocabulary.save(unfinished / VOCABULARY)
        atomic_write(unfinished / WEIGHTS, content)
        text = json.dumps(config, indent=1, ensure_ascii=False) + "\n"
        atomic_write(unfinished / CONFIG, text)
        _put_in_place(unfinished, folder)
    except OSError as error:
        raise UserError(f"cannot write {folder}: {error.strerror or error}") from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _put_in_place(unfinished: Path, folder: Path) -> None:
    if not folder.exists():
        os.replace(unfinished, folder)
        return
    # A folder without a config holds no model: it is removed first and written last.
    (folder / CONFIG).unlink(missing_ok=True)
    for name in (VOCABULARY, WEIGHTS, CONFIG):
        os.replace(unfinished / name, folder / name)


def read_folder(folder: Path, kind_of: KindOf) -> tuple[Any, Vocabulary, dict[str, Any]]:
    """Read what `write_folder` wrote: the model, the vocabulary and the origin.

    Args:
        folder: to read.
        kind_of: gives the classes of the model and of those that it is made of.

    Raises:
        UserError: if it is missing, incomplete, damaged or of a newer format, or as `kind_of` does.
    """
    if not folder.exists():
        raise UserError(f"{folder} is not a model folder: it does not exist")
    if not (folder / CONFIG).is_file():
        raise UserError(f"{folder} is not a model folder: it has no {CONFIG}")
    try:
        require_regular(folder / WEIGHTS)
        config = _read_config(folder / CONFIG)
        origin = dict(config["origin"])
        _require_length(origin)
        _require_hash(folder / WEIGHTS, config.get(_HASH))
        weights = safetensors.numpy.load_file(folder / WEIGHTS)
        # Shapes alone: a damaged config must not be able to ask for any amount of memory.
        shapes = eqx.filter_eval_shape(_built, config["model"], kind_of)
        model = _filled(shapes, weights)
    except (UserError, *UNREADABLE) as error:
        raise UserError(f"the model in {folder} cannot be read: {error}") from None
    vocabulary = Vocabulary.load(folder / VOCABULARY)
    if vocabulary.size != model.vocabulary_size:
        raise UserError(
            f"the model in {folder} has {model.vocabulary_size} tokens and its vocabulary "
            f"{vocabulary.size}: the folder mixes two models"
        )
    return model, vocabulary, origin


def _require_length(origin: dict[str, Any]) -> None:
    """Check the length of its sequences, if the origin has it."""
    length = origin.get("max_length", 1)
    if type(length) is not int or not 1 <= length <= LONGEST:
        raise ValueError(f"its sequences cannot have {str(length)[:20]} tokens")


def _require_hash(weights: Path, expected: object) -> None:
    """Compare the hash of the weights; models of earlier versions have none."""
    if expected is None:
        return
    with weights.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != expected:
            raise ValueError(f"{weights.name} is not what was saved")


def _read_config(path: Path) -> dict[str, Any]:
    config = parse_json(read_regular(path, MOST_CONFIG).decode("utf-8"))
    if not isinstance(config, dict):
        raise ValueError(f"its {CONFIG} is not a JSON object")
    for name in ("format", "model", "origin"):
        if name not in config:
            raise ValueError(f'its {CONFIG} has no "{name}"')
    if config["format"] > FORMAT:
        raise UserError("it was written by a newer version; upgrade seqtutor to read it")
    return config


def named_weights(model: object) -> dict[str, Any]:
    """Every array of a pytree by its path, such as `layers.0.recurrent`."""
    leaves = jax.tree_util.tree_leaves_with_path(model)
    return {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in leaves}


def weights_hash(model: object, also: str = "") -> str:
    """SHA-256 of a text and all arrays of a pytree, in hexadecimal."""
    sums = hashlib.sha256(also.encode())
    for leaf in jax.tree.leaves(model):
        sums.update(np.asarray(leaf).tobytes())
    return sums.hexdigest()


def _filled(shapes: Any, weights: dict[str, np.ndarray]) -> Any:
    """A pytree of shapes with its weights, by their names, in their places."""
    expected = named_weights(shapes)
    if set(expected) != set(weights):
        odd = sorted(set(expected) ^ set(weights))[0]
        raise ValueError(f"the weight {odd!r} is missing or unknown")
    for name, array in expected.items():
        if weights[name].shape != array.shape or weights[name].dtype != array.dtype:
            raise ValueError(f"the weight {name!r} has another shape or type than its config says")
        if not np.isfinite(weights[name]).all():
            raise ValueError(f"the weight {name!r} holds numbers that are not finite")
    leaves = [jnp.asarray(weights[name]) for name in expected]
    return jax.tree.unflatten(jax.tree.structure(shapes), leaves)


def _config_of(value: Any) -> Any:
    """A model as values of JSON; other values as they are."""
    if hasattr(value, "config"):
        return {"kind": value.kind, **{name: _config_of(v) for name, v in value.config.items()}}
    return [_config_of(one) for one in value] if isinstance(value, (list, tuple)) else value


def _built(value: Any, kind_of: KindOf) -> Any:
    """The inverse of `_config_of`, but for the weights."""
    if isinstance(value, list):
        return [_built(one, kind_of) for one in value]
    if not isinstance(value, dict):
        return value
    config = {name: _built(one, kind_of) for name, one in value.items()}
    kind = config.pop("kind")
    if not isinstance(kind, str):
        raise TypeError("its kind is not text")
    return kind_of(kind).from_config(config)
