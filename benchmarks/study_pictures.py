"""The pictures of docs/study.md: a comparison on a desk and on a telephone, the researcher's page.

    python benchmarks/study_pictures.py RUN

RUN is a tuned policy of melodies; the votes on the researcher's page are simulated. Chromium has to
be there (Debian's `chromium` and `chromium-driver`).
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from PIL import Image

from seqtutor.cli.main import main as seqtutor

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "docs" / "figures" / "study"
DESK, TELEPHONE = 1020, 360
ALL_SILENT = "return [...document.querySelectorAll('audio')].every((one) => one.paused)"


def picture(driver: Any, width: int, selector: str) -> Image.Image:
    """The page from its top to the end of an element."""
    is_touched = width == TELEPHONE
    driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": is_touched})
    script = f"return document.querySelector({selector!r}).getBoundingClientRect().bottom"
    # A telephone's page has no line of keys, and is shorter.
    for height in (lambda: 1000, lambda: round(driver.execute_script(script)) + 16):
        size = {"width": width, "deviceScaleFactor": 1, "mobile": is_touched}
        size["height"] = height()
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    time.sleep(1)  # Until colours have changed.
    return Image.open(io.BytesIO(driver.get_screenshot_as_png())).convert("RGB")


def comparison(address: str, width: int, *, is_dark: bool) -> Image.Image:
    """The first question, heard and answered."""
    from test_study_pages import Page

    from page_browser import at_address

    with at_address(address, width, is_dark=is_dark) as driver:
        page = Page(driver)
        page.agree(address)
        for button in page.all(".play"):
            button.click()
            page.until(lambda: driver.execute_script(ALL_SILENT))
        page.until(lambda: page.can_rate)
        page.all(".scale input")[3].click()
        return picture(driver, width, "#next")


def beside(left: Image.Image, right: Image.Image, gap: int = 20) -> Image.Image:
    """Two pictures of the same height."""
    right = right.resize((round(right.width * left.height / right.height), left.height))
    found = Image.new("RGB", (left.width + gap + right.width, left.height), "white")
    found.paste(left, (0, 0))
    found.paste(right, (left.width + gap, 0))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", help="a tuned policy of melodies")
    run = parser.parse_args().run
    sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "study")]
    from test_study_pages import served

    from page_browser import at_address
    from seqtutor.study.plan import read_study

    with tempfile.TemporaryDirectory() as parent:
        folder = str(Path(parent) / "study")
        models = ["prior", f"psi={run}"]
        seqtutor(["study", "new", *models, "--output", folder, "--score", "--seed", "1"])
        seqtutor(["study", "simulate", folder, "--prefer", "psi:1", "--inattentive", "0.1"])
        with served(read_study(Path(folder))) as (address, _, token):
            with at_address(f"{address}/researcher#{token}", DESK) as driver:
                driver.implicitly_wait(20)
                driver.find_element("css selector", "#live")
                picture(driver, DESK, "#live").save(FIGURES / "researcher.png", optimize=True)
            desk = comparison(address, DESK, is_dark=False)
            telephone = comparison(address, TELEPHONE, is_dark=True)
    beside(desk, telephone).save(FIGURES / "listener.png", optimize=True)


if __name__ == "__main__":
    main()
