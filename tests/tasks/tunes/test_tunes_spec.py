"""The tunes task as the commands use it: data, files, primers, priors."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pytest

from seqtutor.controls import chosen
from seqtutor.data import Sequences
from seqtutor.errors import UserError
from seqtutor.exhibits import Shown
from seqtutor.task_records import Drawn
from seqtutor.tasks.scores.copies import symbols_of
from seqtutor.tasks.tunes.copies import strings_of
from seqtutor.tasks.tunes.data import TunesData
from seqtutor.tasks.tunes.exhibits import exhibition
from seqtutor.tasks.tunes.layout import Layout
from seqtutor.tasks.tunes.listening import controls
from seqtutor.tasks.tunes.phrase import METERS, MODES, key_of, lead_sheet_of
from seqtutor.tasks.tunes.priors import SHIPPED_PRIOR, bars_of, source_of
from seqtutor.tasks.tunes.reader import read_abc
from seqtutor.tasks.tunes.sections import Cutting
from seqtutor.tasks.tunes.settings import TunesSettings
from seqtutor.tasks.tunes.spec import TuneSamples, spec
from seqtutor.tasks.tunes.tokens import (
    BAR,
    DANCES,
    END,
    phrase_of,
    table_of,
    tokens_of,
    vocabulary_of,
)
from seqtutor.vocabulary import Vocabulary

LETTERS = "CDEFGABcdefg"


def tune(number: int, generator: np.random.Generator) -> str:
    """A tune of sixteen bars in 4/4, the first four of each half twice."""
    bars = ["".join(generator.choice(list(LETTERS), 8)) for _ in range(12)]
    order = [0, 1, 2, 3, 0, 1, 2, 4, 5, 6, 7, 8, 5, 6, 7, 9]
    music = [bars[place] for place in order]
    first, second = "|".join(music[:8]), "|".join(music[8:])
    return f"X:{number}\nT:Tune {number}\nM:4/4\nL:1/8\nK:C\n|:{first}:|\n|:{second}:|\n"


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    generator = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("book") / "book.abc"
    path.write_text("\n".join(tune(number, generator) for number in range(1, 31)))
    return path


@pytest.fixture(scope="module")
def data(book):
    return spec.read_data(TunesData(data=book, rare_below=1))


def prior_of(read, **changes):
    origin = {"max_length": 96, **read.origin, **changes}
    return SimpleNamespace(vocabulary=read.vocabulary, origin=origin, folder=None)


def test_a_book_is_split_by_tune(data, book):
    parts = (data.train, data.validation, data.test)
    assert [len(part) for part in parts] == [48, 6, 6]
    assert data.max_length == 96
    text = data.vocabulary.texts(data.train.tokens[:1], data.train.mask[:1])[0].split()
    assert text[:3] == ["4/4", "major", "|1"]
    assert [token for token in text if token.startswith("=")] == ["=1", "=2", "=3"]
    assert source_of(prior_of(data)) == book
    assert source_of(prior_of(data, data={"source": "none-such"})) is None


def test_phrases_of_sixteen_bars_are_two_sections(book):
    data = spec.read_data(TunesData(data=book, bars=16, rare_below=1))
    assert len(data.train) + len(data.validation) + len(data.test) == 30
    last = data.vocabulary.encode(["|16"])[0]
    assert (data.train.tokens == last).sum(axis=1).tolist() == [1] * len(data.train)


def test_rare_notes_and_those_of_another_vocabulary_are_left_out(book, data):
    known = Vocabulary(tuple(t for t in data.vocabulary.tokens if t != "C4:1/2"), END)
    with pytest.raises(UserError, match="leave 3 phrases"):
        spec.read_data(TunesData(data=book), known)
    assert spec.read_data(TunesData(data=book), data.vocabulary).digest == data.digest
    with pytest.raises(UserError, match="leave 0 phrases"):
        spec.read_data(TunesData(data=book, rare_below=10_000))


def test_what_is_written_reads_back(data, tmp_path):
    """Through files for people, in another key, and through `score`."""
    few = data.test[:3]
    drawn = Drawn(few, data.vocabulary, data.origin, TunesSettings())
    paths = spec.write(drawn, tmp_path, TuneSamples(formats=("abc", "musicxml"), transpose=5))
    assert len(paths) == 4
    (abc,) = [path for path in paths if path.suffix == ".abc"]
    tunes, _ = read_abc(abc.read_text(), "own", Cutting(8))
    wanted = data.vocabulary.texts(few.tokens, few.mask)
    assert [" ".join(tokens_of(phrase)) for one in tunes for phrase in one.phrases] == wanted
    names, again = spec.read_sequences(abc, data.vocabulary, 96, prior_of(data))
    assert names == ["tune 001", "tune 002", "tune 003"]
    np.testing.assert_array_equal(again.tokens, few.tokens)
    first = min(path for path in paths if path.suffix == ".musicxml")
    _, again = spec.read_sequences(first, data.vocabulary, 96, prior_of(data))
    np.testing.assert_array_equal(again.tokens, few.tokens[:1])


def test_a_file_without_a_phrase_is_told(data, tmp_path):
    path = tmp_path / "short.abc"
    path.write_text("X:1\nM:4/4\nL:1/8\nK:C\nCDEF GABc|\n")
    with pytest.raises(UserError, match="holds no"):
        spec.read_sequences(path, data.vocabulary, 96, prior_of(data))


def test_a_rare_length_is_tied_and_a_rare_pitch_is_named(tmp_path, capsys):
    """The rules hear no difference; what no tokens of the model sound is told, and where."""
    vocabulary = Vocabulary.load(SHIPPED_PRIOR / "vocabulary.json")
    prior = SimpleNamespace(vocabulary=vocabulary, origin={"max_length": 96, "bars": 8})
    path = tmp_path / "waltz.abc"
    first, second = "|:E|A2B|c2d|e2e|d2B|c2A|G2E|B3|A2:|", "|:E|A2B|c2d|e2e|d2B|c2A|^c'2E|B3|A2:|"
    path.write_text(f"X:1\nT:Waltz\nM:3/4\nL:1/4\nK:Am\n{first}\n{second}\n")
    assert "B4:3" not in vocabulary.tokens
    _, rows = spec.read_sequences(path, vocabulary, 96, prior)
    tokens = vocabulary.decode(rows.tokens[0][rows.mask[0]])
    place = tokens.index("|7")
    assert tokens[place + 1 : place + 3] == ["B4:2", "tie:1"]
    notes = lead_sheet_of(phrase_of(tokens)).notes
    assert [note.duration for note in notes if note.pitch == 71][-1] == 3
    told = " ".join("".join(capsys.readouterr()).split())
    assert "Waltz, phrase 2 is left out: bar 6: C#6 of 2 quarters is not in the vocabulary" in told


def test_a_tempo_of_a_file_is_that_of_what_goes_on_from_it(data, tmp_path):
    """Unless another is asked for; marks of jigs count dotted quarters, as the file's did."""
    path = tmp_path / "jig.abc"
    music = "|:d2A F2A|B2c d2e|f2e d2A|d3 A3|d2A F2A|B2c d2e|f2e d2A|d3 d3:|"
    path.write_text(f"X:1\nT:Jig\nM:6/8\nL:1/8\nQ:3/8=110\nK:C\n{music}\n")
    known = vocabulary_of(
        [tokens_of(read_abc(path.read_text(), "own", Cutting(8))[0][0].phrases[0])], 8
    )
    ids = known.encode(["6/8", "major", *(f"|{n}" for n in range(1, 9)), END])
    drawn = Drawn(Sequences(ids[None], np.ones((1, len(ids)), bool)), known, {}, TunesSettings())
    for asked, mark, sound in ((None, "110", "165"), (120.0, "80", "120")):
        options = TuneSamples(prime=str(path), tempo=asked, formats=("abc", "musicxml"))
        _, options = spec.primer(options, TunesSettings(), 1, 0, known)
        texts = [one.read_text() for one in spec.write(drawn, tmp_path / mark, options)]
        abc, score = sorted(texts)
        assert f"\nQ:3/8={mark}\n" in abc
        found = re.search(r"unit>(.*)</beat-unit>\s*<beat-unit-dot />\s*<per-minute>(.*)<", score)
        assert found.groups() == ("quarter", mark)
        assert f'<sound tempo="{sound}"' in score
    assert (
        spec.opening(
            path,
            prior_of(SimpleNamespace(vocabulary=known, origin={"bars": 8})),
            TunesSettings(),
            {},
        ).how["tempo"]
        == 165
    )


