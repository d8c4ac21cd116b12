"""What a page shows of sequences: pictures, sounds and numbers, as a task gives them.

A page shows a few sequences of each policy one by one, lists more of them in a table, and draws
distributions of all. `TaskSpec.exhibits` gives what the task has for that.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from jaxtyping import Float, Int

if TYPE_CHECKING:
    from seqtutor.controls import How
    from seqtutor.task_records import Drawn

Fact: TypeAlias = float | str
"""A number or a text about a sequence; NaN where it is not known."""


def in_ascii(text: str) -> str:
    """A text for names of files and titles in them: a Greek letter by its name, such as "psi"."""
    return " ".join("".join(map(_ascii_of, text)).split())


def _ascii_of(character: str) -> str:
    if character.isascii():
        return character
    name = unicodedata.name(character, "")
    if name.startswith("GREEK") and " LETTER " in name:
        return name.split(" LETTER ")[1].split()[0].lower()
    plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode("ascii")
    return plain or " "


@dataclass(frozen=True)
class Shown:
    """The sequences of one policy that a page is made of.

    Attributes:
        drawn: all that were generated, in the order of generation.
        chosen: rows of those that are shown one by one.
        terms: by name the weighted reward of each step of the chosen ones; empty without a reward.
        unscored: by the name of a term, by place among the chosen ones, why it has no value: the
            reward has a neutral one in its place.
        how: what a person chose of the task's `controls`; empty for the usual showing.
        titles: of the chosen ones, which their files get; empty for none.
        probabilities: computes the policy's probability of every token at each step of the chosen
            ones, after the tokens before it; `None` where that cannot be asked.
    """

    drawn: Drawn
    chosen: Int[np.ndarray, " shown"]
    terms: Mapping[str, Float[np.ndarray, "shown time"]] = field(default_factory=dict)
    how: How = field(default_factory=dict)
    titles: Sequence[str] = ()
    probabilities: Callable[[], Float[np.ndarray, "shown time vocab"]] | None = None
    unscored: Mapping[str, Mapping[int, str]] = field(default_factory=dict)

    @property
    def file_titles(self) -> list[str]:
        """The title of each chosen one in letters that every program shows; "" without titles."""
        return [in_ascii(title) for title in self.titles] or [""] * len(self.chosen)

    def asked(self) -> Sequence[Float[np.ndarray, "time vocab"] | None]:
        """The probabilities of each chosen one; `None` where they cannot be asked."""
        return [None] * len(self.chosen) if self.probabilities is None else [*self.probabilities()]


@dataclass(frozen=True)
class Mark:
    """A part of a sequence that a reader can point at to see what it earned.

    Attributes:
        label: a word for it, such as "E4".
        first, end: its first step, and the step after its last.
        detail: what else it is, such as "a quarter note".
        words: by the name of a term, what its reward here is for, such as "completes a motif".
    """

    label: str
    first: int
    end: int
    detail: str = ""
    words: Mapping[str, str] = field(default_factory=dict)

    def with_probability(self, value: float) -> Mark:
        """The same, with how probable the policy found its first token."""
        said = f"probability {100 * value:.{0 if value >= 0.0995 else 1}f} %"
        return replace(self, detail=f"{self.detail}, {said}" if self.detail else said)


def with_probabilities(
    marks: Sequence[Mark],
    tokens: Int[np.ndarray, " time"],
    probabilities: Float[np.ndarray, "time vocab"] | None,
) -> list[Mark]:
    """Marks that each say how probable the policy found its first token, where that is known."""
    if probabilities is None:
        return list(marks)
    # A mark may stand for the end of a sequence that was cut off before it.
    return [
        mark.with_probability(float(probabilities[mark.first, tokens[mark.first]]))
        if mark.first < len(tokens)
        else mark
        for mark in marks
    ]


@dataclass(frozen=True)
class Picture:
    """A drawing of a sequence.

    Attributes:
        svg: an `<svg>` element. Elements within it that have the attribute `data-mark="3"` stand
            for the fourth mark of the exhibit; one with `data-cursor` moves from `data-start` to
            `data-end` while the sound plays from the second `data-from` to `data-to`.
        alt: what it shows, in words.
        ink: "own" if its colours are for white paper, "theme" if they follow those of the page.
        title: of a large one that is not the first to look at; a narrow screen shows this alone
            until it is opened.
    """

    svg: str
    alt: str
    ink: Literal["own", "theme"] = "own"
    title: str = ""


@dataclass(frozen=True)
class Exhibit:
    """A sequence that is shown by itself.

    Attributes:
        text: the sequence.
        pictures: in the order in which they are shown.
        sound: an Ogg file.
        marks: parts that earned something, in order.
        facts: by name, what else is to be said of it.
        files: by suffix, files to download, such as {"mid": …}.
    """

    text: str
    pictures: Sequence[Picture] = ()
    sound: bytes | None = None
    marks: Sequence[Mark] = ()
    facts: Mapping[str, Fact] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Listed:
    """A sequence in the table: its facts, and by suffix its part of a file of the listed ones."""

    text: str
    facts: Mapping[str, Fact] = field(default_factory=dict)
    records: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Distribution:
    """Values of sequences or of their parts, whose histograms are drawn for each policy.

    Attributes:
        title: stands above the picture.
        axis: what the values are, with the unit.
        values: of each policy; NaN is left out.
        is_count: whether they are whole numbers, which get a bin each.
        categories: names of the values 0, 1, 2 …, where they stand for names.
    """

    title: str
    axis: str
    values: Mapping[str, Float[np.ndarray, " value"] | Int[np.ndarray, " value"]]
    is_count: bool = False
    categories: Sequence[str] = ()


@dataclass(frozen=True)
class Map:
    """Sequences as points, where those that are alike lie near each other.

    Attributes:
        title: stands above the picture.
        x_axis, y_axis: what the coordinates are.
        points: of each policy.
        note: a sentence on how to read it.
    """

    title: str
    x_axis: str
    y_axis: str
    points: Mapping[str, Float[np.ndarray, "point 2"]]
    note: str = ""


@dataclass(frozen=True)
class Exhibition:
    """All that a task has to show of several policies, by their names.

    Attributes:
        exhibits: of the chosen sequences of each policy.
        listed: the first sequences that each policy generated, in order.
        distributions: of all sequences.
        notes: sentences about pictures, sounds and files.
        maps: of many sequences.
        keys: pictures of what the colours in the pictures of sequences stand for.
    """

    exhibits: Mapping[str, Sequence[Exhibit]]
    listed: Mapping[str, Sequence[Listed]]
    distributions: Sequence[Distribution] = ()
    notes: Sequence[str] = ()
    maps: Sequence[Map] = ()
    keys: Sequence[Picture] = ()


LISTED = 100
"""Sequences of each policy in the table."""


def plain_exhibition(policies: Mapping[str, Shown]) -> Exhibition:
    """The exhibition of any task: sequences as text, and how long they are.

    Where a term rewards single steps, each token is a mark.
    """
    texts = {name: shown.drawn.texts() for name, shown in policies.items()}
    lengths = {name: one.drawn.sequences.mask.sum(1) for name, one in policies.items()}
    has_lengths = len({int(n) for each in lengths.values() for n in each}) > 1
    return Exhibition(
        {
            name: [
                Exhibit(texts[name][row], marks=marks)
                for row, marks in zip(shown.chosen, _marks_of_tokens(shown), strict=True)
            ]
            for name, shown in policies.items()
        },
        {name: [Listed(text) for text in own[:LISTED]] for name, own in texts.items()},
        [Distribution("Lengths", "tokens, the end included", lengths, is_count=True)]
        if has_lengths
        else (),
    )


def _marks_of_tokens(shown: Shown) -> list[list[Mark]]:
    """The tokens of each chosen sequence; none of one whose steps earned nothing by themselves."""
    sequences, names = shown.drawn.sequences[shown.chosen], shown.drawn.vocabulary.tokens
    lengths = sequences.mask.sum(1)
    has_parts = [
        any(term[place, : length - 1].any() for term in shown.terms.values())
        for place, length in enumerate(lengths)
    ]
    found = shown.asked() if any(has_parts) else [None] * len(lengths)
    marks: list[list[Mark]] = []
    for place, tokens in enumerate(sequences.tokens):
        own = [
            Mark(names[token], step, step + 1, f"token {step + 1}")
            for step, token in enumerate(tokens[: lengths[place] if has_parts[place] else 0])
        ]
        marks.append(with_probabilities(own, tokens, found[place]))
    return marks
