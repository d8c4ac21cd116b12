"""The documentation against the package: pages, links, names, defaults, commands and formulas."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import shlex
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import yaml

from seqtutor.cli.main import COMMANDS, find_call, main, parse
from seqtutor.errors import UserError
from seqtutor.methods.registry import method_named, method_names
from seqtutor.training.settings import TutorSettings, to_flat

ROOT = Path(__file__).parents[1]
METHODS = method_names()
INDEX = ROOT / "docs" / "methods" / "README.md"
PAGES = sorted(set(INDEX.parent.glob("*.md")) - {INDEX})
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FIGURES = ROOT / "docs" / "figures" / "methods"

LINK = re.compile(r"\[([^]]*)\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def text_of(path):
    return path.read_text(encoding="utf-8")


def prose_of(path):
    """The text without fenced blocks and code spans."""
    return re.sub(r"`[^`\n]*`", "", FENCE.sub("", text_of(path)))


def blocks_of(path, language):
    return [body for found, body in FENCE.findall(text_of(path)) if found == language]


def heading_of(path):
    return text_of(path).split("\n", 1)[0]


def methods_of(path):
    """The methods that a page's heading names; the index is about all of them."""
    return METHODS if path == INDEX else tuple(re.findall(r"`([\w-]+)`", heading_of(path)))


def anchors_of(path):
    """GitHub's names of the headings."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text_of(path)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


every_document = pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
every_page = pytest.mark.parametrize("path", [INDEX, *PAGES], ids=name_of)


def test_the_index_says_of_every_method_what_its_record_says():
    text = text_of(INDEX)
    for name in METHODS:
        method = method_named(name)
        assert re.search(rf"^\| {method.symbol} \| .* \| {method.summary} \|$", text, re.MULTILINE)


def test_every_method_has_one_page_and_the_index_leads_to_it():
    assert sorted(method for page in PAGES for method in methods_of(page)) == sorted(METHODS)
    linked = {target for _, target in LINK.findall(text_of(INDEX))}
    assert {page.name for page in PAGES} <= linked


@every_document
def test_links_lead_somewhere(path):
    figures = {FIGURES / f"{page}.svg" for page in figure_script().PAGES}
    for _, target in LINK.findall(text_of(path)):
        if target.startswith(("https://", "http://")):
            continue
        file, _, anchor = target.partition("#")
        found = (path.parent / file).resolve() if file else path
        # The curves are drawn from long runs, after the pages are written.
        assert found.exists() or found in figures, target
        assert not anchor or anchor in anchors_of(found), target


@cache
def names_in(source):
    """Functions, classes, methods and constants that a Python file defines."""
    found = set()
    for node in ast.parse(text_of(source)).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            inner = (n.name for n in node.body if isinstance(n, ast.FunctionDef))
            found.update(f"{node.name}.{name}" for name in inner)
    return found


@every_document
def test_linked_names_are_defined_in_the_file_that_is_linked(path):
    for label, target in LINK.findall(text_of(path)):
        name = re.fullmatch(r"`(\w+)\.([\w.]+)`", label)
        if name is None or not target.endswith(".py"):
            continue
        source = (path.parent / target).resolve()
        assert source.stem == name[1], label
        assert name[2] in names_in(source), label


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_every_page_leads_to_code_and_to_its_curve(path):
    targets = [target for _, target in LINK.findall(text_of(path))]
    for method in methods_of(path):
        assert f"../../src/seqtutor/methods/{method.replace('-', '_')}.py" in targets
    assert f"../figures/methods/{path.stem}.svg" in targets
    assert figure_script().PAGES[path.stem] == methods_of(path)


def test_the_loop_names_what_exists():
    sources = {s.stem: s for s in (ROOT / "src" / "seqtutor" / "training").glob("*.py")}
    (loop,) = blocks_of(INDEX, "text")
    named = re.findall(r" (\w+)\.(\w+)$", loop, re.MULTILINE)
    assert len(named) > 3
    for module, name in named:
        if module == "TutorPlan":
            assert f"TutorPlan.{name}" in names_in(sources["plan"])
        else:
            assert name in names_in(sources[module])


def test_the_example_of_a_task_and_of_its_spec_run_as_they_stand(tmp_path, capsys):
    page = ROOT / "docs" / "add_a_task.md"
    task, _, spec = blocks_of(page, "python")
    file, words = tmp_path / "words.py", tmp_path / "my_words.txt"
    file.write_text(f"{task}\n\n{spec}")
    words.write_text("cafe\n")
    for arguments, total in [(["task"], 2 - 0.4), (["Words"], 2 - 0.4), (["Words", "2"], 4 - 0.4)]:
        options = [f"--vowels={number}" for number in arguments[1:]]
        command = ["score", f"{file}:{arguments[0]}", str(words), "--json", *options]
        assert main(command) == 0
        assert json.loads(capsys.readouterr().out)["total"] == pytest.approx(total)
    commands = re.findall(r"^    (seqtutor \w+ words\.py.*)$", text_of(page), re.MULTILINE)
    assert len(commands) > 8
    for _, name, *arguments in map(shlex.split, commands):
        given = [one.replace("words.py:", f"{file}:") for one in arguments]
        parse(find_call(name, given))


def settings_in(path):
    """The rows of a document's tables of settings: name and default."""
    for table in re.findall(r"^\| Setting \| Default .*\n(?:\|.*\n)+", text_of(path), re.MULTILINE):
        for row in table.splitlines()[2:]:
            name, default = (cell.strip() for cell in row.split("|")[1:3])
            yield name.strip("`"), None if default == "none" else yaml.safe_load(default)


