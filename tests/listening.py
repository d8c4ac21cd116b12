"""Runs that cost no training, and a page in this process, for the tests of `listen`."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path

from starlette.testclient import TestClient

import tiny_problems
from seqtutor.listen.app import app_of
from seqtutor.listen.favourites import Favourites
from seqtutor.listen.session import Session
from seqtutor.listen.sources import open_sources
from seqtutor.models.files import SavedModel, save_model
from seqtutor.runs.config import RunConfig
from seqtutor.runs.policies import find_policy, load_prior
from seqtutor.runs.run_folder import RunFolder
from seqtutor.task_spec import TaskSpec
from seqtutor.training.settings import TutorSettings

TINY = TaskSpec.of(tiny_problems.task(5, 6, has_end=True))
PROBABLE = 0.01


def run_of(spec, folder: Path, method: str, model: SavedModel, prior: Path | None) -> Path:
    """A finished run whose policy is a given model."""
    settings = spec.preset().settings(method)
    config = RunConfig(spec.name, TutorSettings.of(method), settings, prior)
    run = RunFolder.start(folder, config.content(), {})
    save_model(model, run.model)
    return folder


def tiny_runs(folder: Path) -> list[str]:
    """Two runs of a tiny task and their prior."""
    origin = {"max_length": 6, "task": TINY.name}
    vocabulary = TINY.usual_task().vocabulary
    prior = SavedModel(tiny_problems.prior(5), vocabulary, origin)
    save_model(prior, folder / "prior")
    for seed, method in enumerate(("psi", "g")):
        model = SavedModel(tiny_problems.prior(5, seed=seed + 10), vocabulary, origin)
        run_of(TINY, folder / method, method, model, folder / "prior")
    return [str(folder / method) for method in ("psi", "g")]


def melody_run(folder: Path) -> str:
    """A run of melodies whose policy is the prior that comes with the package."""
    from seqtutor.tasks.melody.spec import spec

    return str(run_of(spec, folder, "psi", load_prior(spec), None))


@contextmanager
def session_of(spec, names, folder: Path):
    """A session of runs, with favourites in a folder."""
    with open_sources(spec, [find_policy(spec, name) for name in names]) as (sources, _):
        yield Session(spec, sources, Favourites(folder / "favourites.json"))


@contextmanager
def client_of(session, monkeypatch=None):
    """A client of the application, which sends what a browser on this machine sends."""
    with TestClient(app_of(session), base_url="http://127.0.0.1:8765") as client:
        yield client
