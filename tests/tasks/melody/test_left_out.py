"""A tune that cannot be used is named, and the others are read."""

from seqtutor.cli.main import main
from seqtutor.tasks.melody.data import MelodyData, read_melodies

GOOD = "X:{0}\nT:Good {0}\nM:4/4\nL:1/8\nK:C\n" + "CDEF GABc|dcBA GFED|" * 3 + "C8|]\n\n"
BAD = {
    "Too Wide": "M:4/4\nL:1/8\nK:C\nC,,,8|c''''8|C8|C8|\n\n",
    "The Waltz": "M:3/4\nL:1/4\nK:C\nCDE|FGA|CDE|FGA|\n\n",
    "Nonsense": "M:4/4\nL:1/8\n\n",
    "Short": "M:4/4\nL:1/8\nK:C\nC8|]\n\n",
}


def test_pretraining_names_the_tunes_it_leaves_out(tmp_path):
    book = [GOOD.format(number) for number in range(1, 13)]
    book += [f"X:{20 + i}\nT:{title}\n{music}" for i, (title, music) in enumerate(BAD.items())]
    (tmp_path / "book.abc").write_text("".join(book))
    (tmp_path / "noise.mid").write_bytes(b"no MIDI")
    data = read_melodies(MelodyData(data=str(tmp_path)))
    told = "\n".join(data.warnings)
    for title, why in [
        ("Too Wide", "out of range"),
        ("The Waltz", "in another metre"),
        ("Nonsense", "no key field"),
        ("Short", "too short for a window"),
    ]:
        assert f"left out: book.abc: {title}: {why}" in told
    assert "skipped: noise.mid: is not a readable MIDI file" in told
    assert "12 used" in data.summary[0]


def test_many_are_counted_not_named(tmp_path):
    waltzes = [f"X:{n}\nT:W{n}\n{BAD['The Waltz']}" for n in range(30)]
    (tmp_path / "book.abc").write_text(GOOD.format(1) + "".join(waltzes))
    told = read_melodies(MelodyData(data=str(tmp_path))).warnings
    assert len(told) == 11
    assert told[-1] == "left out: 20 more"


def test_scoring_names_them_and_goes_on(tmp_path, capsys):
    path = tmp_path / "book.abc"
    parts = [f"X:{i}\nT:{title}\n{BAD[title]}" for i, title in enumerate(["Too Wide", "Nonsense"])]
    path.write_text("".join([*parts, "X:9\nT:Good 9\nM:4/4\nL:1/8\nK:C\nC8|D8|]\n"]))
    assert main(["score", "melody", str(path)]) == 0
    out, err = capsys.readouterr()
    told = "".join(err.split())  # Lines are cut where the terminal ends.
    assert "book.abc:TooWide:MIDIpitch24isoutofrange" in told
    assert "leftout:Nonsense:nokeyfield" in told
    assert "Good 9" in out


def test_words_are_given_once_and_the_last_number_holds(capsys):
    assert main(["sample", "melody", "--prime", "C4", "--prime", "D4"]) == 2
    assert "--prime is given 2 times; give it once" in capsys.readouterr().err
    assert main(["sample", "melody", "--number", "5", "--number=0"]) == 2
    assert "--number must lie between 1 and 10,000, not 0" in capsys.readouterr().err
