"""The page itself: what it holds, and how that becomes one HTML file."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from seqtutor.exhibits import Exhibit, Fact, Mark, Picture, Shown, in_ascii
from seqtutor.files import atomic_write
from seqtutor.report.page.charts import Ink
from seqtutor.report.page.choosing import Rule
from seqtutor.report.page.figures import FigureGroup
from seqtutor.report.page.verdict import term_title
from seqtutor.report.tables import (
    Table,
    format_cell,
    format_reference,
    format_value,
    notes_of,
    signed,
    verdict,
)

MEDIA = {
    "abc": "text/vnd.abc",
    "mid": "audio/midi",
    "mxl": "application/vnd.recordare.musicxml",
    "ogg": "audio/ogg",
    "sdf": "chemical/x-mdl-sdfile",
}
"""Types of files by suffix; others are octets."""
NO_SCORE = "no score"
"""Stands where a sequence has only a neutral value; empty in the file of the table."""


@dataclass(frozen=True)
class Card:
    """A sample on the page.

    Attributes:
        policy: the title of the policy that generated it.
        title: names it, such as "Ψ, best 1".
        exhibit: what the task shows of it.
        terms: weighted, of each step, by name; empty without a reward.
        unscored: by the name of a term why it has no value, but a neutral one in its place.
    """

    policy: str
    title: str
    exhibit: Exhibit
    terms: Mapping[str, Sequence[float]] = field(default_factory=dict)
    unscored: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The beginning of the names of its files."""
        title = in_ascii(self.title)
        return "-".join("".join(c if c.isalnum() else " " for c in title).split())

    @property
    def reward(self) -> float | None:
        """The sum of all terms; `None` without a reward."""
        return sum(map(sum, self.terms.values())) if self.terms else None

    @property
    def sums(self) -> list[tuple[str, float]]:
        """The terms that gave something, the largest first; without those that have no value."""
        found = [
            (term_title(name), sum(steps))
            for name, steps in self.terms.items()
            if name not in self.unscored
        ]
        return sorted((one for one in found if one[1]), key=lambda one: -abs(one[1]))

    @property
    def missing(self) -> list[tuple[str, str]]:
        """The terms that have no value, with why."""
        return [(term_title(name), reason) for name, reason in self.unscored.items()]

    @property
    def is_earned_in_parts(self) -> bool:
        """Whether its parts earned anything, and not only the whole."""
        return any(map(self.earned, self.exhibit.marks))

    def earned(self, mark: Mark) -> float:
        """What a part of the sequence earned."""
        return float(sum(sum(steps[mark.first : mark.end]) for steps in self.terms.values()))

    def sentence(self, mark: Mark) -> str:
        """What a part of the sequence is, and what it earned for what."""
        parts = []
        for name, steps in self.terms.items():
            given = sum(steps[mark.first : mark.end])
            if given:
                parts.append(f"{mark.words.get(name, term_title(name))} {signed(given)}")
        what = ", ".join(filter(None, [mark.label, mark.detail]))
        if not parts:
            return f"{what}: earned nothing" if self.terms and mark.end > mark.first else what
        return f"{what}: {signed(self.earned(mark))} ({'; '.join(parts)})"


def cards_of(policy: str, shown: Shown, exhibits: Sequence[Exhibit]) -> list[Card]:
    """The chosen sequences of a policy as cards, by the titles that they were given."""
    lengths = shown.drawn.sequences.mask[shown.chosen].sum(1)
    return [
        Card(
            policy,
            title,
            exhibit,
            {name: term[place, : lengths[place]].tolist() for name, term in shown.terms.items()},
            {name: why[place] for name, why in shown.unscored.items() if place in why},
        )
        for place, (title, exhibit) in enumerate(zip(shown.titles, exhibits, strict=True))
    ]


@dataclass(frozen=True)
class CardGroup:
    """The samples that one rule chose, beside each other by policy."""

    rule: Rule
    cards: Mapping[str, Sequence[Card]]


@dataclass(frozen=True)
class ListedRow:
    """A line of the table of sequences."""

    policy: str
    text: str
    cells: Mapping[str, Fact]


@dataclass(frozen=True)
class Listing:
    """The table of sequences; `records` are, by suffix, each line's part of a file."""

    columns: Sequence[str]
    rows: Sequence[ListedRow]
    records: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class RunRecord:
    """How a run was made: facts by name, its whole configuration, and remarks of the run."""

    title: str
    facts: Mapping[str, str]
    config: str = ""
    remarks: Sequence[str] = ()


