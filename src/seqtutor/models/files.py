"""Models on disk: a folder with `config.json`, `model.safetensors` and `vocabulary.json`.

Nothing in it is executed when it is opened, so that a stranger's folder is safe to load.
"""

from __future__ import annotations

import json
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
from seqtutor.files import atomic_write
from seqtutor.models.base import SequenceModel
from seqtutor.models.lstm import LSTM
from seqtutor.models.product import ProductModel
from seqtutor.vocabulary import Vocabulary

FORMAT = 1
_UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    RecursionError,
    OverflowError,
    safetensors.SafetensorError,
)


@dataclass(frozen=True)
class SavedModel:
    """A model, its vocabulary, and what is known of its making (command, data, commit)."""

    model: SequenceModel
    vocabulary: Vocabulary
    origin: dict[str, Any] = field(default_factory=dict)


def save_model(saved: SavedModel, folder: Path) -> None:
    """Write a model folder; each file replaces an older one only when it is complete."""
    weights = {name: np.asarray(array) for name, array in named_weights(saved.model).items()}
    config = {"format": FORMAT, "model": _config(saved.model), "origin": saved.origin}
    saved.vocabulary.save(folder / "vocabulary.json")
    atomic_write(folder / "model.safetensors", safetensors.numpy.save(weights))
    atomic_write(folder / "config.json", json.dumps(config, indent=1, ensure_ascii=False) + "\n")


def load_model(folder: Path) -> SavedModel:
    """Read a model folder.

    Raises:
        UserError: if it is missing, incomplete, damaged, or of a newer format.
    """
    if not (folder / "config.json").is_file():
        raise UserError(f"{folder} is not a model folder: it has no config.json")
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if config["format"] > FORMAT:
            raise UserError(f"{folder} was written by a newer version; upgrade seqtutor to read it")
        origin = dict(config["origin"])
        weights = safetensors.numpy.load_file(folder / "model.safetensors")
        # Shapes alone: a damaged config must not be able to ask for any amount of memory.
        shapes = eqx.filter_eval_shape(_from_config, config["model"])
        model = _filled(shapes, weights)
    except _UNREADABLE as error:
        raise UserError(f"the model in {folder} cannot be read: {error}") from None
    vocabulary = Vocabulary.load(folder / "vocabulary.json")
    if vocabulary.size != model.vocabulary_size:
        raise UserError(
            f"the model in {folder} has {model.vocabulary_size} tokens and its vocabulary "
            f"{vocabulary.size}: the folder mixes two models"
        )
    return SavedModel(model, vocabulary, origin)


def named_weights(model: SequenceModel) -> dict[str, Any]:
    """Every array of a model by its path, such as `layers.0.recurrent`."""
    leaves = jax.tree_util.tree_leaves_with_path(model)
    return {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in leaves}


def _filled(shapes: SequenceModel, weights: dict[str, np.ndarray]) -> SequenceModel:
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


def _config(model: SequenceModel) -> dict[str, Any]:
    if isinstance(model, ProductModel):
        return {
            "kind": model.kind,
            "prior": _config(model.prior),
            "factor": _config(model.factor),
        }
    if isinstance(model, LSTM):
        return {"kind": model.kind, **model.config}
    raise UserError(f"{type(model).__name__} has no file format")


def _from_config(config: dict[str, Any]) -> SequenceModel:
    if config["kind"] == ProductModel.kind:
        return ProductModel(_from_config(config["prior"]), _from_config(config["factor"]))
    if config["kind"] == LSTM.kind:
        return LSTM.from_config(config)
    raise ValueError(f"unknown kind of model {config['kind']!r}")
