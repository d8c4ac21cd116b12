"""What a browser without a network finds in pages of `seqtutor report`.

    SEQTUTOR_AXE=axe.min.js python benchmarks/pages_in_a_browser.py melody.html molecules.html

Opens each page in headless Chromium, at 360 and 1440 pixels, in light and dark, and prints a line a
page: errors of the console, requests, faults of accessibility (axe-core of npm, where SEQTUTOR_AXE
names its file), pictures that have no size, and sounds, decoded by the browser: their number, the
softest one, and how far they are apart by ITU-R BS.1770. The exit code is 1 if something is wrong.
"""

from __future__ import annotations

import base64
import io
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyloudnorm
import soundfile
import tyro

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from page_browser import faults_of, opened, requests_of, sounds_of

AXE = Path(os.environ.get("SEQTUTOR_AXE", "nowhere"))
SILENT, MOST_APART = 0.01, 1.0
"""Effective amplitude of a sound, and LU between the softest and the loudest of a page."""
EMPTY = """
  document.querySelectorAll("details").forEach((one) => (one.open = true));
  return [...document.querySelectorAll(".picture svg, figure svg")].filter((one) => {
    const box = one.getBoundingClientRect();
    return !box.width || !box.height || !one.children.length;
  }).length;
"""


@dataclass(frozen=True)
class Options:
    """Look and print."""

    pages: tyro.conf.Positional[tuple[Path, ...]]
    """Files that `seqtutor report` wrote."""


def faults_at(page: Path, width: int, is_dark: bool) -> list[str]:
    """What is wrong with a page on one kind of screen."""
    with opened(page, width, is_dark=is_dark) as driver:
        wide = driver.execute_script("return document.documentElement.scrollWidth")
        found = [f"as wide as {wide}"] if wide > width else []
        found += [str(one["message"]) for one in driver.get_log("browser")]
        found += [f"asks for {one}" for one in requests_of(driver)]
        if empty := driver.execute_script(EMPTY):
            found.append(f"{empty} pictures are empty")
        if AXE.is_file():
            found += faults_of(driver, AXE)
    screen = f"{width} px, {'dark' if is_dark else 'light'}"
    return [f"{screen}: {one}" for one in found]


def sounds_in(page: Path) -> tuple[int, float, float]:
    """The number of sounds, the least effective amplitude, and how far they are apart in LU."""
    with opened(page) as driver:
        decoded: list[Any] = sounds_of(driver)
    text = page.read_text(encoding="utf-8")
    loudness = []
    for content in re.findall(r'src="data:audio/ogg;base64,([^"]*)"', text):
        frames, rate = soundfile.read(io.BytesIO(base64.b64decode(content)))
        loudness.append(pyloudnorm.Meter(rate).integrated_loudness(frames))
    assert len(loudness) == len(decoded)
    if not decoded:
        return 0, 1.0, 0.0
    return len(decoded), min(one[1] for one in decoded), max(loudness) - min(loudness)


def main(options: Options) -> int:
    """Look and print."""
    is_wrong = False
    for page in options.pages:
        screens = [(width, is_dark) for width in (360, 1440) for is_dark in (False, True)]
        faults = [fault for screen in screens for fault in faults_at(page, *screen)]
        number, softest, apart = sounds_in(page)
        said = f"{number} sounds, the softest {softest:.3f}, {apart:.2f} LU apart" if number else ""
        print(f"{page.name}: {len(faults)} faults on {len(screens)} screens; {said or 'no sound'}")
        print("".join(f"  {fault}\n" for fault in faults), end="", flush=True)
        is_wrong |= bool(faults) or softest < SILENT or apart > MOST_APART
    return int(is_wrong)


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Options)))
