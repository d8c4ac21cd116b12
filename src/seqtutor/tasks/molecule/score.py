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
from seqtutor.files import require_writable
from seqtutor.settings import require, require_workers
from seqtutor.tasks.molecule.reward_settings import MOSES_EXTREMES, MoleculeRewardSettings

if TYPE_CHECKING:
    from seqtutor.tasks.molecule.spec import MoleculeSpec


@dataclass(frozen=True)
class Options:
    """Score molecules with RDKit: their properties, or why they are invalid, and their reward.

    Reads SMILES lines (.smi, .txt), a table (.csv, .tsv), whose other columns are kept, or
    structures (.sdf), gzipped or not. Explains the first molecules in words on standard error:
    each term, what it is worth and why it is not more. Writes CSV to standard output, unless that
    is a terminal, a line for each string; the terms of the reward are written weighted.
    """

    file: tyro.conf.Positional[Annotated[Path | None, tyro.conf.arg(metavar="FILE")]] = None
    """The file of SMILES strings."""
    column: str = "smiles"
    """Column of the SMILES strings in a table, or data field in a file of structures, without which
    the structures themselves are read."""
    parent: bool = False
    """Score only the largest organic part of each molecule, without salts and solvents, neutralised
    where possible."""
    words: int = 10
    """First molecules that are explained in words."""
    output: Path | None = None
    """A file instead of standard output: .csv, with the separator of the table that was read; .smi,
    valid molecules only, in canonical form; or .sdf, valid molecules with their structures."""
    grid: Path | None = None
    """Draw the valid molecules into this file, too: .svg or .png."""
    grid_size: int = 40
    """Number of first molecules to draw."""
    workers: int | None = None
    """Processes that score molecules; by default one for each core, 0 for none but this one."""
    preset: str | None = None
    """The reward of a preset of `seqtutor tune molecule`, with MOSES's bounds of what is too short
    and too long, without its terms known and diversity, which no single molecule has. Without
    --preset and --config: the terms of the paper (Jaques et al. 2017), each with weight 1."""
    config: Path | None = None
    """The reward of a run, by its folder or configuration, without these two terms."""
    run_scorers: bool = False
    """Run the functions and commands of your own that --config names. They are code: do so only if
    you trust it. One that you name again by its option runs in any case."""
    reward: MoleculeRewardSettings = field(default_factory=MoleculeRewardSettings)
    """The terms of the reward."""

    def __post_init__(self) -> None:
        require_workers(self.workers)
        require(self.words >= 0, f"--words must not be negative, not {self.words}")
        require(self.grid_size > 0, f"--grid-size must be above 0, not {self.grid_size}")


def defaults(spec: MoleculeSpec, arguments: list[str]) -> Options:
    """The reward of the preset or run that the arguments name, if they name one."""
    preset, config = value_of("--preset", arguments), value_of("--config", arguments)
    require(not (preset and config), "give one of --config and --preset, not both")
    if config is not None:
        from seqtutor.runs.config import read_config

        reward = read_config(spec, Path(config)).settings.reward
        if "--run-scorers" not in arguments:
            reward = _without_code(reward, arguments)
    elif preset is not None:
        reward = spec.preset(preset).settings("psi").reward.with_extremes(MOSES_EXTREMES)
    else:
        return Options()
    return Options(reward=reward.without("known", "diversity"))


def _without_code(reward: MoleculeRewardSettings, arguments: list[str]) -> MoleculeRewardSettings:
    """The reward without the functions and commands that the arguments do not name again."""
    scorers = {
        name: replace(term, function="", command="")
        for name, term in reward.scorers.items()
        if any(one.startswith(f"--reward.scorers.{name}.") for one in arguments)
    }
    rest = reward.without(*reward.own_scorers)
    return replace(rest, scorers=scorers, custom=replace(reward.custom, function="", command=""))


