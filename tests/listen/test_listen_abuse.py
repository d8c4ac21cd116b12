"""Whatever a page or a stranger sends: one clear line, bounded work, no secret of the machine."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx
import pytest

import tiny_problems
from listening import TINY, client_of, session_of
from seqtutor.errors import UserError
from seqtutor.listen.app import LARGEST_FILE, LARGEST_JSON, app_of
from seqtutor.listen.session import Session
from seqtutor.listen.worker import MOST_WAITING, BusyError, GoneError, Worker
from seqtutor.models.files import SavedModel, save_model
from seqtutor.web import running

TESTS = Path(__file__).parents[1]
HUGE = [
    {"number": 9},
    {"number": 0},
    {"number": 10**400},
    {"number": 1e308},
    {"number": True},
    {"number": "8"},
    {"number": 1.5},
    {"temperature": 0},
    {"temperature": 1e9},
    {"temperature": None},
    {"length": 7},
    {"length": 10**9},
    {"length": -1},
    {"seed": 2**31},
    {"seed": -1},
    {"primer": ["0"] * 6},
    {"primer": ["0"] * 30_000},
    {"primer": ["4"]},
    {"primer": ["../../etc/passwd"]},
    {"primer": [0]},
    {"primer": "0"},
    {"how": {"tempo": 3}},
    {"how": []},
    {"valid_only": 1},
    {"valid_only": True},
    {"source": "../prior"},
    {"source": 3},
    {"other": "G"},
    {"<script>": 1},
]


@pytest.mark.parametrize("content", HUGE, ids=lambda one: str(one)[:40])
def test_a_parameter_out_of_range_is_refused_in_one_line(client, content):
    answer = client.post("/api/samples", json=content)
    assert answer.status_code == 400
    (line,) = answer.json()["error"].splitlines()
    assert 10 < len(line) < 400
    assert "Traceback" not in line


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 50_000, b'{"seed": NaN}', b'{"seed":1e999}']
)
def test_a_body_that_is_no_object_is_refused(client, body):
    answer = client.post("/api/samples", content=body)
    assert answer.status_code == 400
    assert "error" in answer.json()


def test_bodies_are_bounded(client):
    assert client.post("/api/samples", content=b" " * (LARGEST_JSON + 1)).status_code == 413
    url = "/api/file?source=Ψ&name=a.txt"
    assert client.post(url, content=b"0" * (LARGEST_FILE + 1)).status_code == 413

    def endless():
        for _ in range(64):
            yield b"0" * (LARGEST_FILE // 32)

    assert client.post(url, content=endless()).status_code == 413


@pytest.mark.parametrize(
    "path",
    [
        "/static/../command.py",
        "/static/..%2fcommand.py",
        "/static/%2e%2e/%2e%2e/pyproject.toml",
        "/static/command.py",
        "/static/page.html",
        "/static//etc/passwd",
        "/api/favourites/..%2f..%2fetc%2fpasswd",
        "/api/favourites/nothing",
        "/favourites.json",
        "/.git/config",
    ],
)
def test_no_file_beside_those_of_the_page_is_told(client, path):
    answer = client.get(path)
    assert answer.status_code == 404
    assert len(answer.content) < 200
    assert b"root:" not in answer.content


@pytest.mark.parametrize(
    ("method", "path", "content"),
    [
        ("POST", "/api/favourites", {"id": "nothing"}),
        ("POST", "/api/favourites", {}),
        ("POST", "/api/pairs/nothing", {"choice": "A"}),
        ("GET", "/api/favourites/" + "a" * 5000, None),
    ],
)
def test_what_is_not_there_is_not_found(client, method, path, content):
    answer = client.request(method, path, json=content)
    assert answer.status_code == 404
    assert "not there" in answer.json()["error"]


@pytest.mark.parametrize("name", ["", "a", "..", "a.", "a.t/../../x", "a.\x00txt", "x" * 3000])
def test_the_name_of_a_file_is_only_its_kind(client, name):
    answer = client.post("/api/file", params={"source": "Ψ", "name": name}, content=b"01\n")
    assert answer.status_code == 400
    assert "does not tell its kind" in answer.json()["error"]


def test_strangers_are_not_let_in(client):
    assert client.get("/api/state", headers={"host": "evil.example"}).status_code == 421
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1"):
        answer = client.post("/api/samples", json={}, headers={"origin": origin})
        assert answer.status_code == 403
    own = {"origin": "http://127.0.0.1:8765", "sec-fetch-site": "same-origin"}
    assert client.post("/api/samples", json={}, headers=own).status_code == 200


def test_pages_may_load_nothing_from_elsewhere(client):
    policy = client.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "http" not in policy


def test_fifty_at_once_are_answered_or_told_to_come_again(session):
    """While the first is at work, as many wait as may; all others are told so at once."""
    gate, done = threading.Event(), []

    async def many() -> list[object]:
        worker = Worker()

        def work(number: int) -> int:
            gate.wait(60)
            done.append(number)
            return number

        asked = [asyncio.ensure_future(worker.run(work, number)) for number in range(50)]
        while sum(one.done() for one in asked) < 50 - MOST_WAITING:
            await asyncio.sleep(0)
        gate.set()
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert await worker.run(work, 50) == 50, "afterwards there is room again"
        worker.close()
        return found

    found = asyncio.run(many())
    assert found[:MOST_WAITING] == list(range(MOST_WAITING))
    assert all(isinstance(one, BusyError) for one in found[MOST_WAITING:])
    assert done == [*range(MOST_WAITING), 50], "in the order of asking, and no other was begun"


def test_who_is_gone_gives_its_place_to_others():
    """All that wait go away: as many others may wait at once, and what they asked is not done."""
    gate, left, done = threading.Event(), asyncio.Event(), []

    async def many() -> list[object]:
        worker = Worker()

        def work(number: int) -> None:
            gate.wait(60)
            done.append(number)

        async def gone() -> None:
            await left.wait()

        first = [worker.run(work, number, gone=gone) for number in range(MOST_WAITING)]
        asked = [asyncio.ensure_future(one) for one in first]
        await asyncio.sleep(0)
        left.set()
        found = await asyncio.gather(*asked, return_exceptions=True)
        # The first is at work, and keeps its place until that is done.
        others = [worker.run(work, 100 + number) for number in range(MOST_WAITING)]
        waiting = [asyncio.ensure_future(one) for one in others]
        await asyncio.sleep(0)
        gate.set()
        found += await asyncio.gather(*waiting, return_exceptions=True)
        worker.close()
        return found

    found = asyncio.run(many())
    assert all(isinstance(one, GoneError) for one in found[:MOST_WAITING])
    assert [type(one) for one in found[MOST_WAITING:]] == [type(None)] * 7 + [BusyError]
    assert done == [0, *range(100, 100 + MOST_WAITING - 1)]


def test_a_client_that_hangs_up_is_not_worked_for(session):
    """On a real server: of three requests, the second is gone before its turn."""
    begun = []

    class Slow(Session):
        def generate(self, wish):
            begun.append(wish.seed)
            gate.wait(60)
            return super().generate(wish)

    gate = threading.Event()
    app = app_of(Slow(TINY, session.sources, session.favourites))
    with running(app) as address, ThreadPoolExecutor(2) as pool:
        ask = partial(httpx.post, f"{address}api/samples", timeout=60)
        first = pool.submit(ask, json={"seed": 1})
        wait_for(lambda: begun == [1])
        with pytest.raises(httpx.TimeoutException):
            ask(json={"seed": 2}, timeout=0.3)
        third = pool.submit(ask, json={"seed": 3})
        gate.set()
        assert [one.result().status_code for one in (first, third)] == [200, 200]
    assert begun == [1, 3]


def wait_for(holds) -> None:
    """Until something holds, for a minute."""
    end = time.monotonic() + 60
    while not holds() and time.monotonic() < end:
        time.sleep(0.01)
    assert holds()


class Blocked(Session):
    """A session whose work waits to be let go."""

    gate = threading.Event()

    def generate(self, wish):
        self.gate.wait(60)
        return super().generate(wish)


def test_the_page_says_that_it_is_busy_and_still_answers_the_rest(session):
    blocked = Blocked(TINY, session.sources, session.favourites)
    with client_of(blocked) as client, ThreadPoolExecutor(50) as pool:
        asked = [pool.submit(client.post, "/api/samples", json={"seed": n}) for n in range(50)]
        waiting = set(asked)
        while len(waiting) > MOST_WAITING:
            waiting = wait(waiting, return_when=FIRST_COMPLETED).not_done
        refused = [one.result() for one in asked if one not in waiting]
        assert client.get("/api/state").status_code == 200
        blocked.gate.set()
        statuses = [one.result().status_code for one in asked]
    assert len(refused) == 50 - MOST_WAITING == statuses.count(503)
    assert statuses.count(200) == MOST_WAITING
    assert all("ask again" in one.json()["error"] for one in refused)
    assert all(one.headers["retry-after"] == "1" for one in refused)


class Reading(Session):
    """A session in which a file is read until it is let go."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.begun, self.gate = threading.Event(), threading.Event()

    def opening(self, *arguments):
        self.begun.set()
        self.gate.wait(60)
        return super().opening(*arguments)


