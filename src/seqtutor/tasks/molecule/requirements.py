"""What the molecule task needs beyond the package's own dependencies."""

from __future__ import annotations

import importlib.util

from seqtutor.errors import UserError


def require_rdkit() -> None:
    """Raise a `UserError` that says how to install RDKit, unless it is there."""
    if importlib.util.find_spec("rdkit") is None:
        raise UserError("molecules need RDKit; install it: pip install 'seqtutor[molecule]'")
