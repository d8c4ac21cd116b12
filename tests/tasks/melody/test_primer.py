import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqtutor.errors import UserError
from seqtutor.tasks.melody.encoding import Note, notes_to_tokens, tokens_to_notes
from seqtutor.tasks.melody.primer import read_primer
from seqtutor.tasks.melody.render import RenderSettings, write_melody
from seqtutor.tasks.scores.keys import Key
from seqtutor.tasks.scores.notation import signature_fifths


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
