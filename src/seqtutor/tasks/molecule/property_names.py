"""The properties that files tell of molecules. Imports nothing heavy."""

from __future__ import annotations

PROPERTIES = (
    "logp",
    "sa",
    "qed",
    "molecular_weight",
    "tpsa",
    "donors",
    "acceptors",
    "rotatable_bonds",
    "heavy_atoms",
    "rings",
    "largest_ring",
    "excess_ring_atoms",
    "alerts",
)
"""The columns of numbers, RDKit's own to the last digit."""
