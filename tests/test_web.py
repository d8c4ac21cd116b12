"""The web server: who is let in, what an answer carries, how it starts and ends."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import io
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from seqtutor.errors import UserError
from seqtutor.web import (
    RateLimit,
    address_of,
    listening,
    names_for,
    running,
    secured,
    web_address,
)


async def echo(request: Request) -> PlainTextResponse:
    return PlainTextResponse(await request.body())


@pytest.fixture(name="client")
def _client() -> TestClient:
    app = Starlette(routes=[Route("/", echo, methods=["GET", "POST"])])
    return TestClient(secured(app, hosts=["study.example"]), "http://localhost")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:81", "[::1]:81", "Study.Example:8000"])
def test_names_of_the_server_are_let_in(client, host):
    assert client.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "", "a@localhost"])
def test_other_names_are_not(client, host):
    assert client.get("/", headers={"host": host}).status_code == 421


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://localhost"}, 200),
        ({"origin": "https://localhost", "sec-fetch-site": "same-origin"}, 200),
        ({"origin": "http://localhost:81"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://["}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "none"}, 403),
        ({"origin": "http://localhost", "sec-fetch-site": "cross-site"}, 403),
    ],
)
def test_pages_of_other_sites_change_nothing(client, headers, status):
    assert client.post("/", content=b"x", headers=headers).status_code == status


def test_bodies_are_bounded_with_and_without_a_length(client):
    largest, chunk = 64 << 10, bytes(1 << 10)
    assert client.post("/", content=bytes(largest)).status_code == 200
    assert client.post("/", content=bytes(largest + 1)).status_code == 413
    assert client.post("/", content=(chunk for _ in range(64))).status_code == 200
    assert client.post("/", content=(chunk for _ in range(65))).status_code == 413


@pytest.mark.parametrize("path", ["/", "/missing"])
def test_every_answer_carries_the_headers(client, path):
    headers = client.get(path).headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"


def test_a_port_that_cannot_be_had_is_one_line():
    with listening("127.0.0.1", 0) as own:
        port = own.getsockname()[1]
        assert address_of(own) == f"http://127.0.0.1:{port}/"
        with pytest.raises(UserError, match=f"port {port}: it is in use"):
            listening("127.0.0.1", port)
    with pytest.raises(UserError, match="--port must lie between"):
        listening("127.0.0.1", 70_000)
    with pytest.raises(UserError, match="does not have that address"):
        listening("192.0.2.1", 0)
    with pytest.raises(UserError, match="no host can have that name"):
        listening("a" * 70, 0)


def test_a_client_that_goes_away_is_no_error():
    async def receive():
        return {"type": "http.disconnect"}

    sent = []

    async def send(message):
        sent.append(message["type"])

    app = secured(Starlette(routes=[Route("/", echo, methods=["POST"])]))
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b""}
    asyncio.run(app(scope | {"headers": [(b"host", b"localhost")]}, receive, send))
    assert sent.count("http.response.start") <= 1


@pytest.mark.parametrize(
    "text",
    [
        *("http://[", "http://h:abc", "http://h:70000", "ftp://h", "//h", "http://", "x"),
        *("http://a b", f"http://{'a' * 70}", "http://h\n"),
    ],
)
def test_what_is_no_web_address(text):
    assert web_address(text) is None


def test_a_web_address_has_parts():
    parts = web_address("https://study.example:8443/a?b=c")
    assert (parts.scheme, parts.hostname, parts.port) == ("https", "study.example", 8443)


def test_names_for_a_host():
    assert names_for("192.0.2.1", ["a"]) == ("192.0.2.1", "a")
    assert names_for("0.0.0.0", ["a"]) == names_for("::", ["a"]) == ("a",)


SERVER = """
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from seqtutor.web import secured, serve
async def body(request):
    return PlainTextResponse(await request.body())
