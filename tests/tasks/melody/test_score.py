"""`seqtutor score melody FILE… --json`: what was read, and what it earns."""

import json
import re

import pytest

from seqtutor.cli.main import main
from seqtutor.tasks.melody.encoding import Note, notes_to_tokens
from seqtutor.tasks.melody.folder import read_melody_file
from seqtutor.tasks.melody.marks import Bars, marks_of
from seqtutor.tasks.melody.rule_settings import MelodyRuleSettings
from seqtutor.tasks.melody.scoring import score_melodies
from seqtutor.tasks.scores.keys import Key

BOOK = "X:1\nT:One\nM:3/4\nL:1/4\nK:Ddor\nA|DEF|(3GAB c2|]\n\nX:2\nM:none\nL:1/4\nK:Bb\nC,,E F2|\n"


def lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_line_a_tune_with_its_notes_as_read(tmp_path, capsys):
    path = tmp_path / "book.abc"
    path.write_text(BOOK)
    assert main(["score", "melody", str(path), "--json"]) == 0
    first, second = lines(capsys)
    tunes, _ = read_melody_file(path)
    assert first["sequence"] == f"{path}: One"
    assert first["notes"] == [[note.onset, note.duration, note.pitch] for note in tunes[0].notes]
    assert first["notes"][:3] == [[0, 4, 69], [4, 4, 62], [8, 4, 64]]
    assert (first["key"], first["metre"], first["pickup"]) == ("D dorian", "3/4", 4)
    assert first["downbeats"] == [4, 16]
    tokens = notes_to_tokens(tunes[0].notes, tunes[0].length).tolist()
    (scores,) = score_melodies([tokens])
    assert first["tokens"] == tokens
    assert first["total"] == pytest.approx(scores.total.sum())
    assert first["mean_a_step"] == pytest.approx(scores.total.mean())
    assert first["rules"] == first["terms"] == {k: v.tolist() for k, v in scores.rules.items()}
    # The second tune is too low for tokens, and is named with its notes all the same.
    assert second["notes"] == [[0, 4, 36], [4, 4, 63], [8, 8, 65]]
    assert (second["key"], second["metre"]) == ("A# major", None)
    assert (second["tokens"], second["rules"], second["total"]) == (None, None, None)
    assert "MIDI pitch 36 is out of range" in second["reason"]


def test_a_tune_out_of_range_does_not_refuse_its_book(tmp_path, capsys):
    path = tmp_path / "book.abc"
    path.write_text(BOOK.replace("M:none", "T:Two\nM:none"))
    assert main(["score", "melody", str(path)]) == 0
    out, err = capsys.readouterr()
    assert "One" in out
    assert "Two" not in out
    assert "Two: MIDI pitch 36 is out of range" in " ".join(err.split())


def test_what_was_changed_is_told(tmp_path, capsys):
    path = tmp_path / "book.abc"
    path.write_text(BOOK)
    assert main(["score", "melody", str(path), "--json"]) == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "noted: 2 notes moved to the grid" in told
    assert "noted: 1 with tuplets" in told


def test_files_of_tokens_are_read_too(tmp_path, capsys):
    path = tmp_path / "melodies.jsonl"
    path.write_text('{"tokens": [14, 1, 0, 16]}\n')
    assert main(["score", "melody", str(path), "--json"]) == 0
    (line,) = lines(capsys)
    assert line["notes"] == [[0, 2, 60], [3, 1, 62]]
    assert (line["tokens"], line["key"]) == ([14, 1, 0, 16], None)
    assert main(["score", "melody", "--tokens", str(path)]) == 0
    assert sum(lines(capsys)[0]["total"]) == pytest.approx(line["total"])


