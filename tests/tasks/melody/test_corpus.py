import json
from pathlib import Path

import numpy as np
import pytest

from seqtutor.errors import UserError
from seqtutor.tasks.melody.abc import AbcOptions, read_abc
from seqtutor.tasks.melody.corpus import load_tunes, read_corpus, save_tunes
from seqtutor.tasks.scores import corpus
from seqtutor.tasks.scores.corpus import ESSEN, PUBLIC_DOMAIN_BOOKS
from seqtutor.tasks.scores.keys import Key

TEXT = """X:1
T:Écossaise
M:none
K:Ador
(3ABc d|e4|]

X:2
M:6/8
L:1/8
K:G
d|g2 [Bg] z3|]

X:3
K:?
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEQTUTOR_CACHE", str(tmp_path))
    return tmp_path


def test_the_corpus_has_the_tunes_it_should(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The folder is that of the dataset's tests, which then need not parse the corpus again.
    monkeypatch.setenv("SEQTUTOR_CACHE", str(tmp_path_factory.getbasetemp() / "folk-cache"))
    tunes, report = read_corpus()
    assert report.tunes_read == 2009 + 1059 + 1180
    assert report.usable == len(tunes) > 0.99 * report.tunes_read
    assert {tune.source.split("/")[0] for tune in tunes} == set(PUBLIC_DOMAIN_BOOKS)
    for tune in tunes:
        pairs = zip(tune.notes, tune.notes[1:], strict=False)
        assert all(note.end <= following.onset for note, following in pairs)
        assert tune.notes[0].onset >= 0
        assert tune.notes[-1].end <= tune.length
    # Most written bars have the length that the metre asks for, which wrong lengths would upset.
    full = written = 0
    for tune in tunes:
        lengths = np.diff(tune.downbeats)
        full += int((lengths == tune.bar_length).sum())
        written += len(lengths)
    assert full > 0.97 * written

    again, report_again = read_corpus()
    assert again == tunes
    assert report_again == report


def test_essen_tunes_get_their_mode_from_the_thirds(cache: Path) -> None:
    tunes, report = read_corpus((ESSEN,), use_cache=False)
    assert report.tunes_read == 8514
    minor = sum(tune.key.mode == "minor" for tune in tunes)
    assert 800 < minor < 1400
    assert not list(cache.iterdir())


def test_a_cache_gives_back_what_it_was_given(tmp_path: Path) -> None:
    tunes, report = read_abc(TEXT, "test.abc")
    assert tunes[0].key == Key(9, "dorian")
    path = tmp_path / "deep" / "tunes.npz"
    save_tunes(path, tunes, report)
    assert load_tunes(path) == (tunes, report)
    assert [file.name for file in path.parent.iterdir()] == ["tunes.npz"]


def _foreign_format(content: bytes, path: Path) -> None:
    with np.load(path) as arrays:
        parts = dict(arrays)
    names = json.loads(parts["names"].tobytes()) | {"format": -1}
    parts["names"] = np.frombuffer(json.dumps(names).encode(), np.uint8)
    np.savez(path, **parts)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content, path: path.write_bytes(b""),
        lambda content, path: path.write_bytes(b"not an archive"),
        lambda content, path: path.write_bytes(content[: len(content) // 2]),
        lambda content, path: path.write_bytes(content[:200] + b"\xff" * 99 + content[299:]),
        lambda content, path: np.savez(path, notes=np.zeros((1, 3))),
        lambda content, path: np.savez(path, names=np.array([{}], dtype=object)),
        _foreign_format,
    ],
)
def test_a_damaged_cache_is_made_again(
    cache: Path, monkeypatch: pytest.MonkeyPatch, damage: object
) -> None:
    folder = cache / "corpus"
    (folder / "book").mkdir(parents=True)
    (folder / "book" / "tunes.abc").write_text(TEXT, encoding="utf-8")
    monkeypatch.setattr(corpus, "corpus_folder", lambda: folder)
    expected = read_corpus(["book"])
    (path,) = cache.glob("*.npz")
    damage(path.read_bytes(), path)  # type: ignore[operator]
    assert load_tunes(path) is None
    assert read_corpus(["book"]) == expected
    assert load_tunes(path) == expected


def test_the_cache_knows_contents_and_options(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = cache / "corpus"
    (folder / "book").mkdir(parents=True)
    file = folder / "book" / "tunes.abc"
    file.write_text(TEXT, encoding="utf-8")
    monkeypatch.setattr(corpus, "corpus_folder", lambda: folder)
    assert len(read_corpus(["book"])[0]) == 2
    assert len(read_corpus(["book"], AbcOptions(off_grid="drop"))[0]) == 1
    file.write_text(TEXT.replace("K:?", "K:C\nABc"), encoding="utf-8")
    assert len(read_corpus(["book"])[0]) == 3


def test_an_unwritable_cache_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    monkeypatch.setenv("SEQTUTOR_CACHE", str(blocker))
    assert read_corpus(("airdsAirs",))[1].usable == 1180


def test_missing_books_and_a_missing_corpus(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="no-such-book"):
        read_corpus(["no-such-book"])
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install music21"):
        read_corpus()
