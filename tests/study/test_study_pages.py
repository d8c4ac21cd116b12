"""The pages of a study in a browser: by mouse, by keyboard, on a phone, for everybody."""

from __future__ import annotations

import os
import time
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from small_study import small_study

from page_browser import at_address, faults_of, requests_of
from seqtutor.study.app import make_app
from seqtutor.study.database import open_database
from seqtutor.study.serving import Serving, new_researcher_token
from seqtutor.study.stored import collect
from seqtutor.web import running

AXE = os.environ.get("SEQTUTOR_AXE", "")
PATIENCE = 20.0
BROKEN_WORDS = """
return [...document.querySelectorAll(".figures dt")].flatMap((one) => {
  const text = one.firstChild;
  return [...text.data.matchAll(/\\S+/g)].filter((word) => {
    const range = document.createRange();
    range.setStart(text, word.index);
    range.setEnd(text, word.index + word[0].length);
    return range.getClientRects().length > 1;
  }).map((word) => word[0]);
});
"""
"""Words of the researcher's tiles that go on in the next line."""


@contextmanager
def served(study):
    """Address, database and the researcher's token."""
    opened = closing(open_database(study.folder, None, study.sha256))
    with opened as database, running(make_app(Serving(study, database))) as address:
        yield address.rstrip("/"), database, new_researcher_token(database, time.time())


class Page:
    """A listener at a browser."""

    def __init__(self, driver):
        self.driver = driver

    def all(self, selector):
        return self.driver.find_elements("css selector", selector)

    def one(self, selector):
        return self.until(lambda: next(iter(self.all(selector)), None))

    def until(self, found):
        """What is found at last; pages come and go meanwhile."""
        from selenium.common.exceptions import WebDriverException
        from selenium.webdriver.support.ui import WebDriverWait

        wait = WebDriverWait(self.driver, PATIENCE, 0.05, [WebDriverException])
        return wait.until(lambda driver: found())

    def go(self, address):
        self.driver.get(address)

    def keys(self, *keys):
        """Press keys, wherever the focus is."""
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def agree(self, address):
        self.go(f"{address}/")
        self.one("[name=agrees]").click()
        self.one("button.primary").click()
        self.until(lambda: self.driver.current_url.endswith("/instructions"))
        self.one("a.primary").click()
        self.one("#trial")

    def agree_by_keyboard(self, address):
        from selenium.webdriver import Keys

        self.go(f"{address}/")
        self.one("[name=agrees]")
        # The first stop is the link to the content.
        self.keys(Keys.TAB, Keys.TAB, Keys.SPACE, Keys.TAB, Keys.ENTER)
        self.until(lambda: self.driver.current_url.endswith("/instructions"))
        self.one("a.primary")
        self.keys(Keys.TAB, Keys.TAB, Keys.ENTER)
        self.one("#trial")

    @property
    def trial(self):
        return self.one("#trial").get_attribute("data-trial")

    @property
    def can_rate(self):
        return self.all(".scale input")[0].is_enabled()

    def after(self, trial):
        """Wait for another page than that of a question."""
        self.until(lambda: all(f.get_attribute("data-trial") != trial for f in self.all("#trial")))
        self.one("h1")

    def answer_by_mouse(self, number):
        trial = self.trial
        for button in self.all(".play"):
            assert not self.can_rate
            button.click()
            box = button.find_element("xpath", "..")
            self.until(lambda box=box: "heard" in box.get_attribute("class"))
        self.until(lambda: self.can_rate)
        self.all(".scale input")[number - 1].click()
        self.one("#next").click()
        self.after(trial)

    def answer_by_keyboard(self, number):
        from selenium.webdriver import Keys

        trial = self.trial
        self.keys(str(number), Keys.ENTER)
        assert not self.can_rate, "nothing was heard yet"
        for key in (Keys.ARROW_LEFT, Keys.ARROW_RIGHT):
            self.keys(key, Keys.SPACE)
            self.until(lambda: "heard" in self.one(".current .player").get_attribute("class"))
        self.until(lambda: self.can_rate)
        self.keys(str(number))
        self.keys(Keys.ENTER)
        self.after(trial)


def votes_in(database, study):
    with database.reading() as connection:
        return [one.vote for one in collect(connection, study.plan).votes]


def assert_accessible(driver):
    if AXE:
        assert faults_of(driver, Path(AXE)) == []


