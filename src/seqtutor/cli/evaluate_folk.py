"""`seqtutor evaluate folk`: Table 1 of models of tunes, each with judges of its own."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from seqtutor.adversarial.settings import JudgeSettings
from seqtutor.cli.arguments import require_once
from seqtutor.cli.pretrain_folk import load_and_tell, usual_data
from seqtutor.cli.reproduce_folk import MOST_HELD_OUT, MOST_REAL, usual_judge
from seqtutor.errors import UserError
from seqtutor.settings import require, require_seed
from seqtutor.tasks.folk.data_settings import FolkDataSettings

if TYPE_CHECKING:
    from seqtutor.cli.folk_generators import Generator
    from seqtutor.tasks.folk.dataset import FolkData


@dataclass(frozen=True)
class Options:
    """Measure generators of tunes: likelihood, BLEU, entropy, and what fresh judges find.

    The data must be those of training, read in the same way; what is measured by is its test part.
    """

    what: tyro.conf.Positional[
        Annotated[tuple[str, ...], tyro.conf.arg(metavar="folk MODEL [MODEL ...]")]
    ] = ("folk",)
    """The task, "folk", and the folders of models, such as folk-prior, or of games of
    `seqtutor reproduce folk`."""
    temperature: float = 1.0
    """Of the sampling; likelihood and entropy are those of the tempered model too."""
    most_real: Annotated[int | None, tyro.conf.arg(metavar="INT")] = MOST_REAL
    """Real training sequences for a judge at most, drawn at random; None for all."""
    most_held_out: Annotated[int | None, tyro.conf.arg(metavar="INT")] = MOST_HELD_OUT
    """Sequences of the validation part, and of the test part, at most; None for all."""
    seed: int = 0
    """Of the sampling and of the judges."""
    json: bool = False
    """Print JSON."""
    judges: int = 3
    """Fresh judges of each model, whose mean counts; each takes about a minute."""
    judge: JudgeSettings = field(default_factory=usual_judge)
    """The judges; their own seed does not count."""
    data: Annotated[FolkDataSettings, tyro.conf.arg(name="")] = field(default_factory=usual_data)

    @property
    def names(self) -> tuple[str, ...]:
        """The folders without the task's name."""
        return self.what[1:] if self.what[:1] == ("folk",) else self.what


def run(options: Options) -> None:
    """Read, sample, measure, print."""
    _check(options)
    from seqtutor.cli.folk_generators import find_generator
    from seqtutor.cli.output import finite, print_table
    from seqtutor.measures.controls import TemperedModel
    from seqtutor.runs.progress import console
    from seqtutor.tasks.folk.evaluation import RealTunes, evaluate_folk, evaluate_real
    from seqtutor.tasks.folk.game_report import folk_table
    from seqtutor.tasks.folk.variants import REAL

    generators = {name: find_generator(Path(name)) for name in options.names}
    data = load_and_tell(options.data)
    for name, generator in generators.items():
        _require_own_data(name, generator, data)
    real = RealTunes.of(data, options.most_real, options.most_held_out)
    found = {}
    for name, generator in generators.items():
        console.print(f"Measuring {name}")
        found[name] = evaluate_folk(
            TemperedModel(generator.saved.model, options.temperature),
            real,
            options.judge,
            judges=options.judges,
            seed=options.seed,
            discriminator=generator.discriminator,
        )
    found[REAL] = evaluate_real(real)
    if options.json:
        print(json.dumps({name: finite(asdict(one)) for name, one in found.items()}, indent=1))
        return
    table = folk_table(
        {name: [one] for name, one in found.items()},
        is_published_data=options.data.sequences is not None,
        title="Tunes with chords",
    )
    print_table(table)


def _check(options: Options) -> None:
    if not options.names:
        raise UserError("name the folder of a model, such as: seqtutor evaluate folk folk-prior")
    require_once(options.names)
    require(
        0 < options.temperature < math.inf,
        f"--temperature must be a number above 0, not {options.temperature}",
    )
    for name, least in (("most_real", 1), ("most_held_out", 2)):
        value = getattr(options, name)
        require(
            value is None or value >= least,
            f"--{name.replace('_', '-')} must be at least {least}, not {value}",
        )
    require(options.judges >= 1, f"--judges is {options.judges}; it must be at least 1")
    require_seed("--seed", options.seed)


def _require_own_data(name: str, generator: Generator, data: FolkData) -> None:
    if generator.saved.origin["data"].get("sha256") != data.digest:
        raise UserError(
            f"the model in {name} was trained on other sequences than these; give the same "
            "--data and its options as then"
        )
