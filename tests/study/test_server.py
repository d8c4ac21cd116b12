"""The server of a study: what it decides, stores and erases, and whom it does not let in."""

from __future__ import annotations

import csv
import io
import time
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import pairwise

import pytest
from small_study import QUICK, small_study
from sqlalchemy import text
from starlette.testclient import TestClient

from seqtutor.errors import UserError
from seqtutor.study.app import make_app
from seqtutor.study.choosing import chooser_of
from seqtutor.study.database import open_database
from seqtutor.study.options import Recruitment
from seqtutor.study.serving import Serving, new_researcher_token
from seqtutor.study.sessions import find, purge_recruits, withdraw
from seqtutor.study.stored import collect
from seqtutor.study.trials import least_seconds, next_trial
from seqtutor.web import RateLimit

ORIGIN = {"origin": "http://localhost"}


class Clock:
    """Time that passes only when it is told to."""

    def __init__(self) -> None:
        self.now = time.time()
        self.calls = 0

    def __call__(self) -> float:
        self.calls += 1
        return self.now

    def await_calls(self, number: int) -> None:
        """Wait until it was asked so often more."""
        end = self.calls + number
        while self.calls < end:
            time.sleep(0.01)


@pytest.fixture(name="study")
def _study(tmp_path):
    return small_study(tmp_path / "s", rules=QUICK)


@contextmanager
def served(study, **options):
    """A serving, and a function that makes browsers."""
    with closing(open_database(study.folder, None, study.sha256)) as database:
        serving = Serving(study, database, choose=chooser_of(study.plan), **options)
        app = make_app(serving)
        yield serving, lambda: TestClient(app, "http://localhost", headers=ORIGIN)


def consent(client, study, /, **more):
    return client.post("/api/consent", json={"version": study.plan.words.consent_version, **more})


def cookie(study, role):
    return f"{role}_{study.sha256[:8]}"


def answer(client, asked, rating=1, **more):
    body = {"trial": asked["trial"], "rating": rating, "seconds": 1.5, "comment": ""}
    return client.post("/api/answer", json=body | {"left_plays": 1, "right_plays": 2} | more)


def finish(client, rating=1, clock=None):
    """Answer all that is left; gives the questions."""
    found = []
    while (asked := client.get("/api/trial").json()) is not None:
        if clock is not None:
            clock.now += 2
        assert answer(client, asked, rating).json()["stored"]
        found.append(asked)
    return found


def votes_in(serving):
    with serving.database.reading() as connection:
        return collect(connection, serving.plan)


def test_a_session_from_consent_to_the_end(study):
    clock = Clock()
    with served(study, clock=clock) as (serving, browser):
        client = browser()
        assert client.get("/listen", follow_redirects=False).headers["location"] == "/"
        assert consent(client, study).json()["next"] == "/instructions"
        assert "3 comparisons" not in client.get("/instructions").text
        asked = finish(client, clock=clock)
        assert [one["number"] for one in asked] == [1, 2, 3, 4, 5]
        assert [one["is_practice"] for one in asked] == [True, *[False] * 4]
        assert "All your answers are stored" in client.get("/listen").text
        votes = [one.vote for one in votes_in(serving).votes]
    assert [vote.order for vote in votes] == [0, 1, 2, 3, 4]
    assert {vote.kind for vote in votes} == {"practice", "comparison", "catch"}
    for vote, sheet in zip(votes, study.plan.sheets[0], strict=True):
        assert (vote.left_clips, vote.right_clips) == (sheet.left, sheet.right)
        assert (vote.rating, vote.seconds, vote.left_plays, vote.right_plays) == (1, 1.5, 1, 2)
        assert (vote.kind, vote.expected) == (sheet.kind, sheet.expected)


