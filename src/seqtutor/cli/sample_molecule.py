"""`seqtutor sample molecule`: molecules as tables, SMILES, structures and pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from seqtutor.cli.arguments import without_task
from seqtutor.cli.sampling import require_sampling
from seqtutor.settings import require

if TYPE_CHECKING:
    from seqtutor.tasks.molecule.scoring import MoleculeScorer
    from seqtutor.tasks.molecule.terms import Scores

MOST_MOLECULES = 1_000_000
_AT_ONCE = 1000


@dataclass(frozen=True)
class Options:
    """Write molecules that a model generates, with their properties and a picture of the first.

    The table has every string; SMILES lines and SDF have the valid molecules. Those of a run also
    have what each earns by the run's reward, but for its terms known and diversity.
    """

    model: tyro.conf.Positional[
        Annotated[tuple[str, ...], tyro.conf.arg(metavar="molecule [MODEL]")]
    ] = ("molecule",)
    """The task, "molecule", and the folder of a run or of a model, or "prior" for the one that
    comes with the package (also if none is named)."""
    output: Annotated[Path | None, tyro.conf.arg(metavar="PATH")] = None
    """Folder to write to; by default a new one, samples, samples-2 and so on."""
    number: int = 100
    """Strings to generate."""
    temperature: float = 1.0
    """Below 1 the model plays safe, above 1 it dares more."""
    formats: tuple[Literal["csv", "smi", "sdf"], ...] = ("csv", "smi", "sdf")
    """Kinds of files."""
    grid: Literal["svg", "png", "none"] = "svg"
    """Kind of the picture of the first 40 valid molecules."""
    workers: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """Processes that score molecules; one for each core if not given, 0 for this one alone."""
    seed: int = 0
    """Of the sampling."""
    rewards: bool = True
    """What each string earns by the reward of its run; a function of your own must be where it was
    found then."""

    @property
    def policy(self) -> str:
        """The run or the model without the task's name."""
        return without_task("molecule", self.model)


def run(options: Options) -> None:
    """Sample, score and write."""
    from seqtutor.tasks.molecule.requirements import require_rdkit

    require_rdkit()
    from seqtutor.files import require_unused
    from seqtutor.runs.run_folder import free_folder

    _check(options)
    output = options.output or free_folder(Path(), "samples")
    require_unused(output)
    from seqtutor.cli.molecules import find_policy
    from seqtutor.cli.output import counted
    from seqtutor.tasks.molecule.model import sample_smiles
    from seqtutor.tasks.molecule.samples import describing_measurer, write_samples
    from seqtutor.tasks.molecule.scoring import MoleculeScorer

    policy = find_policy(options.policy)
    has_reward = options.rewards and policy.tuning is not None
    reward = policy.tuning.reward if has_reward else None
    with MoleculeScorer.with_workers(describing_measurer(reward), options.workers) as scorer:
        strings = sample_smiles(
            policy.model,
            policy.saved.vocabulary,
            options.number,
            policy.length,
            seed=options.seed,
            temperature=options.temperature,
        )
        scores = _score_with_bar(strings, scorer)
    paths = write_samples(
        scores,
        output,
        reward,
        formats=options.formats,
        grid=None if options.grid == "none" else options.grid,
    )
    valid = int(scores.is_valid.sum())
    strings_told = counted(options.number, "string", "strings")
    print(f"{strings_told}, {valid:,} of them valid molecules, in:")
    for path in paths:
        print(f"  {path}")


def _check(options: Options) -> None:
    require_sampling(
        options.number, MOST_MOLECULES, temperature=options.temperature, seed=options.seed
    )
    require(
        bool(options.formats) or options.grid != "none",
        "--formats needs at least one of csv, smi, sdf, or --grid a kind of picture",
    )
    require(
        options.workers is None or options.workers >= 0,
        f"--workers must not be negative, not {options.workers}",
    )


def _score_with_bar(strings: list[str], scorer: MoleculeScorer) -> Scores:
    from seqtutor.runs.progress import progress_bar

    pending = [scorer.start(strings[i : i + _AT_ONCE]) for i in range(0, len(strings), _AT_ONCE)]
    done = 0
    with progress_bar() as progress:
        bar = progress.add_task("Scoring", total=len(strings), unit="molecules", note="")
        for one in pending:
            done += len(one.collect().strings)
            progress.update(bar, completed=done)
    return scorer.score(strings)
