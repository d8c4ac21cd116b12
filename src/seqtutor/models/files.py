"""Models on disk: a folder with `config.json`, `model.safetensors` and `vocabulary.json`.

Nothing in it is executed when it is opened, so that a stranger's folder is safe to load.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
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
from seqtutor.models.discriminator import ConvolutionalDiscriminator
from seqtutor.models.lstm import LSTM
from seqtutor.models.product import ProductModel
from seqtutor.vocabulary import Vocabulary

FORMAT = 1
_HASH = "weights_sha256"
CONFIG, WEIGHTS, VOCABULARY = "config.json", "model.safetensors", "vocabulary.json"
LONGEST = 1 << 20
"""Tokens that a model's sequences may have."""
MOST_CONFIG = 16 << 20
"""Bytes of a configuration that is read; those of the package have some thousands."""
_UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    RecursionError,
    OverflowError,
    safetensors.SafetensorError,
)


_Model = SequenceModel | ConvolutionalDiscriminator


@dataclass(frozen=True)
class SavedModel:
    """A model, its vocabulary, and what is known of its making (command, data, commit).

    `folder` is where it was read from, and where files of its task may lie beside it.
    """

    model: SequenceModel
    vocabulary: Vocabulary
    origin: dict[str, Any] = field(default_factory=dict)
    folder: Path | None = None


@dataclass(frozen=True)
class SavedDiscriminator:
    """A discriminator, its vocabulary, and what is known of its making."""

    model: ConvolutionalDiscriminator
    vocabulary: Vocabulary
    origin: dict[str, Any] = field(default_factory=dict)


def save_model(saved: SavedModel | SavedDiscriminator, folder: Path) -> None:
    """Write a model folder, whole or not at all.

    A new folder takes its name when everything is in it. In a folder that is there already, an
    older model is replaced and other files stay; interrupted while it does so, it holds no model.

    Raises:
        UserError: if the model has no file format, or the folder cannot be written.
    """
    weights = {name: np.asarray(array) for name, array in named_weights(saved.model).items()}
    content = safetensors.numpy.save(weights)
    config = {
        "format": FORMAT,
        "model": _config(saved.model),
        "origin": saved.origin,
        _HASH: hashlib.sha256(content).hexdigest(),
    }
    # Not beside a folder that is there: it may be where another disk begins.
    parent = folder if folder.exists() else folder.parent
    unfinished = make_folder(parent) / f".{folder.name}.{secrets.token_hex(4)}.tmp"
    try:
        saved.vocabulary.save(unfinished / VOCABULARY)
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
    # Without its config a folder is no model: it goes first and comes last.
    (folder / CONFIG).unlink(missing_ok=True)
    for name in (VOCABULARY, WEIGHTS, CONFIG):
        os.replace(unfinished / name, folder / name)


def load_model(folder: Path) -> SavedModel:
    """Read the folder of a sequence model.

    Raises:
        UserError: if it is missing, incomplete, damaged, of a newer format, or holds a
            discriminator.
    """
    model, vocabulary, origin = _load(folder)
    if not isinstance(model, SequenceModel):
        raise UserError(f"{folder} holds a discriminator, which generates nothing; name a model")
    return SavedModel(model, vocabulary, origin, folder)


def load_discriminator(folder: Path) -> SavedDiscriminator:
    """Read the folder of a discriminator.

    Raises:
        UserError: if it is missing, incomplete, damaged, of a newer format, or holds a model of
            sequences.
    """
    model, vocabulary, origin = _load(folder)
    if not isinstance(model, ConvolutionalDiscriminator):
        raise UserError(f"{folder} holds a model of sequences; name a discriminator's folder")
    return SavedDiscriminator(model, vocabulary, origin)


def _load(folder: Path) -> tuple[_Model, Vocabulary, dict[str, Any]]:
    if not folder.exists():
        raise UserError(f"{folder} is not a model folder: it does not exist")
    if not (folder / CONFIG).is_file():
        raise UserError(f"{folder} is not a model folder: it has no {CONFIG}")
    try:
        require_regular(folder / WEIGHTS)
        config = _read_config(folder / CONFIG)
        if config["format"] > FORMAT:
            raise UserError(f"{folder} was written by a newer version; upgrade seqtutor to read it")
        origin = dict(config["origin"])
        _require_length(origin)
        _require_hash(folder / WEIGHTS, config.get(_HASH))
        weights = safetensors.numpy.load_file(folder / WEIGHTS)
        # Shapes alone: a damaged config must not be able to ask for any amount of memory.
        shapes = eqx.filter_eval_shape(_from_config, config["model"])
        model = _filled(shapes, weights)
    except _UNREADABLE as error:
        raise UserError(f"the model in {folder} cannot be read: {error}") from None
    vocabulary = Vocabulary.load(folder / VOCABULARY)
    if vocabulary.size != model.vocabulary_size:
        raise UserError(
            f"the model in {folder} has {model.vocabulary_size} tokens and its vocabulary "
            f"{vocabulary.size}: the folder mixes two models"
        )
    return model, vocabulary, origin


def _require_length(origin: dict[str, Any]) -> None:
    """The length of its sequences, where the model tells it, is one."""
    length = origin.get("max_length", 1)
    if type(length) is not int or not 1 <= length <= LONGEST:
        raise ValueError(f"its sequences cannot have {str(length)[:20]} tokens")


def _require_hash(weights: Path, expected: object) -> None:
    """Models of earlier versions do not tell a hash."""
    if expected is None:
        return
    with weights.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != expected:
            raise ValueError(f"{weights.name} is not what was saved")


def _read_config(path: Path) -> dict[str, Any]:
    config = parse_json(read_regular(path, MOST_CONFIG).decode("utf-8"))
    if not isinstance(config, dict):
        raise ValueError(f"its {CONFIG} is no JSON object")
    for name in ("format", "model", "origin"):
        if name not in config:
            raise ValueError(f'its {CONFIG} has no "{name}"')
    return config


def named_weights(model: _Model) -> dict[str, Any]:
    """Every array of a model by its path, such as `layers.0.recurrent`."""
    leaves = jax.tree_util.tree_leaves_with_path(model)
    return {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in leaves}


def weights_hash(model: _Model, also: str = "") -> str:
    """A hash of a text and all of a model's weights (SHA-256, hexadecimal)."""
    sums = hashlib.sha256(also.encode())
    for leaf in jax.tree.leaves(model):
        sums.update(np.asarray(leaf).tobytes())
    return sums.hexdigest()


def _filled(shapes: _Model, weights: dict[str, np.ndarray]) -> _Model:
    """The model whose arrays have these shapes, with these weights in their places."""
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


def _config(model: _Model) -> dict[str, Any]:
    if isinstance(model, ProductModel):
        return {
            "kind": model.kind,
            "prior": _config(model.prior),
            "factor": _config(model.factor),
        }
    if isinstance(model, LSTM | ConvolutionalDiscriminator):
        return {"kind": model.kind, **model.config}
    raise UserError(f"{type(model).__name__} has no file format")


def _from_config(config: dict[str, Any]) -> _Model:
    if config["kind"] == ConvolutionalDiscriminator.kind:
        return ConvolutionalDiscriminator.from_config(config)
    return _sequence_model(config)


def _sequence_model(config: dict[str, Any]) -> SequenceModel:
    if config["kind"] == ProductModel.kind:
        return ProductModel(_sequence_model(config["prior"]), _sequence_model(config["factor"]))
    if config["kind"] == LSTM.kind:
        return LSTM.from_config(config)
    raise ValueError(f"unknown kind of model {config['kind']!r}")