def test_sheets_are_shared_out_and_come_again(study):
    with served(study) as (_, browser):
        clients = [browser() for _ in range(5)]
        for client in clients:
            consent(client, study)
        clients[1].post("/api/withdraw", json={})
        consent(late := browser(), study)
        assert clients[1].get("/api/trial").status_code == 401
        left = [client for client in (*clients, late) if client is not clients[1]]
        sheets = [[one["sides"] for one in finish(client)] for client in left]
    first, third, fourth, fifth, later = sheets
    assert fifth == first, "the plan has four sheets"
    assert later not in (first, third, fourth), "the place of the one who withdrew is taken"


def test_a_question_stays_the_same_until_it_is_answered(study):
    with served(study) as (serving, browser):
        consent(client := browser(), study)
        first = client.get("/api/trial").json()
        assert client.get("/api/trial").json() == first
        assert first["trial"] in client.get("/listen").text
        stored = [answer(client, first, 2).status_code for _ in range(3)]
        assert stored == [200, 200, 200]
        assert answer(client, first, -2).status_code == 409
        assert client.get("/api/trial").json()["number"] == 2
        assert [one.vote.rating for one in votes_in(serving).votes] == [2]


def test_answers_of_others_and_invented_ones_are_refused(study):
    with served(study) as (serving, browser):
        consent(mine := browser(), study)
        consent(other := browser(), study)
        asked = mine.get("/api/trial").json()
        assert answer(other, asked).status_code == 404
        assert answer(mine, {"trial": "0" * 32}).status_code == 404
        assert answer(browser(), asked).status_code == 401
        guessed = browser()
        guessed.cookies.set(cookie(study, "listener"), "guessed")
        assert answer(guessed, asked).status_code == 401
        for bad in (
            {"rating": 3},
            {"rating": "1"},
            {"rating": True},
            {"seconds": "x"},
            {"seconds": 10**400},
        ):
            assert answer(mine, asked, **({"rating": 1} | bad)).status_code == 400
        assert votes_in(serving).votes == []


def test_nobody_rates_what_was_not_heard(tmp_path):
    clock = Clock()
    study = small_study(tmp_path / "s", rules=replace(QUICK, heard=1.0))
    with served(study, clock=clock) as (serving, browser):
        consent(client := browser(), study)
        asked = client.get("/api/trial").json()
        clock.now += 0.25
        assert answer(client, asked).status_code == 425
        clock.now += 0.1
        assert answer(client, asked).status_code == 200
        assert len(votes_in(serving).votes) == 1


def test_sets_have_to_be_heard_clip_by_clip(tmp_path):
    study = small_study(tmp_path / "s", form="sets", clips=4)
    with served(study) as (serving, browser):
        consent(client := browser(), study)
        asked = client.get("/api/trial").json()
        assert [len(side["clips"]) for side in asked["sides"]] == [2, 2]
        assert answer(client, asked).status_code == 425
        with serving.database.reading() as connection:
            row = connection.execute(text("select * from trials")).one()
        trial = type("T", (), {"kind": row.kind, "left": (), "right": (), "id": row.id})()
        trial.left, trial.right = (tuple(c["id"] for c in side["clips"]) for side in asked["sides"])
        assert least_seconds(study.plan, trial) == pytest.approx(4 * 0.5 * 0.4 - 0.5, abs=0.02)


def test_withdrawal_erases(study):
    secret = "a very unusual comment"
    with served(study) as (serving, browser):
        recruit = {"participant": "unusual-person", "study": "st", "submission": "su"}
        consent(client := browser(), study, **recruit)
        answer(client, client.get("/api/trial").json(), comment=secret)
        finish(client)
        name = cookie(study, "listener")
        old = client.cookies[name]
        files = lambda: b"".join(  # noqa: E731
            one.read_bytes() for one in study.folder.glob("votes.sqlite3*")
        )
        assert secret.encode() in files()
        assert client.post("/api/withdraw", json={}).json()["next"] == "/withdrawn"
        assert name not in client.cookies
        assert secret.encode() not in files()
        assert b"unusual-person" not in files()
        assert votes_in(serving).votes == []
        client.cookies.set(name, old)
        assert client.get("/api/trial").status_code == 401


