"""`seqtutor study serve`: the pages of a study, for listeners and for the researcher."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import Any

from seqtutor.errors import UserError
from seqtutor.settings import require
from seqtutor.study.commands.shared import StudyOptions
from seqtutor.study.options import Recruitment

TASK = None
"""The study says what it is about."""
PORT = 8000


@dataclass(frozen=True)
class Options(Recruitment, StudyOptions):
    """Serve a study until Ctrl-C; each answer is on the disk before it is acknowledged.

    Several servers may share one database. Without --host only this machine reaches the pages; put
    a server that ends TLS before it, and name its address with --address.
    """

    port: int = PORT
    """0 for any free one."""
    host: str = "127.0.0.1"
    """The address to listen on; 0.0.0.0 for all of this machine, together with --address."""
    address: str | None = None
    """How browsers reach the server, if not by --host, such as https://study.example.org."""
    proxy: tuple[str, ...] = ()
    """Addresses of web servers that pass requests on to this one, such as 127.0.0.1: what they say
    of where a request comes from is believed (X-Forwarded-For). Without it all listeners behind
    them share the limits of one address."""
    withdraw_tokens: bool = False
    """Let the researcher's addresses that were printed before open nothing any more."""

    def __post_init__(self) -> None:
        StudyOptions.__post_init__(self)
        Recruitment.__post_init__(self)


def run(spec: Any, options: Options) -> None:
    """Open the database, print the addresses, serve."""
    from seqtutor.study.app import make_app
    from seqtutor.study.choosing import chooser_of
    from seqtutor.study.database import UnavailableError, open_database
    from seqtutor.study.plan import read_study
    from seqtutor.study.serving import Serving, new_researcher_token
    from seqtutor.study.wording import NO_CONSENT, default_consent
    from seqtutor.web import names_for, serve, web_address

    public = None if options.address is None else web_address(options.address)
    require(
        options.address is None or public is not None,
        f"--address must be like https://study.example.org, not {options.address!r}",
    )
    hosts = names_for(options.host, [public.hostname] if public and public.hostname else [])
    require(
        bool(hosts),
        f"with --host {options.host} name the address by which browsers reach this machine, such "
        "as --address http://192.0.2.1:8000",
    )
    study = read_study(options.study, checks_clips=True)
    database = open_database(study.folder, options.database, study.sha256)
    serving = Serving(
        study,
        database,
        options,
        is_https=public is not None and public.scheme == "https",
        choose=chooser_of(study.plan),
    )
    try:
        token = new_researcher_token(database, time.time(), is_only_one=options.withdraw_tokens)
    except UnavailableError as error:
        raise UserError(f"nothing can be stored: {error}") from None

    if study.plan.words.consent == default_consent():
        print(f"Warning: {NO_CONSENT}", file=sys.stderr, flush=True)

    def when_ready(address: str) -> None:
        shown = (options.address or address).rstrip("/")
        print(f"Listeners: {shown}/", flush=True)
        print(f"Researcher: {shown}/researcher#{token}", flush=True)
        print("The second address is secret. Ctrl-C ends the server.", flush=True)

    app = make_app(serving, hosts)
    try:
        serve(app, options.host, options.port, proxies=options.proxy, when_ready=when_ready)
    finally:
        database.close()