def run(spec: MoleculeSpec, options: Options) -> None:
    """Read, score, write, and explain the first molecules."""
    spec.require_dependencies()
    from seqtutor.runs.progress import console
    from seqtutor.tasks.molecule.scorers import require_usable
    from seqtutor.tasks.molecule.scoring import MoleculeScorer
    from seqtutor.tasks.molecule.smiles_files import delimiter_of, read_entries
    from seqtutor.tasks.molecule.terms import weighted_terms
    from seqtutor.tasks.molecule.words import in_words
    from seqtutor.tasks.molecule.writers import (
        DRAWING_FORMATS,
        MOLECULE_FORMATS,
        ScoredMolecules,
        captions_of,
        describing_measurer,
        draw_grid,
        to_csv,
        write_molecules,
    )

    if options.file is None:
        raise UserError("name a file of SMILES strings, such as: seqtutor score molecule FILE.smi")
    _require_output(options.output, MOLECULE_FORMATS)
    _require_output(options.grid, DRAWING_FORMATS)
    for name, whose in (("diversity", "run"), ("known", "prior")):
        require(
            name not in options.reward.weights,
            f"the term {name} depends on a {whose}, not on a molecule alone; leave it out",
        )
    require_usable(options.reward)
    entries = read_entries(options.file, options.column)
    strings = [entry.smiles for entry in entries]
    if options.parent:
        from seqtutor.tasks.molecule.canonical import Form, canonicalise

        found = canonicalise(strings, Form(parent=True), options.workers or None)
        # What is no molecule is scored as it is, which says why.
        strings = [
            one if isinstance(one, str) else given
            for one, given in zip(found, strings, strict=True)
        ]
    parts: list[Any] = []
    words: list[str] = []
    # Nobody reads a table of forty columns on a screen.
    prints_table = options.output is None and not sys.stdout.isatty()
    measurer, own = describing_measurer(options.reward), options.reward.own_scorers
    with MoleculeScorer.with_workers(measurer, options.workers, scorers=own) as scorer:
        for scores in scorer.score_with_bar(strings):
            done = sum(map(len, parts))
            read = entries[done : done + len(scores.strings)]
            for index, entry in enumerate(read):
                if entry.fault:
                    scores.reasons[index] = entry.fault
            terms = weighted_terms(options.reward, scores)
            part = ScoredMolecules(
                scores,
                terms,
                [e.name for e in read],
                [e.line for e in read],
                [e.columns for e in read],
            )
            if prints_table:
                sys.stdout.write(to_csv(part, heading=not parts))
            for index in range(min(len(part), options.words - done)):
                words += in_words(options.reward, part, index)
            parts.append(part)
    if options.output is not None:
        write_molecules(parts, options.output, delimiter_of(options.file) or ",")
    if options.grid is not None:
        smiles, captions = captions_of(parts, options.grid_size)
        draw_grid(smiles, options.grid, captions)
    sys.stdout.flush()
    for line in words:
        console.print(line, highlight=False, soft_wrap=True)
    valid = sum(int(part.scores.is_valid.sum()) for part in parts)
    is_usual = options.reward == MoleculeRewardSettings()
    whose = " (the paper's terms, each once; --preset names others)" if is_usual else ""
    console.print(
        f"{len(entries):,} strings, {valid:,} of them valid molecules; reward: "
        f"{options.reward.in_words()}{whose}"
    )
    salts = sum("." in (one or "") for part in parts for one in part.scores.smiles)
    if salts:
        console.print(
            f"{salts:,} of several parts, such as salts, were scored whole; --parent scores the "
            "largest organic part"
        )
    if len(entries) > options.words > 0:
        console.print(f"The first {options.words:,} are explained above; --words N explains more")
    for line in _omitted(spec, options):
        console.print(line)


def _omitted(spec: MoleculeSpec, options: Options) -> list[str]:
    """Lines about what a run's reward has besides: a preference model, and code that is not run."""
    if options.config is None:
        return []
    from seqtutor.runs.config import read_config
    from seqtutor.tasks.molecule.spec import code_of

    config = read_config(spec, options.config)
    model, reward = config.preference.model, config.settings.reward
    lines = [f"The reward is without the term of the preference model {model}"] if model else []
    left_out = reward.own_scorers.keys() - options.reward.own_scorers.keys()
    if left_out and not options.run_scorers:
        kept = reward.without(*(reward.own_scorers.keys() - left_out))
        lines.append(f"The reward is without {code_of(kept)}")
    return lines


def _require_output(path: Path | None, suffixes: Sequence[str]) -> None:
    if path is None:
        return
    if path.suffix.lower() not in suffixes:
        raise UserError(f"cannot write {path.name}; use one of {', '.join(suffixes)}")
    require_writable(path)
