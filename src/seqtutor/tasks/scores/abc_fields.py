"""The fields of ABC that change what the notes mean: metre, unit, key, clef, order of parts.

Sections 3 and 4 of the standard 2.1, https://abcnotation.com/wiki/abc:standard:v2.1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from seqtutor.tasks.scores.keys import (
    FIFTHS_OF_LETTER,
    FIFTHS_OF_MODE,
    PITCH_CLASS_OF_LETTER,
    Key,
    Signature,
    signature_of_fifths,
)
from seqtutor.tasks.scores.measures import TICKS_PER_WHOLE, UnreadableTuneError

LONGEST_ORDER = 256
"""Parts that `P:` may have played."""

_METER = re.compile(r"\(?(\d{1,3}(?:\s?\+\s?\d{1,3}){0,9})\)?\s?/\s?(\d{1,3})")
_UNIT = re.compile(r"\s*(?:(\d{1,3})\s?/\s?(\d{1,3})|1)\s*(?!\S)")
_TEMPO = re.compile(
    r"(?:((?:[1-9]\d{0,2}/[1-9]\d{0,2}\s+){0,3}[1-9]\d{0,2}/[1-9]\d{0,2})\s*=|C\s*=)?\s*"
    r"(\d{1,4}(?:\.\d{1,3})?)"
)
_QUOTED = re.compile(r'"[^"]*"')
_MODE_OF_PREFIX = {
    "maj": "major",
    "ion": "major",
    "min": "minor",
    "aeo": "minor",
    "mix": "mixolydian",
    "dor": "dorian",
    "phr": "phrygian",
    "lyd": "lydian",
    "loc": "locrian",
}
# `H`, `Es`, `As` and `Fis` are German names (B, E flat, A flat, F sharp), `Bn` is B natural.
_TONIC = re.compile(r"([A-H])(#|b|♯|♭|is(?![a-z])|e?s(?![a-z])|n(?![a-z]))?\s*([A-Za-z]*)")
_ALTERATION = {"#": 1, "♯": 1, "is": 1, "b": -1, "♭": -1, "es": -1, "s": -1, "n": 0, None: 0}
_EXPLICIT_ACCIDENTAL = re.compile(r"(\^\^|\^|__|_|=)([A-Ga-g])(?![a-z])")
SEMITONES_OF_ACCIDENTAL = {"^^": 2, "^": 1, "=": 0, "_": -1, "__": -2}

_PARAMETER = re.compile(
    r"(?<!\S)(clef|octave|transpose|middle|stafflines|staffscale|score|sound|shift|instrument|cue"
    r"|(?:sub|s)?name|s?nm|stem|gstem|dyn|lyrics|gchord|brace|bracket|merge|program|style|map|m)"
    r"\s?=\s?(\"[^\"]*\"|\S+)"
)
_CLEF = re.compile(
    r"(?:treble|alto|tenor|baritone|bass|soprano|mezzo(?:soprano)?|perc|none|[GFCP])\d?"
    r"(?:[_^]\d{1,2}|([+-])(8|15))?$"
)
_BARE_CLEF = re.compile(r"(?<!\S)(?:treble|alto|tenor|baritone|bass|soprano|mezzo|perc)[\w+^-]*")
_SOUNDING_OTHERWISE = ("score", "sound", "shift", "instrument")
"""Parameters of other programs that would move the notes."""
_NOT_AN_ORDER = re.compile(r"[^A-Z\d().,*\s]")
_ORDER = re.compile(r"([A-Z(])|\)(\d{0,2})|(\d{1,2})")


def parse_meter(value: str) -> tuple[int, int] | None:
    """Read what follows `M:`; `None` is free metre.

    Raises:
        UnreadableTuneError: for a metre of zero.
    """
    value = value.strip()
    if value.startswith("C|"):
        return 2, 2
    if value.startswith("C"):
        return 4, 4
    match = _METER.match(value)
    if match is None:  # empty, "none", "FREI4/4"
        return None
    meter = sum(map(int, match[1].split("+"))), int(match[2])
    if 0 in meter:
        raise UnreadableTuneError("unreadable metre")
    return meter


def default_unit(meter: tuple[int, int] | None) -> int:
    """The unit note length in ticks where `L:` is missing: 1/16 for metres under 3/4, else 1/8."""
    if meter is not None and 4 * meter[0] < 3 * meter[1]:
        return TICKS_PER_WHOLE // 16
    return TICKS_PER_WHOLE // 8


def parse_unit(value: str) -> int | None:
    """Read what follows `L:`, a fraction or 1, in ticks; `None` if it is not a length."""
    match = _UNIT.match(value)
    if match is None:
        return None
    if match[1] is None:
        return TICKS_PER_WHOLE
    if int(match[2]) == 0:
        return None
    return TICKS_PER_WHOLE * int(match[1]) // int(match[2]) or None


def parse_tempo(value: str, unit: int) -> float | None:
    """Read what follows `Q:`, in quarters a minute; `None` if it names no number.

    Args:
        value: such as `3/8=110`, `"Allegro" 1/4=120`, or a number of units a minute alone.
        unit: note length in ticks.
    """
    match = _TEMPO.fullmatch(_QUOTED.sub("", value).strip())
    if match is None:
        return None
    beats = [Fraction(one) for one in match[1].split()] if match[1] else []
    quarters = 4 * sum(beats) if beats else Fraction(4 * unit, TICKS_PER_WHOLE)
    return float(quarters * Fraction(match[2])) or None


@dataclass(frozen=True)
class StaffSettings:
    """What `K:` and `V:` say of a staff; `None` leaves things as they were.

    Attributes:
        clef_octaves: by how many octaves a clef such as `treble-8` moves what sounds.
        octaves: of `octave=`.
        semitones: of `transpose=`.
        is_percussion: whether the clef is that of percussion.
        passed_over: names of parameters that would move the notes and belong to other programs.
    """

    clef_octaves: int | None = None
    octaves: int | None = None
    semitones: int | None = None
    is_percussion: bool = False
    passed_over: frozenset[str] = frozenset()


def parse_staff(value: str) -> tuple[StaffSettings, str, bool]:
    """Read clef, octave and transposition out of what follows `K:` or `V:`.

    Returns them, what is left of the value, and whether anything was taken out of it.
    """
    parameters = dict(_PARAMETER.findall(value))
    rest = _PARAMETER.sub(" ", value)
    bare = _BARE_CLEF.search(rest)
    rest = _BARE_CLEF.sub(" ", rest)
    name = parameters.get("clef", bare[0] if bare else "").strip('"')
    clef = _CLEF.match(name)
    clef_octaves = None
    if clef is not None:
        octaves = 0 if clef[2] is None else 1 if clef[2] == "8" else 2
        clef_octaves = -octaves if clef[1] == "-" else octaves
    staff = StaffSettings(
        clef_octaves,
        _integer(parameters.get("octave")),
        _integer(parameters.get("transpose")),
        name.startswith(("perc", "P")),
        frozenset(set(parameters) & set(_SOUNDING_OTHERWISE)),
    )
    return staff, rest.strip(), bool(parameters) or bare is not None


def _integer(text: str | None) -> int | None:
    text = (text or "").strip('"')
    return int(text) if re.fullmatch(r"[+-]?\d{1,2}", text) else None


@dataclass(frozen=True)
class KeyField:
    """What `K:` says.

    Attributes:
        key: `None` where no key is named (`K:`, `K:none`).
        signature: what the key signature alters; `None` where only the staff is told (`K:bass`),
            and the signature stays as it was.
        staff: clef, octave and transposition.
    """

    key: Key | None
    signature: Signature | None
    staff: StaffSettings = StaffSettings()


def parse_key_field(value: str) -> KeyField:
    """Read what follows `K:`.

    Raises:
        UnreadableTuneError: if it is neither a key nor a clef.
    """
    staff, value, has_staff = parse_staff(value)
    if not value:
        return KeyField(None, None if has_staff else {}, staff)
    if value.startswith(("HP", "Hp")):
        # Highland pipes: `Hp` writes F and C sharp, `HP` no signature. The scale is built on A.
        piped = value.startswith("Hp")
        key = Key(9, "mixolydian" if piped else "minor")
        return KeyField(key, signature_of_fifths(2 if piped else 0), staff)
    match = _TONIC.match(value)
    if match is None:
        if not value.lower().startswith("none") and not _EXPLICIT_ACCIDENTAL.match(value):
            raise UnreadableTuneError("unreadable key")
        return KeyField(None, _with_accidentals({}, value), staff)
    name, alteration, word = match.groups()
    letter = "B" if name == "H" else name
    semitones = _ALTERATION[alteration]
    mode = "minor" if word == "m" else _MODE_OF_PREFIX.get(word[:3].lower(), "major")
    key = Key((PITCH_CLASS_OF_LETTER[letter] + semitones) % 12, mode)
    rest = value[match.end() :]
    is_explicit = word.lower() == "exp" or rest.split()[:1] == ["exp"]
    fifths = FIFTHS_OF_LETTER[letter] + 7 * semitones + FIFTHS_OF_MODE[mode]
    signature = {} if is_explicit else signature_of_fifths(fifths)
    return KeyField(key, _with_accidentals(signature, rest), staff)


def _with_accidentals(signature: Signature, text: str) -> Signature:
    for accidental, altered in _EXPLICIT_ACCIDENTAL.findall(text):
        signature[altered.upper()] = SEMITONES_OF_ACCIDENTAL[accidental]
    return signature


def parse_part_order(value: str) -> list[str]:
    """Read the order of parts that `P:` gives before the key: `ABA`, `(AB)3`, `A2.B`.

    Words give none.

    Raises:
        UnreadableTuneError: if it has more than `LONGEST_ORDER` parts.
    """
    if _NOT_AN_ORDER.search(value):
        return []
    groups: list[list[str]] = [[]]
    last: list[str] = []
    for sign, times_of_group, times in _ORDER.findall(value):
        if sign == "(":
            groups.append([])
            last = []
        elif sign:
            last = [sign]
            groups[-1] += last
        elif times:
            groups[-1] += last * (int(times) - 1)
            last = []
        elif len(groups) > 1:
            last = groups.pop()
            groups[-1] += last * int(times_of_group or 1)
            last = []
        if sum(map(len, groups)) > LONGEST_ORDER:
            raise UnreadableTuneError("too long")
    return [name for group in groups for name in group]
