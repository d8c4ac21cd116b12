"""`seqtutor pretrain`: real sequences in, a prior out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqtutor.arguments import value_of
from seqtutor.cli.options import extended

if TYPE_CHECKING:
    from seqtutor.models.files import SavedModel
    from seqtutor.runs.pretraining import Pretraining
    from seqtutor.task_spec import TaskSpec


@dataclass(frozen=True)
class Options:
    """Train a prior by maximum likelihood on real sequences.

    The best model by validation loss is kept. An interrupted training continues after its last
    whole epoch when the same command is given again.
    """

    output: Path = Path("prior")
    """Folder of the model."""
    prior: Path | None = None
    """Continue training this model, with its vocabulary and size, instead of a new one."""


def defaults(spec: TaskSpec[Any], arguments: list[str]) -> Options:
    """The options of every task, the task's data, and the settings that suit them."""
    from seqtutor.training.pretrain_settings import PretrainSettings

    usual = dict(spec.training_defaults(value_of("--data", arguments)))
    if (kind := value_of("--model", arguments)) is None:
        training = PretrainSettings.of(**usual)
    else:
        training = PretrainSettings.of(kind)
        # The task's settings suit its usual model; another kind need not have all of them.
        known = usual.keys() & training.flat.keys() - {"model"}
        training = training.changed(**{name: usual[name] for name in known})
    groups = {"data_options": spec.data_type(), "training": training}
    return extended(Options, {"output": Path(spec.prior_folder)}, groups)


def run(spec: TaskSpec[Any], options: Any) -> None:
    """Read, train, measure, write."""
    from seqtutor.runs.pretraining import pretrain_in_folder

    spec.require_dependencies()
    _, fit = pretrain_in_folder(partial(_prepared, spec, options), options.output)
    if fit is not None:
        print(
            f"On {fit.sequences:,} {spec.many} of the test part: log-perplexity "
            f"{fit.log_perplexity:.4f} nats a token, accuracy {100 * fit.accuracy:.2f} %"
        )
    print(
        f"The prior is in {options.output}; tune it with: seqtutor tune {spec.reference} "
        f"--prior {options.output}"
    )


def _prepared(spec: TaskSpec[Any], options: Any) -> Pretraining:
    """The data and the settings, with what a user should know of them on the screen."""
    from seqtutor.runs.pretraining import Pretraining, fitting_batch, remark_on_few
    from seqtutor.runs.progress import console

    start = _start(spec, options)
    data = spec.read_data(options.data_options, None if start is None else start.vocabulary)
    console.print("\n".join(data.summary), highlight=False)
    for warning in (*data.warnings, remark_on_few(spec, data)):
        if warning is not None:
            console.print(warning, style="yellow")
    settings = fitting_batch(options.training, data)
    if settings != options.training:
        console.print(
            f"{len(data.train):,} training {spec.many} are few: the batch is {settings.batch}",
            style="yellow",
        )
    return Pretraining(spec, data, settings, start)


def _start(spec: TaskSpec[Any], options: Any) -> SavedModel | None:
    """The model whose training goes on, if one is given."""
    if options.prior is None:
        return None
    from seqtutor.runs.policies import load_prior

    return load_prior(spec, options.prior)