def test_a_link_moves_a_session_to_another_browser(study):
    with served(study) as (serving, browser):
        consent(first := browser(), study)
        answer(first, first.get("/api/trial").json())
        old = first.post("/api/link", json={}).json()["token"]
        token = first.post("/api/link", json={}).json()["token"]
        second = browser()
        assert second.post("/api/resume", json={"token": old}).status_code == 404
        assert second.post("/api/resume", json={"token": token}).status_code == 200
        assert second.get("/api/trial").json()["number"] == 2
        assert first.get("/api/trial").status_code == 401
        assert second.post("/api/resume", json={"token": ""}).status_code == 404
        assert len(votes_in(serving).votes) == 1


def test_cookies_are_kept_from_scripts_and_other_sites(study):
    with served(study, is_https=True) as (_, browser):
        header = consent(browser(), study).headers["set-cookie"].lower()
    for part in ("httponly", "samesite=strict", "secure", "path=/"):
        assert part in header


def test_recruited_listeners_are_kept_apart_and_sent_back(study):
    end = "https://recruits.example/complete?cc=DONE"
    gone = "https://recruits.example/complete?cc=GONE"
    recruitment = Recruitment(complete_url=end, withdrawn_url=gone)
    with served(study, recruitment=recruitment) as (serving, browser):
        page = browser().get('/?PROLIFIC_PID=p1"><script>&STUDY_ID=st&SESSION_ID=su').text
        assert "p1&#34;&gt;&lt;script&gt;" in page
        recruit = {"participant": "p1", "study": "st", "submission": "su"}
        consent(first := browser(), study, **recruit)
        answer(first, first.get("/api/trial").json())
        # The same submission goes on where it was; another one of the same person is refused.
        consent(again := browser(), study, **recruit)
        assert again.get("/api/trial").json()["number"] == 2
        assert consent(browser(), study, **recruit | {"submission": "x"}).status_code == 403
        finish(again)
        done = again.get("/done", follow_redirects=False)
        assert (done.status_code, done.headers["location"]) == (303, end)
        consent(leaver := browser(), study, **recruit | {"participant": "p2"})
        assert leaver.post("/api/withdraw", json={}).json()["next"] == gone
        with serving.database.reading() as connection:
            rows = connection.execute(text("select participant from recruits")).scalars().all()
            columns = connection.execute(text("select * from sessions")).keys()
        assert rows == ["p1"]
        assert not {"participant", "address", "agent"} & set(columns)
        assert purge_recruits(serving.database, 90) == 0
        assert purge_recruits(serving.database, 90, time.time() + 91 * 86_400) == 1
        assert b"p1" not in (study.folder / "votes.sqlite3").read_bytes()[100:]
        assert len(votes_in(serving).votes) == 5


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "//evil.example", "ftp://a", "http://["]
)
def test_addresses_of_a_recruiting_service_are_checked(address):
    with pytest.raises(UserError, match="begins with https"):
        Recruitment(complete_url=address)


def test_the_headphone_screen_lets_in_who_hears_the_pitch(tmp_path):
    clock = Clock()
    study = small_study(tmp_path / "s", headphones=True, rules=QUICK)
    with served(study, clock=clock) as (serving, browser):
        for right in (5, 4):
            consent(client := browser(), study)
            for number, stimulus in enumerate(study.plan.screen):
                asked = client.get("/api/trial").json()
                assert asked["is_screen"]
                assert answer(client, asked, 1).status_code == 425
                clock.now += 10
                rating = stimulus.answer if number < right else stimulus.answer % 3 + 1
                assert answer(client, asked, rating).status_code == 200
            if right == 5:
                assert not client.get("/api/trial").json()["is_screen"]
            else:
                assert client.get("/api/trial").json() is None
                assert "needs headphones" in client.get("/listen").text
        assert votes_in(serving).votes == []


