"""`seqtutor listen`: a local page that plays what runs generate, on demand."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from seqtutor.errors import UserError
from seqtutor.settings import require

if TYPE_CHECKING:
    from seqtutor.task_spec import TaskSpec

PORT = 8765


@dataclass(frozen=True)
class Options:
    """Open a page on this machine on which runs generate sequences as you ask for them.

    Listen and look, with any temperature, length and beginning; keep favourites, download them, go
    on from them; compare two runs blindly. The priors of the runs are on the page, too.
    """

    runs: tyro.conf.Positional[
        Annotated[tuple[str, ...], tyro.conf.arg(metavar="RUN [RUN ...]")]
    ] = ()
    """Folders of runs or models, or "prior" for the one that comes with the package."""
    port: int = PORT
    """Port of the page; 0 for any free one."""
    host: str = "127.0.0.1"
    """Address of this machine by which the page is opened. 127.0.0.1 is for this machine alone;
    whoever reaches another one may use the page."""
    favourites: Annotated[Path | None, tyro.conf.arg(metavar="FILE.json")] = None
    """File of the favourites; by default one for the task in the user's data folder."""
    run_scorers: bool = False
    """Run functions and commands of your own that the runs' folders name, for their reward. They
    are code: do so only if you trust the folders."""


def run(spec: TaskSpec[Any], options: Options) -> None:
    """Read the runs, prepare the first, serve until the end."""
    began = time.perf_counter()
    if not options.runs:
        raise UserError(f"name the folder of a run, such as: seqtutor listen {spec.name} RUN")
    require(0 <= options.port <= 65_535, f"--port must lie between 0 and 65535, not {options.port}")
    spec.require_dependencies()
    spec.prepare_exhibits()
    from seqtutor.listen.app import app_of
    from seqtutor.listen.favourites import Favourites, usual_file
    from seqtutor.listen.requests import wish_of
    from seqtutor.listen.session import Session
    from seqtutor.listen.sources import open_sources
    from seqtutor.runs.policies import find_policy, with_seeds
    from seqtutor.runs.progress import console
    from seqtutor.web import listening, names_for, serve

    hosts = names_for(options.host)
    require(
        bool(hosts),
        f"--host must be one address of this machine, by which the page is opened, not "
        f"{options.host}",
    )
    favourites = Favourites(options.favourites or usual_file(spec.name))
    # Before the work of minutes: a port in use, and then a run that cannot be read.
    listening(options.host, options.port).close()
    policies = [find_policy(spec, name) for name in with_seeds(options.runs)]
    console.print("Preparing the first policy …")
    with open_sources(spec, policies, may_run_code=options.run_scorers) as (sources, notes):
        session = Session(spec, sources, favourites)
        session.generate(wish_of(spec, sources, {}))

        def ready(address: str) -> None:
            seconds = time.perf_counter() - began
            print(
                f"Open {address} in a browser (ready after {seconds:.1f} s); Ctrl-C ends it.",
                flush=True,
            )

        app = app_of(session, notes=notes, hosts=hosts)
        serve(app, options.host, options.port, when_ready=ready)
