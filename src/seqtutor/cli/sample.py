"""`seqtutor sample`: sequences that a model generates. Each task has options of its own."""

from __future__ import annotations

TASKS = {
    "melody": "seqtutor.cli.sample_melody",
    "molecule": "seqtutor.cli.sample_molecule",
    "folk": "seqtutor.cli.sample_folk",
}

TASK_MAY_BE_LEFT_OUT = True
"""A first word that is no task is a run or a model of melodies."""
