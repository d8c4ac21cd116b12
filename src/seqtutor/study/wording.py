"""What listeners read where the researcher gives no words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from seqtutor.study.plan import Form

NO_CONSENT = (
    "the consent text is the default one, which names no investigator, institution, contact or "
    "ethics approval. Before people take part, make the study with --consent FILE."
)


def question_of(spec: Any, form: Form) -> str:
    """The question of a study of a task's sequences."""
    if form == "sets":
        return f"Which of the two sets of {spec.many} would you rather have?"
    return f"Which of the two {spec.many} do you prefer?"


def default_consent() -> tuple[str, ...]:
    """Paragraphs about what taking part means and what is stored."""
    return (
        "You will compare pairs of samples that computer programs have made and say which of the "
        "two you prefer. There are no right or wrong answers; your own taste is what counts.",
        "We store your answers, how long each took, how often you played each sample, and your "
        "comments if you write any. We store neither your name nor your address nor anything "
        "about your device. If a recruiting service sent you, the number that it gave you is kept "
        "apart from your answers and erased after a while.",
        "Taking part is voluntary. You can stop at any time and have all your answers erased, "
        "without giving a reason.",
        "The answers are used for research, and may be published without anything that "
        "identifies you.",
    )


def paragraphs_of(lines: Sequence[str]) -> tuple[str, ...]:
    """Paragraphs of a text: lines between blank ones, joined."""
    groups = groupby(lines, key=lambda line: bool(line.strip()))
    return tuple(" ".join(line.strip() for line in group) for has_text, group in groups if has_text)
