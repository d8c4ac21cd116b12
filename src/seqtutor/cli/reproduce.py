"""`seqtutor reproduce`: a whole experiment. Each task has options of its own."""

from __future__ import annotations

TASKS = {
    "melody": "seqtutor.cli.reproduce_melody",
    "molecule": "seqtutor.cli.reproduce_molecule",
    "folk": "seqtutor.cli.reproduce_folk",
}
