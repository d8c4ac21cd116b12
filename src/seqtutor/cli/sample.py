"""`seqtutor sample`: sequences that a model generates, as files for people."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, make_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from seqtutor.cli.options import extended
from seqtutor.errors import UserError
from seqtutor.runs.steering_settings import MOST_ROUNDS, Steering
from seqtutor.settings import require, require_seed

if TYPE_CHECKING:
    from seqtutor.data import Sequences
    from seqtutor.runs.steering import Request
    from seqtutor.task_spec import TaskSpec

SHOWN_FILES = 6


@dataclass(frozen=True)
class Options:
    """Write sequences that a model generates, as files to open in other programs."""

    model: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar="[MODEL]")]] = "prior"
    """Folder of a run or of a model, or "prior" for the one that comes with the package."""
    output: Path | None = None
    """Folder to write to; by default a new one, samples, samples-2 and so on."""
    number: int = 8
    """Sequences to write."""
    length: int | None = None
    """Tokens in each at most, a primer included; by default as many as in training."""
    temperature: float = 1.0
    """Below 1 likely tokens become more likely, above 1 less."""
    seed: int = 0
    """Seed of the sampling."""


def defaults(spec: TaskSpec[Any], arguments: list[str]) -> Options:
    """The options of every task and the task's own."""
    groups = {"own": spec.sample_type(), "steering": Steering()}
    if spec.valid:
        groups["validity"] = _valid_only(spec)()
    return extended(Options, {"number": spec.numbers.sample}, groups)


def _valid_only(spec: TaskSpec[Any]) -> type[Any]:
    """The option of a task that says which sequences are valid."""
    text = (
        f"Write {spec.valid} {spec.many} alone: others are drawn anew, in {MOST_ROUNDS} rounds at "
        "most, and how many were rejected is said."
    )
    kind = Annotated[bool, tyro.conf.arg(help=text)]
    return make_dataclass("ValidOnly", [("valid_only", kind, False)], frozen=True)


def run(spec: TaskSpec[Any], options: Any) -> None:
    """Generate and write."""
    from seqtutor.files import require_unused
    from seqtutor.runs.run_folder import free_folder

    spec.require_dependencies()
    most = spec.numbers.most_samples
    require(
        1 <= options.number <= most,
        f"--number must lie between 1 and {most:,}, not {options.number}",
    )
    require_sampling(options.temperature, options.seed)
    require(
        options.length is None or options.length >= 1,
        f"--length must be at least 1, not {options.length}",
    )
    output = options.output or free_folder(Path(), "samples")
    require_unused(output)
    from seqtutor.runs.policies import find_policy

    paths, number, length = _write(spec, options, find_policy(spec, options.model), output)
    _print_paths(spec, number, length, paths)


def require_sampling(temperature: float, seed: int) -> None:
    """Raise a `UserError` unless sequences can be sampled with these options."""
    require(
        0 < temperature < math.inf, f"--temperature must be a number above 0, not {temperature}"
    )
    require_seed("--seed", seed)


def _write(
    spec: TaskSpec[Any], options: Any, policy: Any, output: Path
) -> tuple[list[Path], int, int]:
    """Write the files; gives their paths, how many sequences there are, and their length."""
    from seqtutor.measures.sampling import BATCH, require_room
    from seqtutor.runs.policies import common_settings
    from seqtutor.runs.progress import console
    from seqtutor.runs.steering import Request
    from seqtutor.task_records import Drawn

    length = options.length or policy.length
    require_room(min(options.number, BATCH), length, policy.saved.vocabulary.size)
    settings = common_settings([policy], "")
    vocabulary = policy.saved.vocabulary
    forced, own = spec.primer(options.own, settings, options.number, options.seed, vocabulary)
    if forced is not None and forced.shape[1] >= length:
        less = f", or {spec.shorter_primer}" if spec.shorter_primer else ""
        raise UserError(
            f"the primer has {forced.shape[1]} tokens already; choose a --length above that{less}"
        )
    if length > policy.length:
        console.print(f"The model was trained on {policy.length} tokens a {spec.one}; {spec.drift}")
    request = Request(options.number, length, options.temperature, options.seed, forced)
    drawn = _drawn(spec, options, policy, request)
    sequences = Drawn(
        drawn,
        vocabulary,
        policy.saved.origin,
        settings,
        options.seed,
        has_reward=policy.config is not None,
        run=policy.folder,
    )
    return spec.write(sequences, output, own), len(drawn), length


def _drawn(spec: TaskSpec[Any], options: Any, policy: Any, request: Request) -> Sequences:
    """The sequences, if need be valid ones alone."""
    from seqtutor.data import Sequences
    from seqtutor.runs.progress import console
    from seqtutor.runs.steering import draw_steered
    from seqtutor.runs.validity import draw_valid

    if not (spec.valid and options.validity.valid_only):
        own = draw_steered(policy, options.steering, request)
        return Sequences(own.tokens, own.mask)
    forced = request.forced

    def draw(seed: int, rows: Any) -> Any:
        start = None if forced is None else forced[rows]
        return draw_steered(policy, options.steering, replace(request, seed=seed, forced=start))

    accepted = draw_valid(
        draw,
        lambda sequences: spec.is_valid(sequences, policy.saved),
        number=request.number,
        seed=request.seed,
    )
    found, valid = len(accepted.sequences), f"{spec.valid} {spec.many}"
    require(
        found > 0,
        f"there are no {valid} among {accepted.drawn:,} that were drawn; choose a lower "
        "--temperature, another model or another beginning",
    )
    missing = f"; {request.number:,} were asked for" if found < request.number else ""
    console.print(
        f"{found:,} of {accepted.drawn - accepted.rejected:,} {valid} kept; {accepted.rejected:,} "
        f"of {accepted.drawn:,} drawn were not {spec.valid}{missing}"
    )
    return accepted.sequences


def _print_paths(spec: TaskSpec[Any], number: int, length: int, paths: Sequence[Path]) -> None:
    from seqtutor.runs.terminal import counted

    sequences, tokens = counted(number, spec.one, spec.many), counted(length, "token", "tokens")
    files = counted(len(paths), "file", "files")
    print(f"{sequences} of up to {tokens} in {files}:")
    for path in paths[:SHOWN_FILES]:
        print(f"  {path}")
    if len(paths) > SHOWN_FILES:
        print(f"  … and {len(paths) - SHOWN_FILES:,} more in {paths[0].parent}")
