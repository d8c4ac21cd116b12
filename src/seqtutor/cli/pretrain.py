"""`seqtutor pretrain`: real sequences in, a prior out. Each task has options of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from seqtutor.cli.arguments import value_of
from seqtutor.training.pretrain_settings import PretrainSettings

if TYPE_CHECKING:
    from seqtutor.models.base import SequenceModel
    from seqtutor.training.pretrain import Pretrained, Sequences

TASKS = {
    "melody": "seqtutor.cli.pretrain_melody",
    "molecule": "seqtutor.cli.pretrain_molecule",
    "folk": "seqtutor.cli.pretrain_folk",
}


CHECKPOINTS = "checkpoints"

Training = Annotated[PretrainSettings, tyro.conf.arg(name=""), tyro.conf.OmitArgPrefixes]
"""Settings whose options have no prefixes, those of the model neither."""


def of_chosen_model(usual: PretrainSettings, arguments: list[str]) -> PretrainSettings:
    """The usual settings, or with --model those of the training and the defaults of that kind.

    Raises:
        UserError: if there is no such kind.
    """
    kind = value_of("--model", arguments)
    return usual if kind in (None, usual.model) else usual.changed(model=kind)


def require_own(output: Path) -> None:
    """Refuse a folder that holds anything but a training that was interrupted.

    Raises:
        UserError: if it does.
    """
    from seqtutor.files import require_unused
    from seqtutor.runs.checkpoint import Checkpoints
    from seqtutor.runs.run_folder import CONFIG

    if Checkpoints(output / CHECKPOINTS, "").steps() and not (output / CONFIG).exists():
        return
    require_unused(output)


def forget_checkpoints(output: Path) -> None:
    """Remove what only an unfinished training needs."""
    from seqtutor.runs.checkpoint import Checkpoints

    Checkpoints(output / CHECKPOINTS, "").forget()


def train_with_bar(
    model: SequenceModel,
    training: Sequences,
    validation: Sequences,
    settings: PretrainSettings,
    output: Path,
    on_epoch: Callable[[Pretrained], None] = lambda so_far: None,
    on_update: Callable[[SequenceModel, int], None] = lambda model, updates: None,
) -> Pretrained:
    """Train a model by maximum likelihood, with a bar that tells tokens a second.

    After each epoch a checkpoint is saved in the `output` folder, and a training that it holds
    already goes on.

    Raises:
        Interrupted: at an interruption after the first epoch.
        UserError: as `train_on_disk` does.
    """
    from seqtutor.runs.interruption import Interrupted
    from seqtutor.runs.pretrain_on_disk import train_on_disk
    from seqtutor.runs.progress import console, progress_bar

    epochs = 0
    tokens = int(training.mask.sum())
    updates_an_epoch = max(1, len(training) // settings.batch)
    with progress_bar() as progress:
        total = settings.epochs * tokens
        bar = progress.add_task("Pretraining", total=total, unit="tokens", note="compiling")

        def after_epoch(so_far: Pretrained) -> None:
            nonlocal epochs
            last, epochs = so_far.epochs[-1], len(so_far.epochs)
            note = f"epoch {last.epoch}  validation {last.validation_loss:.4f} nats"
            progress.update(bar, completed=last.epoch * tokens, note=note)
            on_epoch(so_far)

        def after_update(model: SequenceModel, updates: int) -> None:
            if updates == 1:
                progress.update(bar, note="epoch 1")
            # The end comes with the last epoch's validation.
            progress.update(bar, completed=min(updates * tokens // updates_an_epoch, total - 1))
            on_update(model, updates)

        try:
            return train_on_disk(
                model,
                training,
                validation,
                settings,
                output / CHECKPOINTS,
                on_epoch=after_epoch,
                on_update=after_update,
                on_remark=lambda remark: console.print(remark),
            )
        except KeyboardInterrupt:
            if not epochs:
                raise
            raise Interrupted(
                f"interrupted after epoch {epochs}; to go on, give the same command again"
            ) from None