@every_page
def test_defaults_are_those_of_the_settings(path):
    for method in methods_of(path):
        for name, default in settings_in(path):
            found = to_flat(TutorSettings.of(method))
            for part in name.split("."):
                found = found[part]
            assert found == default, (method, name)


def test_every_setting_is_on_some_page():
    expected = set()
    for method in METHODS:
        flat = to_flat(TutorSettings.of(method))
        expected |= {f"exploration.{name}" for name in flat.pop("exploration", ())} | set(flat)
    expected.remove("method")
    assert {name for path in [INDEX, *PAGES] for name, _ in settings_in(path)} == expected


@every_page
def test_commands_are_accepted(path):
    for block in blocks_of(path, "sh"):
        for line in block.splitlines():
            program, *arguments = shlex.split(line)
            if program == "python":
                assert (ROOT / arguments[0]).is_file()
                continue
            assert program == "seqtutor"
            assert arguments[0] in COMMANDS
            parse(find_call(arguments[0], arguments[1:]))


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_every_page_tells_how_to_run_its_methods(path):
    commands = "".join(blocks_of(path, "sh")).splitlines()
    told = {shlex.split(c)[shlex.split(c).index("--method") + 1] for c in commands}
    assert told == set(methods_of(path))


# What Markdown takes for its own before mathematics is looked for: an escaped sign, emphasis,
# a table's bar, a tag; and the macro that GitHub's MathJax refuses.
UNSAFE = re.compile(r"\\[^A-Za-z]|(?<![A-Za-z0-9])_|[*|<>]|\\operatorname")


@every_document
def test_formulas_in_the_text_survive_markdown(path):
    for paragraph in re.split(r"\n\s*\n|\n(?=[|-])", prose_of(path)):
        parts = paragraph.split("$")
        assert len(parts) % 2 == 1, paragraph
        for formula in parts[1::2]:
            assert formula == formula.strip(), formula
            assert UNSAFE.search(formula) is None, formula
            assert formula.count("{") == formula.count("}"), formula
    for block in blocks_of(path, "math"):
        assert block.count("{") == block.count("}")
        assert block.count(r"\begin") == block.count(r"\end")
        assert "operatorname" not in block


@cache
def figure_script():
    source = ROOT / "docs" / "make_method_figures.py"
    spec = importlib.util.spec_from_file_location("make_method_figures", source)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = script  # dataclasses look their module up
    spec.loader.exec_module(script)
    return script


def write_run(folder, values, *, is_complete=True, **tutor):
    folder.mkdir(parents=True)
    settings = {"method": "rloo", "c": 1.0, "discount": 1.0, "seed": 0} | tutor
    made_by = {"command": folder.name}
    (folder / "config.yaml").write_text(yaml.safe_dump({"tutor": settings, "made_by": made_by}))
    names = [quantity.name for quantity in figure_script().QUANTITIES]
    records = [
        {"step": 10 * (i + 1)} | dict.fromkeys(names, value) for i, value in enumerate(values)
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    if is_complete:
        (folder / "model").mkdir()
        (folder / "model" / "config.json").write_text("{}")


def test_curves_average_the_seeds_of_finished_runs(tmp_path):
    script = figure_script()
    write_run(tmp_path / "runs" / "a", [1.0, 2.0])
    write_run(tmp_path / "runs" / "deeper" / "b", [3.0, 6.0, 9.0], seed=1)
    write_run(tmp_path / "runs" / "c", [100.0], seed=2, is_complete=False)
    write_run(tmp_path / "runs" / "d", [100.0, 100.0], seed=3, c=2.0)
    found = script.runs_by_method(list(script.finished_runs(tmp_path / "runs")), [1.0])
    assert [run.seed for run in found["rloo"]] == [0, 1]
    assert script.label("rloo", found["rloo"]) == (
        "RLOO, c = 1, γ = 1: mean and 95 % interval of 2 seeds"
    )
    np.testing.assert_array_equal(found["rloo"][1].history["reward"], [3.0, 6.0, 9.0])
    options = script.Options(tmp_path / "runs", (1.0,), tmp_path / "figures")
    (figure,) = script.draw(options)
    assert figure == tmp_path / "figures" / "rloo.svg"
    assert figure.stat().st_size > 1000


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"c": 2.0, "seed": 1}, "c = 1, 2; choose one"),
        ({"discount": 0.5, "seed": 1}, "more than c and the seed"),
        ({"seed": 0}, "same seed"),
    ],
)
def test_runs_that_cannot_be_averaged_are_refused(tmp_path, other, message):
    script = figure_script()
    write_run(tmp_path / "a", [1.0])
    write_run(tmp_path / "b", [1.0], **other)
    with pytest.raises(UserError, match=message):
        script.draw(script.Options(tmp_path, output=tmp_path / "figures"))
    with pytest.raises(UserError, match="no finished runs"):
        script.draw(script.Options(tmp_path / "none", output=tmp_path / "figures"))
