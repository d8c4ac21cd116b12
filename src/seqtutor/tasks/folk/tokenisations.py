"""The tokenisations by name."""

from __future__ import annotations

from typing import Any

from seqtutor.errors import UserError
from seqtutor.tasks.folk.interleaved import InterleavedTokenisation
from seqtutor.tasks.folk.joint import JointTokenisation
from seqtutor.tasks.folk.tokenisation import Tokenisation

TOKENISATIONS: dict[str, Tokenisation[Any]] = {
    each.name: each
    for each in (JointTokenisation(), JointTokenisation(transposed=True), InterleavedTokenisation())
}


def tokenisation_named(name: str) -> Tokenisation[Any]:
    """Find a tokenisation.

    Raises:
        UserError: if there is none of this name.
    """
    try:
        return TOKENISATIONS[name]
    except KeyError:
        raise UserError(
            f"there is no tokenisation {name!r}; use one of {', '.join(TOKENISATIONS)}"
        ) from None
