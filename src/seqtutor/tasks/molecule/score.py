"""`seqtutor score molecule`: every property of given molecules, and the terms of a reward."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from seqtutor.arguments import value_of
from seqtutor.errors import UserError
from seqtutor.files import require_other, require_writable
from seqtutor.settings import require, require_workers
from seqtutor.tasks.molecule.reward_settings import MOSES_EXTREMES, MoleculeRewardSettings

if TYPE_CHECKING:
    from seqtutor.tasks.molecule.smiles_files import Entry
    from seqtutor.tasks.molecule.spec import MoleculeSpec

SCORED = "smiles"
"""The column of the strings that are scored."""


@dataclass(frozen=True)
class Options:
    """Score molecules with RDKit: their properties, or why they are invalid, and their reward.

    Reads SMILES lines (.smi, .txt), a table (.csv, .tsv), whose columns are kept, or structures
    (.sdf), whose data fields are kept, gzipped or not. Explains the first molecules in words on
    standard error: each term, what it is worth and why it is not more. Writes CSV to standard
    output, unless that is a terminal, a line for each string; the terms of the reward are written
    weighted.
    """

    file: tyro.conf.Positional[Annotated[Path | None, tyro.conf.arg(metavar="FILE")]] = None
    """The file of SMILES strings."""
    column: str = "smiles"
    """Column of the SMILES strings in a table; of a file of structures, the structures are read."""
    parent: bool = False
    """Score only the largest organic part of each molecule, without salts and solvents, neutralised
    where possible. The strings that were given are kept in a column of their own."""
    words: int = 10
    """First molecules that are explained in words."""
    output: Path | None = None
    """A file instead of standard output: .csv, with the separator of the table that was read; .tsv;
    .smi, valid molecules only, in canonical form; or .sdf, valid molecules, drawn anew in the
    plane. Not the file that is read."""
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
    if options.output is not None:
        require_other(options.output, options.file)
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
    given = _given(entries, strings)
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
                given[done : done + len(read)],
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
    for line in _how_read(entries, [one for part in parts for one in part.scores.smiles]):
        console.print(line, highlight=False)
    for name in options.reward.own_scorers:
        failed = sum(len(part.scores.failures.get(name, ())) for part in parts)
        if failed:
            console.print(
                f"{name} gave no score for {failed:,} of {valid:,} valid molecules; the column "
                "'reason' says why",
                highlight=False,
            )
    if len(entries) > options.words > 0:
        first = "first is" if options.words == 1 else f"first {options.words:,} are"
        console.print(f"The {first} explained above; --words N explains more")
    for line in _omitted(spec, options):
        console.print(line)


def _given(entries: Sequence[Entry], strings: Sequence[str]) -> list[Mapping[str, str]]:
    """What a file says of each molecule, with its string as it was written.

    There is no column for that where it would repeat the column of what is scored.
    """
    heading = entries[0].heading or f"{SCORED}_given"
    found = [
        one.columns if one.heading else {heading: one.smiles, **one.columns} for one in entries
    ]
    is_repeated = all(one[heading] == own for one, own in zip(found, strings, strict=True))
    if not is_repeated or entries[0].heading not in ("", SCORED):
        return found
    return [{name: cell for name, cell in one.items() if name != heading} for one in found]


def _how_read(entries: Sequence[Entry], scored: Sequence[str | None]) -> list[str]:
    """Lines about the column that was taken, and about molecules of several parts.

    Args:
        entries: of the file.
        scored: the canonical string of each, `None` for what is no molecule.
    """
    heading = entries[0].heading
    lines = [f"The SMILES strings are those of the column {heading!r}"] if heading else []
    several = [own for one, own in zip(entries, scored, strict=True) if own and "." in one.smiles]
    whole = sum("." in own for own in several)
    if stripped := len(several) - whole:
        lines.append(f"{stripped:,} of several parts, such as salts, were stripped to one part")
    if whole:
        way = "; --parent scores the largest organic part" if not stripped else ""
        lines.append(f"{whole:,} of several parts, such as salts, were scored whole{way}")
    return lines


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