def test_a_primer_is_read_in_the_tokens_of_the_policy(data):
    options = TuneSamples(prime="6/8 minor")
    forced, _ = spec.primer(options, TunesSettings(), 2, 0, data.vocabulary)
    assert data.vocabulary.decode(forced[1]) == ["6/8", "minor"]
    with pytest.raises(UserError, match=r"my_tune\.abc does not exist"):
        spec.primer(TuneSamples(prime="my_tune.abc"), TunesSettings(), 2, 0, data.vocabulary)
    for word in ("7/8", "mazurka"):
        with pytest.raises(UserError, match=f"'{word}' begins no tune; give a dance .jig, reel"):
            spec.primer(TuneSamples(prime=word), TunesSettings(), 2, 0, data.vocabulary)
    with pytest.raises(UserError, match="knows no note 'C9:1'"):
        spec.primer(TuneSamples(prime="6/8 C9:1"), TunesSettings(), 2, 0, data.vocabulary)


@pytest.mark.parametrize(("dance", "meter"), DANCES.items())
def test_a_dance_is_a_metre(data, dance, meter):
    options = TuneSamples(prime=f"{dance.title()} minor")
    forced, _ = spec.primer(options, TunesSettings(), 1, 0, data.vocabulary)
    assert data.vocabulary.decode(forced[0]) == [meter, "minor"]
    assert meter in {f"{beats}/{unit}" for beats, unit in METERS}


