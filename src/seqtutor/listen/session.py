"""What a page's requests do: generate, show, keep, compare blindly.

One thread works with it, and another one reads beginnings of sequences (`Session.opening`).
"""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from secrets import randbelow
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float, Int

from seqtutor.controls import Opening, chosen
from seqtutor.data import Sequences
from seqtutor.errors import UserError
from seqtutor.exhibits import Exhibit, Picture, Shown
from seqtutor.listen.favourites import Favourites, Preference, Sample, new_id
from seqtutor.listen.requests import Wish
from seqtutor.listen.sources import MOST_AT_ONCE, Source, source_titled
from seqtutor.report.page.page import Card, cards_of, largest_earned, render_card
from seqtutor.runs.validity import draw_valid
from seqtutor.settings import require
from seqtutor.task_records import Drawn
from seqtutor.task_spec import TaskSpec

MOST_RECENT, MOST_PAIRS = 2_000, 200
"""Samples and blind pairs that are remembered, so that they can be kept and judged."""
LONGEST_TEXT = 10_000
"""Characters of a primer that is typed."""
MOST_ROUNDS = 25
"""How often sequences are drawn anew where only valid ones are wanted."""
MOST_TRIED = 200
"""Tokens by which it is found out how typed ones are separated."""
_SUFFIX = re.compile(r"\.[a-z0-9]{1,10}")
_LEVEL = 3
"""Of a card's heading."""
_ID = re.compile(r'\bid="([^"]+)"')

Record = TypeVar("Record")


class UnknownError(UserError):
    """A sample, a favourite or a pair that is not there, or not any more."""


@dataclass(frozen=True)
class ShownSample:
    """A sample as the page gets it.

    Attributes:
        sample: what can be kept of it.
        card: HTML.
        ends: for each of its parts, how many tokens it and what is before it have.
        has_reward: whether the card tells what it earned.
        has_ended: whether its last token is the one that ends a sequence.
    """

    sample: Sample
    card: str
    ends: tuple[int, ...]
    has_reward: bool
    has_ended: bool


@dataclass(frozen=True)
class Pair:
    """Two samples whose policies are not told before one is preferred."""

    id: str
    samples: tuple[ShownSample, ShownSample]


@dataclass(frozen=True)
class Judged:
    """A pair whose policies are told.

    Attributes:
        samples: with what they earned; they can be kept.
        counts: how often each of the two policies was preferred so far, and "neither".
    """

    samples: tuple[ShownSample, ShownSample]
    counts: Mapping[str, int]


@dataclass(frozen=True)
class Explained:
    """What a reader of cards is told once: sentences, and what colours stand for."""

    notes: Sequence[str] = ()
    keys: Sequence[Picture] = ()


