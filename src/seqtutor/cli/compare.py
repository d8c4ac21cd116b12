"""`seqtutor compare`: methods beside each other, at equal distance from the prior."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqtutor.runs.comparison_options import ComparisonOptions

if TYPE_CHECKING:
    from seqtutor.task_spec import TaskSpec


@dataclass(frozen=True)
class Options(ComparisonOptions):
    """Compare methods: reward against KL divergence from the prior, with controls.

    Tunes the prior by every method at every c with every seed, measures each policy and what the
    prior gives without training (other temperatures, the best of n samples), and writes tables,
    figures and a report. Interrupted, it continues when it is called again; called with more
    methods, values of c or seeds, it runs what is new.
    """

    methods: tuple[str, ...] | None = None
    """Methods to compare (seqtutor tune --help names them); if not given, all, dpo only with
    --preference.model, whose votes it learns from."""
    output: Path | None = None
    """Folder for everything; by default runs/compare-TASK."""


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
