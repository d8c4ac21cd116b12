"""`seqtutor tune`: a prior and a reward in, a policy out."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from seqtutor.errors import UserError
from seqtutor.tasks.melody.presets import preset_tuning
from seqtutor.tasks.melody.rule_settings import MelodyRuleSettings
from seqtutor.tasks.melody.settings import MelodyTuning, RuleWeights
from seqtutor.training.settings import TutorSettings, require

if TYPE_CHECKING:
    from seqtutor.models.base import SequenceModel
    from seqtutor.training.run import Record
    from seqtutor.training.run_folder import RunFolder
    from seqtutor.training.tutor import Tutor


@dataclass(frozen=True)
class Options:
    """Tune a copy of the prior by reinforcement learning.

    The policy maximises E[reward]/c − KL(policy ‖ prior). The run's folder gets its configuration,
    a record of every chunk, the policy, and samples to open and hear.
    """

    task: tyro.conf.Positional[Literal["melody"]] = "melody"
    """What is generated."""
    preset: str = "papers-rules"
    """Settings, rules and weights to start from; options given beside it win. papers-rules: the
    papers' rules as they are · strict-rules: rules weighted anew, aimed at the best
    entry of each row of Table 1."""
    config: Path | None = None
    """Take all settings from the config.yaml of an earlier run instead of a preset."""
    output: Path | None = None
    """Folder of the run; by default a new one in runs/."""
    samples: int = 16
    """Melodies to write into the run's folder at the end."""
    evaluate: int = 10_000
    """Melodies to sample for the table at the end; 0 for no table."""
    length: int = 32
    """Sixteenths in a melody."""
    prior: Path | None = None
    """Folder of the prior; the one that comes with the package if not given."""
    tutor: Annotated[TutorSettings, tyro.conf.arg(name="")] = field(default_factory=TutorSettings)
    """The method and how it learns."""
    rules: MelodyRuleSettings = field(default_factory=MelodyRuleSettings)
    """Key, lengths and rewards of the nine rules."""
    weights: RuleWeights = field(default_factory=RuleWeights)
    """A factor for each rule."""

    def __post_init__(self) -> None:
        require(self.samples >= 0, f"--samples must not be negative, not {self.samples}")
        require(self.evaluate >= 0, f"--evaluate must not be negative, not {self.evaluate}")

    @property
    def tuning(self) -> MelodyTuning:
        """What makes the run, without what is only done with it."""
        return MelodyTuning(self.tutor, self.rules, self.weights, self.length, self.prior)


def defaults(arguments: list[str]) -> Options:
    """The preset or configuration that the arguments name, as defaults for all other options."""
    config = _value_of("--config", arguments)
    chosen = _value_of("--preset", arguments)
    require(not (config and chosen), "give either --config or --preset, not both")
    preset = chosen or Options.preset
    if config is not None:
        from seqtutor.training.run_folder import read_config

        return _options(read_config(MelodyTuning, Path(config)), config=Path(config))
    method = _value_of("--method", arguments) or TutorSettings.method
    return _options(preset_tuning(preset, method), preset=preset)


def _options(tuning: MelodyTuning, **others: Any) -> Options:
    return Options(
        length=tuning.length,
        prior=tuning.prior,
        tutor=tuning.tutor,
        rules=tuning.rules,
        weights=tuning.weights,
        **others,
    )


def _value_of(option: str, arguments: list[str]) -> str | None:
    """What follows an option, before tyro reads the rest."""
    for index, argument in enumerate(arguments):
        if argument == option and index + 1 < len(arguments):
            return arguments[index + 1]
        if argument.startswith(option + "="):
            return argument.partition("=")[2]
    return None


def run(options: Options) -> None:
    """Tune, write the run's folder, print the table."""
    from seqtutor.cli.provenance import made_by
    from seqtutor.training.run_folder import RunFolder, free_folder

    tuning = options.tuning
    output = options.output or free_folder(Path("runs"), f"melody-{tuning.tutor.method}")
    tutor = _tutor(tuning)
    folder = RunFolder.start(output, tuning, made_by())
    policy = _tune(tutor, folder)
    _write_melodies(policy, folder, options)
    _save(policy, tutor, folder.model)
    _print_table(policy, tutor, options)
    print(f"{output}: the policy in model/, {options.samples} melodies in samples/")


def _tutor(tuning: MelodyTuning) -> Tutor:
    from seqtutor.tasks.melody.task import load_melody_model, melody_task
    from seqtutor.training.tutor import Tutor

    prior = load_melody_model(tuning.prior)
    task = melody_task(tuning.length, tuning.rules, tuning.weights)
    return Tutor(task, prior.model, tuning.tutor)


def _tune(tutor: Tutor, folder: RunFolder) -> SequenceModel:
    from seqtutor.cli.progress import console, progress_bar
    from seqtutor.training.run import DivergedError, run_tutor

    symbol, weight = tutor.method.symbol, tutor.settings.c
    console.print(f"Tuning with {symbol}, c = {weight:g}, into {folder.path} (compiling first)")
    with progress_bar() as progress:
        bar = progress.add_task(symbol, total=tutor.iterations * tutor.steps_per_iteration, note="")

        def on_record(record: Record) -> None:
            folder.append(record)
            note = "r {reward:.2f} log p {log_prior:.2f} KL {kl:.2f}".format(**record)
            progress.update(bar, completed=record["step"], note=note)

        try:
            return run_tutor(tutor, on_record, console.print).policy
        except DivergedError as error:
            kept = folder.path / "last-good"
            _save(error.last_good, tutor, kept)
            raise UserError(f"{error}; the policy as it was before is in {kept}") from None


def _save(policy: SequenceModel, tutor: Tutor, folder: Path) -> None:
    from seqtutor.models.files import SavedModel, save_model

    origin = {"run": folder.parent.name, "max_length": tutor.task.max_length}
    save_model(SavedModel(policy, tutor.task.vocabulary, origin), folder)


def _write_melodies(policy: SequenceModel, folder: RunFolder, options: Options) -> None:
    import jax
    import numpy as np

    from seqtutor.tasks.melody.render import write_melodies
    from seqtutor.training.rollout import sample

    if options.samples:
        key = jax.random.key(options.tutor.seed)
        drawn = sample(policy, key, options.samples, options.length)
        write_melodies(np.asarray(drawn.tokens), folder.path / "samples")


def _print_table(policy: SequenceModel, tutor: Tutor, options: Options) -> None:
    from seqtutor.cli.output import print_table
    from seqtutor.report.melody_table import Measured, melody_table
    from seqtutor.tasks.melody.evaluation import evaluate_policy

    if not options.evaluate:
        return
    columns = [
        Measured(
            name,
            [
                evaluate_policy(
                    model,
                    tutor.prior,
                    number=options.evaluate,
                    length=options.length,
                    rules=options.rules,
                )
            ],
        )
        for name, model in (("prior", tutor.prior), (tutor.method.name, policy))
    ]
    print_table(melody_table(columns))
