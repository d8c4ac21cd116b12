"""Records and samples of a run, also shown in TensorBoard or in Weights & Biases.

What a run needs stays in its own folder: these are copies for other programs to draw. A run that
continues sends the records that its folder has first, so that it has one curve.
"""

from __future__ import annotations

import io
import math
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from seqtutor.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float, UInt8

    from seqtutor.report.page.page import Card
    from seqtutor.runs.run_folder import RunFolder

LogName: TypeAlias = Literal["tensorboard", "wandb"]
PACKAGES: Mapping[LogName, str] = {"tensorboard": "tensorboardX", "wandb": "wandb"}
PROJECT = "seqtutor"
PIXELS = 900
"""Width of a picture."""


class EventLog(Protocol):
    """A program that draws records and shows samples."""

    def record(self, record: Mapping[str, float]) -> None:
        """Add a record of the run."""

    def sample(self, card: Card, step: int) -> None:
        """Add a sample: its text, its reward, its sound and its pictures."""

    def close(self) -> None:
        """Write what has not been written."""


def require_loggers(names: Sequence[LogName]) -> None:
    """Refuse to go on where a package that a log needs is missing.

    Raises:
        UserError: which says how to install it.
    """
    for name in names:
        if find_spec(PACKAGES[name]) is None:
            raise UserError(f"--log {name} needs a package: pip install 'seqtutor[log]'")


@contextmanager
def event_logs(
    names: Sequence[LogName], folder: RunFolder, settings: Mapping[str, Any]
) -> Iterator[Callable[[Mapping[str, float]], None]]:
    """A function to be called with each record that the folder of a run has got.

    The first call opens the logs and sends all records of the folder. They are closed with the
    context.

    Args:
        names: of the programs.
        folder: of the run.
        settings: its configuration.
    """
    with ExitStack() as stack:
        logs: list[EventLog] = []

        def show(record: Mapping[str, float]) -> None:
            records: Sequence[Mapping[str, float]] = [record]
            if names and not logs:
                # Not earlier: the folder is not begun, or has records that are made anew.
                logs.extend(stack.enter_context(_opened(names, folder.path, settings)))
                records = folder.records()
            for log in logs:
                for one in records:
                    log.record(one)

        yield show


def log_records(names: Sequence[LogName], folder: RunFolder, settings: Mapping[str, Any]) -> None:
    """Send all records of a run that was not followed."""
    with event_logs(names, folder, settings) as show:
        for record in folder.records()[-1:]:
            show(record)


def log_samples(names: Sequence[LogName], cards: Sequence[Card], folder: Path) -> None:
    """Show samples of a finished run, or of several that differ in their seed.

    Args:
        names: of the programs.
        cards: the samples.
        folder: of the run, or the one that holds the runs.
    """
    with _opened(names, folder) as logs:
        for log in logs:
            for number, card in enumerate(cards):
                log.sample(card, number)


@contextmanager
def _opened(
    names: Sequence[LogName], folder: Path, settings: Mapping[str, Any] | None = None
) -> Iterator[list[EventLog]]:
    """The logs of a run of these settings; without them, those of its samples."""
    kinds: Mapping[str, Any] = {"tensorboard": _TensorBoard, "wandb": _WeightsAndBiases}
    with ExitStack() as stack:
        logs = []
        for name in dict.fromkeys(names):
            log = kinds[name](folder, settings)
            stack.callback(log.close)
            logs.append(log)
        yield logs


class _TensorBoard:
    """Event files in the folder `tensorboard` of the run."""

    def __init__(self, folder: Path, settings: Mapping[str, Any] | None) -> None:
        from tensorboardX import SummaryWriter

        own = folder / "tensorboard"
        if settings is not None:
            shutil.rmtree(own, ignore_errors=True)
        self._writer = SummaryWriter(str(own))

    def record(self, record: Mapping[str, float]) -> None:
        for name, value in _values(record).items():
            self._writer.add_scalar(name, value, int(record["step"]))
        self._writer.flush()

    def sample(self, card: Card, step: int) -> None:
        self._writer.add_text("samples/text", f"{card.title}: {_caption(card)}", step)
        for picture in _pictures(card):
            self._writer.add_image("samples/picture", picture, step, dataformats="HWC")
        if card.exhibit.sound is not None:
            samples, rate = _decoded(card.exhibit.sound)
            self._writer.add_audio("samples/sound", samples, step, sample_rate=rate)

    def close(self) -> None:
        self._writer.close()


class _WeightsAndBiases:
    """A run of the project `seqtutor`, named like its folder.

    The environment says whose it is, and with WANDB_MODE=offline that it stays on this machine.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any] | None) -> None:
        import wandb

        own = folder.resolve().name
        self._run = wandb.init(
            project=PROJECT,
            dir=str(folder),
            name=f"{own} samples" if settings is None else own,
            group=own,
            config=dict(settings or {}),
            settings=wandb.Settings(silent=True),
        )

    def record(self, record: Mapping[str, float]) -> None:
        self._run.log(_values(record), step=int(record["step"]))

    def sample(self, card: Card, step: int) -> None:
        import wandb

        shown: dict[str, Any] = {"text": f"{card.title}: {_caption(card)}"}
        for picture in _pictures(card):
            shown["picture"] = wandb.Image(picture, caption=card.title)
        if card.exhibit.sound is not None:
            samples, rate = _decoded(card.exhibit.sound)
            shown["sound"] = wandb.Audio(samples, sample_rate=rate, caption=_caption(card))
        self._run.log({f"samples/{name}": value for name, value in shown.items()}, step=step)

    def close(self) -> None:
        self._run.finish()


def _values(record: Mapping[str, float]) -> dict[str, float]:
    """What is drawn: everything but the step and what is not known."""
    return {n: float(v) for n, v in record.items() if n != "step" and not math.isnan(v)}


def _caption(card: Card) -> str:
    reward = "" if card.reward is None else f" (reward {card.reward:.3g})"
    return f"{card.exhibit.text}{reward}"


def _pictures(card: Card) -> Iterator[UInt8[np.ndarray, "height width color"]]:
    """The first picture, on white: others, such as the piano roll, need the style of a page."""
    import numpy as np
    import resvg_py
    from PIL import Image

    for picture in card.exhibit.pictures[:1]:
        png = resvg_py.svg_to_bytes(svg_string=picture.svg, width=PIXELS, background="white")
        with Image.open(io.BytesIO(bytes(png))) as image:
            yield np.asarray(image.convert("RGB"))


def _decoded(sound: bytes) -> tuple[Float[np.ndarray, " sample"], int]:
    """The samples of a sound between −1 and 1, in one channel, and their rate in hertz."""
    import soundfile

    samples, rate = soundfile.read(io.BytesIO(sound), dtype="float32", always_2d=True)
    return samples.mean(axis=1), rate
