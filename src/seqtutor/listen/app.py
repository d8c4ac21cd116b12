"""The pages and the requests of `seqtutor listen` as a Starlette application."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from seqtutor.controls import Control, chosen
from seqtutor.errors import UserError, in_one_line, printable
from seqtutor.files import parse_json
from seqtutor.listen.favourites import Sample
from seqtutor.listen.page import ASSETS, asset, page_of
from seqtutor.listen.requests import COLDEST, HOTTEST, LARGEST_SEED, mapping, wish_of
from seqtutor.listen.session import Session, ShownSample, UnknownError
from seqtutor.listen.sources import MOST_AT_ONCE, Source, source_titled
from seqtutor.listen.worker import BusyError, GoneError, Preparation, Worker
from seqtutor.web import CONTENT_POLICY, SECURITY_HEADERS, secured

LARGEST_FILE = 1 << 20
"""Bytes of a file that is dropped on the page."""
LARGEST_JSON = 256 << 10
MOST_SHOWN = 80
"""Tokens of a favourite in the list of them."""
BUSY = "Many requests wait already; ask again in a moment."
_FAILED = "Something went wrong on the server; its terminal says what."

# Styles stand in drawings; scripts come from files alone.
HEADERS = {
    **SECURITY_HEADERS,
    "content-security-policy": CONTENT_POLICY.replace(
        "style-src 'self'", "style-src 'self' 'unsafe-inline'"
    ).replace("media-src 'self' blob:", "media-src 'self' data:"),
}

Handler = Callable[[Request], Awaitable[Response]]


def app_of(session: Session, *, notes: Sequence[str] = (), hosts: Sequence[str] = ()) -> ASGIApp:
    """The application, behind the checks of every request.

    Args:
        session: does the work.
        notes: stand below the page's heading.
        hosts: names of this server beside those of the loopback.
    """
    # A file may take long to be read: nobody else waits for that.
    worker, reader = Worker(), Worker()
    handlers = _Handlers(session, worker, reader, notes)
    page = page_of(session.spec)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        preparation = Preparation(preparations(session.sources))
        try:
            yield
        finally:
            preparation.close()
            worker.close()
            reader.close()

    async def index(request: Request) -> Response:
        return HTMLResponse(page)

    async def static(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in ASSETS:
            return _error("There is no such file.", 404)
        return Response(asset(name), media_type=ASSETS[name])

    answering = _answering
    routes = [
        Route("/", index),
        Route("/static/{name}", static),
        Route("/api/state", answering(handlers.state)),
        Route("/api/samples", answering(handlers.samples), methods=["POST"]),
        Route("/api/pairs", answering(handlers.pairs), methods=["POST"]),
        Route("/api/pairs/{id}", answering(handlers.prefer), methods=["POST"]),
        Route("/api/canvas", answering(handlers.canvas), methods=["POST"]),
        Route("/api/opening", answering(handlers.opening), methods=["POST"]),
        Route("/api/file", answering(handlers.file), methods=["POST"]),
        Route("/api/favourites", answering(handlers.favourites)),
        Route("/api/favourites", answering(handlers.keep), methods=["POST"]),
        Route("/api/favourites/{id}", answering(handlers.favourite)),
        Route("/api/favourites/{id}", answering(handlers.remove), methods=["DELETE"]),
    ]
    app = Starlette(routes=routes, lifespan=lifespan)
    return secured(app, hosts=hosts, largest_body=LARGEST_FILE, headers=HEADERS)


def preparations(sources: Sequence[Source]) -> list[Callable[[], Any]]:
    """The programs of every policy, those of the usual lengths first."""
    lengths = [(one, one.usual_length) for one in sources]
    lengths += [(one, length) for one in sources for length in one.lengths]
    return [partial(one.prepare, length) for one, length in dict.fromkeys(lengths)]


def _answering(handler: Callable[[Request], Awaitable[Any]]) -> Handler:
    """A handler whose result is sent as JSON, and whose errors as one line of text."""

    async def answer(request: Request) -> Response:
        try:
            return JSONResponse(await handler(request))
        except UnknownError as error:
            return _error(str(error), 404)
        except UserError as error:
            return _error(str(error), 400)
        except BusyError:
            return _error(BUSY, 503, {"retry-after": "1"})
        except TooLargeError as error:
            return _error(str(error), 413)
        except GoneError:
            return _error("Nobody waits for this any more.", 499)
        except Exception as error:
            if type(error).__module__.startswith("starlette."):
                raise
            line = printable(in_one_line(error))
            print(f"seqtutor listen: {request.url.path}: {line}", file=sys.stderr, flush=True)
            return _error(_FAILED, 500)

    return answer


def _error(text: str, status: int, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": " ".join(text.splitlines())}, status, headers)


class TooLargeError(Exception):
    """A body that is too large."""


async def _gone(request: Request) -> None:
    """Is over once the client of a request, whose body was read, has hung up."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _json(request: Request) -> Mapping[str, Any]:
    """The body of a request.

    Raises:
        UserError: if it is no JSON object.
    """
    body = await request.body()
    if len(body) > LARGEST_JSON:
        raise TooLargeError("The body is too large.")
    try:
        content = parse_json(body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise UserError("the body of the request is not JSON") from None
    return mapping(content)


def _of_query(how: str | None) -> Mapping[str, Any]:
    """What a query says of how a file is read.

    Raises:
        UserError: if it is no JSON.
    """
    try:
        return {} if how is None else {"how": parse_json(how)}
    except (ValueError, RecursionError):
        raise UserError("how a file is read is not JSON") from None


class _Handlers:
    """What each request does."""

    def __init__(
        self, session: Session, worker: Worker, reader: Worker, notes: Sequence[str]
    ) -> None:
        self.session = session
        self.worker = worker
        self.reader = reader
        self.notes = notes

    def _source(self, content: Mapping[str, Any]) -> Source:
        return source_titled(self.session.sources, content.get("source"))

    def _how(self, source: Source, content: Mapping[str, Any]) -> dict[str, Any]:
        return chosen(self.session.spec.controls(source.settings), mapping(content.get("how", {})))

    async def state(self, request: Request) -> Any:
        spec = self.session.spec
        return {
            "one": spec.one,
            "many": spec.many,
            "notes": list(self.notes),
            "explained": asdict(self.session.explained),
            "most": MOST_AT_ONCE,
            "seeds": LARGEST_SEED,
            "temperature": [COLDEST, HOTTEST],
            "sources": [_source_record(self.session, one) for one in self.session.sources],
        }

    async def samples(self, request: Request) -> Any:
        wish = wish_of(self.session.spec, self.session.sources, await _json(request))
        found = await self.worker.run(self.session.generate, wish, gone=partial(_gone, request))
        return {"samples": [_shown_record(one) for one in found]}

    async def pairs(self, request: Request) -> Any:
        content = dict(await _json(request))
        other = source_titled(self.session.sources, content.pop("other", None))
        wish = wish_of(self.session.spec, self.session.sources, content)
        pair = await self.worker.run(self.session.pair, wish, other, gone=partial(_gone, request))
        return {"id": pair.id, "samples": [{"card": one.card} for one in pair.samples]}

    async def prefer(self, request: Request) -> Any:
        content = await _json(request)
        choice, name = str(content.get("choice")), request.path_params["id"]
        judged = await self.worker.run(
            self.session.prefer, name, choice, gone=partial(_gone, request)
        )
        return {
            "samples": [_shown_record(one) for one in judged.samples],
            "counts": dict(judged.counts),
        }

    async def canvas(self, request: Request) -> Any:
        content = await _json(request)
        source = self._source(content)
        how = self._how(source, content)
        canvas = self.session.spec.canvas(source.settings, how)
        return {
            "canvas": None if canvas is None else asdict(canvas),
            "names": self.session.names_of(source, how),
        }

    async def opening(self, request: Request) -> Any:
        content = await _json(request)
        return await self._opening(request, content, str(content.get("text", "")), "")

    async def file(self, request: Request) -> Any:
        query = request.query_params
        content = {"source": query.get("source"), **_of_query(query.get("how"))}
        return await self._opening(request, content, await request.body(), query.get("name", ""))

    async def _opening(
        self, request: Request, content: Mapping[str, Any], given: str | bytes, name: str
    ) -> Any:
        source = self._source(content)
        spec = self.session.spec
        controls = [*spec.controls(source.settings), *spec.opening_controls(source.settings)]
        how = chosen(controls, mapping(content.get("how", {})))
        asked = (self.session.opening, source, given, name, how)
        opening = await self.reader.run(*asked, gone=partial(_gone, request))
        names = source.vocabulary.tokens
        return {
            "tokens": [names[int(token)] for token in opening.tokens],
            "how": dict(opening.how),
            "notes": list(opening.notes),
            "offers": {name: list(own) for name, own in opening.offers.items()},
        }

    async def favourites(self, request: Request) -> Any:
        return {"favourites": await run_in_threadpool(self._kept)}

    def _kept(self) -> list[dict[str, Any]]:
        kept = self.session.favourites.read().favourites
        called = self.session.called
        return [{**_record(one), "called": called(one, MOST_SHOWN)} for one in reversed(kept)]

    async def keep(self, request: Request) -> Any:
        content = await _json(request)
        kept = await run_in_threadpool(self.session.keep, str(content.get("id")))
        return _record(kept)

    async def favourite(self, request: Request) -> Any:
        name = request.path_params["id"]
        return _shown_record(
            await self.worker.run(self.session.favourite, name, gone=partial(_gone, request))
        )

    async def remove(self, request: Request) -> Any:
        await run_in_threadpool(self.session.favourites.remove, request.path_params["id"])
        return {}


def _source_record(session: Session, one: Source) -> dict[str, Any]:
    return {
        "title": one.title,
        "facts": one.facts,
        "weights": one.weights,
        "lengths": list(one.lengths),
        "length": one.usual_length,
        "tokens": one.vocabulary.size,
        "ends": one.vocabulary.end is not None,
        "separator": session.separator_of(one),
        "controls": [_control_record(c) for c in session.spec.controls(one.settings)],
        "reading": [_control_record(c) for c in session.spec.opening_controls(one.settings)],
    }


def _control_record(control: Control) -> dict[str, Any]:
    return {"kind": type(control).__name__.lower(), **asdict(control)}


def _record(sample: Sample) -> dict[str, Any]:
    return asdict(replace(sample, how=dict(sample.how)))


def _shown_record(shown: ShownSample) -> dict[str, Any]:
    return {
        **_record(shown.sample),
        "card": shown.card,
        "ends": list(shown.ends),
        "has_reward": shown.has_reward,
        "has_ended": shown.has_ended,
    }
