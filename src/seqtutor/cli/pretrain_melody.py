"""`seqtutor pretrain melody`: real tunes in, a prior out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro

from seqtutor.cli.pretrain import Training, of_chosen_model
from seqtutor.settings import require, require_seed
from seqtutor.training.pretrain_settings import PretrainSettings

if TYPE_CHECKING:
    from seqtutor.tasks.melody.dataset import MelodyDataset
    from seqtutor.training.pretrain import Pretrained, Sequences


@dataclass(frozen=True)
class Options:
    """Train a prior by maximum likelihood on melodies.

    The best model by validation loss is kept. Interrupted, it goes on after the last whole epoch
    when the same command is given again. Tunes are brought to the white keys (C major, A minor and
    their modes) and split by tune, near-duplicates on one side.

    For molecules: seqtutor pretrain molecule --help
    For tunes with chords: seqtutor pretrain folk --help
    """

    task: tyro.conf.Positional[Literal["melody"]] = "melody"
    """What is generated."""
    data: str = "folk"
    """A folder or file of your own (MIDI, ABC, MusicXML, kern); "folk": the public-domain tunes
    that come with music21; "folk+essen": these and the Essen songs (non-commercial use only)."""
    output: Path = Path("prior")
    """Folder of the model."""
    length: int = 32
    """Sixteenths in a training melody."""
    off_grid: Literal["quantise", "drop"] = "quantise"
    """What to do with tunes that have triplets or other notes between sixteenths."""
    bar_lengths: tuple[int, ...] = (8, 16)
    """Metres to keep, by the sixteenths in a bar: 8 is 2/4, 16 is 4/4 or 2/2, 12 is 6/8 or 3/4.
    The rules think of bars of 4/4."""
    split_seed: int = 0
    """Of the split into training, validation and test."""
    training: Training = field(default_factory=PretrainSettings)


def defaults(arguments: list[str]) -> Options:
    """The settings of the kind of model that is asked for."""
    return Options(training=of_chosen_model(PretrainSettings(), arguments))


def run(options: Options) -> None:
    """Read, train, measure, write."""
    from seqtutor.cli.pretrain import forget_checkpoints, require_own
    from seqtutor.files import make_folder
    from seqtutor.runs.progress import console

    require_own(options.output)
    require_seed("--split-seed", options.split_seed)
    require(
        bool(options.bar_lengths) and min(options.bar_lengths) > 0,
        "--bar-lengths needs at least one number above 0",
    )
    make_folder(options.output.parent)
    console.print(f"Reading {options.data}")
    dataset = load(options)
    print_dataset(dataset)
    if len(dataset.train) < options.training.batch:
        batch = max(1, len(dataset.train) // 4)
        console.print(
            f"{len(dataset.train)} melodies are few: the batch is {batch}", style="yellow"
        )
        options = replace(options, training=replace(options.training, batch=batch))
    result = train(dataset, options)
    save(result, dataset, options)
    forget_checkpoints(options.output)


def load(options: Options) -> MelodyDataset:
    """The melodies that the options ask for, split by tune."""
    from seqtutor.tasks.melody.dataset import load_melodies

    return load_melodies(
        options.data,
        length=options.length,
        seed=options.split_seed,
        off_grid=options.off_grid,
        bar_lengths=frozenset(options.bar_lengths),
    )


def print_dataset(dataset: MelodyDataset) -> None:
    """What was read and what was dropped, for people."""
    from seqtutor.runs.progress import console

    summary = dataset.summary()
    tunes, windows = summary["tunes"], summary["windows"]
    console.print(
        f"{summary['tunes_read']:,} tunes read; {sum(tunes.values()):,} used "
        f"({summary['near_duplicates']:,} of them near-duplicates of another)"
    )
    for name in tunes:
        console.print(f"  {name:<10} {tunes[name]:>6,} tunes  {windows[name]:>7,} melodies")
    for name, reason in dataset.report.skipped_files:
        console.print(f"  skipped: {name}: {reason}", style="yellow")
    for heading, counts in (("dropped", summary["dropped"]), ("noted", summary["noted"])):
        for reason, count in counts.items():
            console.print(f"  {heading}: {count:,} {reason}", style="dim")


def train(dataset: MelodyDataset, options: Options) -> Pretrained:
    """Train the model, with a bar."""
    from seqtutor.cli.pretrain import train_with_bar
    from seqtutor.tasks.melody.encoding import VOCABULARY_SIZE
    from seqtutor.training.pretrain import new_model

    settings = options.training
    model = new_model(VOCABULARY_SIZE, settings)
    training, validation = unmasked(dataset.train), unmasked(dataset.validation)
    return train_with_bar(model, training, validation, settings, options.output)


def unmasked(tokens) -> Sequences:  # type: ignore[no-untyped-def]
    """Melodies as training sequences: all of one length, every token counts."""
    import numpy as np

    from seqtutor.training.pretrain import Sequences

    return Sequences(tokens, np.ones(tokens.shape, bool))


def save(result: Pretrained, dataset: MelodyDataset, options: Options) -> None:
    """Measure the model on the test tunes and write it with its origin."""
    from seqtutor.models.files import SavedModel, save_model
    from seqtutor.runs.provenance import made_by
    from seqtutor.runs.run_folder import plain
    from seqtutor.tasks.melody.encoding import melody_vocabulary
    from seqtutor.training.pretrain import measure_fit

    origin = {
        "made_by": made_by(),
        "max_length": options.length,
        "data": dataset.summary(),
        "settings": plain(options.training.flat),
        "epochs": [vars(record) for record in result.epochs],
    }
    if len(dataset.test):
        fit = measure_fit(result.model, unmasked(dataset.test))
        origin["test"] = vars(fit)
        print(
            f"On {fit.sequences:,} melodies of the test tunes: log-perplexity "
            f"{fit.log_perplexity:.4f} nats a token, accuracy {100 * fit.accuracy:.2f} %"
        )
    save_model(SavedModel(result.model, melody_vocabulary(), origin), options.output)
    print(f"The prior is in {options.output}; tune it with: seqtutor tune --prior {options.output}")
