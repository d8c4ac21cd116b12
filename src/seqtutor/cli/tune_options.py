"""The options of `seqtutor tune` that every task has, and where their defaults come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

import tyro

from seqtutor.cli.arguments import value_of
from seqtutor.cli.devices import DeviceOptions
from seqtutor.cli.flat_settings import require_options_of
from seqtutor.methods.registry import DEFAULT_METHOD
from seqtutor.runs.tuning import Tuning
from seqtutor.settings import require
from seqtutor.training.settings import TutorSettings

_Tuning = TypeVar("_Tuning", bound=Tuning)


@dataclass(frozen=True)
class TuneOptions:
    """The options of every task."""

    resumed_with: ClassVar[tuple[str, ...]] = ("samples", "evaluate")
    """Options that a run's folder does not know."""

    preset: str = ""
    """Settings to start from; options given beside it win."""
    config: Annotated[Path | None, tyro.conf.arg(metavar="PATH")] = None
    """Take all settings from the config.yaml of an earlier run, or from that run's folder, instead
    of a preset."""
    output: Annotated[Path | None, tyro.conf.arg(metavar="PATH")] = None
    """Folder of the run; by default a new one in runs/."""
    resume: Annotated[Path | None, tyro.conf.arg(metavar="PATH")] = None
    """Go on with the interrupted run of this folder, bit for bit as if it had never stopped. A run
    that was killed goes on from its last checkpoint; it writes one a minute."""
    seeds: int = 1
    """Independent policies to train, with --seed, --seed + 1 and so on; the table then has 95 %
    intervals over them."""
    seeds_by: Literal["auto", "processes", "vmap"] = "auto"
    """How several seeds are trained:
    - processes: each in a process of its own with one thread, some at a time
    - vmap: all at the same time, in one program
    - auto: vmap on a GPU, processes on a CPU, where vmap gains nothing
    """
    workers: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """Processes at the same time; by default one for each core."""
    place: Annotated[DeviceOptions, tyro.conf.arg(name="")] = field(default_factory=DeviceOptions)
    """The devices and processes of one run."""
    samples: int = 16
    """Sequences to write into the run's folder at the end."""
    evaluate: int = 10_000
    """Sequences to sample for the table at the end; 0 for no table."""
    prior: Annotated[Path | None, tyro.conf.arg(metavar="PATH")] = None
    """Folder of the prior; the one that comes with the package if not given."""
    tutor: Annotated[TutorSettings, tyro.conf.arg(name="")] = field(
        default_factory=TutorSettings.of
    )
    """The method and how it learns."""

    def __post_init__(self) -> None:
        require(self.samples >= 0, f"--samples must not be negative, not {self.samples}")
        require(self.evaluate >= 0, f"--evaluate must not be negative, not {self.evaluate}")
        require(self.seeds >= 1, f"--seeds must be at least 1, not {self.seeds}")
        require(
            self.seeds == 1 or self.place.total == 1,
            "several seeds keep all devices busy, each with its own: leave out --devices and "
            "--processes, or --seeds",
        )
        if self.resume is not None:
            require(
                self.output is None and self.seeds == 1,
                "--resume goes on in the run's own folder with its own seed: leave out --output "
                "and --seeds (several seeds go on when the same command is given again)",
            )


def chosen_tuning(
    arguments: list[str],
    kind: type[_Tuning],
    of_preset: Callable[[str, str], _Tuning],
    default_preset: str,
) -> tuple[_Tuning, dict[str, Any]]:
    """The tuning that the arguments name, as defaults for all other options.

    Also gives the options that name it.

    Args:
        arguments: of the command line.
        kind: the task's tuning.
        of_preset: gives a preset's tuning for a method.
        default_preset: is meant where no preset and no configuration is named.
    """
    config = value_of("--config", arguments)
    preset = value_of("--preset", arguments)
    resume = value_of("--resume", arguments)
    named = [one for one in (config, preset, resume) if one]
    require(len(named) < 2, "give one of --config, --preset and --resume, not several")
    preset = preset or default_preset
    named_by: dict[str, Any]
    if config is not None or resume is not None:
        from seqtutor.runs.run_folder import CONFIG, read_config

        path = Path(config or resume or "")
        if resume is not None:
            require((path / CONFIG).is_file(), f"{path} is not a run's folder: it has no {CONFIG}")
            tuning, named_by = read_config(kind, path / CONFIG), {"resume": path}
        else:
            path = path / CONFIG if path.is_dir() else path
            tuning, named_by = read_config(kind, path), {"config": path}
        named_by["preset"] = default_preset
    else:
        method = value_of("--method", arguments) or DEFAULT_METHOD
        tuning, named_by = of_preset(preset, method), {"preset": preset}
    require_options_of(tuning.tutor.method, arguments)
    return tuning, named_by