@pytest.mark.parametrize(("key", "semitones"), [("G", -5), ("D", 2), ("Em", -5), ("C", 0)])
def test_a_file_is_a_beginning_in_its_own_key(data, book, tmp_path, key, semitones):
    """The command and the page read it alike, and what is written begins as the file does."""
    head, *_ = book.read_text().split("\nX:2")
    path = tmp_path / "mine.abc"
    path.write_text(head.replace("K:C", f"K:{key}"))
    phrase = read_abc(path.read_text(), "own", Cutting(8))[0][0].phrases[0]
    own = tokens_of(phrase)
    for bars, cut in ((None, "|5"), (2, "|3")):
        wanted = own[: own.index(cut)]
        if not set(wanted) <= set(data.vocabulary.tokens):
            data = SimpleNamespace(vocabulary=vocabulary_of([own], 8), origin=data.origin)
        options = TuneSamples(prime=str(path), prime_bars=bars)
        forced, written = spec.primer(options, TunesSettings(), 1, 0, data.vocabulary)
        assert data.vocabulary.decode(forced[0]) == wanted
        assert (written.transpose - semitones) % 12 == 0
        given = {"bars": bars or 0}
        opening = spec.opening(path, prior_of(data), TunesSettings(), given)
        assert opening.tokens.tolist() == forced[0].tolist()
        assert opening.how == {"transposition": written.transpose}
        first, *others = opening.notes
        assert first == f"begins with {bars or 4} of the 8 bars of Tune 1, phrase 1"
        assert not any("bars after" in note for note in others), "nothing is left out"
    sheet = lead_sheet_of(phrase_of(wanted), written.transpose)
    original = read_abc(path.read_text(), "own", Cutting(8))[0][0].notes
    assert [note.pitch for note in sheet.notes] == [
        note.pitch for note in original[: len(sheet.notes)]
    ]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("x.mid", "is not a readable MIDI file"),
        ("x.mscz", "is not a tune; known are files .abc, .krn, .*; MuseScore files are exported"),
        ("x.pdf", "is not a tune; .* a picture of a score is not read"),
    ],
)
def test_files_that_cannot_be_read_are_told_what_to_do(data, tmp_path, name, words):
    path = tmp_path / name
    path.write_bytes(b"nothing")
    with pytest.raises(UserError, match=words):
        spec.read_sequences(path, data.vocabulary, 96, prior_of(data))
    with pytest.raises(UserError, match=words):
        spec.opening(path, prior_of(data), TunesSettings(), {})
    options = TuneSamples(prime=str(path))
    with pytest.raises(UserError, match=words):
        spec.primer(options, TunesSettings(), 1, 0, data.vocabulary)


