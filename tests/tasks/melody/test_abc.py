"""Snippets worked out by hand: each expected note is (onset, duration, MIDI pitch)."""

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seqtutor.errors import UserError
from seqtutor.tasks.melody.abc import AbcOptions, read_abc, read_abc_file
from seqtutor.tasks.melody.encoding import HIGHEST_PITCH
from seqtutor.tasks.melody.tune import Tune
from seqtutor.tasks.scores.keys import Key


def read(body: str, key: str = "C", meter: str = "4/4", unit: str = "1/16") -> Tune:
    tunes, report = read_abc(f"X:1\nT:Test\nM:{meter}\nL:{unit}\nK:{key}\n{body}\n", "test.abc")
    assert report.usable == len(tunes) == 1, report
    return tunes[0]


def notes(body: str, **fields: str) -> list[tuple[int, int, int]]:
    return [(note.onset, note.duration, note.pitch) for note in read(body, **fields).notes]


def pitches(body: str, **fields: str) -> list[int]:
    return [pitch for _, _, pitch in notes(body, **fields)]


def durations(body: str, **fields: str) -> list[int]:
    return [duration for _, duration, _ in notes(body, **fields)]


def test_octaves_and_accidentals() -> None:
    assert pitches("C, C c c' ^C _D =E ^^F __G") == [48, 60, 72, 84, 61, 61, 64, 67, 65]


def test_key_signature_and_accidentals_within_the_bar() -> None:
    # F sharp by the signature; natural until the bar line, in every octave.
    assert pitches("F =F F f | F f", key="G") == [66, 65, 65, 77, 66, 78]


def test_grace_accidentals_stay_with_the_grace() -> None:
    assert pitches("{^c}d c") == [74, 72]


def test_lengths() -> None:
    body = "A A2 A/ A/2 A// A3/2 A3/ A/4 A4"
    assert durations(body, unit="1/4") == [4, 8, 2, 2, 1, 6, 6, 1, 16]


@pytest.mark.parametrize(
    ("meter", "expected"), [("4/4", 2), ("3/4", 2), ("2/4", 1), ("6/8", 2), ("C|", 2), ("none", 2)]
)
def test_default_unit_follows_the_meter(meter: str, expected: int) -> None:
    tunes, _ = read_abc(f"X:1\nM:{meter}\nK:C\nA\n", "test.abc")
    assert tunes[0].notes[0].duration == expected


def test_broken_rhythm() -> None:
    assert durations("A>B c<d", unit="1/8") == [3, 1, 1, 3]
    assert durations("A>>B c<<d", unit="1/4") == [7, 1, 1, 7]
    assert durations('A>"Am"{g}.B', unit="1/8") == [3, 1]


def test_ties_join_equal_pitches_only() -> None:
    assert notes("A2-A2 | B4-|B4 c2-d2") == [(0, 4, 69), (4, 8, 71), (12, 2, 72), (14, 2, 74)]


def test_a_tie_carries_its_accidental_over_the_bar_line() -> None:
    assert notes("^c4-|c2 c2") == [(0, 6, 73), (6, 2, 72)]


def test_triplets_go_to_the_nearest_sixteenth() -> None:
    # Three eighths in the time of two begin at 0, 4/3 and 8/3 sixteenths.
    assert notes("(3ABc d2", unit="1/8") == [(0, 1, 69), (1, 2, 71), (3, 1, 72), (4, 4, 74)]


def test_fast_triplets_merge() -> None:
    # Three sixteenths in the time of two begin at 0, 2/3 and 4/3: the last two meet at 1.
    assert notes("(3ABc d2") == [(0, 1, 69), (1, 1, 71), (2, 2, 74)]
    _, report = read_abc("X:1\nM:C\nL:1/16\nK:C\n(3ABc d2\n", "test.abc")
    assert report.noted["notes moved to the grid"] == 2
    assert report.noted["notes merged with another"] == 1


