"""A headless browser without a network, for tests of pages."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PATIENCE = 60
"""Seconds that a page is waited for."""
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


@contextmanager
def opened(page: Path, width: int = 1440, *, is_dark: bool = False) -> Iterator[Any]:
    """A driver of Chromium without a network that shows the page of a file."""
    with _driver(width, is_dark, is_offline=True) as driver:
        driver.get(page.absolute().as_uri())
        yield driver


@contextmanager
def at_address(address: str, width: int = 1440, *, is_dark: bool = False) -> Iterator[Any]:
    """A driver of Chromium that shows the page of a server on this machine."""
    with _driver(width, is_dark, is_offline=False) as driver:
        driver.get(address)
        yield driver


@contextmanager
def _driver(width: int, is_dark: bool, is_offline: bool) -> Iterator[Any]:
    """A driver of Chromium; the test is skipped where there is none."""
    browser, helper = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or helper is None:
        pytest.skip("there is no Chromium: apt-get install chromium chromium-driver")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(helper))
    scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
    size = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
    nothing = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    try:
        driver.execute_cdp_cmd("Network.enable", {})
        if is_offline:
            driver.execute_cdp_cmd("Network.emulateNetworkConditions", nothing)
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        yield driver
    finally:
        driver.quit()


def wait(driver: Any, script: str) -> None:
    """Until a script's value is true, for a minute."""
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(driver, PATIENCE, poll_frequency=0.05).until(
        lambda one: one.execute_script(f"return {script}")
    )


def requests_of(driver: Any, own: str = "file:") -> list[str]:
    """The addresses that the page asked for, but for its own and what it holds."""
    found = []
    for entry in driver.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            found.append(message["params"]["request"]["url"])
    return [one for one in found if not one.startswith((own, "data:", "blob:"))]


LOUDNESS = """
const done = arguments[arguments.length - 1];
const sounds = [...document.querySelectorAll("audio")].map((one) => one.src);
const context = new OfflineAudioContext(1, 48000, 48000);
Promise.all(sounds.map(async (source) => {
  const bytes = Uint8Array.from(atob(source.split(",")[1]), (one) => one.charCodeAt(0));
  const decoded = await context.decodeAudioData(bytes.buffer);
  const frames = decoded.getChannelData(0);
  const squares = frames.reduce((sum, frame) => sum + frame * frame, 0);
  return [decoded.duration, Math.sqrt(squares / frames.length)];
})).then(done, (error) => done(String(error)));
"""


def sounds_of(driver: Any) -> list[tuple[float, float]]:
    """Seconds and effective amplitude of each sound, as the browser decodes it."""
    found = driver.execute_async_script(LOUDNESS)
    assert isinstance(found, list), found
    return [tuple(one) for one in found]


def faults_of(driver: Any, axe: Path) -> list[str]:
    """Serious faults of accessibility that axe-core finds."""
    driver.execute_script(axe.read_text(encoding="utf-8"))
    found = driver.execute_async_script(
        "const done = arguments[arguments.length - 1]; axe.run().then(done, (e) => done(String(e)))"
    )
    assert isinstance(found, dict), found
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:200]}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]
