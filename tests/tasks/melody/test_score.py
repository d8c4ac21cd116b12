"""`seqtutor score melody FILE… --json`: what was read, and what it earns."""

import json

import pytest

from seqtutor.cli.main import main
from seqtutor.tasks.melody.encoding import notes_to_tokens
from seqtutor.tasks.melody.folder import read_melody_file
from seqtutor.tasks.melody.scoring import score_melodies

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