def test_nobody_waits_for_a_file_that_another_one_has_read(session):
    reading = Reading(TINY, session.sources, session.favourites)
    with client_of(reading) as client, ThreadPoolExecutor(1) as pool:
        path = f"/api/file?source={session.sources[0].title}&name=a.txt"
        file = pool.submit(client.post, path, content=b"a")
        assert reading.begun.wait(60)
        assert client.post("/api/samples", json={}).status_code == 200
        assert not file.done()
        reading.gate.set()
        file.result()


class Broken(Session):
    """A session with a fault of ours."""

    def generate(self, wish):
        raise RuntimeError("secret of /home/somebody\nsecond line")


def test_a_fault_of_ours_is_told_on_the_terminal_and_not_to_the_page(session, capsys):
    with client_of(Broken(TINY, session.sources, session.favourites)) as client:
        answer = client.post("/api/samples", json={})
    assert (answer.status_code, "secret" in answer.text) == (500, False)
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "RuntimeError: secret of /home/somebody second line" in said


def test_a_reward_that_fails_is_told_in_one_line(session):
    def failing(tokens, mask):
        raise UserError("the reward failed: it is\nbroken")

    sources = [replace(session.sources[0], rewarding=failing)]
    with client_of(Session(TINY, sources, session.favourites)) as client:
        answer = client.post("/api/samples", json={})
    assert answer.status_code == 400
    assert answer.json() == {"error": "the reward failed: it is broken"}