def test_sessions_by_mouse_by_keyboard_resumed_and_withdrawn(tmp_path):
    study = small_study(tmp_path / "s", comparisons=2, catch=0)
    with served(study) as (address, database, _), at_address(f"{address}/") as driver:
        mouse = Page(driver)
        assert_accessible(driver)
        mouse.agree(address)
        assert_accessible(driver)
        script = "return [...document.querySelectorAll('audio')].every((one) => one.paused)"
        assert driver.execute_script(script), "nothing plays by itself"
        mouse.answer_by_mouse(4)
        # Two listeners at once: the other one has a browser without the cookie.
        with at_address(f"{address}/") as second:
            keyboard = Page(second)
            keyboard.agree_by_keyboard(address)
            assert "Space play or pause" in keyboard.one(".by-keyboard").text, "it is told"
            keyboard.answer_by_keyboard(2)
            mouse.answer_by_mouse(5)
            keyboard.answer_by_keyboard(1)
            trial = keyboard.trial
            # Closed and opened again, at the first page: it goes on with the same question.
            keyboard.go(f"{address}/")
            assert keyboard.trial == trial
            keyboard.answer_by_keyboard(3)
            assert "Thank you" in keyboard.one("h1").text
            before = votes_in(database, study)
            assert [vote.rating for vote in before if vote.listener == "L0002"] == [-1, -2, 0]
            assert requests_of(second, address) == []
        mouse.one("footer a[href='/leave']").click()
        mouse.until(lambda: driver.current_url.endswith("/leave"))
        assert_accessible(driver)
        mouse.one("button.danger").click()
        mouse.until(lambda: driver.current_url.endswith("/withdrawn"))
        left = votes_in(database, study)
        assert {vote.listener for vote in left} == {"L0002"}
        assert all(vote.left_plays == vote.right_plays == 1 for vote in left)
        assert all(0 < vote.seconds < 60 for vote in left)
        assert requests_of(driver, address) == []
        assert [one for one in driver.get_log("browser") if one["level"] == "SEVERE"] == []


def test_what_was_heard_is_kept_when_the_page_is_loaded_again(tmp_path):
    study = small_study(tmp_path / "s", practice=0, comparisons=2, catch=0)
    with served(study) as (address, database, _), at_address(f"{address}/") as driver:
        page = Page(driver)
        page.agree(address)
        first = page.all(".play")[0]
        first.click()
        page.until(lambda: len(page.all(".player.heard")) == 1)
        driver.refresh()
        page.until(lambda: len(page.all(".player.heard")) == 1)
        assert not page.can_rate
        page.all(".play")[1].click()
        page.until(lambda: page.can_rate)
        driver.refresh()
        page.until(lambda: page.can_rate)
        trial = page.trial
        page.keys("4")
        page.one("#next").click()
        page.after(trial)
        (vote,) = votes_in(database, study)
        assert (vote.left_plays, vote.right_plays) == (1, 1)
        assert page.all(".player.heard") == [], "the next question was not heard"


def at_phone(address):
    return at_address(address, 360, is_dark=True)


@pytest.mark.parametrize("kind", ["picture", "text"])
def test_drawings_and_texts_on_a_phone_in_the_dark(tmp_path, kind):
    study = small_study(tmp_path / "s", kind=kind, practice=0, comparisons=1, catch=0)
    with served(study) as (address, database, token), at_phone(f"{address}/") as driver:
        phone = Page(driver)
        phone.agree(address)
        widths = driver.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
        assert widths == [360, 360]
        if kind == "picture":
            assert driver.execute_script(
                "return [...document.images].every((one) => one.naturalWidth > 10)"
            )
        assert_accessible(driver)
        trial = phone.trial
        phone.until(lambda: phone.can_rate)
        phone.all(".scale input")[2].click()
        phone.one("#next").click()
        phone.after(trial)
        assert [vote.rating for vote in votes_in(database, study)] == [0]
        phone.go(f"{address}/researcher#{token}")
        phone.one("#live")
        assert_accessible(driver)
        assert phone.one(".figures dd").text == "1"
        for width in (360, 700, 900, 1100, 1440):
            size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            assert driver.execute_script(BROKEN_WORDS) == [], width
        size["width"] = 360
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        widths = driver.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
        assert widths == [360, 360]
        phone.one(".state button").click()
        phone.one(".stopped")


def test_an_answer_is_sent_until_the_server_has_it(tmp_path):
    """The connection fails for a while: the page waits, says so, and loses nothing."""
    study = small_study(tmp_path / "s", practice=0, comparisons=1, catch=0)
    with served(study) as (address, database, _), at_address(f"{address}/") as driver:
        page = Page(driver)
        page.agree(address)
        for button in page.all(".play"):
            button.click()
            box = button.find_element("xpath", "..")
            page.until(lambda box=box: "heard" in box.get_attribute("class"))
        page.keys("5")
        trial = page.trial
        conditions = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        driver.execute_cdp_cmd("Network.emulateNetworkConditions", conditions | {"offline": True})
        page.one("#next").click()
        page.until(lambda: "not stored yet" in page.one("form .said[role=alert]").text)
        assert votes_in(database, study) == []
        driver.execute_cdp_cmd("Network.emulateNetworkConditions", conditions | {"offline": False})
        page.after(trial)
        assert [vote.rating for vote in votes_in(database, study)] == [2]