def test_listeners_see_nothing_that_tells_the_model(tmp_path):
    study = small_study(tmp_path / "s", ("telltale-one", "telltale-two"), rules=QUICK)
    with served(study) as (_, browser):
        consent(client := browser(), study)
        while (asked := client.get("/api/trial").json()) is not None:
            page = client.get("/listen")
            texts = [str(asked), page.text, str(page.headers)]
            for clip in (c for side in asked["sides"] for c in side["clips"]):
                found = client.get(clip["sound"])
                assert found.headers["content-type"] == "audio/flac"
                texts.append(found.content.decode("latin-1") + str(found.headers))
            assert not any("telltale" in one or "catch" in one for one in texts)
            assert set(asked) == {
                *("trial", "number", "total", "is_screen", "is_practice", "instructed", "sides")
            }
            answer(client, asked)


def test_clips_are_for_those_who_were_asked_and_can_be_sought_in(study):
    with served(study) as (_, browser):
        consent(client := browser(), study)
        asked = client.get("/api/trial").json()
        own = asked["sides"][0]["clips"][0]["sound"]
        part = client.get(own, headers={"range": "bytes=0-3"})
        assert (part.status_code, part.content) == (206, b"fLaC")
        assert browser().get(own).status_code == 404
        shown = {clip["sound"] for side in asked["sides"] for clip in side["clips"]}
        others = [f"/clips/{name}" for name in study.plan.media]
        assert [client.get(one).status_code for one in others if one not in shown] == [404] * (
            len(others) - 2
        )


@pytest.mark.parametrize(
    "path",
    [
        "/clips/../plan.json",
        "/clips/..%2fplan.json",
        "/clips/%2e%2e%2fplan.json",
        "/static/../app.py",
        "/static/..%2f..%2fapp.py",
        "/static/%2e%2e/consent.html",
        "/clips/votes.sqlite3",
    ],
)
def test_no_path_leads_out_of_the_folders(study, path):
    with served(study) as (_, browser):
        consent(client := browser(), study)
        client.get("/api/trial")
        assert client.get(path).status_code == 404


SQL = "x'); drop table answers; --"


def test_sql_is_a_text_like_any_other(study):
    with served(study) as (serving, browser):
        consent(client := browser(), study, participant=SQL, study=SQL, submission=SQL)
        asked = client.get("/api/trial").json()
        assert answer(client, {"trial": SQL}).status_code == 404
        assert client.post("/api/resume", json={"token": SQL}).status_code == 404
        answer(client, asked, comment=SQL)
        assert [one.comment for one in votes_in(serving).votes] == [SQL]


def test_a_comment_keeps_its_spaces_and_loses_what_controls_a_terminal(study):
    with served(study) as (serving, browser):
        consent(client := browser(), study)
        said = "10\u00a0bars\u3000of\tit\nor\x1b[2Jmore\x00"
        answer(client, client.get("/api/trial").json(), comment=said)
        assert [one.comment for one in votes_in(serving).votes] == ["10 bars of it\nor[2Jmore"]


def test_a_recruit_with_a_name_that_no_service_gives_sees_a_page(study):
    with served(study) as (_, browser):
        page = browser().get("/", params={"PROLIFIC_PID": "a\x00b"})
        assert page.status_code == 200
        assert "\x00" not in page.text
        assert browser().get("/", params={"PROLIFIC_PID": "a" * 300}).status_code == 400


