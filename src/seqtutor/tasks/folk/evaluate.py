"""`seqtutor evaluate folk`: Table 1 of models of tunes, each with judges of its own."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from seqtutor.adversarial.settings import JudgeSettings
from seqtutor.errors import UserError
from seqtutor.settings import require, require_seed
from seqtutor.tasks.folk.data_settings import FolkDataSettings
from seqtutor.tasks.folk.scales import MOST_HELD_OUT, MOST_REAL, USUAL_JUDGE

if TYPE_CHECKING:
    from seqtutor.data import Dataset
    from seqtutor.runs.policies import NamedPolicy
    from seqtutor.task_spec import TaskSpec


@dataclass(frozen=True)
class Options:
    """Measure generators of tunes: likelihood, BLEU, entropy, and how judges tell them from tunes.

    The data must be those of training, read in the same way; the measures are taken on their test
    part.
    """

    models: tyro.conf.Positional[
        Annotated[tuple[str, ...], tyro.conf.arg(metavar="MODEL [MODEL ...]")]
    ] = ()
    """Folders of models, such as folk-prior, of runs, or of games of `seqtutor reproduce folk`."""
    temperature: float = 1.0
    """Temperature of the sampling; likelihood and entropy are those of the tempered model too."""
    most_real: int | None = MOST_REAL
    """Largest number of training sequences for a judge, drawn at random; None for all."""
    most_held_out: int | None = MOST_HELD_OUT
    """Largest number of sequences of the validation part, and of the test part; None for all."""
    seed: int = 0
    """Seed of the sampling and of the judges."""
    json: bool = False
    """Print JSON."""
    judges: int = 3
    """Judges of each model, whose mean counts; each takes about a minute."""
    judge: JudgeSettings = field(default_factory=lambda: USUAL_JUDGE)
    """The judges; their own seed has no effect."""
    data: Annotated[FolkDataSettings, tyro.conf.arg(name="")] = field(
        default_factory=FolkDataSettings
    )


def run(spec: TaskSpec[Any], options: Options) -> None:
    """Read, sample, measure, print."""
    _check(options)
    from seqtutor.adversarial.evaluation import RealSequences, measure_generator, measure_real
    from seqtutor.adversarial.files import DISCRIMINATOR, load_discriminator
    from seqtutor.measures.controls import TemperedModel
    from seqtutor.report.evaluation_table import estimates_json
    from seqtutor.runs.policies import find_policy, with_seeds
    from seqtutor.runs.progress import console
    from seqtutor.runs.terminal import print_table
    from seqtutor.tasks.folk.game_report import folk_table
    from seqtutor.tasks.folk.variants import REAL

    policies = {name: find_policy(spec, name) for name in with_seeds(options.models)}
    data = spec.read_data(options.data)
    console.print("\n".join(data.summary), highlight=False)
    for name, policy in policies.items():
        _require_own_data(name, policy, data)
    real = RealSequences.of(data, options.most_real, options.most_held_out)
    found = {}
    for name, policy in policies.items():
        console.print(f"Measuring {name}")
        game = Path(name) / DISCRIMINATOR
        found[name] = measure_generator(
            TemperedModel(policy.model, options.temperature),
            real,
            options.judge,
            judges=options.judges,
            seed=options.seed,
            discriminator=load_discriminator(game).model if game.is_dir() else None,
        )
    found[REAL] = measure_real(real)
    if options.json:
        measured = {name: estimates_json(one) for name, one in found.items()}
        print(json.dumps(measured, indent=1))
        return
    table = folk_table(
        {name: [one] for name, one in found.items()},
        is_published_data=options.data.sequences is not None,
        title="Tunes with chords",
    )
    print_table(table)


def _check(options: Options) -> None:
    if not options.models:
        raise UserError("name the folder of a model, such as: seqtutor evaluate folk folk-prior")
    for name, least in (("most_real", 1), ("most_held_out", 2), ("judges", 1)):
        value = getattr(options, name)
        require(
            value is None or value >= least,
            f"--{name.replace('_', '-')} must be at least {least}, not {value}",
        )
    require(
        0 < options.temperature < math.inf,
        f"--temperature must be a number above 0, not {options.temperature}",
    )
    require_seed("--seed", options.seed)


def _require_own_data(name: str, policy: NamedPolicy, data: Dataset) -> None:
    if policy.saved.origin.get("data", {}).get("sha256") != data.digest:
        raise UserError(
            f"the model in {name} was trained on other sequences than these; give the same --data "
            "and its options as then"
        )
