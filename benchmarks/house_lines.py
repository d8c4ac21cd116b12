"""How many lines the source has, and how many of them do what it did when issue 24 was written.

    python benchmarks/house_lines.py

The tree of the issue had 253 files and 34,043 lines. A module counts as a later capability if it
serves that alone; all others count as the capability of then, with what they have learned since.
Lines of code are those that are neither blank nor a comment, a docstring or an import.
"""

from __future__ import annotations

import ast
from collections import Counter
from fnmatch import fnmatch
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "seqtutor"
THEN = 34_043
"""Lines of the tree on which the issue was written."""

LATER = {
    "listening studies": ["study/*"],
    "pages: report and listen": [
        *("listen/*", "report/page/*", "web.py", "controls.py", "exhibits.py", "playing.py"),
        *("runs/page*.py", "runs/event_logs.py"),
        *("tasks/*/exhibits.py", "tasks/*/listening.py", "tasks/*/marks.py"),
        *("tasks/scores/chances.py", "tasks/scores/exhibiting.py", "tasks/scores/piano_roll.py"),
        *("tasks/scores/lead_sheet_pieces.py", "tasks/scores/note_statistics.py"),
    ],
    "sound and engraving": [
        *("tasks/scores/engrav*.py", "tasks/scores/sound*.py", "tasks/scores/instruments.py"),
        *("tasks/scores/values.py", "tasks/scores/requirements.py"),
    ],
    "MusicXML, kern and whole ABC read": [
        *("tasks/scores/musicxml_*.py", "tasks/scores/kern.py", "tasks/scores/playing_order.py"),
        *("tasks/scores/voices.py", "tasks/scores/parts.py", "tasks/scores/abc_fields.py"),
    ],
    "copies of real tunes": ["tasks/*/copies.py", "tasks/melody/training_melodies.py"],
    "tunes with form": ["tasks/tunes/*", "rewards/targets.py", "tasks/melody/rules/rows.py"],
    "votes and preferences": [
        *("preferences/*", "runs/prefer*.py", "comparisons.py", "methods/dpo.py"),
        *("objectives/paired_comparison.py",),
    ],
    "the optimum and steering": [
        *("measures/log_partition.py", "measures/optimum.py", "measures/pareto.py"),
        *("measures/particles.py", "measures/proposals.py", "runs/optimum.py"),
        *("runs/steering*.py", "runs/value_file.py"),
    ],
    "networks told of the reward": [
        *("models/informed.py", "tasks/melody/network.py", "tasks/melody/rules/stepwise.py"),
    ],
    "tasks, models and methods of one's own": [
        *("references.py", "task_registry.py", "models/registry.py", "models/gru.py"),
        *("models/consistency.py", "methods/grpo.py", "text_sequences.py", "proof/contract.py"),
        *("rewards/strings.py", "rewards/host.py", "runs/made_of.py", "runs/grouping.py"),
    ],
    "scorers of one's own": [
        *(
            "tasks/molecule/scorers.py",
            "tasks/molecule/score*_*.py",
            "tasks/molecule/scored_log.py",
        ),
        *("tasks/molecule/words.py", "workers/command.py", "workers/batches.py", "runs/costs.py"),
    ],
}


def kind_of(name: str) -> str:
    """The later capability that a module serves alone, or that of the issue."""
    for kind, patterns in LATER.items():
        if any(fnmatch(name, pattern) for pattern in patterns):
            return kind
    return "the capability of the issue"


def lines_of_code(text: str) -> int:
    """Lines that are neither blank nor a comment, a docstring or an import."""
    other = set()
    for node in ast.walk(ast.parse(text)):
        value = getattr(node, "value", None)
        is_text = isinstance(node, ast.Expr) and isinstance(getattr(value, "value", None), str)
        if is_text or isinstance(node, ast.Import | ast.ImportFrom):
            other |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines = enumerate(text.splitlines(), start=1)
    return sum(bool(s := line.strip()) and s[0] != "#" and n not in other for n, line in lines)


def main() -> None:
    """Print the account."""
    files, lines, code = Counter[str](), Counter[str](), Counter[str]()
    for path in SOURCE.rglob("*.py"):
        kind, text = kind_of(path.relative_to(SOURCE).as_posix()), path.read_text(encoding="utf-8")
        files[kind] += 1
        lines[kind] += len(text.splitlines())
        code[kind] += lines_of_code(text)
    for kind, number in lines.most_common():
        print(f"{number:>7,} lines, {code[kind]:>6,} of code, in {files[kind]:>3} files: {kind}")
    print(f"{lines.total():>7,} lines, {code.total():>6,} of code, in {files.total()} files: all")
    own = lines["the capability of the issue"]
    print(f"The capability of the issue takes {own:,} lines, {own / THEN - 1:+.0%} of {THEN:,}")


if __name__ == "__main__":
    main()