def test_forms_of_other_sites_change_nothing(study):
    with served(study) as (serving, browser):
        consent(client := browser(), study)
        asked = client.get("/api/trial").json()
        for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
            body = {"trial": asked["trial"], "rating": 1, "seconds": 1}
            assert client.post("/api/answer", json=body, headers=headers).status_code == 403
            assert client.post("/api/withdraw", json={}, headers=headers).status_code == 403
        forged = client.post("/api/withdraw", data={"a": "b"})
        plain = client.post("/api/withdraw", content="{}", headers={"content-type": "text/plain"})
        assert (forged.status_code, plain.status_code) == (415, 415)
        assert client.get("/api/withdraw").status_code == 405
        assert client.get("/", headers={"host": "evil.example"}).status_code == 421
        assert votes_in(serving).votes == []
        assert client.get("/api/trial").json() == asked


def test_what_is_no_json_or_too_large_is_refused(study):
    with served(study) as (_, browser):
        consent(client := browser(), study)
        kind = {"content-type": "application/json"}
        for content in (b"", b"[]", b"{", b"\xff", b"[" * 10_000, b'{"a": "\\ud800"}'):
            assert client.post("/api/answer", content=content, headers=kind).status_code == 400
        assert client.post("/api/answer", content=bytes(1 << 20), headers=kind).status_code == 413
        asked = client.get("/api/trial").json()
        assert answer(client, asked, comment="x" * 2001).status_code == 400


def test_floods_are_stopped(study):
    limits = {one: RateLimit(1e-6, 4) for one in ("beginnings", "answering", "attempts")}
    with served(study, **limits) as (serving, browser):
        consent(client := browser(), study)
        asked = client.get("/api/trial").json()
        assert [answer(client, asked).status_code for _ in range(6)] == [200] * 4 + [429] * 2
        begun = [consent(browser(), study).status_code for _ in range(5)]
        assert begun == [200] * 3 + [429] * 2
        tries = [browser().post("/api/researcher", json={"token": "x"}) for _ in range(6)]
        assert [one.status_code for one in tries] == [403] * 4 + [429] * 2
        assert len(votes_in(serving).votes) == 1


def test_guesses_of_others_do_not_lock_out_who_knows_a_secret(study):
    limits = {one: RateLimit(1e-6, 2) for one in ("attempts", "resumptions")}
    with served(study, **limits) as (serving, browser):
        token = new_researcher_token(serving.database, time.time())
        consent(first := browser(), study)
        link = first.post("/api/link", json={}).json()["token"]
        for path, status in (("/api/resume", 404), ("/api/researcher", 403)):
            tries = [browser().post(path, json={"token": "x"}) for _ in range(3)]
            assert [one.status_code for one in tries] == [status, status, 429]
        assert browser().post("/api/researcher", json={"token": token}).status_code == 200
        assert browser().post("/api/resume", json={"token": link}).status_code == 200


def test_the_researcher_needs_the_token(study):
    paths = ("/researcher/live", "/researcher/raw.csv", "/researcher/tidy.csv")
    with served(study) as (serving, browser):
        token = new_researcher_token(serving.database, time.time())
        client = browser()
        assert [client.get(path).status_code for path in paths] == [401] * 3
        assert "token" in client.get("/researcher").text
        assert client.post("/api/researcher/state", json={"is_open": False}).status_code == 401
        for wrong in ("", token[:-1], token + "x", token.swapcase()):
            assert client.post("/api/researcher", json={"token": wrong}).status_code == 403
        assert client.post("/api/researcher", json={"token": token}).status_code == 200
        assert [client.get(path).status_code for path in paths] == [200] * 3
        files = b"".join(one.read_bytes() for one in study.folder.glob("votes.sqlite3*"))
        assert token.encode() not in files
        other = browser()
        other.cookies.set(cookie(study, "listener"), token)
        assert other.get("/researcher/live").status_code == 401
        consent(listener := browser(), study)
        secret = listener.cookies[cookie(study, "listener")]
        listener.cookies.set(cookie(study, "researcher"), secret)
        assert listener.get("/researcher/live").status_code == 401


