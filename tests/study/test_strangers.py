"""Folders, databases and clients that are not as this package makes them."""

from __future__ import annotations

import csv
import io
import os
import sqlite3
import time
from contextlib import closing
from dataclasses import replace

import pytest
from small_study import QUICK, small_study
from sqlalchemy import select
from test_server import Clock, answer, consent, cookie, finish, served, votes_in

from seqtutor.cli.main import main
from seqtutor.errors import UserError
from seqtutor.study.asked import _address
from seqtutor.study.database import open_database
from seqtutor.study.plan import Rules, read_study
from seqtutor.study.serving import is_researcher, new_researcher_token
from seqtutor.study.sessions import find, new_resume_token, withdraw
from seqtutor.study.tables import recruits, sessions


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
    study = small_study(tmp_path / "s", rules=QUICK, adaptive=is_adaptive)
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


def test_a_clock_that_is_set_back_keeps_nobody_waiting(tmp_path):
    clock = Clock()
    study = small_study(tmp_path / "s", rules=Rules(heard=1.0))
    with served(study, clock=clock) as (_, browser):
        consent(client := browser(), study)
        asked = client.get("/api/trial").json()
        assert answer(client, asked).status_code == 425
        clock.now -= 3600
        assert answer(client, asked).status_code == 200


def test_a_clock_that_jumps_ahead_erases_nobody_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr("seqtutor.study.app._PURGE_EVERY", 0.6)
    clock = Clock()
    clock.now -= 10_000  # Everything is told by this clock.
    study = small_study(tmp_path / "s", rules=QUICK)
    with served(study, clock=clock) as (serving, browser), browser():
        consent(browser(), study, participant="p1", study="st", submission="su")
        with serving.database.reading() as connection:
            found = connection.execute(
                select(sessions.c.started_at, recruits.c.made_at).join(recruits)
            ).one()
        assert tuple(found) == (clock.now, clock.now)
        clock.now += 91 * 86_400
        clock.await_calls(1)
        clock.now -= 91 * 86_400
        clock.await_calls(2)
        with serving.database.reading() as connection:
            assert connection.execute(select(recruits)).first() is not None


ODD = ("a\x1b[2J", "a\u202eb", "a\nb", "a\tb")


@pytest.mark.parametrize("name", ODD)
def test_names_that_a_terminal_would_obey_are_refused(tmp_path, capsys, name):
    with pytest.raises(UserError, match="a model's name, or the title, cannot be shown"):
        small_study(tmp_path / "s", names=(name, "psi"))
    for arguments in (["prior", f"{name}=prior"], ["prior", "b=prior", "--title", name]):
        assert main(["study", "new", *arguments, "--output", str(tmp_path / "n")]) == 2
        error = capsys.readouterr().err
        assert "cannot be" in error
        assert error.strip().isprintable()


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_server_for_all_is_told_its_address(tmp_path, capsys, host):
    study = small_study(tmp_path / "s")
    assert main(["study", "serve", str(study.folder), "--host", host]) == 2
    assert "--address http" in capsys.readouterr().err


def test_a_link_is_not_made_for_who_has_just_withdrawn(tmp_path):
    study = small_study(tmp_path / "s", rules=QUICK)
    with served(study) as (serving, browser):
        consent(client := browser(), study)
        with serving.database.reading() as connection:
            session = find(connection, client.cookies[cookie(study, "listener")])
        withdraw(serving.database, session)
        assert new_resume_token(serving.database, session) is None
        with serving.database.reading() as connection:
            assert connection.execute(select(sessions.c.resume_sha256)).scalar_one() is None


def test_tokens_of_researchers_are_withdrawn(tmp_path):
    study = small_study(tmp_path / "s", rules=QUICK)
    with served(study) as (own, _):
        first, second = (new_researcher_token(own.database, time.time()) for _ in range(2))
        third = new_researcher_token(own.database, time.time(), is_only_one=True)
        known = [is_researcher(own.database, one, time.time()) for one in (first, second, third)]
    assert known == [False, False, True]


def test_who_starts_no_clip_is_left_out_where_there_is_something_to_hear(tmp_path):
    for kind in ("sound", "picture"):
        study = small_study(tmp_path / kind, kind=kind, rules=QUICK, comparisons=6, catch=0)
        clock = Clock()
        with served(study, clock=clock) as (serving, browser):
            for plays in (0, 1):
                consent(client := browser(), study)
                for number in range(7):
                    asked = client.get("/api/trial").json()
                    clock.now += 10
                    rating = (-1, 1)[number % 2]
                    answer(client, asked, rating, left_plays=plays, right_plays=1)
            excluded = votes_in(serving).excluded
        reason = "did not start both sides of 6 of 6 comparisons"
        assert excluded == ({"L0001": [reason]} if kind == "sound" else {})


def test_clips_of_an_edited_plan_are_found_by_any_name(tmp_path):
    study = small_study(tmp_path / "s", rules=QUICK)
    media = study.plan.clips[0].sound
    odd = replace(media, file="a?b#c%20d.flac")
    assert _address(odd) == "/clips/a%3Fb%23c%2520d.flac"
