"""Which part may import which: read from the source, so that nothing has to be imported."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import seqtutor

ROOT = Path(seqtutor.__file__).parent

# Each part with those it may import besides itself, from the bottom to the top.
CORE = [
    "errors",
    "arguments",
    "files",
    "machine",
    "cache",
    "references",
    "settings",
    "types",
    "vocabulary",
    "measure",
    "workers",
]
CORE += [
    "rewards",
    "task",
    "data",
    "comparisons",
    "text_sequences",
    "task_records",
    "controls",
    "exhibits",
    "task_spec",
    "task_registry",
]
FLOORS = [
    *([part] for part in CORE),
    ["objectives", "models"],
    ["methods"],
    ["training"],
    ["measures", "proof"],
    ["report"],
    ["adversarial", "preferences"],
    ["runs"],
    ["api"],
    ["playing"],
    ["web"],
    ["listen", "study"],
    ["tasks"],
    ["cli"],
]
PARTS: dict[str, set[str]] = {}
for floor in FLOORS:
    below = set(PARTS)
    PARTS.update((part, set(below)) for part in floor)
ENTRANCES = {"__init__", "__main__"}

CORE_LIBRARIES = {"equinox", "jax", "jaxtyping", "numpy", "optax", "safetensors", "scipy"}
CORE_LIBRARIES |= {"platformdirs"}
NUMERICAL_PARTS = ["objectives", "models", "methods", "training", "measures", "proof"]
NUMERICAL_PARTS += ["adversarial", "preferences"]
ALLOWED_LIBRARIES = dict.fromkeys([*CORE, *NUMERICAL_PARTS], CORE_LIBRARIES)
SOURCES = sorted(ROOT.rglob("*.py"))


def part_of(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported_modules(path):
    """Every module named by an import, at the top, inside a function or for types alone."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relative to itself"
            if node.module == "seqtutor":
                yield from (f"seqtutor.{alias.name}" for alias in node.names)
            else:
                yield node.module


def test_every_part_has_its_place():
    assert {part_of(path) for path in SOURCES} == set(PARTS) | ENTRANCES


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_imports_run_one_way(path):
    part = part_of(path)
    if part in ENTRANCES:
        return
    allowed = PARTS[part] | {part}
    libraries = ALLOWED_LIBRARIES.get(part)
    for module in imported_modules(path):
        package, *rest = module.split(".")
        if package == "seqtutor":
            assert rest[0] in allowed | {"__version__"}, f"{part} must not import {module}"
        elif libraries is not None:
            standard = package in sys.stdlib_module_names
            assert standard or package in libraries, f"{part} must not import {module}"


@pytest.mark.parametrize(
    "modules",
    [
        "seqtutor",
        "seqtutor.training.settings, seqtutor.adversarial.settings",
        "seqtutor.training.pretrain_settings as home; home.PretrainSettings.of(epochs=1)",
    ],
)
def test_settings_load_without_arrays(modules):
    """`seqtutor --help` needs names and defaults, not JAX."""
    arrays = ["jax", "numpy", "scipy", "equinox", "optax"]
    media = ["music21", "symusic", "matplotlib", "rich", "tyro", "yaml"]
    code = f"import sys, {modules}; print([m for m in {arrays + media} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_public_names_are_there():
    for name in seqtutor.__all__:
        assert getattr(seqtutor, name).__module__.startswith("seqtutor.")
    assert set(seqtutor.__all__) <= set(dir(seqtutor))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = seqtutor.nothing


TASK_WORDS = re.compile(r"\b(melody|melodies|molecules?|folk|smiles|peptides?)\b", re.IGNORECASE)
GENERIC = ["cli", "runs", "report", "measures", "training", "methods", "models", "adversarial"]
GENERIC += ["preferences", "listen"]


@pytest.mark.parametrize("part", GENERIC)
def test_generic_parts_name_no_task(part):
    """A noun with its number, such as "1 melody", may be an example in a docstring."""
    named = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in sorted((ROOT / part).rglob("*.py"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if TASK_WORDS.search(line) and '"1 melody", "1,000 melodies"' not in line
    ]
    assert not named


def test_the_map_of_the_house_names_what_exists():
    repository = Path(__file__).parents[1]
    house = (repository / "docs" / "house.md").read_text(encoding="utf-8")
    chain = re.findall(r"^\d+\. `([\w/]+\.py)`", house, re.MULTILINE)
    assert 10 < len(chain) <= 18
    for name in {*chain, *re.findall(r"`([\w/]+\.py)`", house)}:
        assert (ROOT / name).is_file() or (repository / name).is_file(), name


@pytest.mark.parametrize("path", sorted((ROOT / "tasks").rglob("*.py")), ids=lambda p: p.stem)
def test_no_task_imports_another(path):
    """What two of them need stands in `tasks/scores`, which imports none."""
    task = path.relative_to(ROOT).parts[1]
    allowed = {task, "scores"}
    for module in imported_modules(path):
        if module.startswith("seqtutor.tasks."):
            assert module.split(".")[2] in allowed, f"{task} must not import {module}"
