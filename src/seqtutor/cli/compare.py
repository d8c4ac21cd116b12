"""`seqtutor compare`: methods beside each other, at equal distance from the prior."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqtutor.preferences.settings import PreferenceTerm

if TYPE_CHECKING:
    from seqtutor.task_spec import TaskSpec


@dataclass(frozen=True)
class Options:
    """Compare methods: reward against KL divergence from the prior, with controls.

    Tunes the prior by every method at every c with every seed, measures each policy and what the
    prior gives without training (other temperatures, the best of n samples), and writes tables,
    figures and a report. Interrupted, it continues when it is called again; called with more
    methods, values of c or seeds, it runs what is new.
    """

    methods: tuple[str, ...] | None = None
    """Methods to compare (see seqtutor tune --help); if not given, all that votes are there for."""
    c: tuple[float, ...] = (2.5, 5.0, 10.0, 20.0)
    """Weights of the prior, each a point on every method's frontier."""
    seeds: int = 5
    """Runs of each method at each c, with the seeds 0, 1, 2 …"""
    steps: int = 500_000
    """Environment steps of a run, rounded up to whole records."""
    preset: str | None = None
    """Preset whose settings of the task are used; the other settings are the methods' defaults, or
    those that suit the task."""
    discount: float = 1.0
    """γ of all methods; E[reward]/c − KL, by which they are compared, is that of γ = 1."""
    number: int = 10_000
    """Sequences that each policy is measured on."""
    temperatures: tuple[float, ...] = (0.25, 0.5, 0.7, 0.8, 0.9, 1.1, 1.25, 1.5, 2.0)
    """Temperatures at which the prior is measured as a control; 1 is always."""
    best_of: tuple[int, ...] = (4, 8, 16, 32, 64)
    """Each n whose best of n samples from the prior is measured as a control."""
    smc: tuple[int, ...] = (64,)
    """Each number of particles of the prior, resampled towards the optimum while they are
    generated, of which one is measured as a control at each c."""
    at_kl: tuple[float, ...] = ()
    """KL divergences, in nats a sequence, at which to compare; by default four where most methods
    are."""
    prior: Path | None = None
    """Folder of the prior; the one that comes with the package if not given."""
    preference: PreferenceTerm = field(default_factory=PreferenceTerm)
    """A preference model as a term of the reward; its votes are those that dpo learns from."""
    output: Path | None = None
    """Folder for everything; by default runs/compare-TASK."""
    workers: int | None = None
    """Runs at the same time; by default one for each core. Wall times are comparable only if all
    runs had the same number beside them."""


def defaults(spec: TaskSpec[Any], arguments: list[str]) -> Options:
    """The same for every task."""
    return Options()


def run(spec: TaskSpec[Any], options: Options) -> None:
    """Tune, measure, write."""
    from seqtutor.runs.comparing import ComparisonPlan, compare, write_comparison_page

    spec.require_dependencies()
    output = options.output or Path("runs") / f"compare-{spec.name}"
    given = vars(options) | {"output": output, "methods": _methods(options)}
    plan = ComparisonPlan(spec, **given)
    report, left_out = compare(plan)
    for remark in left_out:
        print(remark)
    page = write_comparison_page(plan)
    print(f"Everything is in {output}; begin with {page}, or read {report}")


def _methods(options: Options) -> tuple[str, ...]:
    from seqtutor.methods.registry import loadable_methods

    has_votes = options.preference.model is not None
    usual = (one.name for one in loadable_methods() if has_votes or not one.learns_from_votes)
    return tuple(usual) if options.methods is None else options.methods
