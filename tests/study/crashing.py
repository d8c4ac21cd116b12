"""Listeners who answer while their server is killed or its disk full, and what is left after."""

from __future__ import annotations

import http.client
import random
import signal
import threading
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from small_study import serving
from sqlalchemy import select

from seqtutor.study.database import open_database
from seqtutor.study.plan import Study
from seqtutor.study.simulating import Client
from seqtutor.study.tables import answers

_PATIENCE = 120.0


@dataclass
class Crashes:
    """A server that is killed each time that some answers more were acknowledged.

    Attributes:
        study: that it serves.
        kills: how often.
        database: its URL; `None` for SQLite.
        seed: of when it is killed.
        comment: that comes with each answer.
        acknowledged: trials and ratings.
        resent: requests without an answer.
        refused: requests that the server could not store.
    """

    study: Study
    kills: int
    database: str | None = None
    seed: int = 0
    comment: str = ""
    acknowledged: list[tuple[str, int]] = field(default_factory=list)
    resent: int = 0
    refused: int = 0

    def __post_init__(self) -> None:
        self._lock, self._up = threading.Lock(), threading.Event()
        # A count: two kills may fall due before the first is done.
        self._due = threading.Semaphore(0)
        self._kill_at: list[int] = []
        self._clients: list[Client] = []

    def begin(self, address: str, listeners: int, pool: ThreadPoolExecutor) -> list[Future[None]]:
        """Let listeners begin; the futures are done when they have answered everything."""
        self._address = address
        self._clients = [self._begun() for _ in range(listeners)]
        self._up.set()
        return [pool.submit(self._listen, c, n) for n, c in enumerate(self._clients)]

    def run(self, listeners: int, questions: int) -> None:
        """Let listeners answer everything; gives up after two minutes without an answer."""
        chance = random.Random(self.seed)
        total = listeners * questions
        self._kill_at = sorted(chance.sample(range(1, total), self.kills))
        port = 0
        own = [] if self.database is None else ["--database", self.database]
        with ThreadPoolExecutor(listeners) as pool, ExitStack() as stack:
            for round_ in range(self.kills + 1):
                with serving(self.study, *own, port=port) as (process, address, _):
                    port = urlsplit(address).port or 0
                    if round_ == 0:
                        done = self.begin(address, listeners, pool)
                    self._up.set()
                    if round_ < self.kills:
                        self._await_due(done)
                        self._up.clear()
                        process.send_signal(signal.SIGKILL)
                        process.wait()
                    else:
                        for one in done:
                            one.result(_PATIENCE)
            for client in self._clients:
                stack.callback(client.close)

    def _await_due(self, listeners: list[Future[None]]) -> None:
        """Wait for the next kill; a listener who fails ends the waiting with its error."""
        end = time.monotonic() + _PATIENCE
        while not self._due.acquire(timeout=1.0):
            for one in listeners:
                if one.done():
                    one.result()
            assert time.monotonic() < end, "nobody answers any longer"

    def _begun(self) -> Client:
        client = Client(self._address)
        body = {"version": self.study.plan.words.consent_version}
        status, found = client.post("/api/consent", body)
        assert status == 200, found
        return client

    def _listen(self, client: Client, number: int) -> None:
        chance = random.Random(f"{self.seed} {number}")
        while (asked := self._insist(client, "GET", "/api/trial", None)) is not None:
            rating = chance.randint(-2, 2)
            body = {"trial": asked["trial"], "rating": rating, "seconds": 1.0}
            body |= {"comment": self.comment}
            body |= {"left_plays": 1, "right_plays": 1}
            found = self._insist(client, "POST", "/api/answer", body)
            assert found["stored"]
            with self._lock:
                self.acknowledged.append((asked["trial"], rating))
                if self._kill_at and len(self.acknowledged) >= self._kill_at[0]:
                    self._kill_at.pop(0)
                    self._due.release()

    def _insist(self, client: Client, method: str, path: str, body: Any) -> Any:
        """As the page's script does: again until it is acknowledged."""
        while True:
            assert self._up.wait(_PATIENCE)
            try:
                status, found = client.get(path) if body is None else client.post(path, body)
            except (OSError, http.client.HTTPException):
                with self._lock:
                    self.resent += 1
                continue
            if status == 503:
                with self._lock:
                    self.refused += 1
                # A session sends no more than two answers a second for long.
                time.sleep(0.6)
                continue
            assert status == 200, found
            return found

    def check(self) -> int:
        """Every acknowledged answer is there once, and nothing else; gives how many there are."""
        own = open_database(self.study.folder, self.database, self.study.sha256)
        with closing(own), own.reading() as connection:
            rows = connection.execute(select(answers.c.trial, answers.c.rating)).all()
        stored = Counter((row.trial, row.rating) for row in rows)
        assert stored == Counter(self.acknowledged)
        assert set(stored.values()) <= {1}
        return len(rows)
