"""The registry of methods, and what their records say."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest

import seqtutor
from seqtutor.errors import UserError
from seqtutor.methods import psi, q, rloo
from seqtutor.methods.registry import (
    DEFAULT_METHOD,
    method_named,
    method_names,
    require_method,
    symbol_of,
)
from seqtutor.methods.settings import (
    BatchSettings,
    MethodSettings,
    ReplaySettings,
    ValueSettings,
    VoteSettings,
)
from tiny_problems import METHODS

SHARED = {"base", "registry", "settings", "temporal_difference", "score_function", "__init__"}


def test_every_file_of_the_package_is_a_method_or_shared():
    folder = Path(seqtutor.__file__).parent / "methods"
    modules = {path.stem for path in folder.glob("*.py")} - SHARED
    assert modules == {name.replace("-", "_") for name in method_names()}


def test_records_are_found_by_name():
    for name in method_names():
        assert method_named(name).name == name
    assert method_named("psi") is psi.METHOD
    assert DEFAULT_METHOD in method_names()
    for find in (method_named, require_method):
        with pytest.raises(UserError, match="there is no method 'sarsa'; choose one of q, psi"):
            find("sarsa")


def test_the_names_are_known_without_arrays():
    code = (
        "import sys; from seqtutor.methods.registry import method_names; method_names(); "
        "print([m for m in ('jax', 'numpy', 'equinox') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_another_package_can_offer_a_method(tmp_path):
    """By an entry point; it is tuned with like any other."""
    (tmp_path / "mine.py").write_text(
        "from dataclasses import replace\n"
        "from seqtutor.methods import rloo\n"
        "METHOD = replace(rloo.METHOD, name='mine', symbol='M', color=None)\n"
    )
    metadata = tmp_path / "mine-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[seqtutor.methods]\nmine = mine:METHOD\nbroken = nowhere:METHOD\n"
    )
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from seqtutor.errors import UserError\n"
        "from seqtutor.methods.registry import method_names, symbol_of\n"
        "from seqtutor.report.style import method_style\n"
        "from seqtutor.training.settings import TutorSettings\n"
        "settings = TutorSettings.of('mine', c=2.0)\n"
        "print(symbol_of('mine'), settings.c, settings.discount)\n"
        "assert set(method_names()[-2:]) == {'mine', 'broken'}\n"
        "for wrong in ({'method': 'broken'}, {'method': 'mine', 'trace': 0.5}):\n"
        "    try: TutorSettings.of(**wrong)\n"
        "    except UserError as error: print(error)\n"
        "assert method_style('mine').color.startswith('#')\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines() == [
        "M 2.0 1.0",
        "the method 'broken' cannot be loaded: No module named 'nowhere'",
        "trace is a setting of q, psi, g, ppo, rl-only, not of mine",
    ]


def test_tables_can_tell_the_methods_apart():
    symbols = [method.symbol for method in METHODS.values()]
    assert len(set(symbols)) == len(symbols)
    assert symbol_of("psi") == "Ψ"
    assert symbol_of("prior") == "prior"


def test_controls_have_no_year_and_papers_are_named():
    assert [name for name, method in METHODS.items() if method.year is None] == ["rl-only"]
    assert all(method.reference and method.summary.endswith(".") for method in METHODS.values())


@pytest.mark.parametrize("name", METHODS)
def test_settings_fit_where_the_method_learns_from(name):
    method = METHODS[name]
    assert issubclass(method.settings, ReplaySettings) == (method.learns_from == "replay")
    assert issubclass(method.settings, BatchSettings) == (method.learns_from != "collection")
    assert issubclass(method.settings, VoteSettings) == method.learns_from_votes
    assert method.is_on_policy == (method.learns_from not in ("replay", "votes"))
    has_rate = "target_rate" in {one.name for one in fields(method.settings)}
    assert has_rate == (method.target == "average")
    method.settings()


@pytest.mark.parametrize(
    ("method", "changes", "message"),
    [
        (psi.METHOD, {"settings": MethodSettings}, "psi .replay. needs settings of ReplaySettings"),
        (psi.METHOD, {"settings": BatchSettings}, "psi .replay. needs settings of ReplaySettings"),
        (q.METHOD, {"settings": ReplaySettings}, "q .average. needs settings of TargetSettings"),
        (rloo.METHOD, {"learns_from": "collection batches"}, "rloo .* of BatchSettings"),
        (psi.METHOD, {"error_sizes": None}, "psi needs error_sizes"),
        (rloo.METHOD, {"error_sizes": psi.METHOD.error_sizes}, "rloo needs error_sizes"),
    ],
)
def test_a_record_that_contradicts_itself_is_refused(method, changes, message):
    with pytest.raises(TypeError, match=message):
        replace(method, **changes)


def test_methods_that_learn_a_value_have_its_settings():
    with_value = {n for n, m in METHODS.items() if issubclass(m.settings, ValueSettings)}
    assert with_value == {"q", "psi", "g", "rl-only", "path", "ppo"}
