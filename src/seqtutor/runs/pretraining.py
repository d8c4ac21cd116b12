"""A prior trained into its folder; an interrupted training continues after its last whole epoch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seqtutor.data import Dataset
from seqtutor.files import require_unused
from seqtutor.models.base import SequenceModel
from seqtutor.models.files import SavedModel, save_model
from seqtutor.runs.checkpoint import Checkpoints
from seqtutor.runs.folder_lock import made_and_locked
from seqtutor.runs.interruption import Interrupted
from seqtutor.runs.pretrain_on_disk import train_on_disk
from seqtutor.runs.progress import console, progress_bar
from seqtutor.runs.provenance import made_by
from seqtutor.runs.run_folder import CHECKPOINTS, CONFIG, plain
from seqtutor.settings import require
from seqtutor.task_spec import TaskSpec
from seqtutor.training.pretrain import Fit, Pretrained, measure_fit, new_model
from seqtutor.training.pretrain_settings import PretrainSettings


@dataclass(frozen=True)
class Pretraining:
    """What a prior is trained on and how.

    Attributes:
        spec: the task.
        data: the sequences.
        settings: of the model and of its training.
        start: the model whose training goes on with these data, instead of a new one.

    Raises:
        UserError: if the data are read with another length than that of the model's sequences.
    """

    spec: TaskSpec[Any]
    data: Dataset
    settings: PretrainSettings
    start: SavedModel | None = None

    def __post_init__(self) -> None:
        known = None if self.start is None else self.start.origin.get("max_length")
        require(
            self.start is None or known in (None, self.data.max_length),
            f"the model was trained on sequences of up to {known} tokens, and these data are read "
            f"as sequences of up to {self.data.max_length}; read them with the model's length",
        )

    def origin(self) -> dict[str, Any]:
        """How the model is made, for its configuration."""
        started = None if self.start is None else str(self.start.folder)
        return {
            "made_by": made_by(),
            "task": self.spec.name,
            "max_length": self.data.max_length,
            **self.data.origin,
            "start": started,
            "settings": plain(self.settings.flat),
        }


FEW_SEQUENCES = 100
"""Training sequences below which a prior knows little but these."""


def remark_on_few(spec: TaskSpec[Any], data: Dataset) -> str | None:
    """That there is hardly anything to learn from, if there is."""
    train, validation = len(data.train), len(data.validation)
    if train >= FEW_SEQUENCES:
        return None
    return (
        f"There are only {train:,} {spec.many} to train on and {validation:,} to validate on: a "
        f"prior of so few repeats them and has little else for tuning to keep to. Give more data; "
        f"{FEW_SEQUENCES} are a beginning, thousands are usual"
    )


def fitting_batch(settings: PretrainSettings, data: Dataset) -> PretrainSettings:
    """The settings with a smaller batch, if there are fewer training sequences than one batch."""
    if len(data.train) >= settings.batch:
        return settings
    return replace(settings, batch=max(1, len(data.train) // 4))


def require_own_folder(output: Path) -> None:
    """Refuse a folder that holds anything but an interrupted training.

    Raises:
        UserError: if it does.
    """
    if Checkpoints(output / CHECKPOINTS, "").steps() and not (output / CONFIG).exists():
        return
    require_unused(output)


def pretrain_in_folder(
    prepare: Callable[[], Pretraining], output: Path
) -> tuple[SavedModel, Fit | None]:
    """Train a prior, measure it on the test part and write it; a progress bar shows how it goes.

    The best model so far is written after each epoch that improved it, so that an interrupted
    training leaves a model. No other process can train into the folder from before `prepare` until
    the last file is written.

    Args:
        prepare: reads the data, and gives what is trained.
        output: a folder that is unused, or holds an interrupted training.

    Returns:
        The model, and how well it predicts the test part, if there is one.

    Raises:
        Interrupted: at an interruption after the first epoch.
        UserError: if there are too few sequences, the loss is not finite, the folder holds
            something else, or another process trains into it.
    """
    with made_and_locked(output):
        require_own_folder(output)
        return _pretrain(prepare(), output)


def _pretrain(pretraining: Pretraining, output: Path) -> tuple[SavedModel, Fit | None]:
    data, settings = pretraining.data, pretraining.settings
    model = (
        new_model(data.vocabulary, settings)
        if pretraining.start is None
        else pretraining.start.model
    )
    origin = pretraining.origin()
    best: SequenceModel | None = None

    def keep_best(so_far: Pretrained) -> None:
        nonlocal best
        if so_far.model is best:
            return
        best = so_far.model
        unfinished = {**origin, "finished": False, "epochs": list(map(vars, so_far.epochs))}
        save_model(SavedModel(best, data.vocabulary, unfinished), output)

    result = _train_with_bar(model, data, settings, output, keep_best)
    origin |= {"finished": True, "epochs": list(map(vars, result.epochs))}
    fit = measure_fit(result.model, data.test) if len(data.test) else None
    if fit is not None:
        origin["test"] = vars(fit)
    measured, lines = pretraining.spec.describe_model(result.model, data)
    for line in lines:
        print(line)
    saved = SavedModel(result.model, data.vocabulary, origin | dict(measured), output)
    save_model(saved, output)
    pretraining.spec.write_beside_model(data, output)
    Checkpoints(output / CHECKPOINTS, "").forget()
    return saved, fit


def _train_with_bar(
    model: SequenceModel,
    data: Dataset,
    settings: PretrainSettings,
    output: Path,
    on_epoch: Callable[[Pretrained], None],
) -> Pretrained:
    epochs = 0
    tokens = int(data.train.mask.sum())
    updates_an_epoch = max(1, len(data.train) // settings.batch)
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
            # The validation of the last epoch comes after its last update.
            progress.update(bar, completed=min(updates * tokens // updates_an_epoch, total - 1))

        try:
            return train_on_disk(
                model,
                data.train,
                data.validation,
                settings,
                output / CHECKPOINTS,
                on_epoch=after_epoch,
                on_update=after_update,
                on_remark=console.print,
            )
        except KeyboardInterrupt:
            if not epochs:
                raise
            raise Interrupted(
                f"interrupted after epoch {epochs}; to continue, give the same command again"
            ) from None