def test_a_model_that_writes_no_tunes_is_refused(data):
    for changes in ({"bars": None}, {"bars": 7}, {"max_length": None, "bars": "8"}):
        with pytest.raises(UserError, match="pretrain tunes"):
            spec.check_prior(prior_of(data, **changes))
    assert bars_of(prior_of(data)) == 8
    unnumbered = prior_of(data)
    unnumbered.vocabulary = Vocabulary(("|", *data.vocabulary.tokens), END)
    with pytest.raises(UserError, match="bars of tunes have numbers"):
        spec.check_prior(unnumbered)
    with pytest.raises(UserError, match="--bars"):
        TunesData(bars=6)


def test_the_prior_of_the_package_knows_all_metres_and_modes():
    vocabulary = Vocabulary.load(SHIPPED_PRIOR / "vocabulary.json")
    table = table_of(vocabulary)
    assert {f"{beats}/{unit}" for beats, unit in METERS} <= set(vocabulary.tokens)
    assert sorted(table.copied[table.copied > 0]) == list(range(1, 8))
    assert sorted(table.bar[table.bar > 0]) == list(range(1, 9))
    assert (SHIPPED_PRIOR / "model.safetensors").stat().st_size < 5_000_000
    assert [key_of(mode).tonic for mode in MODES] == [0, 9, 2, 7]


def test_a_copy_is_found_in_any_key_and_a_rest_is_a_rest():
    pitch = np.array([[[60, 60, 0, 62], [64, 64, 64, 64]]])
    begins = np.array([[[1, 0, 0, 1], [1, 0, 1, 0]]], bool)
    pitch, begins = (np.pad(one, ((0, 0), (0, 0), (0, 32))) for one in (pitch, begins))
    empty = np.zeros(1, int)
    layout = Layout(pitch, begins, begins, np.array([[12, 9]]), *[empty] * 11)
    higher = np.array([[62, 62, 0, 64, 66, 66, 66]])
    assert strings_of(layout) == symbols_of(higher, np.array([[1, 0, 1, 1, 1, 0, 1]], bool))


def test_a_roll_counts_bars_from_the_upbeat_and_has_room_for_the_last_label():
    bars = [BAR, *["C5:1"] * 4] * 8
    tokens = ["4/4", "major", "G4:1", *bars, BAR, "rest:1/2", END]
    vocabulary = Vocabulary(tuple(dict.fromkeys(tokens)), END)
    ids = vocabulary.encode(tokens)
    drawn = Drawn(Sequences(ids[None], np.ones((1, len(ids)), bool)), vocabulary, {}, None)
    found = exhibition({"tunes": Shown(drawn, np.array([0]), {}, chosen(controls(), {}))})
    (exhibit,) = found.exhibits["tunes"]
    (roll,) = (one.svg for one in exhibit.pictures if 'class="roll"' in one.svg)
    width = float(re.search(r'viewBox="0 0 ([\d.]+)', roll)[1])
    labels = re.findall(r'<text x="([\d.]+)"[^>]*>(bar \d+)<', roll)
    assert [name for _, name in labels] == [f"bar {number}" for number in range(1, 10)]
    at = [float(x) for x, _ in labels]
    quarter = (at[1] - at[0]) / 4
    assert at[0] - 2 == pytest.approx(26 + quarter, abs=0.1), "after the upbeat of a quarter"
    # A letter is about 5 units wide at 9 units of height.
    assert at[-1] + 5 * len("bar 9") <= width
    ends = [float(x) for x in re.findall(r'data-end="([\d.]+)"', roll)]
    expected = [26 + number * quarter for number in (17, 16.5)]
    assert ends == pytest.approx(expected, abs=0.2), "the last cursor ends with the tune"