@dataclass(frozen=True)
class Section:
    """A part of a page that comes from elsewhere.

    Attributes:
        name: the id of its element.
        title: its heading.
        html: the whole `<section>` element.
        colors: by custom property, such as "--ink-0", those that it is drawn with in the light.
    """

    name: str
    title: str
    html: str
    colors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    """All that the page of some runs holds.

    Attributes:
        title: heads the page.
        subtitle: one line below.
        one, many: what a sequence is called.
        inks: of each policy by its title, in the order of the page.
        colors: of each policy by its title.
        verdict: for each tuned policy, sentences.
        number: sequences that each policy was measured on.
        groups: the samples that are shown.
        table: of the measures.
        figures: the charts.
        listing: the table of sequences.
        runs: how they were made.
        notes: of the task, on pictures and sounds.
        keys: of the task, what colours in its pictures stand for.
        sections: of other parts of the program, before the list of sequences.
        made_by: how the page was made.
    """

    title: str
    subtitle: str
    one: str
    many: str
    inks: Mapping[str, Ink]
    colors: Mapping[str, str]
    verdict: Mapping[str, Sequence[str]]
    number: int
    groups: Sequence[CardGroup]
    table: Table
    figures: Sequence[FigureGroup]
    listing: Listing
    runs: Sequence[RunRecord]
    notes: Sequence[str] = ()
    keys: Sequence[Picture] = ()
    sections: Sequence[Section] = ()
    made_by: str = ""


def write_page(page: Page, path: Path) -> Path:
    """Write the page as one HTML file.

    Raises:
        UserError: if it cannot be written.
    """
    return atomic_write(path, render_page(page))


def render_page(page: Page) -> str:
    """The page as HTML."""
    return (
        _environment()
        .get_template("page.html")
        .render(
            page=page,
            no_score=NO_SCORE,
            css=packaged("cards.css") + packaged("page.css"),
            js=packaged("cards.js") + packaged("page.js"),
            records=json.dumps(page.listing.records).replace("<", "\\u003c"),
            largest=largest_earned(
                card for group in page.groups for cards in group.cards.values() for card in cards
            ),
            table_notes=notes_of(page.table),
        )
    )


def render_card(card: Card, largest: float, level: int) -> str:
    """A card alone, as HTML.

    Args:
        card: the sample.
        largest: what a mark earned that has the full colour.
        level: of its heading.
    """
    module = _environment().get_template("card.html").module
    return str(module.card(card, largest, level))


@cache
def _environment() -> Any:
    from jinja2 import DictLoader, Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=DictLoader({name: packaged(name) for name in ("page.html", "card.html")}),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {
        "data_uri": data_uri,
        "drawing": Markup,
        "fact": shown_fact,
        "value": fact_value,
        "signed": signed,
        "tint": _tint,
        "cell": format_cell,
        "reference": format_reference,
        "verdict": verdict,
    }
    return environment


def packaged(name: str) -> str:
    """The text of a file of this folder, such as "cards.css", for another page with cards."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def data_uri(content: bytes, suffix: str) -> str:
    """A file's content as an address."""
    kind = MEDIA.get(suffix, "application/octet-stream")
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def shown_fact(fact: Fact) -> str:
    """A number briefly, a text as it is."""
    if isinstance(fact, str):
        return fact
    return format_value(float(fact), "integer" if float(fact).is_integer() else "number")


def fact_value(fact: Fact) -> str:
    """A number for programs, in seven digits, which are all that a reward has; "" for a text."""
    if isinstance(fact, str) or not math.isfinite(fact):
        return ""
    return str(int(fact)) if float(fact).is_integer() else f"{fact:.7g}"


def largest_earned(cards: Iterable[Card]) -> float:
    """What most marks of the cards stay below, for the strength of their colours."""
    sizes = sorted(abs(card.earned(mark)) for card in cards for mark in card.exhibit.marks)
    return (sizes[int(0.95 * (len(sizes) - 1))] if sizes else 0.0) or 1.0


def _tint(value: float, largest: float) -> str:
    """How strongly, in per cent, a mark is coloured for what it earned."""
    return f"{min(100, round(100 * abs(value) / largest))}%"
