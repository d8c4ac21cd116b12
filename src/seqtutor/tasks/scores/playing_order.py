"""The order in which measures are played: repeats, endings, da capo, dal segno and coda.

One rule for every format. A repeat sign without the sign of its beginning repeats from the start,
or from where the last repeat or ending is over; in ABC also from the last double bar, as ABC 2.1
has it. After a jump back nothing is repeated and the last endings are played. Jumps, Fine and To
Coda take effect at the end of the measure in which they stand, segno and coda at its beginning.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from seqtutor.tasks.scores.measures import Measure

MAXIMUM_PASSES = 8
MAXIMUM_JUMPS = 8
IMPLIED_REPEATS = "endings without a repeat sign"
"""What `playing_order` notes where the sign between two endings is missing."""
TOO_MANY_JUMPS = "jumps back that were passed over"

FINE, SEGNO, CODA, TO_CODA = "fine", "segno", "coda", "to coda"
_JUMP = re.compile(
    r"(?:(?P<capo>d\.? ?c\.?|da ?capo)|d\.? ?s\.?|dal ?segno)"
    r" ?(?P<until>(?:al?|ad|sin'?) ?(?:segno e poi )?(?:la |the |\w{0,3} ?)?"
    r"(?:(?P<fine>fine?)|(?P<coda>coda)|\w+))?(?: (?:e poi|senza|con|then|and) .*)?\.?"
)
_OTHERS = {
    "fine": FINE,
    "al fine": FINE,
    "segno": SEGNO,
    "coda": CODA,
    "to coda": TO_CODA,
    "tocoda": TO_CODA,
    "al coda": TO_CODA,
    "da coda": TO_CODA,
    "dacoda": TO_CODA,
}


def mark_of(text: str) -> str | None:
    """What words or the name of a sign say about the order of playing, if anything.

    Words such as "D.C. al Fine", "Dal Segno", "To Coda", in any case, are a mark: "fine", "segno",
    "coda", "to coda", or a jump such as "capo", "capo until fine", "segno until coda" with a `>`
    before it.
    """
    words = " ".join(text.lower().split()).strip("()")
    if words.rstrip(".") in _OTHERS:
        return _OTHERS[words.rstrip(".")]
    match = _JUMP.fullmatch(words)
    if match is None:
        return None
    until = FINE if match["fine"] else CODA if match["coda"] else ""
    return jump("capo" if match["capo"] else SEGNO, until)


def jump(target: str, until: str = "") -> str:
    """The mark of a jump back to the start ("capo") or the segno."""
    return f">{target} until {until}" if until else f">{target}"


def passes_of(ending: str) -> frozenset[int]:
    """Read the number of an ending: `1`, `2`, `1,3` or `1-3`."""
    passes: set[int] = set()
    for part in ending.strip(" \t\n[").split(","):
        first, _, last = (piece.strip(" .") for piece in part.partition("-"))
        if first.isdecimal():
            low = min(int(first), 99)
            high = min(int(last), 99) if last.isdecimal() else low
            passes.update(range(low, high + 1))
    return frozenset(passes or {1})


def playing_order(measures: Sequence[Measure]) -> tuple[list[Measure], set[str]]:
    """The measures in the order in which they are played, and what was assumed.

    A section is played as often as its repeat sign or its endings ask for, at most
    `MAXIMUM_PASSES` times. An ending that lacks its counterpart (`[1` without `[2`) is left out on
    the second pass.
    """
    noted: set[str] = set()
    if _imply_repeats(measures):
        noted.add(IMPLIED_REPEATS)
    # Words say more than the sign for playing beside them: "D.C. al Fine" more than "D.C.".
    jumps = [
        (place, max(found, key=len))
        for place, measure in enumerate(measures)
        if (found := [mark for mark in measure.marks if mark.startswith(">")])
    ]
    if len(jumps) > MAXIMUM_JUMPS:
        noted.add(TOO_MANY_JUMPS)
    order: list[int] = []
    position = 0
    for place, mark in jumps[:MAXIMUM_JUMPS]:
        if place >= position:
            order += _with_repeats(measures, position, place + 1)
            again, position = _jumped(measures, place, mark)
            order += again
    order += _with_repeats(measures, position, len(measures))
    return [measures[place] for place in order], noted


def _imply_repeats(measures: Sequence[Measure]) -> bool:
    """Where one ending follows upon another without a repeat sign, put the sign there."""
    implied = False
    current: frozenset[int] | None = None
    for measure, following in pairwise(measures):
        current = measure.ending or current
        if current is not None and following.ending is not None and not measure.plays:
            if min(following.ending) > max(current):
                measure.plays, measure.ends_section = 2, True
                implied = True
        elif measure.ends_section:
            current = None
    return implied


def _with_repeats(measures: Sequence[Measure], first: int, stop: int) -> list[int]:
    """The places from `first` to before `stop` in the order in which they are played."""
    played: list[int] = []
    start = position = first
    playing = 1
    explicit_start = in_ending = False
    while position < stop:
        measure = measures[position]
        if measure.starts_repeat and position != start:
            start, playing, in_ending = position, 1, False
        explicit_start = explicit_start or measure.starts_repeat
        if measure.ending is not None:
            if playing not in measure.ending:
                position = _ending_for(measures, position, playing, stop)
                if position < stop and measures[position].ending is None:
                    start, playing, explicit_start = position, 1, False
                continue
            in_ending = True
        played.append(position)
        if playing < _passes(measures, start, position):
            position, playing, in_ending = start, playing + 1, False
            continue
        position += 1
        over = not explicit_start or (in_ending and playing > 1)
        if measure.plays or (measure.ends_section and over):
            start, playing = position, 1
            explicit_start = in_ending = False
    return played


def _passes(measures: Sequence[Measure], start: int, last: int) -> int:
    """How often the section from `start` to `last` is played: once without a sign at its end."""
    passes = measures[last].plays
    if not passes:
        return 1
    for measure in measures[start : last + 1]:
        passes = max(passes, *(measure.ending or ()), 0)
    # The endings that follow one upon another, such as 1 and 3, 2, and 4.
    position = last + 1
    while position < len(measures) and not measures[position].starts_repeat:
        ending = measures[position].ending
        if ending is None:
            break
        passes = max(passes, *ending)
        while position < len(measures) - 1 and not _ends(measures[position]):
            position += 1
        position += 1
    return min(passes, MAXIMUM_PASSES)


def _ends(measure: Measure) -> bool:
    return bool(measure.plays or measure.ends_section)


def _ending_for(measures: Sequence[Measure], position: int, playing: int, stop: int) -> int:
    """Find the ending of pass `playing` from another ending on; else where the endings are over."""
    for following in range(position + 1, stop):
        measure = measures[following]
        if measure.ending is not None and playing in measure.ending:
            return following
        if measures[following - 1].ends_section and measure.ending is None:
            return following
    return stop


def _jumped(measures: Sequence[Measure], place: int, mark: str) -> tuple[list[int], int]:
    """What a jump at `place` has played again, and where to go on from there."""
    target, _, until = mark[1:].partition(" until ")
    segnos = [i for i, measure in enumerate(measures[:place]) if SEGNO in measure.marks]
    position = segnos[-1] if target == SEGNO and segnos else 0
    played: list[int] = []
    while position <= place:
        following = _next_ending(measures, position)
        if following is not None:
            position = following
            continue
        played.append(position)
        marks = measures[position].marks
        if FINE in marks and until != CODA:
            return played, len(measures)
        coda = _coda_after(measures, position) if until != FINE else None
        if coda is not None:
            return played, coda
        position += 1
    return played, max(position, place + 1)


def _next_ending(measures: Sequence[Measure], position: int) -> int | None:
    """The next ending of a group, where one begins at `position` and is not the last."""
    if measures[position].ending is None:
        return None
    for following in range(position + 1, len(measures)):
        measure = measures[following]
        if measure.ending is not None and not measure.starts_repeat:
            return following
        if measure.starts_repeat or measures[following - 1].ends_section:
            return None
    return None


def _coda_after(measures: Sequence[Measure], position: int) -> int | None:
    """Where the coda begins, if the way to it leaves at the end of this measure.

    Of several bare signs of the coda the first stands where one leaves.
    """
    codas = [i for i, measure in enumerate(measures) if CODA in measure.marks]
    named = any(TO_CODA in measure.marks for measure in measures)
    leaves = TO_CODA in measures[position].marks or (
        not named and len(codas) > 1 and position == codas[0]
    )
    return next((place for place in codas if place > position), None) if leaves else None


def in_order_of_parts(
    measures: Sequence[Measure], order: Iterable[str]
) -> tuple[list[Measure], set[str]]:
    """Play named parts in the order that ABC's `P:` gives, repeats and jumps within each.

    What stands before the first part is played once, at the start. A body that is written out in
    that very order is played as it stands. Of parts of one name the first is meant.
    """
    order = list(order)
    starts = [place for place, measure in enumerate(measures) if measure.part is not None]
    if not starts or [measures[place].part for place in starts] == order:
        played, noted = playing_order(measures)
        return played, noted if starts else noted | {"order of parts without parts"}
    played, noted = playing_order(measures[: starts[0]])
    parts: dict[str, list[Measure]] = {}
    for start, stop in zip(starts, [*starts[1:], len(measures)], strict=True):
        own, assumed = playing_order(measures[start:stop])
        parts.setdefault(measures[start].part or "", own)
        noted |= assumed
    for name in order:
        if name not in parts:
            noted.add("order of parts with a part that is missing")
        played += parts.get(name, [])
    return played, noted
