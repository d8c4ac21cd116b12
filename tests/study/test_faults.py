"""Nothing that was acknowledged is lost: killed servers, full disks, PostgreSQL, many at once."""

from __future__ import annotations

import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from crashing import Crashes
from postgres import postgres
from small_study import QUICK, WORDS, serving, small_study

from seqtutor.cli.main import main
from seqtutor.errors import UserError
from seqtutor.study.analysis import SIMULATED, page_section
from seqtutor.study.app import make_app
from seqtutor.study.commands.simulate import logits
from seqtutor.study.database import open_database
from seqtutor.study.export import raw_csv, tidy_csv
from seqtutor.study.overview import overview
from seqtutor.study.plan import Rules
from seqtutor.study.serving import Serving, new_researcher_token
from seqtutor.study.sessions import counts
from seqtutor.study.simulated import Population
from seqtutor.study.simulating import Client, Simulation, simulate
from seqtutor.study.stored import collect
from seqtutor.study.wording import NO_CONSENT, default_consent
from seqtutor.web import running


def test_a_killed_server_loses_no_acknowledged_answer(tmp_path):
    study = small_study(tmp_path / "s", rules=QUICK, comparisons=8)
    crashes = Crashes(study, kills=3, seed=1)
    crashes.run(listeners=5, questions=10)
    assert crashes.check() == 50


def test_two_servers_share_a_postgresql_database(tmp_path):
    study = small_study(tmp_path / "s", rules=QUICK, listeners=40)
    with postgres() as url:
        crashes = Crashes(study, kills=1, database=url, seed=2)
        crashes.run(listeners=4, questions=5)
        assert crashes.check() == 20
        with closing(open_database(study.folder, url, study.sha256)) as database:
            other = open_database(study.folder, url, study.sha256)
            apps = [make_app(Serving(study, one)) for one in (database, other)]
            with closing(other), running(apps[0]) as first, running(apps[1]) as second:
                body = {"version": study.plan.words.consent_version}
                clients = [Client((first, second)[n % 2]) for n in range(12)]
                with ThreadPoolExecutor(12) as pool:
                    begun = list(pool.map(lambda one: one.post("/api/consent", body), clients))
                assert [status for status, _ in begun] == [200] * 12
                # The same session at both servers at once is asked the same.
                twin = Client(second)
                twin._cookie = clients[0]._cookie
                with ThreadPoolExecutor(8) as pool:
                    asked = list(pool.map(lambda one: one.get("/api/trial"), [clients[0], twin]))
                assert asked[0] == asked[1]
                trial = {"trial": asked[0][1]["trial"], "rating": 2, "comment": "", "seconds": 1}
                trial |= {"left_plays": 1, "right_plays": 1}
                with ThreadPoolExecutor(8) as pool:
                    found = list(
                        pool.map(lambda one: one.post("/api/answer", trial), [clients[0], twin])
                    )
                assert [status for status, _ in found] == [200, 200]
                for client in (*clients, twin):
                    client.close()
            with database.reading() as connection:
                rows = connection.exec_driver_sql(
                    "select sheet, count(*) from sessions where state = 'active' group by sheet"
                )
                assert sorted(rows.all())[0][1] == 1
                assert len(collect(connection, study.plan).votes) == 21


def test_a_full_disk_is_refused_and_nothing_acknowledged_is_missing(tmp_path):
    """A limit of the size of files stands for a full disk: SQLite gets an error from its writes."""
    study = small_study(tmp_path / "s", rules=QUICK, comparisons=40)
    with serving(study, file_size=300_000) as (_, address, _token):
        client = Client(address)
        client.post("/api/consent", {"version": study.plan.words.consent_version})
        acknowledged, refused = [], None
        while refused is None:
            status, asked = client.get("/api/trial")
            if status != 200:
                refused = status, asked
                break
            body = {"trial": asked["trial"], "rating": 1, "comment": "x" * 2000, "seconds": 1}
            status, found = client.post("/api/answer", body | {"left_plays": 1, "right_plays": 1})
            if status == 200:
                acknowledged.append(asked["trial"])
            else:
                refused = status, found
        client.close()
    assert refused[0] == 503
    assert "could not be stored" in refused[1]["error"]
    assert acknowledged
    with closing(sqlite3.connect(study.folder / "votes.sqlite3")) as database:
        stored = [trial for (trial,) in database.execute("select trial from answers")]
        assert database.execute("pragma integrity_check").fetchone() == ("ok",)
    assert sorted(stored) == sorted(acknowledged)


