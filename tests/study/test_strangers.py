"""Folders, databases and clients that are not as this package makes them."""

from __future__ import annotations

import csv
import io
import os
import sqlite3
import time
from contextlib import closing

import pytest
from small_study import QUICK, small_study
from test_server import answer, consent, finish, served, votes_in

from seqtutor.cli.main import main
from seqtutor.errors import UserError
from seqtutor.study.database import open_database
from seqtutor.study.plan import read_study
from seqtutor.study.serving import new_researcher_token


def researcher(serving, browser):
    token = new_researcher_token(serving.database, time.time())
    client = browser()
    assert client.post("/api/researcher", json={"token": token}).status_code == 200
    return client


def files_of(study):
    return b"".join(one.read_bytes() for one in study.folder.glob("votes.sqlite3*"))


def test_what_was_withdrawn_is_erased_once_nobody_reads_it(tmp_path, capsys):
    """Another program that reads keeps the log of SQLite, and no vote waits for it."""
    secret = "a very unusual comment"
    study = small_study(tmp_path / "s", rules=QUICK)
    with served(study) as (_, browser):
        consent(leaver := browser(), study)
        answer(leaver, leaver.get("/api/trial").json(), comment=secret)
        consent(other := browser(), study)
        with closing(sqlite3.connect(study.folder / "votes.sqlite3")) as reader:
            reader.execute("begin")
            reader.execute("select * from answers").fetchall()
            began = time.monotonic()
            assert leaver.post("/api/withdraw", json={}).status_code == 200
            assert len(finish(other)) == 5
            assert time.monotonic() - began < 15
            assert secret.encode() in files_of(study)
            assert "as soon as no other program reads" in browser().get("/withdrawn").text
            assert main(["study", "purge", str(study.folder)]) == 2
            assert "run this again" in capsys.readouterr().err
        with browser():  # The server runs, and tries again.
            while secret.encode() in files_of(study):
                time.sleep(0.1)
        assert "is stored any longer" in browser().get("/withdrawn").text


def test_no_header_of_a_clip_tells_when_it_was_written(tmp_path):
    study = small_study(tmp_path / "s", rules=QUICK)
    with served(study) as (_, browser):
        consent(client := browser(), study)
        asked = client.get("/api/trial").json()
        address = asked["sides"][0]["clips"][0]["sound"]
        path = study.folder / "clips" / address.rpartition("/")[2]
        before = client.get(address).headers
        os.utime(path, (0, path.stat().st_mtime - 3600))
        after = client.get(address).headers
        assert dict(before) == dict(after)
        part = {"range": "bytes=0-3", "if-range": after["etag"]}
        assert client.get(address, headers=part).content == b"fLaC"


FORMULAS = ("x;=1+1", "a\n=1+1\nb", 'x;"=1+1', "\uff1d1+1", " =1+1", "@x", "so; +1 for B")


def test_no_cell_of_a_table_begins_a_formula_however_it_is_separated(tmp_path):
    study = small_study(tmp_path / "s", rules=QUICK, names=("=cmd|x;=1+1", "psi"), comparisons=6)
    with served(study) as (serving, browser):
        consent(listener := browser(), study)
        for comment in FORMULAS:
            answer(listener, listener.get("/api/trial").json(), comment=comment)
        client = researcher(serving, browser)
        for name in ("raw", "tidy"):
            content = client.get(f"/researcher/{name}.csv").content.decode("utf-8-sig")
            for separator in ",;\t":
                rows = csv.reader(io.StringIO(content), delimiter=separator)
                cells = [cell.strip(" \"'") for row in rows for cell in row if cell[:1] != "'"]
                begun = [cell for cell in cells if cell[:1] in "=+@\uff1d" and cell]
                assert begun == [], (name, separator)


@pytest.mark.parametrize("kind", ["pipe", "device", "sparse"])
def test_a_clip_that_is_no_file_of_its_size_is_one_line(tmp_path, kind):
    study = small_study(tmp_path / "s")
    path = study.path_of(next(iter(study.plan.media.values())))
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.touch()
        os.truncate(path, 1 << 40)
    with pytest.raises(UserError, match=r"cannot read .*(not a regular file|larger than)"):
        read_study(study.folder, checks_clips=True)


def test_no_database_is_opened_or_made_through_a_link(tmp_path):
    study = small_study(tmp_path / "s")
    for name in ("votes.sqlite3", "votes.sqlite3-wal"):
        link, target = study.folder / name, tmp_path / "target"
        link.symlink_to(target)
        with pytest.raises(UserError, match="is not a file itself"):
            open_database(study.folder, None, study.sha256)
        assert not target.exists()
        link.unlink()


def test_results_only_read(tmp_path, capsys):
    study = small_study(tmp_path / "s")
    file = tmp_path / "other.sqlite3"
    with closing(sqlite3.connect(file)) as other:
        other.execute("create table mine (a)")
    before = file.read_bytes()
    assert main(["study", "results", str(study.folder), "--database", f"sqlite:///{file}"]) == 2
    assert "no such table" in capsys.readouterr().err
    assert file.read_bytes() == before


DAMAGE = [
    "update sessions set state = 'weird'",
    "update sessions set sheet = 999",
    *(f"update trials set left = '{text}'" for text in ('["nope"]', "xx", "[]", "[1]")),
    "update trials set kind = 'weird'",
    "update answers set rating = 'abc'",
    "update answers set rating = 99",
    "update answers set seconds = 'abc'",
    "update answers set answered_at = 1e300",
]


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("is_adaptive", [False, True])
def test_damaged_rows_are_left_out_and_told(tmp_path, capsys, damage, is_adaptive):
    study = small_study(tmp_path / "s", rules=QUICK, is_adaptive=is_adaptive)
    with served(study) as (serving, browser):
        for _ in range(2):
            consent(listener := browser(), study)
            finish(listener)
        key = {"sessions": "id", "trials": "session", "answers": "trial"}[damage.split()[1]]
        own = "(select id from trials where session = 1)" if key == "trial" else "(1)"
        with closing(sqlite3.connect(study.folder / "votes.sqlite3")) as database:
            database.execute(f"{damage} where {key} in {own}")
            database.commit()
        found = votes_in(serving)
        assert {one.vote.listener for one in found.votes} == {"L0002"}
        assert found.damaged == 5
        client = researcher(serving, browser)
        assert "5 stored answers are damaged" in client.get("/researcher").text
        for name in ("raw", "tidy"):
            table = client.get(f"/researcher/{name}.csv")
            assert "L0002" in table.text
            assert "L0001" not in table.text
        consent(late := browser(), study)
        assert len(finish(late)) == 5
    assert main(["study", "results", str(study.folder)]) == 0
    assert "5 stored answers are damaged" in " ".join(capsys.readouterr().out.split())