def test_a_model_that_claims_endless_sequences_is_refused(tmp_path, capsys):
    """By the page, and by what would sample whole ones at once."""
    from seqtutor.cli.main import main

    vocabulary = TINY.usual_task().vocabulary
    folder = tmp_path / "endless"
    save_model(SavedModel(tiny_problems.prior(5), vocabulary, {"max_length": 1 << 20}), folder)
    with pytest.raises(UserError, match="have up to 1,048,576 tokens; the page writes 2,048"):
        session_of(TINY, [str(folder)], tmp_path).__enter__()
    task = tmp_path / "tiny.py"
    task.write_text(f"import sys\nsys.path.insert(0, {str(TESTS)!r})\nimport tiny_problems\n")
    task.write_text(f"{task.read_text()}task = tiny_problems.task(5, 6, has_end=True)\n")
    for command in (["report"], ["evaluate"]):
        assert main([*command, f"{task}:task", str(folder)]) == 2
        (line,) = capsys.readouterr().err.strip().splitlines()[-1:]
        assert "are too many at a time" in line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "name the folder of a run"),
        (["nowhere"], "nowhere"),
        (["prior", "--port", "70000"], "--port must lie between"),
        (["prior", "--host", "0.0.0.0"], "--host must be one address"),
        (["prior", "prior"], "named twice"),
        (["prior", "--favourites", "FILE"], "is damaged"),
    ],
)
def test_the_command_refuses_in_one_line(arguments, words, tmp_path, capsys):
    from seqtutor.cli.main import main

    (tmp_path / "file.json").write_text("nonsense")
    given = [str(tmp_path / "file.json") if one == "FILE" else one for one in arguments]
    assert main(["listen", "melody", *given]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()[-1:]
    assert words in line
