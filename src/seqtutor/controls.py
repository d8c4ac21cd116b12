"""What a person may choose where a page generates sequences: how they are shown, how they begin.

`TaskSpec.controls` gives what can be chosen of the showing, `TaskSpec.canvas` a grid on which a
beginning can be drawn, and `TaskSpec.opening` reads one that is typed or comes in a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from jaxtyping import Int

from seqtutor.errors import UserError
from seqtutor.settings import require

LONGEST_WORDS = 100
"""Characters of words that are typed, and of a name that no control has, in messages."""


@dataclass(frozen=True)
class Choice:
    """One of several words, such as an instrument.

    Attributes:
        name: of the control, in `Shown.how`.
        title: for people.
        options: the words.
        default: one of them.
    """

    name: str
    title: str
    options: Sequence[str]
    default: str

    def checked(self, value: object) -> str:
        """The value.

        Raises:
            UserError: if it is not one of the options.
        """
        if isinstance(value, str) and value in self.options:
            return value
        raise UserError(f"{self.title} cannot be {_shortened(value)}")


@dataclass(frozen=True)
class Amount:
    """A number within bounds, such as a tempo.

    Attributes:
        name: of the control, in `Shown.how`.
        title: for people, with the unit.
        least, most: bounds, which are allowed.
        step: between the numbers that a slider offers.
        default: within the bounds.
    """

    name: str
    title: str
    least: float
    most: float
    step: float
    default: float

    def checked(self, value: object) -> float:
        """The value.

        Raises:
            UserError: if it is not a number within the bounds.
        """
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if is_number and self.least <= value <= self.most:  # type: ignore[operator]
            return float(value)  # type: ignore[arg-type]
        raise UserError(
            f"{self.title} must be a number between {self.least:g} and {self.most:g}, not "
            f"{_shortened(value)}"
        )


@dataclass(frozen=True)
class Words:
    """A few words, such as the name of a part of a file.

    Attributes:
        name: of the control, in `Shown.how`.
        title: for people.
        default: what is taken where nothing is typed.
    """

    name: str
    title: str
    default: str = ""

    def checked(self, value: object) -> str:
        """The value.

        Raises:
            UserError: if it is no text, or a long one.
        """
        if isinstance(value, str) and len(value) <= LONGEST_WORDS:
            return value.strip()
        raise UserError(f"{self.title} must have {LONGEST_WORDS} characters at most")


Control: TypeAlias = Choice | Amount | Words
How: TypeAlias = Mapping[str, str | float]
"""What was chosen, by the names of controls."""


def chosen(controls: Sequence[Control], given: Mapping[str, object]) -> dict[str, str | float]:
    """A value for every control: the given one, else the default.

    Raises:
        UserError: if there is no control of a name, or a value cannot be chosen.
    """
    names = [one.name for one in controls]
    unknown = next((name for name in given if name not in names), None)
    require(
        unknown is None,
        f"nothing is called {_shortened(unknown)} here; there is {', '.join(names) or 'nothing'}",
    )
    return {one.name: one.checked(given.get(one.name, one.default)) for one in controls}


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_WORDS else f"{text[:LONGEST_WORDS]}…"


@dataclass(frozen=True)
class CanvasRow:
    """A row of a canvas.

    Attributes:
        token: that a drawn cell of the row stands for.
        label: for people, such as "C4".
        is_dark: whether the row is drawn darker, as black keys are.
        hertz: of a tone that is heard as it is drawn; `None` for none.
    """

    token: str
    label: str
    is_dark: bool = False
    hertz: float | None = None


@dataclass(frozen=True)
class Canvas:
    """A grid on which the beginning of a sequence is drawn: a column is a step, with one token.

    Attributes:
        rows: from top to bottom.
        hold: the token of a step at which what the last row began goes on.
        off: the token of a step at which it ends and nothing begins.
        columns: steps that are shown at first.
        beat: steps between weak lines.
        bar: steps between strong lines.
        upbeat: steps before the first strong line.
    """

    rows: Sequence[CanvasRow]
    hold: str
    off: str
    columns: int
    beat: int
    bar: int
    upbeat: int = 0


@dataclass(frozen=True)
class Opening:
    """How a sequence begins.

    Attributes:
        tokens: ids, without an end token.
        how: what is to be chosen so that the sequence is shown as the opening was given.
        notes: what was changed of it, in words.
        offers: by the name of a control of how a file is read, what can be chosen of this one.
    """

    tokens: Int[np.ndarray, " time"]
    how: How = field(default_factory=dict)
    notes: Sequence[str] = ()
    offers: Mapping[str, Sequence[str]] = field(default_factory=dict)
