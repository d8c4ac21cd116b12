"""`seqtutor score molecule`: every property of given molecules, and the terms of a reward."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from seqtutor.arguments import value_of
from seqtutor.errors import UserError
from seqtutor.settings import require
from seqtutor.tasks.molecule.reward_settings import MOSES_EXTREMES, MoleculeRewardSettings

if TYPE_CHECKING:
    from seqtutor.tasks.molecule.spec import MoleculeSpec


@dataclass(frozen=True)
class Options:
    """Score molecules with RDKit: their properties, or why they are invalid, and their reward.

    Reads SMILES lines (.smi, .txt) or a table (.csv, .tsv), gzipped or not, and writes CSV to
    standard output, a line for each string. The terms of the reward are written weighted.
    """

    file: tyro.conf.Positional[Annotated[Path | None, tyro.conf.arg(metavar="FILE")]] = None
    """The file of SMILES strings."""
    column: str = "smiles"
    """Column of the SMILES strings in a table."""
    output: Annotated[Path | None, tyro.conf.arg(metavar="PATH")] = None
    """A file instead of standard output: .csv; .smi, valid molecules only, in canonical form; or
    .sdf, valid molecules with their structures."""
    grid: Annotated[Path | None, tyro.conf.arg(metavar="PATH")] = None
    """Draw the valid molecules into this file, too: .svg or .png."""
    grid_size: int = 40
    """Number of first molecules to draw."""
    workers: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """Processes that score molecules; by default one for each core, 0 for none but this one."""
    preset: Annotated[str | None, tyro.conf.arg(metavar="STR")] = None
    """The reward of a preset of `seqtutor tune molecule`, with MOSES's bounds of what is too short
    and too long, without its terms known and diversity, which no single molecule has."""
    config: Annotated[Path | None, tyro.conf.arg(metavar="PATH")] = None
    """The reward of a run, by its folder or configuration, without these two terms."""
    reward: MoleculeRewardSettings = field(default_factory=MoleculeRewardSettings)
    """The terms of the reward."""

    def __post_init__(self) -> None:
        require(
            self.workers is None or self.workers >= 0,
            f"--workers must not be negative, not {self.workers}",
        )
        require(self.grid_size > 0, f"--grid-size must be above 0, not {self.grid_size}")


def defaults(spec: MoleculeSpec, arguments: list[str]) -> Options:
    """The reward of the preset or run that the arguments name, if they name one."""
    preset, config = value_of("--preset", arguments), value_of("--config", arguments)
    require(not (preset and config), "give one of --config and --preset, not both")
    if config is not None:
        from seqtutor.runs.config import read_config

        reward = read_config(spec, Path(config)).settings.reward
    elif preset is not None:
        reward = spec.preset(preset).settings("psi").reward.with_extremes(MOSES_EXTREMES)
    else:
        return Options()
    off = {name: replace(getattr(reward, name), weight=0.0) for name in ("known", "diversity")}
    return Options(reward=replace(reward, **off))


def run(spec: MoleculeSpec, options: Options) -> None:
    """Read, score, write."""
    spec.require_dependencies()
    from seqtutor.runs.progress import console
    from seqtutor.tasks.molecule.scorers import require_usable
    from seqtutor.tasks.molecule.scoring import MoleculeScorer
    from seqtutor.tasks.molecule.smiles_files import read_entries
    from seqtutor.tasks.molecule.terms import weighted_terms
    from seqtutor.tasks.molecule.writers import (
        DRAWING_FORMATS,
        MOLECULE_FORMATS,
        ScoredMolecules,
        describing_measurer,
        draw_valid,
        to_csv,
        write_molecules,
    )

    if options.file is None:
        raise UserError("name a file of SMILES strings, such as: seqtutor score molecule FILE.smi")
    _require_suffix(options.output, MOLECULE_FORMATS)
    _require_suffix(options.grid, DRAWING_FORMATS)
    for name, whose in (("diversity", "run"), ("known", "prior")):
        require(
            name not in options.reward.weights,
            f"the term {name} depends on a {whose}, not on a molecule alone; leave it out",
        )
    require_usable(options.reward)
    entries = read_entries(options.file, options.column)
    parts: list[Any] = []
    measurer = describing_measurer(options.reward)
    own = options.reward.own_scorers
    with MoleculeScorer.with_workers(measurer, options.workers, scorers=own) as scorer:
        for scores in scorer.score_with_bar([entry.smiles for entry in entries]):
            done = sum(map(len, parts))
            read = entries[done : done + len(scores.strings)]
            terms = weighted_terms(options.reward, scores)
            part = ScoredMolecules(scores, terms, [e.name for e in read], [e.line for e in read])
            if options.output is None:
                sys.stdout.write(to_csv(part, heading=not parts))
            parts.append(part)
    if options.output is not None:
        write_molecules(parts, options.output)
    if options.grid is not None:
        draw_valid(parts, options.grid, options.grid_size)
    valid = sum(int(part.scores.is_valid.sum()) for part in parts)
    console.print(
        f"{len(entries):,} strings, {valid:,} of them valid molecules; reward: "
        f"{options.reward.in_words()}"
    )


def _require_suffix(path: Path | None, suffixes: Sequence[str]) -> None:
    if path is not None and path.suffix.lower() not in suffixes:
        raise UserError(f"cannot write {path.name}; use one of {', '.join(suffixes)}")