def test_score_answers_in_music(tmp_path, capsys, monkeypatch):
    """Bar, beat, note, points, rule and reason; the points are those of the rules."""
    monkeypatch.setenv("COLUMNS", "60")
    path = tmp_path / "reel.abc"
    path.write_text("X:1\nT:The Reel\nM:6/8\nL:1/8\nK:Dm\nA|DFA d2c|ddd dd^c|B3 d3-|d3-d2||\n")
    rules = ["--rules.tonic", "D", "--rules.mode", "minor"]
    assert main(["score", "melody", str(path), *rules]) == 0
    out = capsys.readouterr().out
    assert max(len(line.rstrip()) for line in out.splitlines()) <= 60
    listing, _, table = out.partition("Rule ")
    heads = re.findall(r"^(upbeat|bar \d+)$", listing, re.M)
    assert heads == ["upbeat", "bar 1", "bar 2", "bar 3"], "the last bar holds a tied note alone"
    # The upbeat is the last eighth of a bar of 6/8; eighths are counted.
    assert re.search(r"upbeat\n  6     A4 ", listing)
    assert re.search(r"bar 1\n  1     D4 ", listing)
    flat = " ".join(listing.split())
    assert re.search(r" 3 A4 (.*?)\+5 leap_up_back: resolves a leap", flat)
    assert re.search(r" 6 C#5 −1 key: not in D minor", flat), "spelled, and only this one"
    assert flat.count("key: not in") == 1
    assert " 1 Bb4 " in flat
    assert "tonic: the tonic at the close" in flat
    # What is listed adds up to the tables' total, but for what rounds away.
    tunes, _ = read_melody_file(path)
    tokens = notes_to_tokens(tunes[0].notes, tunes[0].length).tolist()
    settings = MelodyRuleSettings(tonic="D", mode="minor")
    (scores,) = score_melodies([tokens], settings)
    listed = re.findall(r"([+−][\d.]+)  (\w+): ", listing)
    for name, earned in scores.rules.items():
        own = sum(float(value.replace("−", "-")) for value, rule in listed if rule == name)
        assert own == pytest.approx(earned.sum(), abs=0.1), name
    assert f"{scores.total.sum():.2f}".replace("-", "−") in table
    assert "Counted in D minor" in table
    assert "The tune is in 6/8, and the rules are those of 4/4" in " ".join(table.split())
    # A bar of 6/8 has twelve sixteenths: what it earns does not grow with the length.
    total = re.search(r"total +(\S+) +(\S+)(?s:.*)\s(\S+) a sixteenth", table)
    numbers = [float(one.replace("−", "-")) for one in total.groups()]
    mean = scores.total.mean()
    assert numbers == pytest.approx([scores.total.sum(), 12 * mean, mean], abs=0.01)


def test_a_close_on_another_note_is_not_called_the_tonic():
    notes = [Note(0, 4, 60), Note(4, 28, 64)]
    marks = list(marks_of(notes, 32, {}, Key(0), Bars.regular((4, 4), 32)))
    assert marks[1].words["tonic"] == "what sounds on at the close"


@pytest.mark.parametrize(
    ("meter", "downbeats", "step", "place"),
    [
        ((4, 4), (0, 16), 18, (2, 1.5)),
        ((3, 4), (4, 16), 0, (0, 3)),
        ((2, 2), (0, 16), 8, (1, 2)),
        ((12, 8), (2, 26), 1, (0, 12.5)),
        (None, (0,), 9, (1, 3.25)),
    ],
)
def test_places_in_the_bar(meter, downbeats, step, place):
    assert Bars(downbeats, meter).place(step) == place


def test_a_file_that_cannot_be_used_is_named_and_the_others_are_scored(tmp_path, capsys):
    """Out of range, missing, not music: in JSON what is out of range is a line like any other."""
    good, low, none = (tmp_path / name for name in ("good.abc", "low.abc", "none.mid"))
    good.write_text(BOOK)
    low.write_text("X:1\nM:4/4\nL:1/4\nK:C\nC,,,2 D,,,2|\n")
    arguments = ["score", "melody", str(none), str(low), str(good)]
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    # A long path is broken at the terminal's width.
    assert f"{good}:One" in "".join(out.split())
    named = [line for line in err.splitlines() if line.startswith("seqtutor: ")]
    assert [str(path) in line for path, line in zip((none, low), named, strict=True)] == [True] * 2
    assert main([*arguments, "--json"]) == 2
    assert [line["total"] is None for line in lines(capsys)] == [True, False, True]
    gone = tmp_path / "no.abc"
    assert main(["score", "melody", str(none), str(gone)]) == 2
    out, err = capsys.readouterr()
    assert not out, "nothing is scored"
    told = "".join(err.split())
    assert [told.count(f"seqtutor:{path}") for path in (none, gone)] == [1, 1]