def test_a_deleted_database_acknowledges_nothing(tmp_path, capsys):
    study = small_study(tmp_path / "s", rules=QUICK)
    database = study.folder / "votes.sqlite3"
    with serving(study) as (_, address, _token):
        client = Client(address)
        client.post("/api/consent", {"version": study.plan.words.consent_version})
        asked = client.get("/api/trial")[1]
        body = {"trial": asked["trial"], "rating": 1, "comment": "", "seconds": 1}
        body |= {"left_plays": 1, "right_plays": 1}
        database.rename(kept := tmp_path / "kept")
        assert client.post("/api/answer", body)[0] == 503
        assert not database.exists()
        database.write_bytes(b"")
        assert client.post("/api/answer", body)[0] == 503
        kept.rename(database)
        assert client.post("/api/answer", body)[0] == 200
        client.close()


@pytest.mark.parametrize("endings", [("-wal",), ("-shm",), ("-wal", "-shm")])
def test_a_deleted_log_is_noticed_and_nothing_acknowledged_is_lost(tmp_path, endings):
    """The answers stood in the log alone; the server that had it open writes them down."""
    study = small_study(tmp_path / "s", rules=QUICK)
    file = study.folder / "votes.sqlite3"
    acknowledged = []
    with serving(study) as (process, address, _token):
        client = Client(address)
        client.post("/api/consent", {"version": study.plan.words.consent_version})
        for _ in range(3):
            asked = client.get("/api/trial")[1]
            body = {"trial": asked["trial"], "rating": 1, "comment": "", "seconds": 1}
            status, _ = client.post("/api/answer", body | {"left_plays": 1, "right_plays": 1})
            assert status == 200
            acknowledged.append(asked["trial"])
        for ending in endings:
            file.with_name(file.name + ending).unlink()
        for _ in range(2):
            assert client.get("/api/trial")[0] == 503
        client.close()
        process.kill()
        told = process.stderr.read()
    assert told.count("deleted or replaced; start the server again") == 1
    with closing(_of(study)) as database, database.reading() as connection:
        found = [one for (one,) in connection.exec_driver_sql("select trial from answers")]
    assert sorted(found) == sorted(acknowledged)


@pytest.mark.parametrize("action", ["results", "votes", "purge"])
def test_a_study_without_votes_gets_no_database(tmp_path, capsys, action):
    study = small_study(tmp_path / "s")
    assert main(["study", action, str(study.folder)]) == 2
    error = capsys.readouterr().err
    assert "has no votes yet" in error
    assert error.count("\n") == 1
    assert not list(study.folder.glob("votes*"))


def ratings_after(study, seed):
    with closing(open_database(study.folder, None, study.sha256)) as database:
        with running(make_app(Serving(study, database))) as address:
            token = new_researcher_token(database, 1e10)
            population = Population({"psi": 2.0}, inattentive=0.25, spread=0.1)
            stored = simulate(study.plan, address, token, Simulation(population, 8, seed))
            assert stored == 8 * (8 + 6)
        with database.reading() as connection:
            return collect(connection, study.plan)


def test_simulated_listeners_are_the_same_by_their_seed(tmp_path):
    """They pass the headphone screen, hear nothing, and are told from people."""
    options = {"comparisons": 6, "listeners": 8, "headphones": True, "rules": Rules()}
    studies = [small_study(tmp_path / name, **options) for name in ("a", "b", "c")]
    first, again, other = (
        ratings_after(study, seed) for study, seed in zip(studies, (1, 1, 2), strict=True)
    )
    votes = [[one.vote for one in found.votes] for found in (first, again, other)]
    assert first.is_simulated
    assert votes[0] == votes[1] != votes[2]
    own = [vote for vote in first.counted if vote.kind == "comparison"]
    wins = sum((v.rating < 0) == (v.left == "psi") for v in own if v.rating)
    assert wins > 0.7 * sum(v.rating != 0 for v in own)
    # Listeners 4 and 8 answer at random, also the catch trial.
    assert set(first.excluded) <= {"L0004", "L0008"}


