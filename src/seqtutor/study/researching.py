"""The researcher's page, behind a token: counts, exclusions, tables, stop and reopen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import update
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from seqtutor.study.export import raw_csv, tidy_csv
from seqtutor.study.overview import overview
from seqtutor.study.planned import facts_of
from seqtutor.study.serving import (
    Body,
    Serving,
    address_of,
    failed,
    forget_secret,
    is_researcher,
    of_json,
    page,
    set_secret,
    text_of,
)
from seqtutor.study.stored import Collected, collect
from seqtutor.study.tables import studies

ROLE = "researcher"


class Researching:
    """The endpoints of the researcher."""

    def __init__(self, serving: Serving) -> None:
        self.serving = serving

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route("/researcher", self.home),
            Route("/researcher/live", self.live),
            Route("/researcher/raw.csv", self._table(raw_csv, "raw")),
            Route("/researcher/tidy.csv", self._table(tidy_csv, "tidy")),
            Route("/api/researcher", of_json(self.enter), methods=["POST"]),
            Route("/api/researcher/state", of_json(self.set_open), methods=["POST"]),
            Route("/api/researcher/leave", of_json(self.leave), methods=["POST"]),
        ]

    def _is_in(self, request: Request) -> bool:
        serving = self.serving
        token = request.cookies.get(serving.cookie(ROLE))
        return is_researcher(serving.database, token, serving.clock())

    def _values(self) -> dict[str, Any]:
        with self.serving.database.reading() as connection:
            found = overview(connection, self.serving.plan)
        study = self.serving.study
        return {"facts": facts_of(study), "plan": study.plan, "overview": found}

    def home(self, request: Request) -> Response:
        """The page, or a form for the token."""
        words = self.serving.plan.words
        if not self._is_in(request):
            return page("enter.html", words=words)
        return page("researcher.html", words=words, **self._values())

    def live(self, request: Request) -> Response:
        """The part of the page that changes."""
        if not self._is_in(request):
            return failed(401, "enter the token first")
        return page("live.html", **self._values())

    def enter(self, request: Request, body: Body) -> Response:
        """Compare a token; the right one is kept in a cookie."""
        serving = self.serving
        token = text_of(body, "token", 200).strip()
        if not is_researcher(serving.database, token, serving.clock()):
            # The right token is let in whatever others at this address have tried.
            if not serving.attempts.permits(address_of(request)):
                return failed(429, "That is too often; wait a minute.")
            return failed(403, "That is not the token which the server printed.")
        response = JSONResponse({"next": "/researcher"})
        set_secret(response, serving, ROLE, token)
        return response

    def leave(self, request: Request, body: Body) -> Response:
        """Forget the token in this browser."""
        response = JSONResponse({"next": "/researcher"})
        forget_secret(response, self.serving, ROLE)
        return response

    def set_open(self, request: Request, body: Body) -> Response:
        """Stop taking listeners, or take them again; sessions that have begun go on."""
        if not self._is_in(request):
            return failed(401, "enter the token first")
        if not isinstance(body.get("is_open"), bool):
            return failed(400, "is_open must be true or false")
        with self.serving.database.writing() as connection:
            connection.execute(update(studies).values(is_open=body["is_open"]))
        return JSONResponse({"next": "/researcher"})

    def _table(self, write: Callable[[Collected], str], name: str) -> Callable[[Request], Response]:
        def endpoint(request: Request) -> Response:
            if not self._is_in(request):
                return failed(401, "enter the token first")
            with self.serving.database.reading() as connection:
                collected = collect(connection, self.serving.plan)
            headers = {"content-disposition": f'attachment; filename="votes-{name}.csv"'}
            # With a mark at the beginning, without which spreadsheets do not read UTF-8.
            content = "\ufeff" + write(collected)
            return Response(content, media_type="text/csv; charset=utf-8", headers=headers)

        return endpoint
