"""What the pages of a study share: study, database, templates, and how requests are read."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from jinja2 import Environment, PackageLoader, StrictUndefined
from sqlalchemy import delete, select
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from seqtutor.files import parse_json
from seqtutor.study.database import Database
from seqtutor.study.options import Recruitment
from seqtutor.study.plan import Plan, Study
from seqtutor.study.sessions import hashed
from seqtutor.study.tables import researchers
from seqtutor.study.trials import Chooser
from seqtutor.web import RateLimit

Body: TypeAlias = Mapping[str, Any]
_TOKEN_DAYS = 30


@dataclass(frozen=True)
class Serving:
    """What every page needs.

    Attributes:
        study: that is served.
        database: its votes.
        recruitment: of listeners.
        is_https: whether browsers reach the server by https, so that cookies ask for that.
        choose: comparisons that the plan leaves open.
        clock: seconds since 1970.
        beginnings: bounds sessions that are begun from one address.
        answering: bounds what one session sends.
        attempts: bounds wrong tokens of researchers from one address.
        resumptions: bounds links to no session from one address.
    """

    study: Study
    database: Database
    recruitment: Recruitment = field(default_factory=Recruitment)
    is_https: bool = False
    choose: Chooser | None = None
    clock: Callable[[], float] = time.time
    beginnings: RateLimit = field(default_factory=lambda: RateLimit(2, 100))
    answering: RateLimit = field(default_factory=lambda: RateLimit(2, 30))
    attempts: RateLimit = field(default_factory=lambda: RateLimit(0.2, 10))
    resumptions: RateLimit = field(default_factory=lambda: RateLimit(0.2, 10))

    @property
    def plan(self) -> Plan:
        """Of the study."""
        return self.study.plan

    def cookie(self, role: str) -> str:
        """The name of a cookie; ports of one machine share theirs, and so may studies."""
        return f"{role}_{self.study.sha256[:8]}"


_pages = Environment(
    loader=PackageLoader("seqtutor.study", "pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(name: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page by its template; every value is escaped."""
    return HTMLResponse(_pages.get_template(name).render(values), status)


def failed(status: int, reason: str) -> JSONResponse:
    """What a script of a page is told when something cannot be done."""
    return JSONResponse({"error": reason}, status)


def of_json(handler: Callable[[Request, Body], Response]) -> Callable[[Request], Any]:
    """An endpoint of a handler that takes a JSON object and may wait for the database.

    A form of another site cannot send this type without being asked first by the browser.
    """

    async def endpoint(request: Request) -> Response:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise HTTPException(415, "send application/json")
        try:
            body = parse_json((await request.body()).decode())
        except (ValueError, RecursionError):
            raise HTTPException(400, "that is not JSON") from None
        if not isinstance(body, dict):
            raise HTTPException(400, "that is not a JSON object")
        return await run_in_threadpool(handler, request, body)

    return endpoint


def text_of(body: Body, name: str, longest: int) -> str:
    """A text of a body, without control characters but for ends of lines.

    A space or tab of any kind becomes a plain space.

    Raises:
        HTTPException: if it is none or too long.
    """
    found = body.get(name, "")
    if not isinstance(found, str) or len(found) > longest:
        raise HTTPException(400, f"{name} must be a text of at most {longest} characters")
    kept = (" " if one.isspace() and one != "\n" else one for one in found)
    return "".join(one for one in kept if one.isprintable() or one == "\n")


def whole_of(body: Body, name: str, least: int, most: int) -> int:
    """A whole number of a body within bounds.

    Raises:
        HTTPException: if it is none.
    """
    found = body.get(name)
    if not isinstance(found, int) or isinstance(found, bool) or not least <= found <= most:
        raise HTTPException(400, f"{name} must be a whole number from {least} to {most}")
    return found


def seconds_of(body: Body, name: str) -> float:
    """Seconds of a body.

    Raises:
        HTTPException: if they are no number between 0 and a day.
    """
    found = body.get(name)
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise HTTPException(400, f"{name} must be a number")
    if not 0 <= found <= 86_400:
        raise HTTPException(400, f"{name} must lie between 0 and 86,400")
    return float(found)


def address_of(request: Request) -> str:
    """Where a request comes from; it is held in memory for the limits alone."""
    return request.client.host if request.client else ""


def set_secret(response: Response, serving: Serving, role: str, token: str) -> None:
    """Give a browser a secret that scripts cannot read and other sites cannot send."""
    response.set_cookie(
        serving.cookie(role),
        token,
        max_age=_TOKEN_DAYS * 86_400,
        httponly=True,
        samesite="strict",
        secure=serving.is_https,
    )


def forget_secret(response: Response, serving: Serving, role: str) -> None:
    """Take the secret from a browser."""
    response.delete_cookie(serving.cookie(role), httponly=True, samesite="strict")


def new_researcher_token(database: Database, now: float, *, is_only_one: bool = False) -> str:
    """A token that opens the researcher's page for a month; only its hash is stored.

    `is_only_one` withdraws all others.
    """
    token = secrets.token_urlsafe(32)
    with database.writing() as connection:
        old = researchers.c.made_at < now - _TOKEN_DAYS * 86_400
        connection.execute(delete(researchers) if is_only_one else delete(researchers).where(old))
        row = {"token_sha256": hashed(token), "made_at": now}
        connection.execute(researchers.insert().values(row))
    return token


def is_researcher(database: Database, token: str | None, now: float) -> bool:
    """Whether a token opens the researcher's page; takes the same time whatever is wrong."""
    with database.reading() as connection:
        young = researchers.c.made_at >= now - _TOKEN_DAYS * 86_400
        known = connection.scalars(select(researchers.c.token_sha256).where(young)).all()
    own = hashed(token or "")
    # Every hash is compared, each in constant time.
    return sum(secrets.compare_digest(own, one) for one in known) > 0