def test_a_simulation_that_fails_leaves_no_session_half_begun(tmp_path):
    study = small_study(tmp_path / "s", rules=QUICK)
    with closing(_of(study)) as own, running(make_app(Serving(study, own))) as address:
        token = new_researcher_token(own, 1e10)
        answers = [None] * 7
        with pytest.raises(IndexError):  # At the eighth answer.
            simulate(study.plan, address, token, Simulation(Population(), 6), answers.pop)
        with own.reading() as connection:
            found = counts(connection, simulated=True)
    assert found["active"] == 0
    assert found["withdrawn"] > 0


def test_many_listeners_come_in_turn(tmp_path, monkeypatch):
    monkeypatch.setattr("seqtutor.study.simulating._MOST_OPEN", 3)
    study = small_study(tmp_path / "s", rules=QUICK)
    with closing(_of(study)) as own, running(make_app(Serving(study, own))) as address:
        token = new_researcher_token(own, 1e10)
        assert simulate(study.plan, address, token, Simulation(Population(), 7)) == 35


def test_only_a_researcher_simulates(tmp_path):
    study = small_study(tmp_path / "s")
    refused = pytest.raises(UserError, match="only a researcher may simulate")
    with closing(_of(study)) as own, running(make_app(Serving(study, own))) as address, refused:
        simulate(study.plan, address, "guessed", Simulation(Population(), 1))
    with pytest.raises(UserError, match="does not answer"):
        simulate(study.plan, address, "guessed", Simulation(Population(), 1))


def _of(study):
    return open_database(study.folder, None, study.sha256)


def test_votes_of_people_replace_simulated_ones(tmp_path, capsys):
    study = small_study(tmp_path / "s", rules=QUICK)
    folder = str(study.folder)
    arguments = ["--listeners", "4", "--prefer", "psi:1.5", "prior:-1", "--seed", "1"]
    assert main(["study", "simulate", folder, *arguments]) == 0
    assert "20 answers, all of them stored" in capsys.readouterr().out
    section = page_section(study.folder, "tones")
    assert SIMULATED in section.html
    assert set(section.colors) == {"--ink-0", "--ink-1"}
    with pytest.raises(UserError, match="is of the task tones, not of words"):
        page_section(study.folder, "words")
    with closing(_of(study)) as database, running(make_app(Serving(study, database))) as address:
        client = Client(address)
        client.post("/api/consent", {"version": study.plan.words.consent_version})
        while (asked := client.get("/api/trial")[1]) is not None:
            body = {"trial": asked["trial"], "rating": 1, "comment": "", "seconds": 1}
            assert client.post("/api/answer", body | {"left_plays": 1, "right_plays": 1})[0] == 200
        client.close()
        with database.reading() as connection:
            found = collect(connection, study.plan)
            shown = overview(connection, study.plan)
    assert not found.is_simulated
    assert shown.collected == found
    assert found.set_aside == 20
    assert {one.vote.listener for one in found.votes} == {"L0005"}


def test_a_server_warns_of_a_consent_text_that_names_nobody(tmp_path):
    words = replace(WORDS, consent=default_consent())
    study = small_study(tmp_path / "s", rules=QUICK, words=words)
    with serving(study) as (process, *_):
        assert NO_CONSENT in process.stderr.readline()


def test_the_tables_of_a_study_are_exported_as_the_page_gives_them(tmp_path, capsys):
    study = small_study(tmp_path / "s", rules=QUICK)
    assert main(["study", "simulate", str(study.folder), "--listeners", "2"]) == 0
    call = ["study", "export", str(study.folder)]
    assert main(call) == 2
    assert "--output" in capsys.readouterr().err
    assert main([*call, "--output", str(tmp_path / "t")]) == 0
    said = capsys.readouterr().out
    assert "votes-raw.csv: 10 answers of simulated listeners" in said
    assert "votes-tidy.csv: 6 votes of simulated listeners" in said
    with closing(_of(study)) as database, database.reading() as connection:
        collected = collect(connection, study.plan)
    for name, table in (("raw", raw_csv), ("tidy", tidy_csv)):
        written = (tmp_path / "t" / f"votes-{name}.csv").read_bytes()
        assert written == b"\xef\xbb\xbf" + table(collected).encode()
    assert main([*call, "--output", str(tmp_path / "t")]) == 2
    assert "exists already" in capsys.readouterr().err


