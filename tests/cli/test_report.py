"""The page of runs, as the command writes it and as a browser shows it."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
from html import unescape
from pathlib import Path

import pytest

from page_browser import faults_of, opened, requests_of, sounds_of
from seqtutor.cli.main import main
from seqtutor.measures.intervals import Interval
from seqtutor.report.tables import Cell, format_cell
from seqtutor.tasks.melody.evaluation import melody_measures

TINY = ["--steps", "8192", "--environments", "64", "--replay-capacity", "256", "--batch", "16"]
TINY += ["--updates", "2", "--log-every", "4096", "--evaluate", "0", "--samples", "2"]
NUMBER, SHOWN = 64, 4
AXE = Path(os.environ.get("SEQTUTOR_AXE", "nowhere"))
"""The file axe.min.js of the npm package axe-core, if accessibility is to be checked."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "psi"
    arguments = ["tune", "melody", "--method", "psi", "--output", str(folder), *TINY]
    assert main([*arguments, "--seeds", "2", "--seeds-by", "vmap"]) == 0
    return folder


@pytest.fixture(scope="module")
def page(runs) -> Path:
    path = runs / "all.html"
    sizes = ["--number", str(NUMBER), "--samples", str(SHOWN)]
    assert main(["report", str(runs), "--output", str(path), *sizes]) == 0
    return path


def table_of(text: str) -> dict[str, list[str]]:
    """The cells of the table of measures by the label of their row."""
    (body,) = re.findall(r'<table class="measures">.*?<tbody>(.*?)</tbody>', text, re.DOTALL)
    rows = {}
    for row in body.split("<tr>")[1:]:
        (label,) = re.findall(r'<th scope="row">(.*?)</th>', row)
        rows[unescape(label)] = [unescape(c) for c in re.findall(r"<td[^>]*>(.*?)</td>", row)]
    return rows


def test_every_shown_melody_has_a_sound_a_score_and_a_roll(page):
    text = page.read_text(encoding="utf-8")
    assert text.count("<article") == 2 * SHOWN
    assert text.count("<audio") == 2 * SHOWN
    assert text.count("data-score=") == 2 * SHOWN
    assert text.count('<svg class="roll"') == 2 * SHOWN
    for title in ("Note RNN", "Ψ"):
        for rule in ("random", "best", "typical", "worst"):
            assert f"{title}, {rule} 1" in text


def test_the_numbers_are_those_of_evaluate(runs, page, capsys):
    arguments = ["evaluate", "prior", str(runs), "--number", str(NUMBER), "--json"]
    assert main(arguments) == 0
    (prior,) = json.loads(capsys.readouterr().out.splitlines()[-1])["prior"]
    shown = table_of(page.read_text(encoding="utf-8"))
    for measure in melody_measures().measures:
        low, high = prior["intervals"].get(measure.name, (math.nan, math.nan))
        value = prior[measure.name]
        if value is not None:
            expected = format_cell(Cell.of_interval(Interval(value, low, high)), measure.unit)
            assert shown[measure.title][0].rstrip(" ✓✗≈") == expected


def test_runs_that_differ_in_the_seed_alone_are_one_policy(page):
    text = page.read_text(encoding="utf-8")
    assert "over 2 seeds" in text
    assert "Ψ, seed 0" in text
    assert "Ψ, seed 1" in text


def test_the_same_command_writes_the_same_page(runs, page, tmp_path):
    again = tmp_path / "again.html"
    sizes = ["--number", str(NUMBER), "--samples", str(SHOWN)]
    assert main(["report", str(runs), "--output", str(again), *sizes]) == 0

    def samples(path: Path) -> list[str]:
        return re.findall(r'aria-label="([^"]*earned[^"]*|[A-G]#?\d, [^"]*)"', path.read_text())

    assert samples(again) == samples(page) != []


