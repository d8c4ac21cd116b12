"""Molecules on the terminal: sets with a bar while they are read, and policies by their names."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from rich.progress import Progress, TaskID

    from seqtutor.runs.policies import NamedPolicy
    from seqtutor.tasks.molecule.data_settings import MoleculeDataSettings
    from seqtutor.tasks.molecule.dataset import MoleculeDataset
    from seqtutor.vocabulary import Vocabulary


def find_policy(name: str) -> NamedPolicy:
    """Read the policy of molecules of that name: a run's folder, a model's, or "prior".

    Raises:
        UserError: if there is none.
    """
    from seqtutor.runs.policies import policy_named
    from seqtutor.tasks.molecule.model import load_molecule_model
    from seqtutor.tasks.molecule.settings import MoleculeTuning

    return policy_named(name, MoleculeTuning, load_molecule_model)


def load_with_bar(
    source: str | Path, settings: MoleculeDataSettings, vocabulary: Vocabulary | None = None
) -> MoleculeDataset:
    """Load molecules; MOSES is fetched first, if it is not here yet.

    Raises:
        UserError: if the source is missing or has no usable molecule.
    """
    from seqtutor.runs.progress import console, progress_bar
    from seqtutor.tasks.molecule.dataset import load_molecules
    from seqtutor.tasks.molecule.moses_wheel import bring_wheel
    from seqtutor.tasks.molecule.sources import MOSES

    if source == MOSES:
        bring_wheel()
    console.print(f"Reading {source}")
    with ExitStack() as stack:

        @cache
        def bar() -> tuple[Progress, TaskID]:
            """Made when it is first needed: what is read from the cache needs none."""
            progress = stack.enter_context(progress_bar())
            return progress, progress.add_task("RDKit", total=None, unit="molecules", note="")

        def on_progress(done: int, of: int) -> None:
            progress, task = bar()
            progress.update(task, completed=done, total=of)

        return load_molecules(source, settings, vocabulary=vocabulary, on_progress=on_progress)


def describe(dataset: MoleculeDataset) -> list[str]:
    """What was read and what was dropped, in lines for people."""
    lines = [*dataset.report.lines(), "", f"{'':<12}{'molecules':>10}{'tokens':>10}{'mean':>8}"]
    for name, part in dataset.parts.items():
        lengths = part.lengths - 1
        span, mean = (f"{lengths.min()}–{lengths.max()}", lengths.mean()) if len(part) else ("", 0)
        lines.append(f"{name:<12}{len(part):>10,}{span:>10}{mean:>8.1f}")
    tokens = [token for token in dataset.vocabulary.tokens if token != dataset.vocabulary.end_token]
    return [*lines, "", f"{len(tokens)} tokens: {' '.join(tokens)}"]
