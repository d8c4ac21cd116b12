import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqtutor.data import Sequences
from seqtutor.errors import UserError
from seqtutor.task_records import Drawn
from seqtutor.tasks.melody.encoding import (
    Note,
    melody_vocabulary,
    notes_to_tokens,
    tokens_to_notes,
)
from seqtutor.tasks.melody.folder import read_melody_file
from seqtutor.tasks.melody.primer import FilePart, read_primer
from seqtutor.tasks.melody.render import RenderSettings
from seqtutor.tasks.melody.settings import MelodySettings
from seqtutor.tasks.melody.spec import MelodySamples, spec
from seqtutor.tasks.melody.tune import downbeats_from
from seqtutor.tasks.scores.keys import Key
from seqtutor.tasks.scores.notation import signature_fifths
from written import write_melody


@pytest.mark.parametrize("text", ["[14,1,1,16]", "14 1 1 16", " [ 14, 1, 1, 16 ] ", "14,1,1,16,"])
def test_token_lists(text):
    assert read_primer(text).tokens.tolist() == [14, 1, 1, 16]


def test_names_of_notes_are_tokens_too():
    assert read_primer("C4 hold E4 off G#4").tokens.tolist() == [14, 1, 18, 0, 22]


@pytest.mark.parametrize("suffix", [".mid", ".abc", ".musicxml"])
def test_files_give_their_melody(tmp_path, suffix):
    tokens = notes_to_tokens([Note(2, 3, 60), Note(5, 4, 71), Note(9, 7, 55)], 16)
    path = write_melody(tokens, tmp_path / f"primer{suffix}")
    assert read_primer(path).tokens.tolist() == tokens.tolist()
    assert read_primer(str(path)).tokens.tolist() == tokens.tolist()


@settings(max_examples=50, deadline=None)
@given(
    above=st.lists(st.integers(0, 12), min_size=1, max_size=6),
    lowest=st.integers(40, 75),
    tonic=st.integers(0, 11),
    wanted=st.integers(0, 11),
)
def test_a_tune_moves_to_the_models_signature_and_back(
    tmp_path_factory, above, lowest, tonic, wanted
):
    notes = [Note(4 * place, 4, lowest + step) for place, step in enumerate(above)]
    path = tmp_path_factory.mktemp("primer") / "tune.mid"
    path.write_bytes(_midi(notes, Key(tonic)))
    pitches = [note.pitch for note in notes]
    moves = [
        move
        for move in range(-11, 12)
        if (tonic + move - wanted) % 12 == 0
        and (move == 0 or tonic != wanted)
        and min(pitches) + move >= 48
        and max(pitches) + move <= 83
    ]
    if not moves and not (min(pitches) >= 48 and max(pitches) <= 83):
        with pytest.raises(UserError, match="cannot be a primer"):
            read_primer(path, key=Key(wanted))
        return
    primer = read_primer(path, key=Key(wanted))
    assert primer.key == Key(tonic)
    assert primer.transposition in (moves or [0])
    assert abs(primer.transposition) == min(map(abs, moves), default=0)
    assert tokens_to_notes(primer.tokens, -primer.transposition) == notes


def test_a_tune_of_the_models_signature_stays_where_it_is(tmp_path):
    tokens = notes_to_tokens([Note(0, 4, 81), Note(4, 4, 76)], 8)
    path = write_melody(tokens, tmp_path / "tune.abc", RenderSettings(key=Key(9, "minor")))
    assert read_primer(path).transposition == 0


def _midi(notes, key):
    import symusic

    score = symusic.Score(4)
    score.key_signatures.append(symusic.KeySignature(0, signature_fifths(key), 0))
    track = symusic.Track()
    for note in notes:
        track.notes.append(symusic.Note(note.onset, note.duration, note.pitch, 80))
    score.tracks.append(track)
    return score.dumps_midi()


