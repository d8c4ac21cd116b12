"""The application of a study: all pages, behind the checks of `web`."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sys
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from seqtutor.study.database import Database, UnavailableError
from seqtutor.study.listening import Listening
from seqtutor.study.researching import Researching
from seqtutor.study.serving import Serving, failed
from seqtutor.study.sessions import purge_recruits
from seqtutor.web import RateLimit, secured

if TYPE_CHECKING:
    from starlette.types import ASGIApp

LARGEST_BODY = 16 << 10
_PURGE_EVERY = 3600.0
_TOLD_EVERY = 60
"""Seconds."""
_NOT_EMPTY = (
    "What a listener withdrew still stands in the log of the database, as another program reads "
    "there; it is erased when that has ended."
)


def make_app(serving: Serving, hosts: Collection[str] = ()) -> ASGIApp:
    """The pages of a study.

    Args:
        serving: the study with its database.
        hosts: names of the server beside those of the loopback.
    """
    with as_file(files("seqtutor.study") / "pages" / "static") as folder:
        static = _Static(directory=folder)
    app = Starlette(
        routes=[
            *Listening(serving).routes(),
            *Researching(serving).routes(),
            Mount("/static", static),
        ],
        lifespan=lambda app: _forgetting(serving),
        exception_handlers={UnavailableError: _refusing(), Exception: _fault},
    )
    return secured(app, hosts=hosts, largest_body=LARGEST_BODY)


@asynccontextmanager
async def _forgetting(serving: Serving) -> AsyncIterator[None]:
    """Erase recruited listeners whose time is over, now and every hour while the server runs."""

    async def forget() -> None:
        days = serving.recruitment.retention_days
        usual = serving.clock()
        while True:
            now = serving.clock()
            # A clock that has jumped ahead has an hour to be set right.
            if now < usual + _PURGE_EVERY:
                # A database that does not answer now is asked again.
                with contextlib.suppress(UnavailableError):
                    await run_in_threadpool(purge_recruits, serving.database, days, now)
            usual = now + _PURGE_EVERY
            await asyncio.sleep(_PURGE_EVERY)

    tasks = [asyncio.create_task(one) for one in (forget(), _emptying(serving.database))]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()


async def _emptying(database: Database) -> None:
    """Empty the log of the database once nobody reads any longer what was erased."""
    for seconds in itertools.cycle(range(_TOLD_EVERY)):
        await asyncio.sleep(1)
        if database.has_to_forget:
            with contextlib.suppress(UnavailableError):
                await run_in_threadpool(database.forget)
            if database.has_to_forget and seconds == _TOLD_EVERY - 1:
                print(_NOT_EMPTY, file=sys.stderr, flush=True)


class _Static(StaticFiles):
    """Files that a browser keeps, and asks whether they are still the same."""

    def file_response(self, *arguments: Any, **options: Any) -> Response:
        """As of the base class."""
        response = super().file_response(*arguments, **options)
        response.headers["cache-control"] = "no-cache"
        return response


def _refusing() -> Callable[[Request, Exception], Response]:
    """Answers where nothing was stored: the disk is full, or the database does not answer.

    The reason is for who runs the server, on its terminal, once a minute at most.
    """
    told = RateLimit(1 / 60, 1)

    def refuse(request: Request, error: Exception) -> Response:
        if told.permits(""):
            print(f"Answers are refused: {error}", file=sys.stderr, flush=True)
        response = failed(503, "It could not be stored; try again in a moment.")
        response.headers["retry-after"] = "5"
        return response

    return refuse


def _fault(request: Request, error: Exception) -> Response:
    return PlainTextResponse("Something went wrong here; nothing was stored.\n", 500)
