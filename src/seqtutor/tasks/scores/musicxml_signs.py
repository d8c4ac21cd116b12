"""Signs of MusicXML that change the order of playing, as those of a `Measure`."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable

from seqtutor.tasks.scores.measures import Measure
from seqtutor.tasks.scores.playing_order import (
    CODA,
    FINE,
    SEGNO,
    TO_CODA,
    jump,
    mark_of,
    passes_of,
)


def read_barline(barline: ET.Element, signs: Measure) -> None:
    """Repeats, endings, and the signs that stand above the line."""
    for ending in barline.iterfind("ending"):
        if ending.get("type") == "start":
            signs.ending = passes_of(ending.get("number", ""))
        else:
            signs.ends_section = True
    for repeat in barline.iterfind("repeat"):
        if repeat.get("direction") == "forward":
            signs.starts_repeat = True
        else:
            times = repeat.get("times", "")
            signs.plays = int(times) if re.fullmatch(r"[1-9]\d?", times) else 2
            signs.ends_section = True
    signs.marks |= {name for name in (SEGNO, CODA) if barline.find(name) is not None}


def read_direction(direction: ET.Element, signs: Measure) -> None:
    """Words such as "D.C. al Fine", segno and coda, and what is said for playing them."""
    words = [one.text or "" for one in direction.iterfind("direction-type/words")]
    together = mark_of(" ".join(words))
    marks = [together] if together else [mark_of(one) for one in words]
    own = Measure(None, marks={mark for mark in marks if mark})
    own.marks |= {n for n in (SEGNO, CODA) if direction.find(f"direction-type/{n}") is not None}
    for sound in direction.iterfind("sound"):
        read_sound(sound, own)
    if TO_CODA in own.marks:
        own.marks.discard(CODA)  # the sign beside the words "To Coda"
    signs.marks |= own.marks


def read_sound(sound: ET.Element, signs: Measure) -> None:
    """What a `sound` element says of the order of playing."""
    if sound.get("dacapo") == "yes":
        signs.marks.add(jump("capo"))
    if "dalsegno" in sound.attrib:
        signs.marks.add(jump(SEGNO))
    for name, mark in ((SEGNO, SEGNO), (CODA, CODA), ("tocoda", TO_CODA), (FINE, FINE)):
        if sound.get(name, "no") != "no":
            signs.marks.add(mark)


def united(all_signs: Iterable[Measure], full_length: int | None = None) -> Measure:
    """The signs of several, such as those that stand at one bar line in several parts."""
    union = Measure(full_length)
    for signs in all_signs:
        union.starts_repeat = union.starts_repeat or signs.starts_repeat
        union.plays = max(union.plays, signs.plays)
        union.ends_section = union.ends_section or signs.ends_section
        union.ending = signs.ending or union.ending
        union.marks |= signs.marks
    return union