def test_every_stored_token_is_compared_whatever_is_given(study, monkeypatch):
    """In constant time each: what is given decides neither whether nor how many are compared."""
    import seqtutor.study.serving as home

    compared: list[tuple[int, int]] = []
    real = home.secrets.compare_digest

    def counting(own, known):
        compared.append((len(own), len(known)))
        return real(own, known)

    with served(study) as (serving, _):
        tokens = [new_researcher_token(serving.database, time.time()) for _ in range(3)]
        monkeypatch.setattr(home.secrets, "compare_digest", counting)
        for given in (*tokens, "", "x", None):
            found = home.is_researcher(serving.database, given, time.time())
            assert found == (given in tokens)
        assert not home.is_researcher(serving.database, tokens[0], time.time() + 31 * 86_400)
    assert compared == [(64, 64)] * 18


def test_a_study_is_stopped_and_reopened(study):
    with served(study) as (serving, browser):
        token = new_researcher_token(serving.database, time.time())
        consent(begun := browser(), study)
        client = browser()
        client.post("/api/researcher", json={"token": token})
        assert client.post("/api/researcher/state", json={"is_open": "no"}).status_code == 400
        assert "Would you like to take part?" in browser().get("/").text
        consent(recruited := browser(), study, participant="p1", study="s1", submission="a")
        client.post("/api/researcher/state", json={"is_open": False})
        stopped = browser().get("/").text
        assert "takes no new listeners" in stopped
        assert "Take part" not in stopped
        assert "Take part" in browser().get("/?PROLIFIC_PID=p1").text, "who has begun may go on"
        assert "takes no new" in browser().get("/?PROLIFIC_PID=p2").text
        recruited.post("/api/withdraw", json={})
        assert consent(browser(), study).status_code == 403
        assert len(finish(begun)) == 5
        shown = client.get("/researcher").text
        assert "0 of the 4 planned listeners count." in shown, "the catch trial was failed"
        assert "fixed beforehand" in shown
        assert "3 comparisons, 1 for practice, 1 catch trial" in shown
        client.post("/api/researcher/state", json={"is_open": True})
        assert consent(browser(), study).status_code == 200


HOSTILE = '=HYPERLINK("http://evil.example")<script>alert(1)</script>'


def test_the_researchers_page_and_tables_run_nothing(tmp_path):
    study = small_study(tmp_path / "s", ("=1+1<b>", "@psi"), rules=QUICK)
    with served(study) as (serving, browser):
        token = new_researcher_token(serving.database, time.time())
        consent(listener := browser(), study)
        for rating in (-1, 1, 2, 0, 1):
            asked = listener.get("/api/trial").json()
            answer(listener, asked, rating, comment=HOSTILE)
        client = browser()
        client.post("/api/researcher", json={"token": token})
        page = client.get("/researcher").text
        assert "<script>alert" not in page
        assert "=1+1<b>" not in page
        assert "=1+1&lt;b&gt;" in page
        tables = {}
        for name in ("raw", "tidy"):
            content = client.get(f"/researcher/{name}.csv").content.decode("utf-8-sig")
            tables[name] = list(csv.DictReader(io.StringIO(content)))
        for row in (*tables["raw"], *tables["tidy"]):
            for name, cell in row.items():
                numeric = name in ("rating", "expected")
                assert not cell.startswith(("=", "+", "@", "\t")), (name, cell)
                assert numeric or not cell.startswith("-")
        raw = tables["raw"]
        assert [row["comment"] for row in raw] == [f"'{HOSTILE}"] * 5
        assert [row["rating"] for row in raw] == ["-1", "1", "2", "0", "1"]
        assert [row["answered_at"] for row in raw] == sorted(row["answered_at"] for row in raw)


