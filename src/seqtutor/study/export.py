"""Votes as tables for other programs: raw, with everything, and tidy, one line for each vote."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from seqtutor.comparisons import vote_line
from seqtutor.errors import UserError, printable
from seqtutor.study.plan import Plan
from seqtutor.study.stored import Collected, StoredVote

_FORMULA = re.compile(r"""(?:^|(?<=[;\t\r\n]))(?=[\s"']*[-=+@\uff0d\uff1d\uff0b\uff20])""")
"""Where a spreadsheet, also one that separates cells by ";" or tabs, would begin a formula."""

RAW = (
    *("listener", "state", "order", "kind", "left", "right", "left_clips", "right_clips"),
    *("rating", "expected", "instructed", "seconds", "left_plays", "right_plays"),
    *("issued_at", "answered_at", "excluded", "comment"),
)
TIDY = (
    *("listener", "order", "left", "right", "left_clips", "right_clips", "rating", "score"),
    *("seconds", "left_plays", "right_plays"),
)


def raw_csv(collected: Collected) -> str:
    """Every answer to clips, practice and catch trials and excluded listeners included."""
    return _table(RAW, (_raw(one, collected) for one in collected.votes))


def tidy_csv(collected: Collected) -> str:
    """The votes that the statistics use; `score` is 1 where the left side is preferred."""
    own = (one for one in collected.counted if one.kind == "comparison")
    return _table(
        TIDY,
        (
            [
                *(v.listener, v.order, v.left, v.right),
                *(" ".join(v.left_clips), " ".join(v.right_clips)),
                *(v.rating, v.score, v.seconds, v.left_plays, v.right_plays),
            ]
            for v in own
        ),
    )


def _raw(one: StoredVote, collected: Collected) -> Sequence[object]:
    v = one.vote
    return [
        *(v.listener, one.state, v.order, v.kind, v.left, v.right),
        *(" ".join(v.left_clips), " ".join(v.right_clips)),
        *(v.rating, v.expected, int(one.is_instructed), v.seconds, v.left_plays, v.right_plays),
        *(_time(one.issued_at), _time(one.answered_at)),
        *("; ".join(collected.excluded.get(v.listener, [])), one.comment),
    ]


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _table(names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(names)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    """A number as it is; a text so that no spreadsheet runs it as a formula."""
    if isinstance(value, float) and not math.isfinite(value):
        return ""
    return _FORMULA.sub("'", printable(value)) if isinstance(value, str) else value


def compared_sequences(collected: Collected, plan: Plan) -> list[str]:
    """The lines of a file of votes, as `seqtutor.comparisons` reads it.

    Practice, catch trials and the votes of listeners who are left out are not part of it.

    Raises:
        UserError: if sets were compared, whose votes are on no single sequence, or the plan is of a
            version that kept no tokens.
    """
    if plan.form == "sets":
        raise UserError("the votes of this study are on sets: no single sequence was preferred")
    if not all(clip.tokens for clip in plan.clips if clip.use == "compared"):
        raise UserError("the plan of this study has no tokens; make it anew with: study new")

    def tokens(clips: Sequence[str]) -> Sequence[str]:
        return plan.clip[clips[0]].tokens

    return [
        vote_line(tokens(vote.left_clips), tokens(vote.right_clips), vote.score, vote.listener)
        for vote in collected.counted
        if vote.kind == "comparison"
    ]
