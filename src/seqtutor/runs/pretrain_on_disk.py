"""Maximum-likelihood training with checkpoints, from which it continues after an interruption."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np

from seqtutor.models.base import SequenceModel
from seqtutor.runs.checkpoint import Checkpoints
from seqtutor.runs.run_folder import plain
from seqtutor.training.pretrain import (
    EpochRecord,
    Pretrained,
    Sequences,
    beginning,
    train_by_maximum_likelihood,
)
from seqtutor.training.pretrain_settings import PretrainSettings


class PretrainState(eqx.Module):
    """All arrays that change during training."""

    best: SequenceModel
    latest: SequenceModel
    optimiser: Any


@dataclass(frozen=True)
class _Training:
    """The training that a checkpoint belongs to."""

    start: Pretrained

    def initial_state(self) -> PretrainState:
        """Before the first epoch."""
        return _state(self.start)


def train_on_disk(
    model: SequenceModel,
    training: Sequences,
    validation: Sequences,
    settings: PretrainSettings,
    folder: Path,
    *,
    on_epoch: Callable[[Pretrained], None] = lambda so_far: None,
    on_update: Callable[[SequenceModel, int], None] = lambda model, updates: None,
    on_remark: Callable[[str], None] = lambda remark: None,
) -> Pretrained:
    """Train as `train_by_maximum_likelihood` does, from the latest checkpoint of the folder.

    On the same machine, training continues bit for bit as if it had never stopped; where it cannot,
    `on_remark` is called with the reason.

    Args:
        model: to start from if there is no checkpoint.
        training: as there.
        validation: as there.
        settings: as there.
        folder: of the checkpoints; made with the first of them.
        on_epoch: as there, and once before the first epoch if training continues.
        on_update: as there.
        on_remark: called with what a user should know about the checkpoint.

    Raises:
        UserError: as there, or if the checkpoints belong to other settings, sequences or another
            start, or cannot be read or written.
    """
    start = beginning(model, training, settings)
    checkpoints = Checkpoints(folder, _digest(model, training, validation, settings))
    found = checkpoints.latest(_Training(start))
    if found is not None:
        epochs = [EpochRecord(**record) for record in found.extra]
        start = Pretrained(found.state.best, epochs, found.state.latest, found.state.optimiser)
        for remark in found.remarks:
            on_remark(remark)

    def after_epoch(so_far: Pretrained) -> None:
        records = [vars(record) for record in so_far.epochs]
        checkpoints.save(_state(so_far), len(so_far.epochs), records)
        on_epoch(so_far)

    if found is not None:
        on_epoch(start)
    return train_by_maximum_likelihood(
        model, training, validation, settings, after_epoch, on_update, start
    )


def _state(so_far: Pretrained) -> PretrainState:
    return PretrainState(so_far.model, so_far.latest, so_far.optimiser)


def _digest(
    model: SequenceModel, training: Sequences, validation: Sequences, settings: PretrainSettings
) -> str:
    """A hash of everything that determines the training."""
    sums = hashlib.sha256(json.dumps(plain(settings), sort_keys=True).encode())
    leaves = jax.tree.leaves(eqx.filter(model, eqx.is_array))
    for sequences in (training, validation):
        leaves += [sequences.tokens, sequences.mask]
    for leaf in leaves:
        array = np.ascontiguousarray(leaf)
        sums.update(f"{array.dtype} {array.shape}".encode())
        sums.update(array.tobytes())
    return sums.hexdigest()
