"""The main job, end to end, in its shortest form."""

import json
import re

from seqtutor.cli.main import main


def test_reproduce_melody_leaves_table_figures_and_samples(tmp_path, capsys):
    output = tmp_path / "experiment"
    arguments = ["reproduce", "melody", "--profile", "smoke", "--output", str(output)]
    assert main(arguments) == 0
    report = (output / "report.md").read_text(encoding="utf-8")
    assert "Leaps resolved" in report
    assert "28.7" in report
    folder = output / "papers-rules"
    for name in ("training.png", "note_probabilities.svg", "table.csv"):
        assert (folder / name).stat().st_size > 1000, name
    page = (folder / "page.html").read_text(encoding="utf-8")
    assert page.count("<article") == page.count("<audio") == 5 * 12
    samples = re.findall(r"\]\((papers-rules/[^)]*samples)\)", report)
    assert len(samples) == len(("prior", "q", "psi", "g", "rl-only"))
    for one in samples:
        assert len(list((output / one).glob("*.mid"))) == 16
    records = [json.loads(line) for line in (folder / "psi-seed0" / "metrics.jsonl").open()]
    assert records[-1]["step"] >= 20_000

    # Called again, it keeps the finished runs.
    made = (folder / "psi-seed0" / "model" / "model.safetensors").stat().st_mtime_ns
    assert main(arguments) == 0
    assert (folder / "psi-seed0" / "model" / "model.safetensors").stat().st_mtime_ns == made
