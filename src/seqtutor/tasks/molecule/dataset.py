"""Molecules to learn from: read, rewritten, without duplicates, as token ids, and split."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from seqtutor.cache import cache_folder
from seqtutor.errors import UserError
from seqtutor.tasks.molecule.canonical import Form, canonicalise
from seqtutor.tasks.molecule.data_settings import MoleculeDataSettings
from seqtutor.tasks.molecule.dataset_cache import EncodedSource, load_encoded, save_encoded
from seqtutor.tasks.molecule.encoding import (
    EncodedMolecules,
    TokenisedText,
    decode,
    vocabulary_of,
)
from seqtutor.tasks.molecule.import_report import ImportReport
from seqtutor.tasks.molecule.requirements import require_rdkit
from seqtutor.tasks.molecule.sources import NCI, MoleculeSource, SourceStrings, open_source
from seqtutor.tasks.molecule.tokens import shortened
from seqtutor.vocabulary import Vocabulary
from seqtutor.workers.worker import Failure

HELD_OUT_SHARE = 0.1
MOST_HELD_OUT = 10_000
"""Enough to measure a log-perplexity to a thousandth of a nat."""

READER_VERSION = 1
"""Part of a cache's name; to be raised whenever the same source would be read differently."""

OnProgress = Callable[[int, int], None]
"""Called with the molecules that RDKit has rewritten, and how many there are."""


@dataclass(frozen=True)
class MoleculeDataset:
    """Strings as token ids, split by molecule.

    Attributes:
        source: where they come from.
        vocabulary: of their tokens, with an end token.
        train, validation, test: the parts.
        report: what happened to the strings on their way in.
    """

    source: str
    vocabulary: Vocabulary
    train: EncodedMolecules
    validation: EncodedMolecules
    test: EncodedMolecules
    report: ImportReport

    @property
    def parts(self) -> dict[str, EncodedMolecules]:
        """The parts by their names."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def max_length(self) -> int:
        """Tokens in a row, the end token included."""
        return self.train.tokens.shape[1]

    @property
    def digest(self) -> str:
        """A SHA-256 of the parts, to say in a model's record which data it saw."""
        digest = hashlib.sha256(repr(self.vocabulary.tokens).encode())
        for part in self.parts.values():
            digest.update(repr(part.tokens.shape).encode())
            digest.update(np.ascontiguousarray(part.tokens).data)
        return digest.hexdigest()

    def strings(self, part: EncodedMolecules) -> list[str]:
        """The SMILES strings of a part."""
        return decode(part.tokens, self.vocabulary)

    def summary(self) -> dict[str, Any]:
        """The dataset's figures, ready for JSON."""
        lengths = np.concatenate([part.lengths for part in self.parts.values()]) - 1
        return {
            "source": self.source,
            "molecules": {name: len(part) for name, part in self.parts.items()},
            "tokens": self.vocabulary.size - 1,
            "mean_length": round(float(lengths.mean()), 2),
            "longest": int(lengths.max()),
            "max_length": self.max_length,
            "read": self.report.read,
            "dropped": dict(self.report.dropped),
            "sha256": self.digest,
        }


def load_molecules(
    source: str | Path = NCI,
    settings: MoleculeDataSettings | None = None,
    *,
    vocabulary: Vocabulary | None = None,
    use_cache: bool = True,
    on_progress: OnProgress = lambda done, of: None,
) -> MoleculeDataset:
    """Load molecules to learn from.

    A source's own test set stays apart (MOSES has one); else a tenth of the molecules, at most
    10,000, is drawn for it, and as many for validation. Each molecule is in one part only. The
    encoded strings are cached, so that the second call takes a second for MOSES, too.

    Args:
        source: "moses" (bring it first, with `seqtutor data moses`), "nci" for the small set that
            comes with RDKit, or a file of your own.
        settings: the form of the strings, and which are kept.
        vocabulary: of a model that is to learn from them; molecules with other tokens are dropped.
            Without one it is made from the data.
        use_cache: whether the encoded strings are kept on disk.
        on_progress: called while RDKit rewrites the strings.

    Raises:
        UserError: if the source is missing or has no usable molecule.
    """
    settings = settings or MoleculeDataSettings()
    opened = open_source(source, settings.column)
    use_cache = use_cache and settings.limit is None
    cache = cache_folder() / f"molecules-{_fingerprint(opened, settings, vocabulary)[:32]}.npz"
    encoded = load_encoded(cache) if use_cache else None
    if encoded is None:
        encoded = encode_source(opened, settings, vocabulary, on_progress)
        if use_cache:
            save_encoded(cache, encoded)
    return _split(opened.name, encoded, settings.split_seed)


def encode_source(
    source: MoleculeSource,
    settings: MoleculeDataSettings,
    vocabulary: Vocabulary | None = None,
    on_progress: OnProgress = lambda done, of: None,
) -> EncodedSource:
    """Read a source's strings and bring them to their form; see `load_molecules`.

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
    # In their order, so that what training and test share is dropped from the test.
    distinct = dict.fromkeys(strings[:before_test])
    before_test = len(distinct)
    distinct |= dict.fromkeys(strings)
    report = report.with_dropped("duplicates", len(strings) - len(distinct))
    encoded, vocabulary, chosen, report = _encode(list(distinct), settings, vocabulary, report)
    own_test = None if read.test is None else int(chosen[before_test:].sum())
    return EncodedSource(encoded, own_test, vocabulary, report)


def _limited(read: SourceStrings, settings: MoleculeDataSettings) -> SourceStrings:
    """At most `limit` strings, and a tenth as many to test on, drawn at random, in their order."""
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
    """How RDKit is to rewrite the strings, or `None` if they stay as they are."""
    form = Form(settings.stereo, settings.parent)
    as_it_is = source.is_canonical and form == Form() and settings.canonical == "auto"
    return None if as_it_is or settings.canonical == "no" else form


def _encode(
    strings: Sequence[str],
    settings: MoleculeDataSettings,
    vocabulary: Vocabulary | None,
    report: ImportReport,
) -> tuple[EncodedMolecules, Vocabulary, np.ndarray, ImportReport]:
    """Drop what cannot be encoded; also tells which of the strings are left.

    Raises:
        UserError: if none are.
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
    molecules = encoded.molecules
    pool = len(molecules) - (encoded.own_test or 0)
    order = np.random.default_rng(seed).permutation(pool)
    held_out = min(MOST_HELD_OUT, max(1, round(HELD_OUT_SHARE * pool)))
    validation, rest = order[:held_out], order[held_out:]
    if encoded.own_test is None:
        test, train = molecules.rows(rest[:held_out]), rest[held_out:]
    else:
        test, train = molecules.rows(slice(pool, None)), rest
    return MoleculeDataset(
        source=name,
        vocabulary=encoded.vocabulary,
        train=molecules.rows(train),
        validation=molecules.rows(validation),
        test=test,
        report=encoded.report,
    )


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