def test_tuplets_on_the_grid_stay_exact() -> None:
    # Two in the time of three eighths are dotted eighths.
    assert durations("(2AB c6", meter="6/8", unit="1/8") == [3, 3, 12]
    assert durations("(3:2:4A2B2cc d2", unit="1/8")[-1] == 4
    assert read("(3:2:4A2B2cc d2", unit="1/8").length == 12


def test_off_grid_tunes_can_be_dropped() -> None:
    text = "X:1\nM:C\nL:1/8\nK:C\n(3ABc d2\nX:2\nM:C\nL:1/8\nK:C\nABcd\n"
    tunes, report = read_abc(text, "test.abc", AbcOptions(off_grid="drop"))
    assert [tune.index for tune in tunes] == [1]
    assert report.dropped == {"notes off the sixteenth grid": 1}


def test_rests_are_gaps() -> None:
    tune = read("A2 z2 B2 x2 | Z | c4 z4")
    assert [(n.onset, n.duration) for n in tune.notes] == [(0, 2), (4, 2), (24, 4)]
    assert tune.length == 32


def test_what_a_melody_does_not_need_is_passed_over() -> None:
    body = '"Am7"A !trill!B +fermata+c ~d .e vf (ga) {cde}b y10 % comment ABC\nw:la la la\nc\\\n`d'
    assert pitches(body) == [69, 71, 72, 74, 76, 77, 79, 81, 83, 72, 74]


def test_of_a_chord_the_highest_note_is_taken() -> None:
    assert notes("[CEG]4 [c2E2] A2") == [(0, 4, 67), (4, 2, 72), (6, 2, 69)]


def test_of_several_voices_the_first_is_taken() -> None:
    assert pitches("V:1\nAB\nV:2\nCD\nV:1\ncd") == [69, 71, 72, 74]
    assert pitches("[V:low] CD [V:high] cd") == [60, 62]


def test_fields_in_the_middle() -> None:
    body = "F4 [K:D] F4 | [L:1/8] A2 [M:3/4] B2 |\nK:F\nL:1/16\nB4|"
    assert notes(body) == [(0, 4, 65), (4, 4, 66), (8, 4, 69), (12, 4, 71), (16, 4, 70)]


@pytest.mark.parametrize(
    ("body", "order"),
    [
        ("A4 :| B4 |]", "AAB"),
        ("|: A4 :|: B4 :|", "AABB"),
        ("A4 :: B4 :|", "AABB"),
        ("A4 || B4 :| c4 |]", "ABBc"),
        ("|: A4 || B4 :| c4 |]", "ABABc"),
        ("|: A4 |1 B4 :|2 c4 || d4 |]", "ABAcd"),
        ("|: A4 [1 B4 :|[2 c4 |] d4 :|", "ABAcdd"),
        ("A4 |1 B4 | c4 :|2 d4 | e4 |: f4 :|", "ABcAdeff"),
        ("|: A4 |1,3 B4 :|2 c4 :|", "ABAcAB"),
        ("|: A4 |1-2 B4 :|3 c4 |]", "ABABAc"),
        ("|: A4 |1 B4 :| c4 |]", "ABAc"),
        ("|: A4 |1 B4 :|2 c4 :| d4 |]", "ABAcd"),
        ("A4 | :| B4", "AAB"),
        ("A4 || B4 [|]:| c4", "ABBc"),
        ("A4 [|] B4 :|", "ABAB"),
        ("|:: A4 ::| B4", "AAAB"),
    ],
)
def test_repeats_and_endings(body: str, order: str) -> None:
    names = {69: "A", 71: "B", 72: "c", 74: "d", 76: "e", 77: "f"}
    assert "".join(names[pitch] for pitch in pitches(body)) == order


def test_bar_lines_after_an_upbeat_and_across_a_repeat() -> None:
    # The repeat cuts a bar of eight sixteenths into six and an upbeat of two.
    tune = read("G2 | A8 | B6 :| c2 | d8 | e6 |]", meter="2/4")
    assert tune.pickup == 2
    assert tune.downbeats == (2, 10, 18, 26, 34, 42)
    assert tune.bar_length == 8