UPBEATS = {
    "6/8": ("G|:cde fed|e2d c2:|A|GFE C3|", (2, 14, 24, 36, 48)),
    "9/8": ("D|:GAB cde fga|g3 e3 d2:|", (2, 20, 36, 54)),
    "3/4": ("G2|:c2d2e2|f2e2:|", (4, 16, 24, 36)),
    "2/2": ("GA|:c4 d4|e4 f2:|gf|e4 c4|", (4, 20, 32, 48, 64)),
    "4/4": ("C2D2|:E2F2|G4 A4|B2c2:|d4|", (0, 16, 32, 48, 64)),  # The sign cuts a bar in two.
    "3/8": ("|:G|cde|fed|1 c2:|2 c3|]", (2, 8, 14, 20, 26, 32)),
    "12/8": ("G|:cde fed cde fed|1 c9 B2G:|2 c9 B2|]", (2, 26, 50, 74)),
}


@pytest.mark.parametrize("meter", UPBEATS)
def test_what_is_written_of_a_file_has_its_bars(tmp_path, meter):
    """Also where a repeat without the upbeat leaves a bar short; what follows has whole bars."""
    body, downbeats = UPBEATS[meter]
    source = tmp_path / "given.abc"
    source.write_text(f"X:1\nM:{meter}\nL:1/8\nK:C\n{body}\n")
    (given,), _ = read_melody_file(source)
    assert given.downbeats == downbeats
    vocabulary, bar = melody_vocabulary(), given.bar_length
    options = MelodySamples(str(source), formats=("abc", "mid", "musicxml"))
    primed, own = spec.primer(options, MelodySettings(), 1, 0, vocabulary)
    more = np.array([[16, 1, 18, 1, 14, 1] * bar], np.int32)
    tokens = np.concatenate([primed, more], axis=1)
    drawn = Drawn(Sequences(tokens, np.ones(tokens.shape, bool)), vocabulary, {}, MelodySettings())
    for path in spec.write(drawn, tmp_path / "out", own):
        (tune,), _ = read_melody_file(path)
        assert list(tune.notes) == tokens_to_notes(tokens[0]), path
        assert tune.downbeats == downbeats_from(downbeats, tokens.shape[1], bar), path


@pytest.mark.parametrize("bars", [1, 2, 3])
def test_after_the_first_bars_of_a_file_begins_a_bar(tmp_path, bars):
    body, downbeats = UPBEATS["6/8"]
    source = tmp_path / "given.abc"
    source.write_text(f"X:1\nM:6/8\nL:1/8\nK:C\n{body}\n")
    primer = read_primer(source, taken=FilePart(bars))
    assert primer.downbeats == downbeats[: bars + 1]
    assert len(primer.tokens) == downbeats[bars]
    assert primer.has_irregular_bars == (bars > 1)


def test_random_notes_are_those_of_the_key_and_all_of_them():
    generator = np.random.default_rng(0)
    key = Key(4, "minor")
    drawn = {int(read_primer("random", generator, key).tokens[0]) for _ in range(1000)}
    assert drawn == {t for t in range(2, 38) if (t + 46) % 12 in key.scale}
    once, again = (read_primer("random", np.random.default_rng(7)).tokens for _ in range(2))
    assert once.tolist() == again.tolist()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("14 38", "token 38 at position 2"),
        ("[-1]", "token -1 at position 1"),
        ("missing.mid", "neither a list of tokens"),
        ("", "neither a list of tokens"),
        ("14 x", "neither a list of tokens"),
        ("14 " * 1000 + "x", "the primer '(14 ){20}…' is neither a list of tokens"),
    ],
)
def test_bad_text(text, message):
    with pytest.raises(UserError, match=message):
        read_primer(text)


def test_bad_files(tmp_path):
    broken = tmp_path / "broken.mid"
    broken.write_bytes(b"not midi")
    with pytest.raises(UserError, match="not a readable MIDI"):
        read_primer(broken)
    chord = tmp_path / "high.abc"
    chord.write_text("X:1\nL:1/16\nM:4/4\nK:C\nc'4d'4|]\n")
    with pytest.raises(UserError, match="cannot be a primer: MIDI pitch 84 is out of range"):
        read_primer(chord)


def test_polyphony_is_refused(tmp_path):
    import symusic

    score = symusic.Score(480)
    track = symusic.Track()
    for start, pitch in ((0, 60), (480, 64)):
        track.notes.append(symusic.Note(start, 960, pitch, 80))
    score.tracks.append(track)
    path = tmp_path / "chord.mid"
    path.write_bytes(score.dumps_midi())
    with pytest.raises(UserError, match="polyphonic"):
        read_primer(path)
