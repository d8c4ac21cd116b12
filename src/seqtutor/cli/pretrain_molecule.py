"""`seqtutor pretrain molecule`: real molecules in, a prior that writes SMILES strings out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from seqtutor.cli.arguments import value_of
from seqtutor.cli.pretrain import Training, of_chosen_model
from seqtutor.errors import UserError
from seqtutor.tasks.molecule.data_settings import MoleculeDataSettings
from seqtutor.training.pretrain_settings import PretrainSettings

if TYPE_CHECKING:
    from seqtutor.models.base import SequenceModel
    from seqtutor.models.files import SavedModel
    from seqtutor.tasks.molecule.dataset import MoleculeDataset
    from seqtutor.tasks.molecule.encoding import EncodedMolecules
    from seqtutor.training.pretrain import Pretrained, Sequences

SMALL_DATA = PretrainSettings.of(hidden_sizes=(256,), batch=64, learning_rate=3e-3, epochs=40)
"""For some thousands of molecules: many passes, the best of which is kept."""

MOSES_DATA = PretrainSettings.of(
    hidden_sizes=(256,), batch=128, learning_rate=5e-3, weight_decay=0.0, epochs=3
)
"""For 1.6 million molecules: few passes, none of which can learn them by heart."""

SAMPLES = 1000


@dataclass(frozen=True)
class Options:
    """Train a prior by maximum likelihood on molecules, as SMILES strings.

    The best model by validation loss is kept, also if training is interrupted; it then goes on
    after the last whole epoch when the same command is given again. Its share of valid molecules is
    measured at the end.
    """

    task: tyro.conf.Positional[Literal["molecule"]] = "molecule"
    """What is generated."""
    data: str = "nci"
    """"nci": the 4,999 molecules that come with RDKit; "moses": 1.6 million drug-like molecules,
    fetched once (see seqtutor data --help); or a file of your own: SMILES lines (.smi), or a table
    with column names (.csv, .tsv); each may be gzipped."""
    output: Path = Path("prior")
    """Folder of the model."""
    prior: Path | None = None
    """Go on from this model, with its vocabulary and size, instead of a new one."""
    settings: Annotated[MoleculeDataSettings, tyro.conf.arg(name="")] = field(
        default_factory=MoleculeDataSettings
    )
    training: Training = field(default_factory=lambda: SMALL_DATA)


def defaults(arguments: list[str]) -> Options:
    """The size and the number of passes that suit the data."""
    usual = MOSES_DATA if value_of("--data", arguments) == "moses" else SMALL_DATA
    return Options(training=of_chosen_model(usual, arguments))


def run(options: Options) -> None:
    """Read, train, measure, write."""
    from seqtutor.cli.molecules import describe, load_with_bar
    from seqtutor.cli.pretrain import forget_checkpoints, require_own
    from seqtutor.files import make_folder
    from seqtutor.runs.progress import console
    from seqtutor.tasks.molecule.requirements import require_rdkit

    require_rdkit()
    require_own(options.output)
    make_folder(options.output.parent)
    start = _start(options)
    vocabulary = None if start is None else start.vocabulary
    dataset = load_with_bar(options.data, options.settings, vocabulary)
    console.print("\n".join(describe(dataset)), highlight=False)
    if len(dataset.train) < options.training.batch:
        batch = max(1, len(dataset.train) // 4)
        console.print(
            f"{len(dataset.train)} molecules are few: the batch is {batch}", style="yellow"
        )
        options = replace(options, training=replace(options.training, batch=batch))
    train_and_save(start, dataset, options)
    forget_checkpoints(options.output)
    print(f"The prior is in {options.output}")


def _start(options: Options) -> SavedModel | None:
    """The model to go on from, if one is given.

    Raises:
        UserError: if it was trained on shorter strings than are asked for, or cannot be read.
    """
    if options.prior is None:
        return None
    from seqtutor.tasks.molecule.model import load_molecule_model

    saved = load_molecule_model(options.prior)
    if saved.origin["max_length"] != options.settings.max_length:
        raise UserError(
            f"the model in {options.prior} writes up to {saved.origin['max_length']} tokens; give "
            f"--max-length {saved.origin['max_length']}"
        )
    return saved


def train_and_save(start: SavedModel | None, dataset: MoleculeDataset, options: Options) -> None:
    """Train; the best model so far is on the disk after each epoch, and after an interruption.

    Raises:
        KeyboardInterrupt: if training was interrupted, once the best model is saved.
    """
    from seqtutor.cli.pretrain import train_with_bar
    from seqtutor.training.pretrain import new_model

    settings = options.training
    model = start.model if start else new_model(dataset.vocabulary.size, settings)
    run = _Run(dataset, options)
    try:
        train_with_bar(
            model,
            sequences(dataset.train),
            run.validation,
            settings,
            options.output,
            run.after_epoch,
            run.after_update,
        )
    except KeyboardInterrupt:
        run.keep_interrupted()
        raise
    run.finish()


class _Run:
    """What is kept while a model trains."""

    def __init__(self, dataset: MoleculeDataset, options: Options) -> None:
        from seqtutor.tasks.molecule.known import KnownMolecules

        self.dataset, self.options = dataset, options
        self.validation = sequences(dataset.validation)
        self.so_far: Pretrained | None = None
        self.latest: SequenceModel | None = None
        self._description = self._describe()
        strings = [*dataset.strings(dataset.train), *dataset.strings(dataset.validation)]
        self._known = KnownMolecules.of(strings)

    def after_update(self, model: SequenceModel, updates: int) -> None:
        self.latest = model

    def after_epoch(self, so_far: Pretrained) -> None:
        # What a training that goes on has reached before is in the folder, or something better.
        goes_on = self.so_far is None and self.latest is None
        is_new = not goes_on and (self.so_far is None or so_far.model is not self.so_far.model)
        self.so_far = so_far
        if is_new:
            self._save(so_far.model, finished=False)

    def keep_interrupted(self) -> None:
        """Keep the model as it is, if it is better than the best at the end of an epoch."""
        from seqtutor.runs.progress import console
        from seqtutor.training.pretrain import measure_fit

        if self.latest is None:
            return
        console.print("Interrupted: measuring the model as it is (interrupt again to leave it)")
        loss = measure_fit(self.latest, self.validation).log_perplexity
        epochs = self.so_far.epochs if self.so_far else []
        if loss < min((epoch.validation_loss for epoch in epochs), default=float("inf")):
            self._save(self.latest, finished=False, validation_loss=loss)
        console.print(f"The best model so far is in {self.options.output}")

    def finish(self) -> None:
        """Measure the best model and say so."""
        from seqtutor.training.pretrain import measure_fit

        assert self.so_far is not None
        model, measured = self.so_far.model, {}
        if len(self.dataset.test):
            fit = measure_fit(model, sequences(self.dataset.test))
            measured["test"] = vars(fit)
            print(
                f"On {fit.sequences:,} molecules of the test set: log-perplexity "
                f"{fit.log_perplexity:.4f} nats a token, accuracy {100 * fit.accuracy:.2f} %"
            )
        measured["samples"] = samples = measure_samples(model, self.dataset)
        print(
            f"Of {samples['number']:,} samples {100 * samples['valid']:.1f} % are valid molecules, "
            f"and {100 * samples['distinct']:.1f} % of these differ"
        )
        self._save(model, finished=True, **measured)

    def _describe(self) -> dict[str, Any]:
        from seqtutor.runs.provenance import made_by
        from seqtutor.runs.run_folder import plain
        from seqtutor.tasks.molecule.terms import training_extremes

        return {
            "made_by": made_by(),
            "max_length": self.dataset.max_length,
            "extremes": plain(training_extremes(self.dataset.strings(self.dataset.train))),
            "data": self.dataset.summary(),
            "form": plain(self.options.settings),
            "start": None if self.options.prior is None else str(self.options.prior),
            "settings": plain(self.options.training.flat),
        }

    def _save(self, model: SequenceModel, finished: bool, **measured: Any) -> None:
        from seqtutor.models.files import SavedModel, save_model

        epochs = self.so_far.epochs if self.so_far else []
        origin = {
            **self._description,
            "finished": finished,
            "epochs": [vars(record) for record in epochs],
            **measured,
        }
        save_model(SavedModel(model, self.dataset.vocabulary, origin), self.options.output)
        self._known.save(self.options.output)


def sequences(part: EncodedMolecules) -> Sequences:
    """Strings as training sequences."""
    from seqtutor.training.pretrain import Sequences

    return Sequences(part.tokens, part.mask)


def measure_samples(model: SequenceModel, dataset: MoleculeDataset) -> dict[str, float]:
    """The share of valid molecules among samples, and of distinct ones among these."""
    from seqtutor.tasks.molecule.canonical import canonicalise
    from seqtutor.tasks.molecule.model import sample_smiles

    strings = sample_smiles(model, dataset.vocabulary, SAMPLES, dataset.max_length)
    valid = [one for one in canonicalise(strings) if isinstance(one, str)]
    return {
        "number": SAMPLES,
        "valid": len(valid) / SAMPLES,
        "distinct": len(set(valid)) / max(1, len(valid)),
    }
