"""A small web server on this machine: who may ask it, what pages may load, how it starts and ends.

`secured` puts the checks in front of any Starlette application, `serve` runs it with uvicorn.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import signal
import socket
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from seqtutor.errors import UserError
from seqtutor.settings import require

if TYPE_CHECKING:
    import uvicorn
    from starlette.datastructures import Headers
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = "127.0.0.1"
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
LARGEST_BODY = 64 << 10
"""Bytes of a request's body, unless the application allows more."""
_MOST_CONNECTIONS = 800
"""At once; a process may often have 1,024 files open."""
_MOST_OF_ONE = _MOST_CONNECTIONS // 2
"""Of one address, so that nobody keeps all others out; a proxy's connections are of many."""
_PATIENCE = 10.0
"""Seconds, up to twice as many, in which a client has to send what is missing of a request."""
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")

CONTENT_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "font-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)
"""Pages load scripts and styles from files of this server alone; none may stand in the page."""

SECURITY_HEADERS: Mapping[str, str] = {
    "content-security-policy": CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "cache-control": "no-store",
}
"""Of every answer that does not set them itself."""

_ENDING = (signal.SIGINT, signal.SIGTERM)
_REASONS = {
    errno.EADDRINUSE: "it is in use; choose another with --port",
    errno.EACCES: "it is not permitted; choose one from 1024 with --port",
    errno.EADDRNOTAVAIL: "this machine does not have that address; choose another with --host",
}


def secured(
    app: ASGIApp,
    *,
    hosts: Collection[str] = (),
    largest_body: int = LARGEST_BODY,
    headers: Mapping[str, str] = SECURITY_HEADERS,
) -> ASGIApp:
    """The application behind checks of every request, its answers with headers of security.

    A request is refused if its Host is not a name of this server (against DNS rebinding), if a
    page of another site sent it with an unsafe method (by Sec-Fetch-Site or Origin; a client that
    sends neither is no browser), or if its body is too large. WebSockets are refused.

    Args:
        app: a Starlette application.
        hosts: names, without ports, by which the server is reached beside those of the loopback.
        largest_body: bytes of a request's body.
        headers: by lower-case name, those of answers that do not have them already.
    """
    allowed = {name.lower().strip("[]") for name in (*LOOPBACK_NAMES, *hosts)}

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        from starlette.datastructures import Headers
        from starlette.requests import ClientDisconnect
        from starlette.responses import PlainTextResponse

        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        send = _with_headers(send, headers)
        refusal = _refusal(scope["method"], Headers(scope=scope), allowed, largest_body)
        if refusal is not None:
            status, reason = refusal
            await PlainTextResponse(f"{reason}\n", status)(scope, receive, send)
            return
        # A client that goes away in the midst of its request gets no answer, and is no error.
        with contextlib.suppress(ClientDisconnect):
            await app(scope, _bounded(receive, largest_body), send)

    return guard


def _refusal(
    method: str, headers: Headers, allowed: Collection[str], largest_body: int
) -> tuple[int, str] | None:
    """Status and reason if a request is not let in."""
    hosts = headers.getlist("host")
    if len(hosts) != 1 or _name_of(hosts[0]) not in allowed:
        return 421, "This server is not known by that name."
    if method not in SAFE_METHODS and not _is_of_this_site(headers, hosts[0]):
        return 403, "A page of another site may not do that."
    length = headers.get("content-length", "0")
    if not length.isascii() or not length.isdigit():
        return 400, "The length of the body is not a number."
    if int(length) > largest_body:
        return 413, "The body is too large."
    return None


def _name_of(netloc: str) -> str | None:
    """The host of `host:port`, in lower case, without the brackets of an IPv6 address."""
    try:
        split = urlsplit(f"//{netloc}")
        _ = split.port
    except ValueError:
        return None
    return split.hostname if "@" not in netloc else None


def _is_of_this_site(headers: Headers, host: str) -> bool:
    """Whether a request came from a page of this server, or from no browser at all."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None and site != "same-origin":
        return False
    if origin is None:
        return True
    try:
        # The scheme is not known behind a proxy that ends TLS.
        return urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False


def _bounded(receive: Receive, largest: int) -> Receive:
    """Also bounds a body that comes in chunks and does not say how long it is."""
    received = 0

    async def bounded() -> Message:
        from starlette.exceptions import HTTPException

        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > largest:
            raise HTTPException(413, "The body is too large.")
        return message

    return bounded


def _with_headers(send: Send, headers: Mapping[str, str]) -> Send:
    async def sending(message: Message) -> None:
        from starlette.datastructures import MutableHeaders

        if message["type"] == "http.response.start":
            own = MutableHeaders(scope=message)
            for name, value in headers.items():
                own.setdefault(name, value)
        await send(message)

    return sending


def names_for(host: str, allowed: Collection[str] = ()) -> tuple[str, ...]:
    """Names for `secured` of a server bound to a host: that host, unless it is any address."""
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(host).is_unspecified:
            return tuple(allowed)
    return (host, *allowed)


def web_address(text: str) -> SplitResult | None:
    """The parts of an address of http or https; `None` if the text is none."""
    try:
        parts = urlsplit(text)
        _ = parts.port
        (parts.hostname or "").encode("idna")
    except ValueError:
        return None
    is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and text.isprintable()
    return parts if is_one and " " not in parts.netloc else None


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 for any free one.

    Raises:
        UserError: if the port is in use or not permitted, or the host is not of this machine.
    """
    require(0 <= port <= 65_535, f"--port must lie between 0 and 65535, not {port}")
    own = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        own = socket.socket(family, kind, protocol)
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        own.bind(address)
        own.listen(1024)
    except OSError as error:
        if own is not None:
            own.close()
        reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
        raise UserError(f"cannot listen on {host} port {port}: {reason}") from None
    except ValueError:
        # The codec of names refuses it, for example because it is too long.
        raise UserError(f"cannot listen on {host!r}: no host can have that name") from None
    return own


