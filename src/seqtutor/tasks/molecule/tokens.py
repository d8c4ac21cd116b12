"""SMILES strings split into tokens: atoms, bonds, branches and ring bonds.

The alphabet is that of the OpenSMILES specification (http://opensmiles.org) with RDKit's dative
bonds. Two-letter atoms, bracket atoms, ring bonds above 9 and dative bonds are one token each;
every other character is a token of its own. A text can be split in one way only, and joined tokens
are split into the same tokens again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from seqtutor.errors import UserError

END_TOKEN = "<end>"
"""Ends a string; it cannot be SMILES text."""

SINGLE_CHARACTERS = "BCNOPSFIbcnops*" + "0123456789" + "-=#$:~/\\" + "()."
"""Tokens of one character: organic atoms and the wildcard, ring bonds, bonds, branches."""

LONG_TOKEN = re.compile(r"\[[!-Z\\^-~]+\]|Cl|Br|%\d\d|%\(\d+\)|->|<-", re.ASCII)
"""Tokens of several characters. RDKit decides whether the content of a bracket is an atom."""

_TOKEN = re.compile(f"{LONG_TOKEN.pattern}|[{re.escape(SINGLE_CHARACTERS)}]", re.ASCII)
_TEXT = re.compile(f"(?:{_TOKEN.pattern})+", re.ASCII)

_ELEMENT = re.compile(r"\[\d*([A-Z][a-z]?|se|as|[a-z])|(Cl|Br|[BCNOPSFIbcnops])")
"""The element of an atom's token: in a bracket after the isotope, or of the organic subset."""


def elements_of(tokens: Iterable[str]) -> set[str]:
    """Symbols of the elements of tokens, without the hydrogens within brackets."""
    found = filter(None, map(_ELEMENT.match, tokens))
    return {(match[1] or match[2]).capitalize() for match in found}


def tokenise(smiles: str) -> list[str]:
    """Split a SMILES string into tokens; joined, they are the string again.

    Raises:
        UserError: if the text is empty or not SMILES text; the message names the position, counted
            from 1, and the character.
    """
    fault = find_fault(smiles)
    if fault is not None:
        raise UserError(f"{shortened(smiles)} is not SMILES text: {fault}")
    return _TOKEN.findall(smiles)


def join_tokens(tokens: Iterable[str]) -> str:
    """The SMILES string of tokens, up to the end token where there is one."""
    text: list[str] = []
    for token in tokens:
        if token == END_TOKEN:
            break
        text.append(token)
    return "".join(text)


def find_fault(smiles: str) -> str | None:
    """Why a text cannot be split into tokens; `None` if it can.

    Whether the tokens are a molecule, RDKit decides.
    """
    match = _TEXT.match(smiles)
    end = match.end() if match else 0
    if smiles and end == len(smiles):
        return None
    if not smiles:
        return "it is empty"
    if smiles.startswith("InChI="):
        return "it is an InChI"
    if smiles.count(">") - smiles.count("->") > 1:
        return "it is a reaction"
    character = smiles[end]
    place = f"character {end + 1}"
    if character == "[":
        return f"the bracket that opens at {place} does not close around an atom"
    if character == "%":
        return f"the % at {place} needs the two digits of a ring bond"
    if character == "]":
        return f"the bracket that closes at {place} was not opened"
    return f"{place} is {character!r}"


def shortened(text: str, width: int = 60) -> str:
    """A text quoted for a message of one line."""
    return repr(text if len(text) <= width else text[: width - 1] + "…")