def test_listeners_are_left_out_for_reasons(tmp_path):
    clock, rules = Clock(), replace(QUICK, fastest=0.5)
    study = small_study(tmp_path / "s", rules=rules, comparisons=8, catch=2, listeners=4)
    with served(study, clock=clock) as (serving, browser):
        for habit in ("good", "fast", "left", "says to be slow"):
            consent(client := browser(), study)
            for number, trial in enumerate(study.plan.sheets[0]):
                asked = client.get("/api/trial").json()
                sheet = study.plan.clip[asked["sides"][0]["clips"][0]["id"]]
                right = 1 if sheet.is_broken else -1
                rating = -2 if habit == "left" else (right if number % 2 else -right)
                if trial.kind == "catch" or any(
                    study.plan.clip[c["id"]].is_broken for s in asked["sides"] for c in s["clips"]
                ):
                    rating = rating if habit == "left" else right
                clock.now += 0.2 if habit == "says to be slow" else 5.0
                answer(client, asked, rating, seconds=0.1 if habit == "fast" else 3.0)
        collected = votes_in(serving)
    assert "L0001" not in collected.excluded
    assert collected.excluded["L0002"] == ["too fast: a median of 0.10 seconds"]
    assert "always A" in collected.excluded["L0003"]
    assert collected.excluded["L0004"] == ["too fast: a median of 0.20 seconds"]
    assert {vote.listener for vote in collected.counted} == {"L0001"}


def test_an_adaptive_study_asks_balanced_clips(tmp_path):
    study = small_study(tmp_path / "s", ("a", "b", "c"), rules=QUICK, adaptive=True, comparisons=6)
    with served(study) as (serving, browser):
        for _ in range(2):
            consent(client := browser(), study)
            finish(client)
        votes = [one.vote for one in votes_in(serving).votes if one.vote.kind == "comparison"]
    assert len(votes) == 12
    assert all(vote.left != vote.right for vote in votes)
    for one, after in pairwise(votes[:6]):
        assert (one.left_clips, one.right_clips) != (after.left_clips, after.right_clips)


def test_a_database_belongs_to_one_study(tmp_path, study):
    other = small_study(tmp_path / "o", seed=3)
    with served(study):
        url = f"sqlite:///{study.folder / 'votes.sqlite3'}"
        with pytest.raises(UserError, match="belongs to another study"):
            open_database(other.folder, url, other.sha256)
    for url, reason in (
        ("nonsense", "must be a URL"),
        ("postgresql://u@127.0.0.1:abc/x", "must be a URL"),
        ("oracle+nothing://x", "cannot be used"),
        ("postgresql://nobody:hidden@127.0.0.1:1/x", "cannot use the database"),
        (f"sqlite:///{tmp_path}/missing/x.sqlite3", "cannot use the database"),
    ):
        with pytest.raises(UserError, match=reason) as caught:
            open_database(other.folder, url, other.sha256)
        assert "hidden" not in str(caught.value)


def test_a_running_server_erases_recruits_whose_time_is_over(study):
    clock = Clock()
    with served(study, clock=clock, recruitment=Recruitment(retention_days=2)) as (own, browser):
        consent(browser(), study, participant="p1", study="st", submission="su")
        clock.now += 86_400
        consent(browser(), study, participant="p2", study="st", submission="su")
        with own.database.writing() as connection:
            connection.execute(
                text("update recruits set made_at = made_at - 90000 where session=1")
            )
        clock.now += 86_400
        with browser() as started:  # As the server does when it starts, and then every hour.
            while "p1" in _recruits(own):
                started.get("/")
        assert _recruits(own) == ["p2"]


def _recruits(serving):
    with serving.database.reading() as connection:
        return connection.execute(text("select participant from recruits")).scalars().all()


def test_who_has_just_withdrawn_is_asked_nothing_more(study):
    """A question that was due at the same moment leaves no trace."""
    with served(study) as (serving, browser):
        consent(client := browser(), study)
        with serving.database.reading() as connection:
            session = find(connection, client.cookies[cookie(study, "listener")])
        withdraw(serving.database, session)
        assert next_trial(serving.database, study.plan, session, time.time()) is None
        with serving.database.reading() as connection:
            assert connection.execute(text("select count(*) from trials")).scalar_one() == 0
