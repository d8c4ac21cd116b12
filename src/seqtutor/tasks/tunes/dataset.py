"""Phrases to learn from: read, split by tune, and written as tokens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from seqtutor.data import Dataset, Sequences, pad
from seqtutor.errors import UserError
from seqtutor.tasks.scores.duplicates import FRACTIONS, cluster_near_duplicates, split_clusters
from seqtutor.tasks.scores.import_report import ImportReport
from seqtutor.tasks.tunes.data import TOKENS_PER_BAR, TunesData
from seqtutor.tasks.tunes.reader import read_corpus, read_sources
from seqtutor.tasks.tunes.sections import Cutting, Tune
from seqtutor.tasks.tunes.tokens import tokens_of, vocabulary_of
from seqtutor.vocabulary import Vocabulary

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class SplitTunes:
    """The tunes of each part, and how many clusters of near-duplicates there are."""

    parts: tuple[tuple[Tune, ...], ...]
    clusters: int


def split_tunes(tunes: Sequence[Tune], seed: int) -> SplitTunes:
    """Split tunes into training, validation and test, near-duplicates on one side."""
    clusters = cluster_near_duplicates(tunes)
    part = split_clusters(clusters, FRACTIONS, seed)
    parts = tuple(
        tuple(tune for tune, own in zip(tunes, part, strict=True) if own == chosen)
        for chosen in range(len(PARTS))
    )
    return SplitTunes(parts, int(clusters.max()) + 1)


def read_phrases(options: TunesData, vocabulary: Vocabulary | None = None) -> Dataset:
    """The phrases that the options ask for.

    Args:
        options: which tunes, and how they become phrases.
        vocabulary: of a model whose training goes on; phrases with other tokens are left out.

    Raises:
        UserError: if the tunes cannot be read, or there are too few.
    """
    if options.data is None:
        tunes, report = read_corpus(options.bars)
    else:
        tunes, report = read_sources(options.data, Cutting(options.bars))
    if not tunes:
        raise UserError(f"none of {report.tunes_read} tunes can be used ({report.reasons})")
    split = split_tunes(tunes, options.split_seed)
    written = [
        [tokens_of(phrase) for tune in part for phrase in tune.phrases] for part in split.parts
    ]
    longest = TOKENS_PER_BAR * options.bars
    if vocabulary is None:
        counts = Counter(token for phrase in written[0] for token in phrase)
        frequent = [token for token, count in counts.items() if count >= options.rare_below]
        vocabulary = vocabulary_of([frequent], options.bars)
    known = set(vocabulary.tokens)
    dropped: Counter[str] = Counter()
    kept: list[Sequences] = []
    for part in written:
        usable = []
        for phrase in part:
            if len(phrase) >= longest:
                dropped["phrases of too many notes"] += 1
            elif known.issuperset(phrase):
                usable.append(phrase)
            else:
                dropped["phrases with rare notes"] += 1
        kept.append(pad(vocabulary, longest, usable))
    if not len(kept[0]) or not len(kept[1]):
        raise UserError(
            f"{len(tunes)} tunes leave {len(kept[0])} phrases of {options.bars} bars for training "
            f"and {len(kept[1])} for validation; give more tunes"
        )
    report = report + ImportReport(0, {}, dict(dropped))
    data = Dataset(vocabulary, longest, kept[0], kept[1], kept[2])
    figures = _figures(split, kept, report) | {"sha256": data.digest}
    return replace(
        data,
        origin={
            "bars": options.bars,
            "data": {"source": str(options.data or "the tunes of music21"), **figures},
        },
        summary=_lines(figures, options.bars, report),
        warnings=[f"skipped: {name}: {why}" for name, why in report.skipped_files],
    )


def _figures(
    split: SplitTunes, kept: Sequence[Sequences], report: ImportReport
) -> dict[str, object]:
    return {
        "tunes": {name: len(part) for name, part in zip(PARTS, split.parts, strict=True)},
        "phrases": {name: len(part) for name, part in zip(PARTS, kept, strict=True)},
        "tokens": {name: int(part.mask.sum()) for name, part in zip(PARTS, kept, strict=True)},
        "near_duplicates": sum(map(len, split.parts)) - split.clusters,
        "tunes_read": report.tunes_read,
        "dropped": dict(report.dropped),
        "noted": dict(report.noted),
    }


def _lines(figures: dict, bars: int, report: ImportReport) -> list[str]:
    """What was read and what was dropped, for people."""
    used = sum(figures["tunes"].values())
    lines = [
        f"{report.tunes_read:,} tunes read; {used:,} used "
        f"({figures['near_duplicates']:,} of them near-duplicates of another)"
    ]
    lines += [
        f"  {name:<10} {figures['tunes'][name]:>6,} tunes  {figures['phrases'][name]:>6,} phrases "
        f"of {bars} bars  {figures['tokens'][name]:>8,} tokens"
        for name in PARTS
    ]
    return lines + [f"  {line}" for line in report.lines()[1:] if not line.startswith("skipped")]