def test_simulated_listeners_of_an_earlier_call_are_told_of_or_erased(tmp_path, capsys):
    study = small_study(tmp_path / "s", rules=QUICK)
    call = ["study", "simulate", str(study.folder), "--listeners", "3", "--seed", "1"]
    assert main(call) == 0
    assert "already" not in capsys.readouterr().out
    assert main(call) == 0
    assert "already has 3 simulated listeners; 3 come on top" in capsys.readouterr().out
    assert main([*call, "--fresh"]) == 0
    assert "Erased 6 simulated listeners." in capsys.readouterr().out
    with closing(_of(study)) as database, database.reading() as connection:
        assert len({one.vote.listener for one in collect(connection, study.plan).votes}) == 3


class _Impatient(BaseHTTPRequestHandler):
    """Closes a connection that is idle for a moment, as every server does at last."""

    protocol_version = "HTTP/1.1"
    timeout = 0.1

    def do_GET(self):
        """Answer, and keep the connection."""
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def do_POST(self):
        """The same."""
        self.do_GET()

    def log_message(self, *arguments):
        """Say nothing."""


def test_a_request_on_a_connection_that_the_server_closed_is_sent_again():
    """So listeners who wait for their turn while others answer do not fail."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Impatient) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with closing(Client(f"http://127.0.0.1:{server.server_port}")) as client:
            assert client.get("/api/trial") == (200, {})
            for path in ("/api/answer", "/api/withdraw"):
                time.sleep(0.5)
                assert client.post(path, {}) == (200, {})
            time.sleep(0.5)
            assert client.get("/api/trial") == (200, {})
            time.sleep(0.5)
            with pytest.raises(ConnectionError):
                client.post("/api/consent", {})
        server.shutdown()


def test_a_model_may_be_named_by_its_folder_alone(tmp_path):
    plan = small_study(tmp_path / "s", ("prior", "runs/psi", "a/g", "b/g")).plan
    assert logits(["psi:1", "prior:-2"], plan, "--prefer") == {"runs/psi": 1, "prior": -2}
    with pytest.raises(UserError, match="the study has no model 'g'"):
        logits(["g:1"], plan, "--prefer")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--address", "http://["], "--address must be like"),
        (["--complete-url", "http://["], "begins with https"),
        (["--host", "a" * 70], "no host can have that name"),
        (["--database", "postgresql://u@127.0.0.1:abc/x"], "must be a URL"),
    ],
)
def test_mistakes_of_a_server_are_one_line(tmp_path, capsys, arguments, reason):
    study = small_study(tmp_path / "s")
    assert main(["study", "serve", str(study.folder), *arguments]) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--prefer", "psi"], "takes MODEL:LOGIT"),
        (["--prefer", "nobody:1"], "the study has no model 'nobody'; it has prior, psi"),
        (["--prefer", "psi:1", "psi:2"], "names psi twice"),
        (["--address", "http://localhost:1"], "give the token"),
        (["--fresh", "--address", "http://localhost:1", "--token", "x"], "leave out --address"),
        (["--listeners", "0"], "listeners"),
        (["--inattentive", "2"], "inattentive"),
        (["--spread", "1e5"], "spread must be between"),
        (["--position", "1e308"], "position must be between"),
        (["--address", "http://localhost:abc", "--token", "x"], "no address of a server"),
        (["--address", f"http://{'a' * 70}", "--token", "x"], "no address of a server"),
        (["--address", "http://localhost:1", "--token", "a\nb"], "--token is not one"),
        (["--address", "http://localhost:1", "--token", "ü"], "--token is not one"),
    ],
)
def test_mistakes_of_a_simulation_are_one_line(tmp_path, capsys, arguments, reason):
    study = small_study(tmp_path / "s")
    assert main(["study", "simulate", str(study.folder), *arguments]) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1
    assert not list(study.folder.glob("votes*"))