def address_of(own: socket.socket) -> str:
    """The address of a listening socket, such as "http://127.0.0.1:8000/"."""
    host, port = own.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def announced(address: str) -> None:
    """Print where the server listens."""
    print(f"Open {address} in a browser; Ctrl-C ends the server.", flush=True)


def serve(
    app: ASGIApp,
    host: str = LOOPBACK,
    port: int = 0,
    *,
    proxies: Sequence[str] = (),
    when_ready: Callable[[str], None] = announced,
) -> None:
    """Run an application until SIGINT or SIGTERM; requests that came as a whole are answered.

    Args:
        app: what `secured` returns.
        host: the address to listen on; the loopback, unless others are to reach it.
        port: 0 for any free one.
        proxies: addresses of servers before this one that are believed whom they ask for.
        when_ready: called with the address once requests are answered; `announced` prints it.

    Raises:
        UserError: if the port is in use or not permitted, or the host is not of this machine.
    """
    import uvicorn

    own = listening(host, port)

    class Announcing(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                when_ready(address_of(own))

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            # As in the base class, but the signal is not raised again once the server has ended.
            before = {one: signal.signal(one, self.handle_exit) for one in _ENDING}
            try:
                yield
            finally:
                for one, handler in before.items():
                    signal.signal(one, handler)

    with own:
        Announcing(_config(app, proxies)).run(sockets=[own])


def _config(app: ASGIApp, proxies: Sequence[str] = ()) -> uvicorn.Config:
    import uvicorn

    return uvicorn.Config(
        app,
        http=_impatient(None if proxies else _MOST_OF_ONE),
        # Uvicorn's own would close the handlers of all others, and with them their streams.
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=list(proxies),
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=5,
    )


def _impatient(most_of_one: int | None) -> type[asyncio.Protocol]:
    """The protocol of uvicorn, which by itself waits for the rest of a request without end.

    Connections of one address beyond `most_of_one` are closed at once.
    """
    from uvicorn.protocols.http.auto import AutoHTTPProtocol

    held: Counter[str] = Counter()

    class Impatient(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            self._look_again(None)
            # A client that is gone already has no name.
            self._host = (transport.get_extra_info("peername") or ("",))[0]
            held[self._host] += 1
            if most_of_one is not None and held[self._host] > most_of_one:
                transport.close()

        def _is_due(self) -> bool:
            """Whether the client has yet to send a request, or the rest of one."""
            cycle = self.cycle
            return cycle is None or cycle.response_complete or cycle.more_body

        def _look(self, due: tuple[Any]) -> None:
            """Hang up if the same request is due that was due before."""
            if self._is_due() and due == (self.cycle,):
                self.transport.close()
            else:
                self._look_again(self.cycle)

        def _look_again(self, cycle: Any) -> None:
            due = (cycle,) if self._is_due() else ()
            self._timer = self.loop.call_later(_PATIENCE, self._look, due)

        def connection_lost(self, exc: Exception | None) -> None:
            self._timer.cancel()
            held[self._host] -= 1
            # Unless names of those who are gone are forgotten, they fill the memory.
            if not held[self._host]:
                del held[self._host]
            super().connection_lost(exc)

        def shutdown(self) -> None:
            super().shutdown()
            if self._is_due():
                self.transport.close()

    return Impatient


@contextlib.contextmanager
def running(app: ASGIApp, proxies: Sequence[str] = ()) -> Iterator[str]:
    """A server on a free port of the loopback, in a thread, while the context lasts; its address.

    Args:
        app: what `secured` returns.
        proxies: as of `serve`.
    """
    import uvicorn

    with listening(LOOPBACK, 0) as own:
        server = uvicorn.Server(_config(app, proxies))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [own]}, daemon=True)
        thread.start()
        try:
            # Connections wait in the socket's queue until the server takes them.
            yield address_of(own)
        finally:
            server.should_exit = True
            thread.join()


class RateLimit:
    """A bound on how often each of many parties may do something, by token buckets.

    Attributes:
        rate: permitted a second in the long run.
        burst: permitted at once.
    """

    MOST_PARTIES = 10_000

    def __init__(
        self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.rate = rate
        self.burst = burst
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def permits(self, party: str) -> bool:
        """Whether the party may do it now; if so, that is counted."""
        now = self._clock()
        left, then = self._buckets.pop(party, (float(self.burst), now))
        left = min(float(self.burst), left + (now - then) * self.rate)
        is_permitted = left >= 1
        self._buckets[party] = (left - is_permitted, now)
        if len(self._buckets) > self.MOST_PARTIES:
            self._buckets.popitem(last=False)
        return is_permitted
