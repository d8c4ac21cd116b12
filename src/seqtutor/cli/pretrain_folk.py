"""`seqtutor pretrain folk`: tunes with chords in, a prior out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from seqtutor.cli.pretrain import Training, of_chosen_model
from seqtutor.settings import require
from seqtutor.tasks.folk.data_settings import FolkDataSettings
from seqtutor.training.pretrain_settings import PretrainSettings

if TYPE_CHECKING:
    from seqtutor.tasks.folk.dataset import FolkData
    from seqtutor.training.pretrain import Pretrained


MUCH_REPLACED = 0.05
"""Share of all tokens from which on tunes are no longer what they were."""


def usual_data() -> FolkDataSettings:
    """The data of this task's commands: a vocabulary small enough for two cores."""
    return FolkDataSettings(tokenisation="interleaved")


def usual_training() -> PretrainSettings:
    """The training of this task's commands.

    There are many tokens, most of them rare: they start far apart, and there is no weight decay, by
    which Adam would move those that a batch lacks to zero at its full rate.
    """
    return PretrainSettings.of(
        hidden_sizes=(128,),
        token_bound=1.0,
        batch=32,
        learning_rate=5e-3,
        weight_decay=0.0,
        dropout=0.3,
        epochs=40,
    )


@dataclass(frozen=True)
class Options:
    """Train a prior by maximum likelihood on tunes with chords.

    The best model by validation loss is kept. Interrupted, it goes on after the last whole epoch
    when the same command is given again. The tunes that come with music21, used where no others are
    given, have no chords.
    """

    task: tyro.conf.Positional[Literal["folk"]] = "folk"
    """What is generated."""
    output: Path = Path("folk-prior")
    """Folder of the model."""
    data: Annotated[FolkDataSettings, tyro.conf.arg(name="")] = field(default_factory=usual_data)
    training: Training = field(default_factory=usual_training)


def defaults(arguments: list[str]) -> Options:
    """The settings of the kind of model that is asked for."""
    return Options(training=of_chosen_model(usual_training(), arguments))


def run(options: Options) -> None:
    """Read, train, measure, write."""
    from seqtutor.cli.pretrain import require_own
    from seqtutor.files import make_folder

    require_own(options.output)
    make_folder(options.output.parent)
    data = load_and_tell(options.data)
    train_and_save(data, options.data, options.training, options.output)
    print(f"The prior is in {options.output}; hear it with: seqtutor sample folk {options.output}")


def load_and_tell(settings: FolkDataSettings) -> FolkData:
    """The tunes that the settings ask for; what became of them is told.

    Raises:
        UserError: as `load_folk_data` does, and if nothing is left to validate on.
    """
    from seqtutor.runs.progress import console
    from seqtutor.tasks.folk.dataset import load_folk_data

    console.print(f"Reading {source_of(settings)}")
    data = load_folk_data(settings)
    for line in data.report.lines():
        console.print(f"  {line}", highlight=False)
    if not any(sheet.chords for sheet in data.train_tunes) and data.train_tunes:
        console.print("None of the tunes has chords: only melodies are learned", style="yellow")
    report = data.report
    replaced = report.replaced / max(1, sum(report.tokens.values()))
    if replaced > MUCH_REPLACED:
        console.print(
            f"{replaced:.0%} of the tokens were replaced by others: the tunes have changed. With "
            "so few tunes take a smaller --rare-below, or --rare keep",
            style="yellow",
        )
    require(
        not data.train_tunes or len(data.validation_tunes) > 0,
        f"of {sum(report.tunes.values())} tunes none is left to validate on; give more tunes or "
        "other --fractions",
    )
    require(
        len(data.validation) > 0,
        f"the tunes for validation have {report.tokens['validation']:,} tokens, too few for a "
        f"sequence of {data.length}; give more tunes, a smaller --length or other --fractions",
    )
    return data


def source_of(settings: FolkDataSettings) -> str:
    """Where the tunes come from, for people and for a model's record."""
    return str(settings.sequences or settings.data or "the tunes that come with music21")


def train_and_save(
    data: FolkData, source: FolkDataSettings, settings: PretrainSettings, folder: Path
) -> None:
    """Train with a bar, measure on tunes that were held out, and write with the model's origin."""
    from seqtutor.cli.pretrain import forget_checkpoints
    from seqtutor.models.files import SavedModel, save_model
    from seqtutor.runs.progress import console
    from seqtutor.runs.provenance import made_by
    from seqtutor.runs.run_folder import plain
    from seqtutor.tasks.folk.model import origin_of

    if len(data.train) < settings.batch:
        batch = max(1, len(data.train) // 4)
        console.print(f"{len(data.train)} sequences are few: the batch is {batch}", style="yellow")
        settings = replace(settings, batch=batch)
    result = _train(data, settings, folder)
    own = origin_of(data)
    own["data"] |= {"source": source_of(source)}
    origin = {"made_by": made_by(), **own, "settings": plain(settings.flat)}
    origin["epochs"] = [vars(record) for record in result.epochs]
    if len(data.test):
        origin["test"] = _measure(result, data)
    save_model(SavedModel(result.model, data.vocabulary, origin), folder)
    forget_checkpoints(folder)


def _train(data: FolkData, settings: PretrainSettings, folder: Path) -> Pretrained:
    from seqtutor.cli.pretrain import train_with_bar
    from seqtutor.cli.pretrain_melody import unmasked
    from seqtutor.training.pretrain import new_model

    model = new_model(data.vocabulary.size, settings)
    training, validation = unmasked(data.train), unmasked(data.validation)
    return train_with_bar(model, training, validation, settings, folder)


def _measure(result: Pretrained, data: FolkData) -> dict[str, float]:
    from seqtutor.cli.pretrain_melody import unmasked
    from seqtutor.training.pretrain import measure_fit

    fit = measure_fit(result.model, unmasked(data.test), 64)
    print(
        f"On {fit.sequences:,} sequences of the test tunes: log-perplexity "
        f"{fit.log_perplexity:.4f} nats a token, accuracy {100 * fit.accuracy:.2f} %"
    )
    return vars(fit)