here = Route("/", lambda request: PlainTextResponse("here"))
serve(secured(Starlette(routes=[here, Route("/body", body, methods=["POST"])])))
print("ended")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_server_says_where_it_is_and_ends_cleanly(number):
    with subprocess.Popen(
        [sys.executable, "-c", SERVER], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        address = re.search(r"http://127\.0\.0\.1:(\d+)/", process.stdout.readline())
        assert address is not None
        connection = http.client.HTTPConnection("127.0.0.1", int(address[1]), timeout=10)
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"here"
        # Nor does a request that does not come to its end, and neither is an error.
        half = socket.create_connection(("127.0.0.1", int(address[1])))
        half.sendall(b"POST /body HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{")
        time.sleep(0.2)
        # A connection that stays open does not keep the server.
        os.kill(process.pid, number)
        rest, errors = process.communicate(timeout=20)
    half.close()
    assert (process.returncode, rest, errors) == (0, "ended\n", "")
    with socket.socket() as other, pytest.raises(ConnectionRefusedError):
        other.connect(("127.0.0.1", int(address[1])))


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: localh",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HT",
    ],
)
def test_who_does_not_finish_a_request_is_hung_up_on(monkeypatch, begun):
    monkeypatch.setattr("seqtutor.web._PATIENCE", 0.2)
    app = secured(Starlette(routes=[Route("/", echo, methods=["GET", "POST"])]))
    with running(app) as address:
        port = int(address.rstrip("/").rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.sendall(begun)
            while client.recv(1 << 16):
                pass


def test_no_address_takes_the_connections_of_all_others(monkeypatch):
    monkeypatch.setattr("seqtutor.web._MOST_OF_ONE", 3)
    app = secured(Starlette(routes=[Route("/", echo, methods=["GET"])]))
    with running(app) as address, contextlib.ExitStack() as stack:
        port = int(address.rstrip("/").rpartition(":")[2])

        def connected(host: str) -> socket.socket:
            source = (host, 0)
            own = socket.create_connection(("127.0.0.1", port), 10, source_address=source)
            return stack.enter_context(own)

        def answer(own: socket.socket) -> bytes:
            own.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return own.recv(1 << 16)

        held = [connected("127.0.0.1") for _ in range(3)]
        assert connected("127.0.0.1").recv(1) == b"", "the fourth is closed"
        assert b"200 OK" in answer(connected("127.0.0.2"))
        assert b"200 OK" in answer(held[0])
        held.pop().close()
        time.sleep(0.2)
        assert b"200 OK" in answer(connected("127.0.0.1"))


def test_a_proxy_is_believed_only_if_it_is_named():
    async def whence(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.client.host if request.client else "")

    app = secured(Starlette(routes=[Route("/", whence)]))
    for proxies, seen in ((), "127.0.0.1"), (["192.0.2.9"], "127.0.0.1"), (["127.0.0.1"], "x.7"):
        with running(app, proxies) as address:
            connection = http.client.HTTPConnection(address.split("/")[2], timeout=10)
            # What the listener has sent itself stands before what the proxy adds.
            headers = {"X-Forwarded-For": "198.51.100.1, 203.0.113.7"}
            connection.request("GET", "/", headers=headers)
            found = connection.getresponse().read().decode()
            connection.close()
        assert found == seen.replace("x", "203.0.113")


def test_a_slow_answer_is_waited_for(monkeypatch):
    monkeypatch.setattr("seqtutor.web._PATIENCE", 0.1)

    async def slow(request: Request) -> PlainTextResponse:
        await asyncio.sleep(0.5)
        return PlainTextResponse("late")

    with running(secured(Starlette(routes=[Route("/", slow)]))) as address:
        connection = http.client.HTTPConnection(address.split("/")[2], timeout=10)
        for _ in range(2):
            connection.request("GET", "/")
            assert connection.getresponse().read() == b"late"
        connection.close()


def test_a_server_closes_no_log_of_others():
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.close = lambda: stream.close()  # As absl's, which comes with JAX, does.
    with running(secured(Starlette())):
        assert not stream.closed


def test_a_rate_limit_refills_by_time_and_forgets_old_parties():
    now = 0.0
    limit = RateLimit(rate=2, burst=3, clock=lambda: now)
    assert [limit.permits("a") for _ in range(4)] == [True, True, True, False]
    assert limit.permits("b")
    now = 1.0
    assert [limit.permits("a") for _ in range(3)] == [True, True, False]
    for number in range(limit.MOST_PARTIES):
        limit.permits(str(number))
    assert len(limit._buckets) == limit.MOST_PARTIES
