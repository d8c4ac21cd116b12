"""`seqtutor tune`: a prior and a reward in, a policy out. Each task has options of its own."""

from __future__ import annotations

TASKS = {
    "melody": "seqtutor.cli.tune_melody",
    "molecule": "seqtutor.cli.tune_molecule",
}
