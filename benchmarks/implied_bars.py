"""How often the chords of real tunes tell their metre and upbeat.

    python benchmarks/implied_bars.py FOLDER

FOLDER holds ABC with chord symbols, such as the Nottingham Music Database. The metre and upbeat of
each tune are taken away and found again; 2/2 and 2/4 count as 4/4, 9/8 as 6/8.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import replace
from pathlib import Path

from seqtutor.tasks.folk.abc import read_abc_file
from seqtutor.tasks.folk.model import with_implied_bars
from seqtutor.tasks.scores.lead_sheet import ZERO

SAME = {(2, 2): (4, 4), (2, 4): (4, 4), (9, 8): (6, 8)}


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    counts: Counter[str] = Counter()
    for path in sorted(parser.parse_args().folder.rglob("*.abc")):
        for sheet in read_abc_file(path)[0]:
            if sheet.meter is None or not sheet.chords:
                counts["without chords or metre"] += 1
                continue
            found = with_implied_bars(replace(sheet, meter=None, pickup=ZERO))
            counts["tunes"] += 1
            counts["with the metre found"] += found.meter == SAME.get(sheet.meter, sheet.meter)
            counts["with the upbeat found"] += found.pickup == sheet.pickup
            counts["with an upbeat"] += sheet.pickup > 0
            counts["with an upbeat found"] += found.pickup == sheet.pickup > 0
    for name, count in counts.items():
        print(f"{count:>6,}  {name}")


if __name__ == "__main__":
    main()
