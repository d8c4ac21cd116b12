"""The listener's pages: consent, instructions, questions, the end."""

from __future__ import annotations

from dataclasses import asdict
from email.utils import formatdate
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from seqtutor.study.asked import INTERVALS, SCALE, Asked, asked
from seqtutor.study.serving import (
    Body,
    Serving,
    address_of,
    failed,
    forget_secret,
    is_researcher,
    of_json,
    page,
    seconds_of,
    set_secret,
    text_of,
    whole_of,
)
from seqtutor.study.sessions import (
    Recruit,
    RefusedError,
    Session,
    State,
    begin,
    find,
    has_begun,
    is_open,
    new_resume_token,
    resume,
    withdraw,
)
from seqtutor.study.trials import Outcome, may_see, next_trial, store
from seqtutor.study.votes import Answer

ROLE = "listener"
LONGEST_COMMENT = 2_000
_MOST_PLAYS = 10_000
_STATUS = {
    Outcome.UNKNOWN: 404,
    Outcome.CONFLICT: 409,
    Outcome.ENDED: 410,
    Outcome.EARLY: 425,
    Outcome.INVALID: 400,
}
_CLIP_HEADERS = {
    # A drawing that is opened by itself runs nothing.
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "cache-control": "private, max-age=86400, immutable",
    # The time at which a file was written would tell its model: they are written one by one.
    "last-modified": formatdate(0, usegmt=True),
}


