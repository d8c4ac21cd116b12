"""`seqtutor pretrain`: real sequences in, a prior out. Each task has options of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seqtutor.models.base import SequenceModel
    from seqtutor.training.pretrain import Pretrained, Sequences
    from seqtutor.training.settings import PretrainSettings

TASKS = {
    "melody": "seqtutor.cli.pretrain_melody",
    "molecule": "seqtutor.cli.pretrain_molecule",
    "folk": "seqtutor.cli.pretrain_folk",
}


def train_with_bar(
    model: SequenceModel,
    training: Sequences,
    validation: Sequences,
    settings: PretrainSettings,
    on_epoch: Callable[[Pretrained], None] = lambda so_far: None,
    on_update: Callable[[SequenceModel, int], None] = lambda model, updates: None,
) -> Pretrained:
    """Train a model by maximum likelihood, with a bar that tells tokens a second."""
    from seqtutor.cli.progress import progress_bar
    from seqtutor.training.pretrain import train_by_maximum_likelihood

    tokens = int(training.mask.sum())
    updates_an_epoch = max(1, len(training) // settings.batch)
    with progress_bar() as progress:
        bar = progress.add_task(
            "Pretraining", total=settings.epochs * tokens, unit="tokens", note="compiling"
        )

        def after_epoch(so_far: Pretrained) -> None:
            last = so_far.epochs[-1]
            note = f"epoch {last.epoch}  validation {last.validation_loss:.4f} nats"
            progress.update(bar, completed=last.epoch * tokens, note=note)
            on_epoch(so_far)

        def after_update(model: SequenceModel, updates: int) -> None:
            if updates == 1:
                progress.update(bar, note="epoch 1")
            progress.update(bar, completed=updates * tokens // updates_an_epoch)
            on_update(model, updates)

        return train_by_maximum_likelihood(
            model, training, validation, settings, after_epoch, after_update
        )
