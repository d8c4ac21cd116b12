"""`seqtutor tune melody`: a prior and the rules in, a policy out."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro

from seqtutor.cli.tune_options import TuneOptions, chosen_tuning
from seqtutor.cli.tuning import TaskTools, run_tuning
from seqtutor.tasks.melody.presets import preset_tuning
from seqtutor.tasks.melody.rule_settings import MelodyRuleSettings
from seqtutor.tasks.melody.settings import MelodyTuning, RuleWeights

if TYPE_CHECKING:
    from seqtutor.measures.policy import Evaluation
    from seqtutor.models.base import SequenceModel
    from seqtutor.models.files import SavedModel
    from seqtutor.report.tables import Table
    from seqtutor.runs.run_folder import RunFolder
    from seqtutor.task import Task


@dataclass(frozen=True)
class Options(TuneOptions):
    """Tune a copy of the prior by reinforcement learning.

    The policy maximises E[reward]/c − KL(policy ‖ prior). The run's folder gets its configuration,
    a record of every chunk, the policy, samples to open and hear, and the table as table.csv.

    With --seeds, the output folder gets such a folder for each seed. Called again with the same
    --output, it keeps the finished ones and runs the others.

    For molecules: seqtutor tune molecule --help
    """

    preset: str = "papers-rules"
    """Settings, rules and weights to start from; options given beside it win:
    - papers-rules: the papers' rules as they are
    - strict-rules: rules weighted anew, aimed at the best entry of each row of Table 1
    """
    task: tyro.conf.Positional[Literal["melody"]] = "melody"
    """What is generated."""
    samples: int = 16
    """Melodies to write into the run's folder at the end."""
    evaluate: int = 10_000
    """Melodies to sample for the table at the end; 0 for no table."""
    length: int = 32
    """Sixteenths in a melody."""
    rules: MelodyRuleSettings = field(default_factory=MelodyRuleSettings)
    """Key, lengths and rewards of the nine rules."""
    weights: RuleWeights = field(default_factory=RuleWeights)
    """A factor for each rule."""

    @property
    def tuning(self) -> MelodyTuning:
        """What makes the run, without what is only done with it."""
        return MelodyTuning(self.tutor, self.rules, self.weights, self.length, self.prior)


def defaults(arguments: list[str]) -> Options:
    """The preset or configuration that the arguments name, as defaults for all other options."""
    tuning, named = chosen_tuning(arguments, MelodyTuning, preset_tuning, Options.preset)
    return Options(
        length=tuning.length,
        prior=tuning.prior,
        tutor=tuning.tutor,
        rules=tuning.rules,
        weights=tuning.weights,
        **named,
    )


def run(options: Options) -> None:
    """Tune, write the run's folder or one for each seed, print the table."""
    run_tuning(options.tuning, options, MelodyTools())


class MelodyTools(TaskTools[MelodyTuning]):
    """What melodies bring to the loop."""

    one, many = "melody", "melodies"

    def load_prior(self, tuning: MelodyTuning) -> SavedModel:
        """The Note RNN."""
        from seqtutor.tasks.melody.task import load_melody_model

        return load_melody_model(tuning.prior)

    def task(self, tuning: MelodyTuning, prior: SavedModel) -> Task:
        """The nine rules."""
        from seqtutor.tasks.melody.task import melody_task

        del prior
        return melody_task(tuning.length, tuning.rules, tuning.weights)

    def write_samples(
        self, policy: SequenceModel, tuning: MelodyTuning, number: int, folder: Path
    ) -> None:
        """MIDI, ABC and MusicXML."""
        import jax
        import numpy as np

        from seqtutor.cli.melodies import key_of
        from seqtutor.tasks.melody.render import RenderSettings, write_melodies
        from seqtutor.training.rollout import sample

        drawn = sample(policy, jax.random.key(tuning.tutor.seed), number, tuning.length)
        settings = RenderSettings(key=key_of(tuning.rules))
        write_melodies(np.asarray(drawn.tokens), folder, settings=settings)

    def table(self, runs: list[tuple[MelodyTuning, RunFolder]], number: int) -> Table:
        """Table 1; each run's seed is also that of its sampling."""
        from seqtutor.cli.melodies import counted_in
        from seqtutor.tasks.melody.evaluation import evaluate_policy, melody_column, melody_table
        from seqtutor.tasks.melody.task import load_melody_model

        first = runs[0][0]
        prior = load_melody_model(first.prior).model

        def measured(model: SequenceModel, seed: int) -> Evaluation:
            return evaluate_policy(
                model, prior, number=number, length=first.length, seed=seed, rules=first.rules
            )

        policies = [
            measured(load_melody_model(run.model).model, tuning.tutor.seed) for tuning, run in runs
        ]
        columns = [
            melody_column("prior", [measured(prior, first.tutor.seed)], first),
            melody_column(first.tutor.method, policies, first),
        ]
        return melody_table(columns, number, counted_in("Melodies", first.rules))