def test_missing_bar_lines_are_filled_in() -> None:
    assert read("A8 B8 | c8", meter="2/4").downbeats == (0, 8, 16)


def test_free_metre_has_the_bars_that_are_written() -> None:
    tune = read("A4 B2 | c8 | d2", meter="FREI4/4")
    assert tune.meter is None
    assert tune.downbeats == (0, 6, 14)


def test_modes_from_thirds_where_the_field_tells_none() -> None:
    text = "X:1\nM:C\nL:1/8\nK:D\nD2 =F4 A2|\nX:2\nM:C\nL:1/8\nK:D\nD2 F4 A2|\n"
    tunes, _ = read_abc(text, "test.abc", AbcOptions(modes="thirds"))
    assert [tune.key for tune in tunes] == [Key(2, "minor"), Key(2)]
    assert [tune.key for tune in read_abc(text, "test.abc")[0]] == [Key(2), Key(2)]


def test_tunes_that_cannot_be_read_are_counted() -> None:
    text = (
        "T:file header\nM:3/4\n\n"
        "X:1\nT:good\nK:C\nABc|\n\nfree text between tunes\n\n"
        "X:2\nT:no key\n\n"
        "X:3\nK:?\nABc\n\n"
        "X:4\nK:C\n\n"
        "X:5\nM:0/4\nK:C\nABc\n\n"
        "X:6\nK:C\nA/0B\n\n"
        "X:7\nL:1/16\nK:C\nA/B|c|\n\n"
        "X:8\nK:C\nZ999Z999Z999Z999Z999Z999Z999Z999|A|\n"
    )
    tunes, report = read_abc(text, "test.abc")
    assert [(tune.title, tune.meter) for tune in tunes] == [("good", (3, 4))]
    assert report.tunes_read == 8
    assert report.dropped == {
        "no key field": 1,
        "unreadable key": 1,
        "no notes": 1,
        "unreadable metre": 1,
        "unreadable length": 1,
        "bar lines off the sixteenth grid": 1,
        "too long": 1,
    }


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ABCGabcgzZ|:[]()<>-123/,'^=_\"!+{}&~ \n%KVMLXy\\", max_size=300))
@example("|" * 50)
@example(":|" * 200 + "A")
@example("[2A" * 200)
@example("(9" * 300)
@example("A>" * 100)
def test_garbage_never_raises(body: str) -> None:
    tunes, report = read_abc(f"X:1\nK:C\n{body}", "garbage")
    assert report.usable == len(tunes)
    for tune in tunes:
        ends = [0, *(note.end for note in tune.notes)]
        onsets = [*(note.onset for note in tune.notes), tune.length]
        assert all(end <= onset for end, onset in zip(ends, onsets, strict=True))
        assert all(note.duration > 0 for note in tune.notes)
        assert list(tune.downbeats) == sorted(set(tune.downbeats))


@pytest.mark.timeout(20)
@pytest.mark.parametrize("piece", ["{", "[", '"', "!", "(", "+", "|:", ":|", "[1", "A-", "&", "^"])
def test_hostile_input_takes_linear_time(piece: str) -> None:
    read_abc("X:1\nK:C\n" + piece * 100_000 + "ABc|\n", "hostile")


@given(st.binary(max_size=200))
@settings(max_examples=50)
def test_any_bytes_are_decoded(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("abc") / "any.abc"
    path.write_bytes(b"X:1\nK:C\nABc|\n\nX:2\n" + content)
    tunes, _ = read_abc_file(path)
    assert tunes[0].notes[0].pitch == 69


def test_a_missing_file_is_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone\.abc"):
        read_abc_file(tmp_path / "gone.abc")


def test_transposition_moves_notes_and_key() -> None:
    tune = read("A,4 a'4", key="Am").transposed(3)
    assert [note.pitch for note in tune.notes] == [60, 96]
    assert max(note.pitch for note in tune.notes) > HIGHEST_PITCH
    assert tune.key == Key(0, "minor")
