"""The page of `seqtutor listen`: its HTML, and the files that it loads."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from seqtutor.report.page.page import packaged
from seqtutor.task_spec import TaskSpec

ASSETS = {
    "cards.css": "text/css",
    "listen.css": "text/css",
    "cards.js": "text/javascript",
    "canvas.js": "text/javascript",
    "listen.js": "text/javascript",
}
"""Types of the files that the page loads, by name."""
_OF_REPORT = ("cards.css", "cards.js")


@cache
def asset(name: str) -> str:
    """The text of one of `ASSETS`."""
    return packaged(name) if name in _OF_REPORT else _own(name)


def _own(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def page_of(spec: TaskSpec[Any]) -> str:
    """The page of a task as HTML; what it shows, its script asks for."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    return environment.from_string(_own("page.html")).render(spec=spec)