class Session:
    """The policies of a page, what they have generated lately, and what was kept.

    `explained` is what the last cards need to be understood.
    """

    def __init__(
        self, spec: TaskSpec[Any], sources: Sequence[Source], favourites: Favourites
    ) -> None:
        self.spec = spec
        self.sources = sources
        self.favourites = favourites
        self.explained = Explained()
        self._recent: OrderedDict[str, Sample] = OrderedDict()
        self._pairs: OrderedDict[str, Pair] = OrderedDict()

    def generate(self, wish: Wish) -> list[ShownSample]:
        """New samples.

        Raises:
            UserError: if the reward or the showing fails.
        """
        found = self._samples(wish)
        titles = [f"{wish.source.title} {wish.seed}-{place + 1}" for place in range(wish.number)]
        named = [replace(one, title=title) for one, title in zip(found, titles, strict=True)]
        return self._shown(wish.source, named, wish.how)

    def pair(self, wish: Wish, other: Source) -> Pair:
        """One sample of each of two policies with the same random numbers, in random order.

        Raises:
            UserError: if the policies are the same or have different vocabularies.
        """
        require(other is not wish.source, "choose two different policies to compare")
        require(
            other.vocabulary == wish.source.vocabulary and wish.length in other.lengths,
            "these two policies have different tokens or lengths, and cannot be compared",
        )
        wishes = [replace(wish, number=1), replace(wish, number=1, source=other)]
        if randbelow(2):
            wishes.reverse()
        shown = []
        for name, one in zip("AB", wishes, strict=True):
            (sample,) = self._samples(one)
            # A card tells rewards and probabilities, by which the policy could be guessed.
            hidden = replace(one.source, title=name, reward=None)
            (own,) = self._shown(hidden, [replace(sample, title=name)], wish.how, is_blind=True)
            shown.append(own)
        pair = Pair(new_id(), (shown[0], shown[1]))
        _remember(self._pairs, pair.id, pair, MOST_PAIRS)
        return pair

    def prefer(self, name: str, choice: str) -> Judged:
        """Which policies a pair is of, once one is preferred: "A", "B" or "neither".

        Raises:
            UnknownError: if there is no such pair, or it was judged already.
            UserError: if the choice is another word, or it cannot be written.
        """
        require(choice in ("A", "B", "neither"), "prefer A, B or neither")
        pair = self._pairs.get(name)
        if pair is None:
            raise UnknownError("that pair is not there, or was judged already")
        samples = [one.sample for one in pair.samples]
        first, second = (one.source for one in samples)
        preferred = {"A": first, "B": second}.get(choice)
        kept = self.favourites.prefer(Preference((first, second), preferred, time.time()))
        # Not before it is stored: a judgement that could not be written can be given again.
        del self._pairs[name]
        told = [
            self._shown(
                source_titled(self.sources, one.source),
                [replace(one, title=f"{one.title}: {one.source} {one.seed}-1")],
                one.how,
            )[0]
            for one in samples
        ]
        return Judged((told[0], told[1]), kept.counts((first, second)))

    def keep(self, name: str) -> Sample:
        """Make a sample a favourite.

        Raises:
            UnknownError: if it is not among the recent ones.
            UserError: if it cannot be written.
        """
        sample = self._recent.get(name)
        if sample is None:
            raise UnknownError("that sample is not there any more; generate another")
        self.favourites.keep(sample)
        return sample

    def favourite(self, name: str) -> ShownSample:
        """A favourite, to be looked at and listened to again.

        Raises:
            UnknownError: if there is none of that id.
            UserError: if none of the page's policies has its tokens.
        """
        kept = self.favourites.read().favourites
        sample = next((one for one in kept if one.id == name), None)
        if sample is None:
            raise UnknownError("that favourite is not there any more")
        source = self._source_of(sample)
        if source is None:
            raise UserError("none of the policies here has the tokens of that favourite")
        how = _fitting_how(self.spec, source, sample.how)
        return self._shown(source, [sample], how)[0]

    def separator_of(self, source: Source) -> str:
        """What stands between tokens so that a typed primer is read as them."""
        vocabulary, how = source.vocabulary, chosen(self.spec.controls(source.settings), {})
        names = self.spec.token_names(vocabulary, source.settings, how)
        ids = [token for token in range(vocabulary.size) if token != vocabulary.end][:MOST_TRIED]
        for separator in ("", " "):
            with suppress(UserError):
                typed = separator.join(names[token] for token in ids)
                if self._opening(source, typed, how).tokens.tolist() == ids:
                    return separator
        return " "

    def names_of(self, source: Source, how: Mapping[str, Any]) -> dict[str, str]:
        """How people call the tokens of a source, in sequences shown in that way."""
        names = self.spec.token_names(source.vocabulary, source.settings, how)
        return dict(zip(source.vocabulary.tokens, names, strict=True))

    def called(self, sample: Sample, most: int) -> list[str]:
        """The first tokens of a sample, at most so many, as people call them."""
        tokens = sample.tokens[:most]
        source = self._source_of(sample)
        if source is None:
            return list(tokens)
        names = self.names_of(source, _fitting_how(self.spec, source, sample.how))
        return [names[token] for token in tokens]

    def _source_of(self, sample: Sample) -> Source | None:
        """The policy that wrote a sample, or else one that has its tokens."""
        fitting = [one for one in self.sources if set(sample.tokens) <= set(one.vocabulary.tokens)]
        named = [one for one in fitting if one.title == sample.source]
        return next(iter([*named, *fitting]), None)

    def opening(self, source: Source, given: str | bytes, name: str, how: Any) -> Opening:
        """A primer that was typed, or a file with its name.

        Raises:
            UserError: if it cannot be read.
        """
        if isinstance(given, str):
            require(len(given) <= LONGEST_TEXT, f"give {LONGEST_TEXT:,} characters at most")
            return self._cut(source, self._opening(source, given, how))
        suffix = _SUFFIX.fullmatch(Path(name[-20:]).suffix.lower())
        require(suffix is not None, "the name of the file does not tell its kind")
        with TemporaryDirectory() as folder:
            path = Path(folder) / f"file{suffix[0]}"  # type: ignore[index]
            path.write_bytes(given)
            try:
                return self._cut(source, self._opening(source, path, how), is_file=True)
            except UserError as error:
                raise UserError(str(error).replace(str(path), "the file")) from None

    def _opening(self, source: Source, given: str | Path, how: Any) -> Opening:
        return self.spec.opening(given, source.policy.saved, source.settings, how)

    def _cut(self, source: Source, opening: Opening, *, is_file: bool = False) -> Opening:
        """The opening, if need be without what leaves no room for a sequence to go on."""
        room = source.lengths[-1] - max(1, source.lengths[0] // 4)
        if len(opening.tokens) <= room:
            return opening
        note = f"only its first {room} of {len(opening.tokens)} tokens are used"
        if is_file and (controls := self.spec.opening_controls(source.settings)):
            note += f"; take less of it with “{controls[0].title.partition(' (')[0]}”"
        return replace(opening, tokens=opening.tokens[:room], notes=[*opening.notes, note])

    def _drawn(self, wish: Wish) -> Sequences:
        source = wish.source

        def draw(seed: int) -> Sequences:
            return source.sequences(
                length=wish.length, temperature=wish.temperature, seed=seed, primer=wish.primer
            )

        if not wish.valid_only:
            return draw(wish.seed)[: wish.number]
        accepted = draw_valid(
            lambda seed, rows: draw(seed),
            lambda sequences: self.spec.is_valid(sequences, source.policy.saved),
            number=wish.number,
            seed=wish.seed,
            size=MOST_AT_ONCE,
            rounds=MOST_ROUNDS,
        )
        found, valid = len(accepted.sequences), f"{self.spec.valid} {self.spec.many}"
        require(
            found == wish.number,
            f"{found} {valid} are among {accepted.drawn} that were drawn, not {wish.number}; "
            "choose a lower temperature, fewer of them or another beginning",
        )
        return accepted.sequences

    def _samples(self, wish: Wish) -> list[Sample]:
        source = wish.source
        drawn = self._drawn(wish)
        names = source.vocabulary.tokens
        return [
            Sample(
                id=new_id(),
                title="",
                source=source.title,
                folder=str(source.policy.folder or ""),
                tokens=tuple(names[token] for token in row[real]),
                primed=len(wish.primer),
                seed=wish.seed,
                temperature=wish.temperature,
                how=dict(wish.how),
                when=time.time(),
            )
            for row, real in zip(drawn.tokens, drawn.mask, strict=True)
        ]

    def _shown(
        self,
        source: Source,
        samples: Sequence[Sample],
        how: Mapping[str, Any],
        *,
        is_blind: bool = False,
    ) -> list[ShownSample]:
        """Samples of one length, or one sample, as cards; they can be kept from now on."""
        sequences = _sequences_of(source, samples)
        terms = source.terms(sequences)
        number = len(samples)
        saved = source.policy.saved
        has_reward = source.reward is not None
        drawn = Drawn(
            sequences[:number],
            source.vocabulary,
            saved.origin,
            source.settings,
            has_reward=has_reward,
        )
        few = {name: term[:number] for name, term in terms.items()}
        titles = [one.title for one in samples]
        asked = partial(self._probabilities, source, sequences.tokens, samples)
        shown = Shown(drawn, np.arange(number), few, how, titles, None if is_blind else asked)
        exhibition = self.spec.exhibits({source.title: shown})
        if not is_blind:
            self.explained = Explained(exhibition.notes, exhibition.keys)
        cards = cards_of(source.title, shown, exhibition.exhibits[source.title])
        largest = largest_earned(cards)
        for sample in samples:
            _remember(self._recent, sample.id, sample, MOST_RECENT)
        return [
            ShownSample(
                sample,
                _own_ids(render_card(_with_text(card), largest, _LEVEL), sample.id),
                tuple(mark.end for mark in card.exhibit.marks),
                bool(terms),
                sample.tokens[-1:] == (source.vocabulary.end_token,),
            )
            for sample, card in zip(samples, cards, strict=True)
        ]

    @staticmethod
    def _probabilities(
        source: Source, tokens: Int[np.ndarray, "batch time"], samples: Sequence[Sample]
    ) -> Float[np.ndarray, "sample time vocab"]:
        return source.probabilities(tokens, samples[0].temperature)[: len(samples)]


def _sequences_of(source: Source, samples: Sequence[Sample]) -> Sequences:
    """As many rows as are always sampled, so that one program rewards all numbers of them."""
    width, end = max(len(one.tokens) for one in samples), source.vocabulary.end
    if end is not None:
        width = next((one for one in source.lengths if one >= width), width)
    tokens = np.full((MOST_AT_ONCE, width), end or 0, np.int32)
    mask = np.zeros((MOST_AT_ONCE, width), bool)
    for row in range(MOST_AT_ONCE):
        own = samples[min(row, len(samples) - 1)]
        tokens[row, : len(own.tokens)] = source.vocabulary.encode(own.tokens)
        mask[row, : len(own.tokens)] = True
    return Sequences(tokens, mask)


def _with_text(card: Card) -> Card:
    """A card that has a file to download at least of its text."""
    if card.exhibit.files or card.exhibit.sound:
        return card
    exhibit: Exhibit = replace(card.exhibit, files={"txt": f"{card.exhibit.text}\n".encode()})
    return replace(card, exhibit=exhibit)


def _own_ids(html: str, prefix: str) -> str:
    """HTML whose ids no other card on the page has; those of pictures are alike."""
    names = sorted(set(_ID.findall(html)), key=len, reverse=True)
    if not names:
        return html
    either = "|".join(map(re.escape, names))
    return re.sub(rf'(\bid="|#)({either})(?![\w-])', rf"\g<1>s{prefix}-\g<2>", html)


def _fitting_how(spec: TaskSpec[Any], source: Source, how: Mapping[str, Any]) -> dict[str, Any]:
    """How a favourite was shown, and as usual where the task's controls have changed."""
    controls = spec.controls(source.settings)
    fitting: dict[str, Any] = {}
    for one in controls:
        with suppress(UserError, KeyError):
            fitting[one.name] = one.checked(how[one.name])
    return chosen(controls, fitting)


def _remember(records: OrderedDict[str, Record], name: str, record: Record, most: int) -> None:
    records[name] = record
    while len(records) > most:
        records.popitem(last=False)
