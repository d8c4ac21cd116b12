"""`seqtutor evaluate`: measures of runs and models. Each task has options of its own."""

from __future__ import annotations

TASKS = {
    "melody": "seqtutor.cli.evaluate_melody",
    "molecule": "seqtutor.cli.evaluate_molecule",
    "folk": "seqtutor.cli.evaluate_folk",
}

TASK_MAY_BE_LEFT_OUT = True
"""A first word that is no task is a run or a model of melodies."""
