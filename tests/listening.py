"""Runs that cost no training, and a page in this process, for the tests of `listen`."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from starlette.testclient import TestClient

import tiny_problems
from page_browser import wait
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


def run_of(
    spec, folder: Path, method: str, model: SavedModel, prior: Path | None, settings=None
) -> Path:
    """A finished run whose policy is a given model, by default with the settings of a preset."""
    settings = settings or spec.preset().settings(method)
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


def melody_run(folder: Path, **rules) -> str:
    """A run of melodies whose policy is the prior that comes with the package."""
    from seqtutor.tasks.melody.spec import spec

    settings = spec.preset().settings("psi")
    settings = replace(settings, rules=replace(settings.rules, **rules))
    return str(run_of(spec, folder, "psi", load_prior(spec), None, settings))


@contextmanager
def served(run: str, favourites: Path):
    """The address of the page of a run, which the command serves on a free port."""
    command = [sys.executable, "-m", "seqtutor", "listen", run, "--port", "0"]
    command += ["--favourites", str(favourites)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # As this process, which keeps programs without the times of their last use.
        env={**os.environ, "JAX_COMPILATION_CACHE_MAX_SIZE": "-1"},
    )
    errors: list[str] = []
    reading = threading.Thread(target=lambda: errors.extend(process.stderr), daemon=True)
    reading.start()
    line = process.stdout.readline()
    found = re.search(r"Open (http://127\.0\.0\.1:\d+/) in a browser \(ready after", line)
    assert found, (line, errors)
    yield found[1]
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0, "it ends by itself, without a traceback"
    reading.join()
    assert [one for one in errors if not one.startswith("Preparing")] == []


def generate(driver) -> None:
    """New samples on a page, by the key."""
    driver.execute_script("document.getElementById('cards').replaceChildren()")
    driver.find_element("tag name", "body").send_keys("g")
    wait(driver, "document.querySelectorAll('#cards .card .actions').length > 0")
    wait(driver, "!document.querySelector('#generate[aria-disabled]')")


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
