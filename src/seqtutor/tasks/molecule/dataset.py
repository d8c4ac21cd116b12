"""Molecules for training: read, rewritten by RDKit, without duplicates, encoded and split."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from seqtutor.cache import cache_folder
from seqtutor.data import Dataset, Sequences
from seqtutor.errors import UserError
from seqtutor.tasks.molecule.canonical import Form, canonicalise, require_rdkit
from seqtutor.tasks.molecule.data_settings import MoleculeDataSettings
from seqtutor.tasks.molecule.dataset_cache import EncodedSource, load_encoded, save_encoded
from seqtutor.tasks.molecule.encoding import TokenisedText, decode, vocabulary_of
from seqtutor.tasks.molecule.import_report import ImportReport
from seqtutor.tasks.molecule.moses_wheel import fetch_wheel
from seqtutor.tasks.molecule.sources import MOSES, NCI, MoleculeSource, SourceStrings, open_source
from seqtutor.tasks.molecule.tokens import shortened
from seqtutor.vocabulary import Vocabulary
from seqtutor.workers.worker import Failure

HELD_OUT_SHARE = 0.1
MOST_HELD_OUT = 10_000
"""Enough to measure a log-perplexity to a thousandth of a nat."""

READER_VERSION = 1
"""Part of a cache's name; increased whenever the same source would be read differently."""

OnProgress = Callable[[int, int], None]
"""Called with the number of molecules that RDKit has rewritten, and the number of all."""


