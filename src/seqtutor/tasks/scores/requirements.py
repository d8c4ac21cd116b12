"""Packages that sound and engraving need, which some systems leave out."""

from __future__ import annotations

import importlib
from types import ModuleType

from seqtutor.errors import UserError


def imported(package: str, what: str) -> ModuleType:
    """A package, whose name in the package index is the same.

    Args:
        package: its name.
        what: needs it, such as "sound".

    Raises:
        UserError: which says how to install it, if it cannot be imported.
    """
    try:
        return importlib.import_module(package)
    except (ImportError, OSError) as error:
        raise UserError(
            f"{what} needs the package {package} ({error}); install it with: pip install {package}"
        ) from None
