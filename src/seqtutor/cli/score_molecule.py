"""`seqtutor score molecule`: every property of given molecules, and what they would earn."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from seqtutor.errors import UserError
from seqtutor.settings import require
from seqtutor.tasks.molecule.reward_settings import MOSES_EXTREMES, MoleculeRewardSettings

if TYPE_CHECKING:
    from seqtutor.tasks.molecule.measure import Measurer
    from seqtutor.tasks.molecule.score_file import Entry
    from seqtutor.tasks.molecule.scoring import MoleculeScorer
    from seqtutor.tasks.molecule.terms import Scores
    from seqtutor.tasks.molecule.writers import ScoredMolecules

_AT_ONCE = 512


@dataclass(frozen=True)
class Options:
    """Score molecules with RDKit: their properties, or why they are none, and their reward.

    Reads SMILES lines (.smi, .txt) or a table (.csv, .tsv), which may be gzipped, and writes CSV
    to standard output, a line for each string. The terms of the reward are written weighted.
    """

    task: tyro.conf.Positional[Literal["molecule"]] = "molecule"
    """What is scored."""
    file: tyro.conf.Positional[Annotated[Path | None, tyro.conf.arg(metavar="FILE")]] = None
    """The file of SMILES strings."""
    column: str = "smiles"
    """Of a table, the column with the SMILES strings."""
    output: Path | None = None
    """A file instead of standard output: .csv; .smi, valid molecules only, in canonical form; or
    .sdf, valid molecules with their structures."""
    grid: Path | None = None
    """Draw the valid molecules into this file, too: .svg or .png."""
    grid_size: int = 40
    """Molecules to draw, the first ones."""
    workers: int | None = None
    """Processes; one for each core if not given, 0 for this one alone."""
    preset: Annotated[str | None, tyro.conf.arg(metavar="STR")] = None
    """The reward of a preset of `seqtutor tune molecule`, with what the shipped prior leaves too
    short and too long; but for its terms known and diversity, which are of a run and not of a
    molecule."""
    config: Annotated[Path | None, tyro.conf.arg(metavar="PATH")] = None
    """A run's folder or configuration: its reward, but for these two terms."""
    reward: MoleculeRewardSettings = field(default_factory=MoleculeRewardSettings)
    """The terms of the reward."""

    def __post_init__(self) -> None:
        require(
            self.workers is None or self.workers >= 0,
            f"--workers must not be negative, not {self.workers}",
        )
        require(self.grid_size > 0, f"--grid-size must be above 0, not {self.grid_size}")


def defaults(arguments: list[str]) -> Options:
    """The reward of the preset or run that the arguments name, if they name one."""
    from seqtutor.cli.arguments import value_of
    from seqtutor.cli.tune_options import chosen_tuning
    from seqtutor.tasks.molecule.presets import preset_tuning
    from seqtutor.tasks.molecule.settings import MoleculeTuning

    preset = value_of("--preset", arguments)
    if preset is None and value_of("--config", arguments) is None:
        return Options()
    tuning, named = chosen_tuning(arguments, MoleculeTuning, preset_tuning, "")
    own = replace(
        tuning.reward,
        known=replace(tuning.reward.known, weight=0.0),
        diversity=replace(tuning.reward.diversity, weight=0.0),
    )
    if preset is None:
        return Options(reward=own, config=named["config"])
    return Options(reward=own.with_extremes(MOSES_EXTREMES), preset=preset)


def run(options: Options) -> None:
    """Read, score, write."""
    from seqtutor.tasks.molecule.requirements import require_rdkit

    require_rdkit()
    from seqtutor.tasks.molecule.score_file import read_entries
    from seqtutor.tasks.molecule.scoring import MoleculeScorer
    from seqtutor.tasks.molecule.writers import DRAWING_FORMATS, MOLECULE_FORMATS

    if options.file is None:
        raise UserError("name a file of SMILES strings, such as: seqtutor score molecule FILE.smi")
    _require_suffix(options.output, MOLECULE_FORMATS)
    _require_suffix(options.grid, DRAWING_FORMATS)
    measurer = _measurer(options.reward)
    entries = read_entries(options.file, options.column)
    with MoleculeScorer.with_workers(measurer, options.workers) as scorer:
        parts = list(_print_parts(entries, scorer, options))
    _write(parts, options)
    _summarise(parts, options.reward)


def _require_suffix(path: Path | None, suffixes: Sequence[str]) -> None:
    if path is not None and path.suffix.lower() not in suffixes:
        raise UserError(f"cannot write {path.name}; use one of {', '.join(suffixes)}")


def _measurer(settings: MoleculeRewardSettings) -> Measurer:
    from seqtutor.tasks.molecule.samples import describing_measurer

    for name, whose in (("diversity", "run"), ("known", "prior")):
        if name in settings.weights:
            raise UserError(f"the {name} term is one of a {whose}, not of a molecule; leave it out")
    return describing_measurer(settings)


def _print_parts(
    entries: Sequence[Entry], scorer: MoleculeScorer, options: Options
) -> Iterator[ScoredMolecules]:
    """Score part after part; each is printed, unless all go into a file."""
    from seqtutor.runs.progress import progress_bar
    from seqtutor.tasks.molecule.terms import weighted_terms
    from seqtutor.tasks.molecule.writers import ScoredMolecules, to_csv

    starts = range(0, len(entries), _AT_ONCE)
    pending = [scorer.start([e.smiles for e in entries[i : i + _AT_ONCE]]) for i in starts]
    with progress_bar() as progress:
        bar = progress.add_task("Scoring", total=len(entries), unit="molecules", note="")
        for start, one in zip(starts, pending, strict=True):
            scores = one.collect()
            if start == 0:
                _require_own_function(options.reward, scores)
            terms = weighted_terms(options.reward, scores)
            own = entries[start : start + _AT_ONCE]
            part = ScoredMolecules(scores, terms, [e.name for e in own], [e.line for e in own])
            if options.output is None:
                sys.stdout.write(to_csv(part, heading=start == 0))
            progress.update(bar, completed=start + len(own))
            yield part


def _require_own_function(settings: MoleculeRewardSettings, scores: Scores) -> None:
    """A function that fails for every molecule is what is wrong, not the molecules."""
    if settings.custom.is_active and scores.reasons and not scores.is_valid.any():
        index, reason = next(iter(scores.reasons.items()))
        raise UserError(f"no molecule could be measured: {scores.strings[index]!r}: {reason}")


def _write(parts: Sequence[ScoredMolecules], options: Options) -> None:
    from seqtutor.tasks.molecule.writers import draw_grid, write_molecules

    if options.output is not None:
        write_molecules(parts, options.output)
    if options.grid is not None:
        valid = [
            (part.scores.strings[index], f"{part.names[index]} QED {qed:.2f}".strip())
            for part in parts
            for index, qed in enumerate(part.scores.columns["qed"])
            if part.scores.is_valid[index]
        ][: options.grid_size]
        if not valid:
            raise UserError(f"there is no valid molecule to draw into {options.grid}")
        draw_grid([smiles for smiles, _ in valid], options.grid, [text for _, text in valid])


def _summarise(parts: Sequence[ScoredMolecules], settings: MoleculeRewardSettings) -> None:
    from seqtutor.runs.progress import console

    number = sum(map(len, parts))
    valid = sum(int(part.scores.is_valid.sum()) for part in parts)
    console.print(
        f"{number:,} strings, {valid:,} of them valid molecules; reward: {settings.in_words()}"
    )
