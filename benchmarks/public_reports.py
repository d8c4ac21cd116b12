"""Public reports of faults in other programs, tried on this one with small inputs of our own.

    python benchmarks/public_reports.py music molecules tuning

Each case names the report (repository and number), says in our words what was wrong there, and has
a small input that was written for this purpose, with the answer that is right. The table is in
docs/public_reports.md.
"""

from __future__ import annotations

import argparse

from public_case import tried
from reports_on_molecules import molecules
from reports_on_music import music
from reports_on_tuning import tuning

KINDS = {"music": music, "molecules": molecules, "tuning": tuning}


def main() -> None:
    """Try the kinds that are named."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("kinds", nargs="+", choices=sorted(KINDS))
    failed = sum(tried(KINDS[kind]()) for kind in parser.parse_args().kinds)
    print(f"{failed} failed")


if __name__ == "__main__":
    main()
