"""`seqtutor score`: what given sequences would earn. Each task has options of its own."""

from __future__ import annotations

TASKS = {
    "melody": "seqtutor.cli.score_melody",
    "molecule": "seqtutor.cli.score_molecule",
}

TASK_MAY_BE_LEFT_OUT = True
"""A first word that is no task is a file of melodies."""
