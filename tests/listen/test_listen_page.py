"""The page as the command serves it and a browser shows it."""

from __future__ import annotations

import base64
import json
import os
import re
from pathlib import Path

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from listening import generate, melody_run, served
from page_browser import at_address, faults_of, requests_of, sounds_of, wait
from seqtutor.tasks.melody.encoding import Note, notes_to_tokens
from seqtutor.tasks.melody.render import RenderSettings
from seqtutor.tasks.scores.keys import Key
from written import write_melody

AXE = Path(os.environ.get("SEQTUTOR_AXE", "nowhere"))
"""The file axe.min.js of the npm package axe-core, if accessibility is to be checked."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("listen")


@pytest.fixture(scope="module")
def address(folder):
    """That of the page of a run of melodies, which the command serves on a free port."""
    with served(melody_run(folder / "psi"), folder / "favourites.json") as found:
        yield found


def text_of(driver, name: str) -> str:
    return driver.find_element(By.ID, name).text


@pytest.fixture(scope="module")
def page(address):
    with at_address(address) as driver:
        wait(driver, "'ready' in document.body.dataset")
        yield driver


@pytest.mark.parametrize(("width", "is_dark"), [(1440, False), (360, True)])
def test_the_page_is_whole_on_wide_and_narrow_screens(address, width, is_dark):
    with at_address(address, width, is_dark=is_dark) as driver:
        wait(driver, "'ready' in document.body.dataset")
        generate(driver)
        assert driver.execute_script("return document.documentElement.scrollWidth") <= width
        sounds = sounds_of(driver)
        assert len(sounds) == 3
        assert all(seconds > 2 and loudness > 0.01 for seconds, loudness in sounds)
        drawings = "document.querySelectorAll('#cards .card {}').length"
        assert driver.execute_script(f"return {drawings.format('[data-score]')}") == 3
        assert driver.execute_script(f"return {drawings.format('svg.roll')}") == 3
        ids = driver.execute_script("return [...document.querySelectorAll('[id]')].map(e => e.id)")
        assert len(ids) == len(set(ids)), "no two pictures share an id"
        foreign = [one for one in requests_of(driver) if not one.startswith(address)]
        assert foreign == []
        assert driver.get_log("browser") == []
        if AXE.is_file():
            for name in ("new", "kept", "blind"):
                driver.execute_script(f"document.getElementById('tab-{name}').click()")
                assert faults_of(driver, AXE) == []


def test_a_drawn_beginning_is_what_melodies_begin_with(page):
    """Drawn with the mouse: a note of three sixteenths, and one of one after it."""
    driver = page
    canvas = driver.find_element(By.ID, "canvas")
    driver.execute_script("arguments[0].scrollTop = 0", canvas)
    rows = {name: place for place, name in enumerate(labels(driver))}

    def at(row: str, step: float):
        # Selenium counts from the middle of the element.
        x = 34 + 17 * (step + 0.5) - canvas.size["width"] / 2
        y = 11 * (rows[row] + 0.5) - canvas.size["height"] / 2
        return x, y

    actions = ActionChains(driver)
    actions.move_to_element_with_offset(canvas, *at("G5", 0)).click_and_hold()
    actions.move_to_element_with_offset(canvas, *at("G5", 2)).release()
    actions.move_to_element_with_offset(canvas, *at("E5", 3)).click().perform()
    typed = driver.find_element(By.ID, "primer")
    assert typed.get_attribute("value") == "G5 hold hold E5"
    generate(driver)
    for card in driver.find_elements(By.CSS_SELECTOR, "#cards .card"):
        marks = [one.text for one in card.find_elements(By.CSS_SELECTOR, ".marks button")]
        assert marks[0] == "G5"
        assert marks[1] == "E5"
    canvas.send_keys(Keys.BACKSPACE)
    assert typed.get_attribute("value") == "G5 hold hold", "the cursor stands on the last one"
    driver.find_element(By.ID, "clear").click()
    assert typed.get_attribute("value") == ""


def labels(driver) -> list[str]:
    """The names of the rows of the canvas; the black keys have none, and count too."""
    script = """
    const done = arguments[0];
    fetch("/api/canvas", {method: "POST", body: JSON.stringify({source: "Ψ"})})
      .then((one) => one.json()).then((one) => done(one.canvas.rows.map((row) => row.label)));
    """
    return driver.execute_async_script(script)


def test_a_dropped_file_in_another_key_is_gone_on_with_in_that_key(page, folder):
    driver = page
    notes = [Note(4 * place, 4, pitch) for place, pitch in enumerate((62, 66, 69, 74))]
    melody = notes_to_tokens(notes, 16)
    path = write_melody(melody, folder / "in_d.mid", RenderSettings(key=Key(2)))
    driver.find_element(By.ID, "file").send_keys(str(path))
    wait(driver, "document.getElementById('primer-said').textContent.includes('It is in D major')")
    assert driver.execute_script("return document.querySelector('[name=key]').value") == "D major"
    generate(driver)
    card = driver.find_element(By.CSS_SELECTOR, "#cards .card")
    marks = [one.text for one in card.find_elements(By.CSS_SELECTOR, ".marks button")]
    assert marks[:4] == ["D4", "F#4", "A4", "D5"], "as it was given, not as the model has it"
    driver.find_element(By.ID, "clear").click()
    assert driver.execute_script("return document.querySelector('[name=key]').value") == "C major"


def test_keys_play_keep_and_go_on(page, folder):
    driver = page
    driver.execute_script("document.getElementById('autoplay').checked = false")
    generate(driver)
    body = driver.find_element(By.TAG_NAME, "body")
    driver.execute_script("document.activeElement.blur()")
    body.send_keys(" ")
    wait(driver, "document.querySelectorAll('#cards audio')[0].currentTime > 0.3")
    wait(driver, "document.querySelectorAll('#cards .card')[0].querySelectorAll('.now').length > 1")
    assert driver.execute_script("return !document.querySelector('.playhead').hidden")
    body.send_keys(" ")
    wait(driver, "document.querySelectorAll('#cards audio')[0].paused")
    body.send_keys("f")
    wait(driver, "document.querySelectorAll('.keep[aria-pressed=true]').length == 1")
    (kept,) = json.loads((folder / "favourites.json").read_text("utf-8"))["favourites"]
    body.send_keys("c")
    wait(driver, "document.getElementById('primer').value.length > 0")
    typed = driver.find_element(By.ID, "primer").get_attribute("value").split()
    assert typed == ["rest" if token == "off" else token for token in kept["tokens"]]
    assert driver.execute_script("return Number(document.getElementById('length').value)") > 32
    driver.find_element(By.ID, "clear").click()


def test_favourites_outlive_the_page(page, address, folder):
    (kept,) = json.loads((folder / "favourites.json").read_text("utf-8"))["favourites"]
    driver = page
    driver.get(address)
    wait(driver, "'ready' in document.body.dataset")
    driver.find_element(By.ID, "tab-kept").click()
    wait(driver, "document.querySelectorAll('#kept .kept').length == 1")
    driver.find_element(By.CSS_SELECTOR, "#kept .actions button").click()
    wait(driver, "document.querySelectorAll('#kept audio').length == 1")
    assert driver.find_element(By.CSS_SELECTOR, "#kept h3").text.startswith(kept["title"])
    files = driver.find_elements(By.CSS_SELECTOR, "#kept .files a")
    assert [one.text for one in files] == ["mid", "abc", "mxl", "ogg"]
    names = [one.get_attribute("download") for one in files]
    assert all(re.fullmatch(r"psi-\d+-\d\.\w+", name) for name in names)
    heads = [one.get_attribute("href")[:40] for one in files]
    assert heads[0].startswith("data:audio/midi;base64,TVRoZ")
    assert heads[3].startswith("data:audio/ogg;base64,T2dnU")
    tune = base64.b64decode(files[1].get_attribute("href").partition(",")[2]).decode()
    title = kept["title"].replace("Ψ", "psi")
    assert tune.startswith(f"%abc-2.1\n\nX:1\nT:{title}\n")


def test_a_blind_pair_is_heard_judged_and_told(page):
    driver = page
    driver.find_element(By.ID, "tab-blind").click()
    body = driver.find_element(By.TAG_NAME, "body")
    body.send_keys("g")
    wait(driver, "document.querySelectorAll('#pair-cards .card').length == 2")
    titles = [one.text for one in driver.find_elements(By.CSS_SELECTOR, "#pair-cards h3")]
    assert titles == ["A", "B"]
    body.send_keys("2")
    wait(driver, "!document.querySelectorAll('#pair-cards audio')[1].paused")
    body.send_keys("b")
    wait(driver, "document.getElementById('revealed').textContent.includes(' 1 time,')")
    assert "Note RNN" in text_of(driver, "revealed")
    assert driver.get_log("browser") == []


def test_an_error_is_said_on_the_page_and_nothing_is_lost(page):
    driver = page
    driver.find_element(By.ID, "tab-new").click()
    generate(driver)
    typed = driver.find_element(By.ID, "primer")
    before = [one.text for one in driver.find_elements(By.CSS_SELECTOR, "#cards h3")]
    typed.send_keys("C4 X9", Keys.TAB)
    wait(driver, "!document.getElementById('error').hidden")
    assert "'X9' is not a melody token" in text_of(driver, "error")
    driver.find_element(By.ID, "generate").click()
    wait(driver, "document.getElementById('error').textContent.includes('Begin by itself')")
    wait(driver, "!document.querySelector('#generate[aria-disabled]')")
    titles = [one.text for one in driver.find_elements(By.CSS_SELECTOR, "#cards h3")]
    assert titles == before, "nothing is written without the beginning that was asked for"
    driver.find_element(By.ID, "clear").click()
    generate(driver)
    assert not driver.find_element(By.ID, "error").is_displayed()


def test_a_longer_grid_scrolls_in_its_own_box(page):
    driver = page
    widths = "['scrollWidth', 'clientWidth'].map(name => document.getElementById('{}')[name])"
    for _ in range(4):
        driver.find_element(By.ID, "wider").click()
    inner, outer = driver.execute_script("return " + widths.format("canvas"))
    assert inner > outer, "the grid is wider than the panel"
    inner, outer = driver.execute_script("return " + widths.format("panel"))
    assert inner == outer
