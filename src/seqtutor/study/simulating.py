"""Listeners of known preference, who answer through the pages' own interface over HTTP."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from seqtutor.errors import UserError
from seqtutor.study.plan import Plan
from seqtutor.study.simulated import Population, SimulatedListener
from seqtutor.study.votes import Kind

_TIMEOUT = 60


class Client:
    """A browser's part of the conversation: a connection and a cookie.

    Attributes:
        address: of the server.
    """

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        if not parts.hostname or parts.scheme not in ("http", "https"):
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
        try:
            self._connection.request(method, path, body, sent)
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise
        if cookie := response.getheader("set-cookie"):
            self._cookie = cookie.partition(";")[0]
        try:
            return response.status, json.loads(content)
        except ValueError:
            return response.status, None

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


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

    The sessions begin one after the other, so that the same seed gives the same votes.

    Args:
        plan: of the study, for what a listener hears.
        address: of its server.
        token: of the researcher, without whom nobody can be simulated.
        simulation: who answers.
        on_answer: called after each answer.

    Raises:
        UserError: if the server does not answer, or refuses.
    """
    clients = []
    try:
        for _ in range(simulation.listeners):
            clients.append(Client(address))
            begin(clients[-1], plan, token)

        def answer_all(number: int) -> int:
            listener = simulation.population.listener(number, plan.model_names, simulation.seed)
            return session(clients[number], plan, listener, on_answer)

        with ThreadPoolExecutor(1 if plan.is_adaptive else simulation.at_once) as pool:
            return sum(pool.map(answer_all, range(simulation.listeners)))
    except (OSError, http.client.HTTPException) as error:
        raise UserError(f"the server {address} does not answer: {error}") from None
    finally:
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
        return _body(asked, rating, 2.0, 1, 0)
    left, right = (tuple(clip["id"] for clip in side["clips"]) for side in asked["sides"])
    expected = _expected(plan, left, right, asked["instructed"])
    kind: Kind = "catch" if expected else "comparison"
    found = listener.answer(plan.model_of(left), plan.model_of(right), left, right, kind, expected)
    return _body(asked, found.rating, found.seconds, found.left_plays, found.right_plays)


def _body(
    asked: Mapping[str, Any], rating: int, seconds: float, left: int, right: int
) -> dict[str, Any]:
    return {
        "trial": asked["trial"],
        "rating": rating,
        "comment": "",
        "seconds": seconds,
        "left_plays": left,
        "right_plays": right,
    }


def _expected(plan: Plan, left: Sequence[str], right: Sequence[str], instructed: str | None) -> int:
    """Of a catch trial, the sign of the right rating; 0 otherwise."""
    if instructed:
        return -1 if instructed == "A" else 1
    return int(plan.clip[left[0]].is_broken) - int(plan.clip[right[0]].is_broken)
