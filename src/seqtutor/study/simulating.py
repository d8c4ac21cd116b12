"""Listeners of known preference, who answer through the pages' own interface over HTTP."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from typing import Any

from seqtutor.errors import UserError
from seqtutor.settings import require
from seqtutor.study.plan import Plan
from seqtutor.study.simulated import Population, SimulatedListener
from seqtutor.study.votes import Answer, Kind
from seqtutor.web import web_address

_TIMEOUT = 60
_MOST_OPEN = 64
"""Sessions that are under way at once; each has a connection."""
_REPEATABLE = ("/api/answer", "/api/withdraw")
"""What may be sent twice: the server stores an answer once, however often it comes."""


class Client:
    """A browser's part of the conversation: a connection and a cookie.

    A server closes a connection that was idle for some seconds. As a browser does, the client then
    sends the request again on a new one, if sending it twice does no harm.

    Attributes:
        address: of the server.
    """

    def __init__(self, address: str) -> None:
        parts = web_address(address)
        if parts is None or parts.hostname is None:
            raise UserError(f"{address!r} is no address of a server, such as http://localhost:8000")
        kind = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        self.address = f"{parts.scheme}://{parts.netloc}"
        self._connection = kind(parts.hostname, parts.port, timeout=_TIMEOUT)
        self._cookie = ""

    def get(self, path: str) -> tuple[int, Any]:
        """Status and JSON of an address."""
        return self._ask("GET", path, None, {})

    def post(
        self, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """Send JSON; status and JSON of the answer."""
        own = {"Content-Type": "application/json", "Origin": self.address, **(headers or {})}
        return self._ask("POST", path, json.dumps(body), own)

    def _ask(
        self, method: str, path: str, body: str | None, headers: Mapping[str, str]
    ) -> tuple[int, Any]:
        sent = {**headers, "Cookie": self._cookie} if self._cookie else dict(headers)
        was_open = self._connection.sock is not None
        try:
            response, content = self._exchange(method, path, body, sent)
        except ConnectionError:
            if not was_open or (method == "POST" and path not in _REPEATABLE):
                raise
            response, content = self._exchange(method, path, body, sent)
        if cookie := response.getheader("set-cookie"):
            self._cookie = cookie.partition(";")[0]
        try:
            return response.status, json.loads(content)
        except ValueError:
            return response.status, None

    def _exchange(
        self, method: str, path: str, body: str | None, headers: Mapping[str, str]
    ) -> tuple[http.client.HTTPResponse, bytes]:
        try:
            self._connection.request(method, path, body, dict(headers))
            response = self._connection.getresponse()
            return response, response.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


def require_server(address: str, token: str) -> None:
    """Raise a `UserError` if a server cannot have this address, or its researcher this token."""
    Client(address).close()
    require(
        token.isascii() and token.isprintable(),
        "--token is not one that a server printed: it has characters that none has",
    )


@dataclass(frozen=True)
class Simulation:
    """Who answers.

    Attributes:
        population: whom listeners are drawn from.
        listeners: how many.
        seed: of their answers.
        at_once: listeners who answer at the same time; 1 for a study whose order matters.
    """

    population: Population
    listeners: int
    seed: int = 0
    at_once: int = 8


def simulate(
    plan: Plan,
    address: str,
    token: str,
    simulation: Simulation,
    on_answer: Callable[[], None] = lambda: None,
) -> int:
    """Fill a study; gives the number of answers, all of them acknowledged.

    The sessions begin one after the other, so that the same seed gives the same votes. If it fails,
    those that were not finished are withdrawn, as far as the server still answers.

    Args:
        plan: of the study, for what a listener hears.
        address: of its server.
        token: of the researcher, without whom nobody can be simulated.
        simulation: who answers.
        on_answer: called after each answer.

    Raises:
        UserError: if the server does not answer, or refuses.
    """
    numbers = range(simulation.listeners)
    try:
        return sum(
            _answered(
                plan, address, token, simulation, numbers[start : start + _MOST_OPEN], on_answer
            )
            for start in numbers[::_MOST_OPEN]
        )
    except (OSError, http.client.HTTPException) as error:
        raise UserError(f"the server {address} does not answer: {error}") from None


def _answered(
    plan: Plan,
    address: str,
    token: str,
    simulation: Simulation,
    numbers: Sequence[int],
    on_answer: Callable[[], None],
) -> int:
    """Begin the sessions of some listeners and finish them; gives the number of answers."""
    under_way: dict[int, Client] = {}

    def answer_all(number: int) -> int:
        listener = simulation.population.listener(number, plan.model_names, simulation.seed)
        client = under_way[number]
        answers = session(client, plan, listener, on_answer)
        del under_way[number]
        client.close()
        return answers

    try:
        for number in numbers:
            client = Client(address)
            under_way[number] = client
            begin(client, plan, token)
        with ThreadPoolExecutor(1 if plan.is_adaptive else simulation.at_once) as pool:
            return sum(pool.map(answer_all, numbers))
    finally:
        _withdraw(under_way.values())


def _withdraw(clients: Collection[Client]) -> None:
    """Erase sessions, until the server does not answer any more."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        for client in clients:
            client.post("/api/withdraw", {})
    for client in clients:
        client.close()


def begin(client: Client, plan: Plan, token: str) -> int:
    """Agree; gives the number of the session.

    Raises:
        UserError: if the server refuses.
    """
    body = {"version": plan.words.consent_version, "simulated": True}
    status, found = client.post("/api/consent", body, {"Authorization": f"Bearer {token}"})
    if status != 200:
        raise UserError(f"the server {client.address} refuses: {_reason(status, found)}")
    return int(found["session"])


def session(
    client: Client, plan: Plan, listener: SimulatedListener, on_answer: Callable[[], None]
) -> int:
    """Answer every question of a session; gives how many there were."""
    for number in count():
        status, asked = client.get("/api/trial")
        if status != 200:
            raise UserError(f"the server {client.address} refuses: {_reason(status, asked)}")
        if asked is None:
            return number
        status, found = client.post("/api/answer", answer_of(plan, listener, asked))
        if status != 200:
            raise UserError(f"the server {client.address} refuses: {_reason(status, found)}")
        on_answer()
    raise AssertionError


def _reason(status: int, found: Any) -> str:
    return str(found["error"]) if isinstance(found, dict) and "error" in found else f"{status}"


def answer_of(plan: Plan, listener: SimulatedListener, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What a listener sends back; the plan says what stands behind the addresses."""
    if asked["is_screen"]:
        file = asked["sides"][0]["clips"][0]["id"]
        rating = next(one.answer for one in plan.screen if one.media.file == file)
        return {"trial": asked["trial"], **vars(Answer(rating, 2.0, 1, 0))}
    left, right = (tuple(clip["id"] for clip in side["clips"]) for side in asked["sides"])
    expected = _expected(plan, left, right, asked["instructed"])
    kind: Kind = "catch" if expected else "comparison"
    found = listener.answer(plan.model_of(left), plan.model_of(right), left, right, kind, expected)
    return {"trial": asked["trial"], **vars(found)}


def _expected(plan: Plan, left: Sequence[str], right: Sequence[str], instructed: str | None) -> int:
    """Of a catch trial, the sign of the right rating; 0 otherwise."""
    if instructed:
        return -1 if instructed == "A" else 1
    return int(plan.clip[left[0]].is_broken) - int(plan.clip[right[0]].is_broken)
