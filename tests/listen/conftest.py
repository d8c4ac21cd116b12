"""A session of `listen` on tiny runs, and a client of its page."""

from __future__ import annotations

import pytest

from listening import TINY, client_of, session_of, tiny_runs


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    with session_of(TINY, tiny_runs(folder), folder) as found:
        yield found


@pytest.fixture(scope="module")
def client(session):
    with client_of(session) as found:
        yield found