@dataclass(frozen=True)
class MoleculeDataset(Dataset):
    """Molecules as token ids, split by molecule, with a report of what was read and dropped."""

    report: ImportReport = field(default_factory=ImportReport)

    @property
    def parts(self) -> dict[str, Sequences]:
        """The parts by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    def strings(self, part: Sequences) -> list[str]:
        """The SMILES strings of a part."""
        return decode(part.tokens, self.vocabulary)


def load_molecules(
    source: str | Path = NCI,
    settings: MoleculeDataSettings | None = None,
    *,
    vocabulary: Vocabulary | None = None,
    on_progress: OnProgress = lambda done, of: None,
) -> MoleculeDataset:
    """Load molecules for training.

    A source's own test set stays separate (MOSES has one); else a tenth of the molecules, at most
    10,000, is drawn for it, and as many for validation. Each molecule is in one part only. The
    encoded strings are cached, so that the second call takes a second even for MOSES.

    Args:
        source: "moses" (fetched before, with `seqtutor data moses`), "nci" for the small set that
            comes with RDKit, or a file.
        settings: the form of the strings, and which are kept.
        vocabulary: of a model that is to be trained on them; molecules with other tokens are
            dropped. Without one it is made from the data.
        on_progress: called while RDKit rewrites the strings.

    Raises:
        UserError: if the source is missing or has no usable molecule.
    """
    settings = settings or MoleculeDataSettings()
    opened = open_source(source, settings.column)
    cache = cache_folder() / f"molecules-{_fingerprint(opened, settings, vocabulary)[:32]}.npz"
    encoded = load_encoded(cache)
    if encoded is None:
        encoded = encode_source(opened, settings, vocabulary, on_progress)
        if settings.limit is None:
            save_encoded(cache, encoded)
    return _split(opened.name, encoded, settings.split_seed)


def load_with_bar(
    source: str, settings: MoleculeDataSettings, vocabulary: Vocabulary | None = None
) -> MoleculeDataset:
    """Load molecules with a progress bar while RDKit rewrites them; MOSES is fetched if need be.

    Raises:
        UserError: as `load_molecules`, or if MOSES cannot be fetched.
    """
    from seqtutor.runs.progress import console, progress_bar

    if source == MOSES:
        fetch_wheel()
    console.print(f"Reading {source}")
    with progress_bar() as progress:
        # Visible once it is needed: what is read from the cache is not rewritten.
        bar = progress.add_task("RDKit", total=None, visible=False, unit="molecules", note="")

        def on_progress(done: int, of: int) -> None:
            progress.update(bar, completed=done, total=of, visible=True)

        return load_molecules(source, settings, vocabulary=vocabulary, on_progress=on_progress)


def encode_source(
    source: MoleculeSource,
    settings: MoleculeDataSettings,
    vocabulary: Vocabulary | None = None,
    on_progress: OnProgress = lambda done, of: None,
) -> EncodedSource:
    """Read a source's strings, rewrite and encode them; see `load_molecules`.

    Raises:
        UserError: if no molecule is usable.
    """
    read = _limited(source.read(), settings)
    strings, report = [*read.strings, *(read.test or ())], read.report
    before_test = len(read.strings)
    form = _form(source, settings)
    if form is not None:
        written = canonicalise(
            strings, form, on_progress=lambda done: on_progress(done, len(strings))
        )
        faults = {i: one.reason for i, one in enumerate(written) if isinstance(one, Failure)}
        examples = (f"{shortened(strings[i], 40)} ({reason})" for i, reason in faults.items())
        report = report.with_dropped("no molecule for RDKit", len(faults), examples)
        before_test -= sum(index < before_test for index in faults)
        strings = [one for one in written if isinstance(one, str)]
    # In their order, so that molecules of both training and test are dropped from the test.
    distinct = dict.fromkeys(strings[:before_test])
    before_test = len(distinct)
    distinct |= dict.fromkeys(strings)
    report = report.with_dropped("duplicates", len(strings) - len(distinct))
    encoded, vocabulary, chosen, report = _encode(list(distinct), settings, vocabulary, report)
    own_test = None if read.test is None else int(chosen[before_test:].sum())
    return EncodedSource(encoded, own_test, vocabulary, report)


def _limited(read: SourceStrings, settings: MoleculeDataSettings) -> SourceStrings:
    """At most `limit` strings, and a tenth as many for testing, drawn at random, in their order."""
    if settings.limit is None:
        return read
    generator = np.random.default_rng(settings.split_seed)

    def drawn(strings: list[str], most: int) -> list[str]:
        return [strings[i] for i in np.sort(generator.permutation(len(strings))[:most])]

    strings, test = drawn(read.strings, settings.limit), read.test
    if test is not None:
        test = drawn(test, max(1, round(HELD_OUT_SHARE * settings.limit)))
    left_out = len(read.strings) - len(strings) + len(read.test or ()) - len(test or ())
    return SourceStrings(strings, test, replace(read.report, read=read.report.read - left_out))


def _form(source: MoleculeSource, settings: MoleculeDataSettings) -> Form | None:
    """The form in which RDKit rewrites the strings; `None` if they stay as they are."""
    form = Form(settings.stereo, settings.parent)
    is_unchanged = source.is_canonical and form == Form() and settings.canonical == "auto"
    return None if is_unchanged or settings.canonical == "no" else form


def _encode(
    strings: Sequence[str],
    settings: MoleculeDataSettings,
    vocabulary: Vocabulary | None,
    report: ImportReport,
) -> tuple[Sequences, Vocabulary, np.ndarray, ImportReport]:
    """Encode the strings that can be encoded; also returns which of them these are.

    Raises:
        UserError: if none can.
    """
    text = TokenisedText(strings)
    chosen = text.is_smiles
    report = report.with_dropped("no SMILES text", int((~chosen).sum()))
    too_long = chosen & (text.lengths >= settings.max_length)
    report = report.with_dropped(
        f"longer than {settings.max_length - 1} tokens", int(too_long.sum())
    )
    chosen &= ~too_long
    counts = text.counts(chosen)
    if vocabulary is None:
        known = {token for token, count in counts.items() if count >= settings.rarest}
        reason = f"with a token that occurs fewer than {settings.rarest} times"
    else:
        known = set(vocabulary.tokens)
        reason = "with a token that the model does not know"
    with_unknown = chosen & ~text.consists_of(known)
    unknown = sorted(set(counts) - known, key=lambda token: (-counts[token], token))
    report = report.with_dropped(reason, int(with_unknown.sum()), unknown)
    chosen &= ~with_unknown
    if not chosen.any():
        reasons = "; ".join(report.lines()[1:])
        raise UserError(f"none of {report.read:,} molecules can be used ({reasons})")
    if vocabulary is None:
        vocabulary = vocabulary_of(text.counts(chosen) if with_unknown.any() else counts)
    return text.encode(chosen, vocabulary, settings.max_length), vocabulary, chosen, report


def _split(name: str, encoded: EncodedSource, seed: int) -> MoleculeDataset:
    sequences, vocabulary, report = encoded.sequences, encoded.vocabulary, encoded.report
    pool = len(sequences) - (encoded.own_test or 0)
    order = np.random.default_rng(seed).permutation(pool)
    held_out = min(MOST_HELD_OUT, max(1, round(HELD_OUT_SHARE * pool)))
    validation, rest = order[:held_out], order[held_out:]
    if encoded.own_test is None:
        test, train = sequences[rest[:held_out]], rest[held_out:]
    else:
        test, train = sequences[pool:], rest
    parts = {"train": sequences[train], "validation": sequences[validation], "test": test}
    longest = sequences.tokens.shape[1]
    lengths = sequences.mask.sum(1) - 1
    figures = {
        "source": name,
        "molecules": {part: len(rows) for part, rows in parts.items()},
        "tokens": vocabulary.size - 1,
        "mean_length": round(float(lengths.mean()), 2),
        "longest": int(lengths.max()),
        "max_length": longest,
        "read": report.read,
        "dropped": dict(report.dropped),
        "sha256": _digest(vocabulary, parts),
    }
    return MoleculeDataset(
        vocabulary,
        longest,
        parts["train"],
        parts["validation"],
        parts["test"],
        origin={"data": figures},
        summary=_lines(vocabulary, parts, report),
        report=report,
    )


def _digest(vocabulary: Vocabulary, parts: dict[str, Sequences]) -> str:
    """A SHA-256 that identifies in a model's record the data that it was trained on."""
    digest = hashlib.sha256(repr(vocabulary.tokens).encode())
    for part in parts.values():
        digest.update(repr(part.tokens.shape).encode())
        digest.update(np.ascontiguousarray(part.tokens).data)
    return digest.hexdigest()


def _lines(vocabulary: Vocabulary, parts: dict[str, Sequences], report: ImportReport) -> list[str]:
    """What was read and dropped, the parts and the tokens, as lines for people."""
    lines = [*report.lines(), "", f"{'':<12}{'molecules':>10}{'tokens':>10}{'mean':>8}"]
    for name, part in parts.items():
        lengths = part.mask.sum(1) - 1
        span, mean = (f"{lengths.min()}–{lengths.max()}", lengths.mean()) if len(part) else ("", 0)
        lines.append(f"{name:<12}{len(part):>10,}{span:>10}{mean:>8.1f}")
    tokens = [token for token in vocabulary.tokens if token != vocabulary.end_token]
    return [*lines, "", f"{len(tokens)} tokens: {' '.join(tokens)}"]


def _fingerprint(
    source: MoleculeSource, settings: MoleculeDataSettings, vocabulary: Vocabulary | None
) -> str:
    parts: list[Any] = [READER_VERSION, source.fingerprint, asdict(replace(settings, split_seed=0))]
    parts.append(None if vocabulary is None else vocabulary.tokens)
    if _form(source, settings) is not None:
        require_rdkit()
        import rdkit

        parts.append(rdkit.__version__)
    return hashlib.sha256(repr(parts).encode()).hexdigest()
