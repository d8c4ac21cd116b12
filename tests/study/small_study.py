"""Small studies of short tones, made without a model, and their servers."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import soundfile

from seqtutor.exhibits import Exhibit, Picture
from seqtutor.study.making import write_study
from seqtutor.study.options import PlanOptions
from seqtutor.study.plan import Model, Rules, Study, Words

WORDS = Words("Tones", "Which of the two tones do you prefer?", "tone", ("You agree.", "Gladly."))
SPEC: Any = SimpleNamespace(name="tones", many="tones")
OPTIONS = PlanOptions(clips=3, listeners=4, comparisons=3, practice=1, catch=1, set_size=2, seed=0)
SECONDS = 0.4
DEFAULT = Rules()
QUICK = Rules(heard=0.0, fastest=0.0)
"""For tests that answer at once: nothing has to be heard, and nobody is too fast."""


def ogg(pitch: float, seconds: float = SECONDS) -> bytes:
    """A tone as an Ogg file."""
    times = np.arange(round(seconds * 24_000)) / 24_000
    content = io.BytesIO()
    soundfile.write(
        content, 0.3 * np.sin(2 * np.pi * pitch * times), 24_000, format="OGG", subtype="VORBIS"
    )
    return content.getvalue()


def small_study(
    folder: Path,
    names: Sequence[str] = ("prior", "psi"),
    kind: str = "sound",
    words: Words = WORDS,
    rules: Rules = DEFAULT,
    **options: Any,
) -> Study:
    """A study of short tones, of drawings or of texts."""
    how = replace(OPTIONS, **options)
    models = [Model(name, f"{place:064x}", place) for place, name in enumerate(names)]

    def exhibit(model: int, number: int) -> Exhibit:
        text = f"text {model}-{number}"
        if kind == "text":
            return Exhibit(text)
        svg = f'<svg width="60" height="40"><circle r="{5 + number}" cx="20" cy="20"/></svg>'
        if kind == "picture":
            return Exhibit(text, [Picture(svg, "a circle")])
        return Exhibit(text, [Picture(svg, "a score")], ogg(220 * (1 + model) + 10 * number))

    exhibits = {
        model.name: [exhibit(place, number) for number in range(how.drawn)]
        for place, model in enumerate(models)
    }
    return write_study(SPEC, models, exhibits, how, words, rules, folder, {"made": "here"})


_SERVE = """
import resource, sys
if size := int(sys.argv.pop(1)):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
from seqtutor.cli.main import main
sys.exit(main(["study", "serve", *sys.argv[1:]]))
"""


@contextmanager
def serving(
    study: Study, *arguments: str, port: int = 0, file_size: int = 0
) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """A server of its own process: the process, its address and the researcher's token.

    Args:
        study: that it serves.
        arguments: further options.
        port: 0 for any.
        file_size: bytes to which its files can grow; 0 for no limit.
    """
    command = [sys.executable, "-c", _SERVE, str(file_size), str(study.folder)]
    command += ["--port", str(port), *arguments]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        try:
            listeners, researcher = process.stdout.readline(), process.stdout.readline()
            address = re.search(r"http://[\d.:]+", listeners)
            assert address, process.stderr.read() if process.stderr else ""
            yield process, address[0], researcher.strip().partition("#")[2]
        finally:
            process.kill()
            process.communicate()


def plan_text(study: Study) -> dict[str, Any]:
    """The plan as its file has it."""
    return json.loads((study.folder / "plan.json").read_text())