def test_a_copy_of_a_run_is_not_a_further_seed(runs, tmp_path, capsys):
    copy = tmp_path / "copy"
    shutil.copytree(runs / "seed0", copy)
    assert main(["report", str(runs), str(copy), "--output", str(tmp_path / "page.html")]) == 2
    assert "has the same weights as" in capsys.readouterr().err
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "name the folder of a run"),
        (["RUN", "--output", "page.txt"], "must name an HTML file"),
        (["RUN", "--samples", "0"], "--samples must lie between"),
        (["RUN", "--number", "1"], "--number must be at least 2"),
        (["nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_done_is_refused(arguments, words, runs, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = [str(runs / "seed0") if one == "RUN" else one for one in arguments]
    assert main(["report", "melody", *given]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()[-1:]
    assert words in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("width", "is_dark"), [(1440, False), (360, True)])
def test_the_page_in_a_browser_without_a_network(page, width, is_dark):
    with opened(page, width, is_dark=is_dark) as driver:
        assert driver.execute_script("return document.documentElement.scrollWidth") <= width
        sounds = sounds_of(driver)
        assert len(sounds) == 2 * SHOWN
        assert all(seconds > 2 and loudness > 0.01 for seconds, loudness in sounds)
        assert requests_of(driver) == []
        assert driver.get_log("browser") == []
        if AXE.is_file():
            assert faults_of(driver, AXE) == []


def test_no_number_is_cut_off_on_paper(page):
    """A sheet of A4 within its margins is about 700 pixels wide."""
    with opened(page, 700) as driver:
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        table, room, listed = driver.execute_script("""
          const box = (selector) => document.querySelector(selector).getBoundingClientRect();
          return [box(".measures").right, box("main").right, box("#list").height];
        """)
    assert 0 < table <= room
    assert listed == 0, "hundreds of lines are for the screen"


def test_a_measure_is_read_beside_its_number_on_a_narrow_screen(page):
    with opened(page, 360) as driver:
        name, number = driver.execute_script("""
          const row = document.querySelector(".measures tbody tr");
          row.closest(".scroll").scrollLeft = 60;
          return [...row.cells].slice(0, 2).map((one) => one.getBoundingClientRect().toJSON());
        """)
    assert 0 <= name["left"] < 40, "it stays where it is"
    assert number["right"] < 360 + 60


def test_notes_tell_what_they_earned_to_the_keyboard_and_the_pointer(page):
    script = """
    const card = [...document.querySelectorAll(".card")].find(
      (one) => one.querySelectorAll(".marks button").length > 1);
    const [first, second] = card.querySelectorAll(".marks button");
    first.focus();
    first.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowRight", bubbles: true}));
    const said = card.querySelector(".words").textContent;
    const hot = [...card.querySelectorAll(".picture .hot")].length;
    const note = card.querySelector('.roll [data-mark]');
    note.dispatchEvent(new PointerEvent("pointerover", {bubbles: true}));
    const pointed = card.querySelector(".words").textContent;
    const label = card.querySelector(`.marks [data-mark="${note.dataset.mark}"]`).ariaLabel;
    return [said, second.ariaLabel, hot, pointed, label, document.activeElement === second];
    """
    with opened(page) as driver:
        said, expected, hot, pointed, label, is_focused = driver.execute_script(script)
    assert said == expected
    assert is_focused
    assert hot >= 1
    assert pointed == label


def test_the_table_sorts_filters_and_saves(page):
    script = """
    const body = document.querySelector("#listing tbody");
    const names = [...document.querySelectorAll("#listing th")].map((e) => e.textContent.trim());
    const column = names.indexOf("reward");
    document.querySelectorAll("#listing th button")[column].click();
    const values = () => [...body.rows].filter((row) => !row.hidden)
      .map((row) => Number(row.cells[column].dataset.value));
    const sorted = values();
    const find = document.getElementById("find");
    find.value = `reward>${sorted[9]}`;
    find.dispatchEvent(new Event("input"));
    let saved = null;
    URL.createObjectURL = (blob) => { saved = blob; return "#"; };
    document.querySelector('[data-save="csv"]').click();
    const done = arguments[arguments.length - 1];
    saved.text().then((text) => done([sorted, values(), text]));
    """
    with opened(page) as driver:
        ordered, kept, saved = driver.execute_async_script(script)
    assert len(ordered) == NUMBER + 100, "of each policy the first hundred"
    assert ordered == sorted(ordered, reverse=True)
    assert kept == [one for one in ordered if one > ordered[9]]
    assert len(saved.strip().splitlines()) == 1 + len(kept)
