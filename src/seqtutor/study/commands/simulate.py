"""`seqtutor study simulate`: fill a study with listeners of known preference, over HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from seqtutor.errors import UserError
from seqtutor.settings import Count, Range, Share, require, require_seed
from seqtutor.study.commands.shared import StudyOptions

if TYPE_CHECKING:
    from seqtutor.study.database import Database
    from seqtutor.study.plan import Plan, Study

TASK = None
"""The study says what it is about."""
MOST_LOGIT = 50
"""Log-odds of a model or a side."""


@dataclass(frozen=True)
class Options(StudyOptions):
    """Answer as listeners of known preference would, through the pages' own interface.

    It tries a study, its server and its statistics before people come. The votes are marked as
    simulated: once there are votes of people, only these count.
    """

    listeners: Count = 20
    """Listeners, each of whom answers a whole session."""
    prefer: Annotated[tuple[str, ...], tyro.conf.arg(metavar="MODEL:LOGIT [...]")] = ()
    """Log-odds of models, 0 for those that are not named: a model of 1 is preferred to one of 0
    with odds of e to 1."""
    position: Annotated[float, Range(at_least=-MOST_LOGIT, at_most=MOST_LOGIT)] = 0.0
    """Log-odds that A gains by being A."""
    inattentive: Share = 0.0
    """Share of the listeners who answer at random."""
    spread: Annotated[float, Range(at_least=0, at_most=10)] = 0.0
    """Standard deviation of a listener's own log-odds of each model."""
    others: Share = 0.0
    """Share of the listeners who have another taste."""
    others_prefer: Annotated[tuple[str, ...], tyro.conf.arg(metavar="MODEL:LOGIT [...]")] = ()
    """The log-odds of these."""
    seed: int = 0
    """Of the answers; with the same seed the same listeners answer again."""
    fresh: bool = False
    """Erase the simulated listeners of earlier calls first."""
    address: str | None = None
    """Of a server that runs already, such as http://localhost:8000; by default one is started for
    this."""
    token: str | None = None
    """Of the researcher, as that server printed it."""


def run(spec: Any, options: Options) -> None:
    """Begin the sessions, answer, say how many answers were stored."""
    require_seed("--seed", options.seed)
    from seqtutor.runs.progress import progress_bar
    from seqtutor.runs.terminal import counted
    from seqtutor.study.plan import read_study
    from seqtutor.study.simulated import Population
    from seqtutor.study.simulating import Simulation, simulate

    require(
        not options.fresh or options.address is None,
        "--fresh is for a server that this command starts; leave out --address",
    )
    study = read_study(options.study)
    population = Population(
        logits(options.prefer, study.plan, "--prefer"),
        position=options.position,
        spread=options.spread,
        inattentive=options.inattentive,
        other_strengths=logits(options.others_prefer, study.plan, "--others-prefer"),
        other_share=options.others,
    )
    simulation = Simulation(population, options.listeners, options.seed)
    questions = options.listeners * (len(study.plan.sheets[0]) + len(study.plan.screen))
    with _server(study, options) as (address, token), progress_bar() as progress:
        bar = progress.add_task("Answering", total=questions, unit="answers", note="")
        stored = simulate(study.plan, address, token, simulation, lambda: progress.advance(bar))
    who = counted(options.listeners, "simulated listener", "simulated listeners")
    print(f"{who} gave {stored:,} answers, all of them stored.")
    print(f"Next: seqtutor study results {options.study}")


def logits(given: Sequence[str], plan: Plan, option: str) -> dict[str, float]:
    """Log-odds by the names of models.

    Raises:
        UserError: if a text is not MODEL:LOGIT, or names no model of the study, or one twice.
    """
    found: dict[str, float] = {}
    for one in given:
        name, _, number = one.rpartition(":")
        try:
            value = float(number)
        except ValueError:
            raise UserError(f"{option} takes MODEL:LOGIT, such as prior:0.5, not {one}") from None
        name = _full_name(name.rstrip("/") or name, plan)
        known = ", ".join(plan.model_names)
        require(name in plan.model_names, f"the study has no model {name!r}; it has {known}")
        require(name not in found, f"{option} names {name} twice")
        require(
            abs(value) <= MOST_LOGIT,
            f"a log-odds lies between {-MOST_LOGIT} and {MOST_LOGIT}, not at {number}",
        )
        found[name] = value
    return found


def _full_name(name: str, plan: Plan) -> str:
    """The model that is called so, or the only one whose folder is."""
    ending = [model for model in plan.model_names if Path(model).name == name]
    return ending[0] if name not in plan.model_names and len(ending) == 1 else name


def _tell_of_earlier(database: Database, options: Options) -> None:
    """Say how many simulated listeners are there already, or erase them."""
    from seqtutor.runs.terminal import counted
    from seqtutor.study.sessions import State, counts, erase_simulated

    if options.fresh:
        gone = erase_simulated(database)
        print(f"Erased {counted(gone, 'simulated listener', 'simulated listeners')}.")
        return
    with database.reading() as connection:
        found, people = (counts(connection, simulated=one) for one in (True, False))
    if sum(people.values()) - people[State.WITHDRAWN]:
        print(
            "Somebody has begun this study already: once a person has answered, what is simulated "
            "is set aside. An answer of your own is erased by Withdraw on the page that gave it."
        )
    if there := sum(found.values()) - found[State.WITHDRAWN]:
        print(
            f"The study already has {counted(there, 'simulated listener', 'simulated listeners')}; "
            f"{options.listeners:,} come on top. --fresh erases those first."
        )


@contextmanager
def _server(study: Study, options: Options) -> Iterator[tuple[str, str]]:
    """The address of a server and a token of its researcher."""
    if options.address is not None:
        from seqtutor.study.simulating import require_server

        require(options.token is not None, "give the token that the server printed with --token")
        require_server(options.address, str(options.token))
        yield options.address, str(options.token)
        return
    from seqtutor.study.app import make_app
    from seqtutor.study.choosing import chooser_of
    from seqtutor.study.database import open_database
    from seqtutor.study.serving import Serving, new_researcher_token
    from seqtutor.web import running

    with closing(open_database(study.folder, options.database, study.sha256)) as database:
        _tell_of_earlier(database, options)
        serving = Serving(study, database, choose=chooser_of(study.plan))
        with running(make_app(serving)) as address:
            yield address, new_researcher_token(database, time.time())