class Listening:
    """The endpoints of listeners."""

    def __init__(self, serving: Serving) -> None:
        self.serving = serving
        self._owners = {media.file: clip.id for clip in serving.plan.clips for media in clip.media}

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route("/", self.consent),
            Route("/instructions", self.instructions),
            Route("/listen", self.listen),
            Route("/leave", self.leave),
            Route("/done", self.done),
            Route("/withdrawn", self.withdrawn),
            Route("/resume", self.resuming),
            Route("/clips/{file}", self.clip),
            Route("/api/session", self.session),
            Route("/api/trial", self.trial),
            Route("/api/consent", of_json(self.agree), methods=["POST"]),
            Route("/api/answer", of_json(self.answer), methods=["POST"]),
            Route("/api/withdraw", of_json(self.erase), methods=["POST"]),
            Route("/api/link", of_json(self.link), methods=["POST"]),
            Route("/api/resume", of_json(self.resume), methods=["POST"]),
        ]

    def _session(self, request: Request) -> Session | None:
        with self.serving.database.reading() as connection:
            return find(connection, self._token(request))

    def _token(self, request: Request) -> str:
        return request.cookies.get(self.serving.cookie(ROLE), "")

    def _page(self, name: str, status: int = 200, **values: Any) -> Response:
        return page(name, status, words=self.serving.plan.words, **values)

    def consent(self, request: Request) -> Response:
        """What a listener agrees to, unless the study is stopped; one who has begun goes on."""
        if self._session(request) is not None:
            return RedirectResponse("/listen", 303)
        given = [text_of(request.query_params, name, 200) for name in self._parameters]
        with self.serving.database.reading() as connection:
            is_let_in = is_open(connection) or has_begun(connection, given[0])
        if not is_let_in:
            return self._page("stopped.html")
        return self._page("consent.html", recruit=given, minutes=_minutes(self.serving))

    @property
    def _parameters(self) -> tuple[str, str, str]:
        return self.serving.recruitment.recruit_parameters

    def agree(self, request: Request, body: Body) -> Response:
        """Begin a session."""
        serving, plan = self.serving, self.serving.plan
        simulated = body.get("simulated") is True
        if simulated and not self._is_researcher(request):
            return failed(403, "only a researcher may simulate listeners")
        if not simulated and not serving.beginnings.permits(address_of(request)):
            return failed(429, "Too many people are beginning at once; wait a minute.")
        if body.get("version") != plan.words.consent_version:
            return failed(409, "The text has changed; load the page again.")
        given = [text_of(body, name, 200) for name in ("participant", "study", "submission")]
        recruit = Recruit(*given) if given[0] else None
        try:
            number, token = begin(
                serving.database,
                len(plan.sheets),
                plan.words.consent_version,
                recruit,
                now=serving.clock(),
                is_simulated=simulated,
            )
        except RefusedError as error:
            return failed(403, str(error))
        response = JSONResponse({"next": "/instructions", "session": number})
        set_secret(response, serving, ROLE, token)
        return response

    def _is_researcher(self, request: Request) -> bool:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        database, now = self.serving.database, self.serving.clock()
        return scheme.lower() == "bearer" and is_researcher(database, token, now)

    def instructions(self, request: Request) -> Response:
        """How it works."""
        session = self._session(request)
        if session is None:
            return RedirectResponse("/", 303)
        plan = self.serving.plan
        return self._page("instructions.html", plan=plan, number=len(plan.sheets[session.sheet]))

    def listen(self, request: Request) -> Response:
        """The question that is due."""
        session = self._session(request)
        if session is None:
            return RedirectResponse("/", 303)
        question = self._asked(session)
        if question is None:
            return RedirectResponse("/done", 303)
        name = "screen.html" if question.is_screen else "trial.html"
        return self._page(
            name,
            asked=question,
            scale=SCALE,
            intervals=INTERVALS,
            heard=self.serving.plan.rules.heard,
        )

    def trial(self, request: Request) -> Response:
        """The same for a program."""
        session = self._session(request)
        if session is None:
            return failed(401, "there is no session")
        question = self._asked(session)
        return JSONResponse(None if question is None else asdict(question))

    def _asked(self, session: Session) -> Asked | None:
        if session.state is not State.ACTIVE:
            return None
        serving = self.serving
        trial = next_trial(serving.database, serving.plan, session, serving.clock(), serving.choose)
        return None if trial is None else asked(serving.plan, session, trial)

    def answer(self, request: Request, body: Body) -> Response:
        """Store an answer; what comes back says that it is on the disk."""
        token = self._token(request)
        session = self._session(request)
        if session is None:
            return failed(401, "there is no session")
        if not session.is_simulated and not self.serving.answering.permits(str(session.id)):
            return failed(429, "That is too fast; wait a moment.")
        found = Answer(
            whole_of(body, "rating", -2, 3),
            seconds_of(body, "seconds"),
            whole_of(body, "left_plays", 0, _MOST_PLAYS),
            whole_of(body, "right_plays", 0, _MOST_PLAYS),
            text_of(body, "comment", LONGEST_COMMENT).strip(),
        )
        serving = self.serving
        outcome = store(
            serving.database,
            serving.plan,
            token,
            text_of(body, "trial", 64),
            found,
            serving.clock(),
        )
        if outcome is not Outcome.STORED:
            return failed(_STATUS[outcome], outcome.value)
        return JSONResponse({"stored": True, "next": "/listen"})

    def leave(self, request: Request) -> Response:
        """Ask whether everything is to be erased."""
        if self._session(request) is None:
            return RedirectResponse("/", 303)
        return self._page("leave.html")

    def erase(self, request: Request, body: Body) -> Response:
        """Withdraw."""
        session = self._session(request)
        if session is None:
            return failed(401, "there is no session")
        withdraw(self.serving.database, session)
        response = JSONResponse({"next": self.serving.recruitment.withdrawn_url or "/withdrawn"})
        forget_secret(response, self.serving, ROLE)
        return response

    def done(self, request: Request) -> Response:
        """The end, or the address that a recruiting service wants to see."""
        session = self._session(request)
        if session is None:
            return RedirectResponse("/", 303)
        if session.state is State.ACTIVE:
            return RedirectResponse("/listen", 303)
        is_complete, recruitment = session.state is State.COMPLETE, self.serving.recruitment
        address = recruitment.complete_url if is_complete else recruitment.screened_out_url
        if address:
            return RedirectResponse(address, 303)
        return self._page("done.html", is_complete=is_complete)

    def withdrawn(self, request: Request) -> Response:
        """Everything was erased."""
        return self._page("withdrawn.html", has_rest=self.serving.database.has_to_forget)

    def session(self, request: Request) -> Response:
        """Whether this browser has begun; also asked after a link of another site led here."""
        return JSONResponse({"has_begun": self._session(request) is not None})

    def link(self, request: Request, body: Body) -> Response:
        """A secret by which the session goes on in another browser."""
        session = self._session(request)
        if session is None or session.state is not State.ACTIVE:
            return failed(401, "there is no session")
        if not self.serving.answering.permits(str(session.id)):
            return failed(429, "That is too fast; wait a moment.")
        token = new_resume_token(self.serving.database, session)
        if token is None:
            return failed(410, Outcome.ENDED.value)
        return JSONResponse({"token": token})

    def resuming(self, request: Request) -> Response:
        """A page that takes the secret from the address, where no server ever sees it."""
        return self._page("resume.html")

    def resume(self, request: Request, body: Body) -> Response:
        """Go on with a session in this browser."""
        token = resume(self.serving.database, text_of(body, "token", 100))
        if token is None:
            if not self.serving.resumptions.permits(address_of(request)):
                return failed(429, "That is too often; wait a minute.")
            return failed(
                404, "This link does not lead to a session, or a newer link took its place."
            )
        response = JSONResponse({"next": "/listen"})
        set_secret(response, self.serving, ROLE, token)
        return response

    def clip(self, request: Request) -> Response:
        """A file of a question that this session was asked."""
        file = request.path_params["file"]
        media = self.serving.plan.media.get(file)
        session = self._session(request)
        if media is None or session is None:
            return failed(404, "there is no such clip")
        with self.serving.database.reading() as connection:
            is_asked = may_see(connection, session, {file, self._owners.get(file, file)})
        if not is_asked:
            return failed(404, "there is no such clip")
        path = self.serving.study.path_of(media)
        headers = {**_CLIP_HEADERS, "etag": f'"{media.sha256}"'}
        return FileResponse(path, media_type=media.type, headers=headers)


def _minutes(serving: Serving) -> int:
    """About how long a session takes: each clip once, and some seconds for each answer."""
    plan = serving.plan
    sheet = plan.sheets[0]
    sound = sum(plan.clip[name].seconds for one in sheet for name in (*one.left, *one.right))
    typical = sum(clip.seconds for clip in plan.clips) / len(plan.clips)
    per_side = max(len(one.left) for one in sheet) or 1
    open_ones = sum(not one.left for one in sheet)
    total = sound + open_ones * 2 * per_side * typical + 6 * len(sheet)
    return max(1, round((total + sum(one.seconds + 4 for one in plan.screen)) / 60))
