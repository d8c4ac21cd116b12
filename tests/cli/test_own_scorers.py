"""Scorers of a user's own through the command line: asked once, told before, ended if broken."""

import csv
import re
import sys
from collections import Counter
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem

from seqtutor.cli.main import main
from seqtutor.listen.sources import open_sources
from seqtutor.runs.policies import find_policy
from seqtutor.tasks.molecule.spec import spec

sys.path.append(str(Path(__file__).parents[1] / "tasks" / "molecule"))
from tiny_molecules import LENGTH, save_tiny_prior

# Notes every molecule that it is given; fails for one in three.
DOCK = """#!/bin/sh
while read smiles; do
    echo "$smiles" >> {log}
    n=${{#smiles}}
    if [ $((n % 3)) = 2 ]; then echo nan; else echo "$((n % 5)).5"; fi
done
"""
BROKEN = """#!/bin/sh
while read smiles; do echo "-7,${#smiles}"; done
"""
TINY = ["--preset", "blank", "--method", "rloo", "--environments", "32"]
TINY += ["--steps", str(32 * LENGTH * 8), "--log-every", str(32 * LENGTH * 4)]
TINY += ["--reward.scorers.dock.weight", "-1", "--reward.scorers.dock.workers", "2"]


@pytest.fixture(scope="module")
def prior(tmp_path_factory) -> Path:
    return save_tiny_prior(tmp_path_factory.mktemp("model") / "prior")


def script(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_a_score_that_is_missing_is_counted_in_the_summary(tmp_path, capsys):
    dock = script(tmp_path / "dock.sh", DOCK.format(log=tmp_path / "asked.txt"))
    molecules = tmp_path / "some.smi"
    molecules.write_text("CC\nCCO\nCCCCC\nc1\n")  # The first and the third have no score.
    own = ["--preset", "blank", "--reward.scorers.dock.command", str(dock), "--words", "1"]
    assert main(["score", "molecule", str(molecules), *own]) == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "dock gave no score for 2 of 3 valid molecules; the column 'reason' says why" in told
    assert "The first is explained above" in told


def tune(prior, output, command, *arguments):
    own = ["--reward.scorers.dock.command", str(command), "--output", str(output)]
    own += ["--prior", str(prior), "--reward-workers", "0", "--samples", "20"]
    return main(["tune", "molecule", *TINY, *own, *arguments])


@pytest.fixture(scope="module")
def scored(prior, tmp_path_factory):
    """A run with table and page, and the log of what its scorer was asked."""
    folder = tmp_path_factory.mktemp("run")
    log = folder / "asked.txt"
    dock = script(folder / "dock.sh", DOCK.format(log=log))
    assert tune(prior, folder / "run", dock, "--evaluate", "60") == 0
    return folder / "run", log


def test_no_molecule_is_scored_twice_in_a_whole_job(scored, capsys):
    run, log = scored
    asked = Counter(log.read_text().split())
    with (run / "molecules.csv").open() as file:
        trained = {row["smiles"] for row in csv.DictReader(file) if row["is_valid"] == "1"}
    assert trained < set(asked), "the table asks for more than the training"
    assert set(asked.values()) == {1}
    # And so in later commands, which know what the run's folder has.
    before = log.read_text()
    arguments = ["--run-scorers", "--workers", "0", "--number", "60"]
    assert main(["report", str(run), *arguments, "--output", str(run.parent / "p.html")]) == 0
    assert log.read_text() == before


def listed_rows(page: Path) -> list[list[str]]:
    """The cells of the table of strings."""
    text = page.read_text(encoding="utf-8").partition('<table id="listing">')[2]
    rows = text.partition("</table>")[0].split("<tr>")[2:]
    return [[unescape(c) for c in re.findall(r"<td[^>]*>(?:<code>)?(.*?)<", r)] for r in rows]


def test_a_page_does_not_show_a_neutral_score_as_one(scored, tmp_path):
    run, _ = scored
    missing = 0
    for cells in listed_rows(run / "page.html"):
        is_valid = "yes" in cells
        fails = is_valid and len(Chem.CanonSmiles(cells[1])) % 3 == 2
        assert ("no score" in cells) == fails, cells
        missing += fails
    assert missing > 3
    page = tmp_path / "page.html"
    arguments = ["--run-scorers", "--workers", "0", "--number", "60", "--samples", "60"]
    assert main(["report", str(run), *arguments, "--output", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    titles = re.findall(r'<h5>([^<]*) <span class="reward">no score</span>', text)
    assert titles
    assert all(", random " in title for title in titles), "it may be anywhere among the others"
    assert "<dt>dock</dt><dd>no score: is not a number (NaN)</dd>" in text
    # All sixty of each policy are listed; the histogram is of those that have a score.
    (left_out,) = re.findall(r"Without a score, and left out: (.*?)\.", text)
    words = text.partition('<section id="samples">')[0]
    (counted,) = re.findall(r"<li>Without a score: (.*?);", words)
    (medians,) = re.findall(r'aria-label="Rewards, median: ([^"]*)"', text)
    for part in medians.split("; "):
        title, median = part.rsplit(" ", 1)
        own = [cells for cells in listed_rows(page) if cells[0] == title]
        missing = sum("no score" in cells for cells in own)
        for said in (left_out, counted):
            assert f"{missing} of 60 SMILES strings of {title}" in said
        kept = [value for value in rewards_of(page, title) if value is not None]
        assert float(median.replace("−", "-")) == pytest.approx(np.median(kept), abs=0.01)
    # One mean of the reward: in the words, the table and the charts.
    (chart,) = re.findall(r'aria-label="Reward against KL divergence: ([^"]*)"', text)
    (said,) = re.findall(r"<li>(\S+) earns (\S+) [^,]*, (\S+) (\S+) ", words)
    for title, mean in (said[:2], said[2:]):
        assert f"{title} earns {mean} at" in chart


def rewards_of(page: Path, title: str) -> list[float | None]:
    """The rewards of a policy in the table of strings; `None` where there is no score."""
    text = page.read_text(encoding="utf-8").partition('<table id="listing">')[2]
    head, _, body = text.partition("</table>")[0].partition("<tbody>")
    place = re.findall(r"<button[^>]*>(.*?)</button>", head).index("reward")
    rows = [re.findall(r"<td[^>]*>.*?</td>", row) for row in body.split("<tr>")[1:]]
    found = [re.search(r'data-value="(.+?)"', row[place]) for row in rows if f">{title}<" in row[0]]
    return [None if one is None else float(one[1]) for one in found]


def test_a_reward_of_ones_own_is_not_set_beside_the_papers_figures(scored):
    text = unescape((scored[0] / "page.html").read_text(encoding="utf-8"))
    assert "paper's" not in text
    assert "published figures" not in text


def test_a_report_without_the_scorers_says_so_first(scored, tmp_path, capsys):
    page = tmp_path / "page.html"
    arguments = ["report", str(scored[0]), "--workers", "0", "--number", "40"]
    assert main([*arguments, "--output", str(page)]) == 0
    assert "Rewards are without dock (" in " ".join(capsys.readouterr().err.split())
    before_samples = page.read_text(encoding="utf-8").partition('<section id="samples">')[0]
    assert "<li>Rewards are without dock (" in before_samples


def test_listening_names_the_terms_that_a_policy_was_taught_by_code(scored):
    with open_sources(spec, [find_policy(spec, str(scored[0]))]) as (sources, _):
        facts = sources[0].facts
    assert "dock × -1 (" in facts["in its training"]
    assert "Rewards are without dock (" in facts["here"]


def test_what_is_scored_after_the_training_is_told_before_and_kept(prior, tmp_path, capsys):
    dock = script(tmp_path / "dock.sh", DOCK.format(log=tmp_path / "asked.txt"))
    assert tune(prior, tmp_path / "run", dock, "--evaluate", "60") == 0
    told = " ".join(capsys.readouterr().err.split())
    # 20 samples; 60 strings each of the run, of its prior, and of the prior for log Z.
    first = told.index("After the training (--evaluate N makes it fewer, 0 leaves out table")
    assert told.index("up to 200 molecules more are to be scored by dock (", first) > first
    assert told.index("For samples, table and page up to 200 molecules more") > first
    assert " s each as so far about " in told
    with (tmp_path / "run" / "scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    asked = (tmp_path / "asked.txt").read_text().split()
    with (tmp_path / "run" / "molecules.csv").open() as file:
        trained = {row["smiles"] for row in csv.DictReader(file) if row["is_valid"] == "1"}
    assert {row["smiles"] for row in rows} | trained >= set(asked)
    assert {bool(row["score"]) for row in rows} == {True, False}
    assert all(row["score"] or row["reason"].startswith("is not a number") for row in rows)


def test_a_scorer_that_fails_for_every_molecule_ends_the_run_in_one_line(prior, tmp_path, capsys):
    broken = script(tmp_path / "broken.sh", BROKEN)
    many = ["--steps", str(32 * LENGTH * 40), "--evaluate", "0"]
    assert tune(prior, tmp_path / "run", broken, *many) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("seqtutor: the scorer dock gave no score for any of the first 1")
    assert "with a decimal comma; it must write a decimal point" in last
    assert not (tmp_path / "run" / "best-by-reward.sdf").exists()
    with (tmp_path / "run" / "failures.csv").open() as file:
        assert len({row["smiles"] for row in csv.DictReader(file)}) >= 100


def test_without_any_score_there_is_a_warning_and_no_list_of_the_best(prior, tmp_path, capsys):
    broken = script(tmp_path / "broken.sh", BROKEN)
    assert (
        tune(prior, tmp_path / "run", broken, "--steps", str(32 * LENGTH), "--evaluate", "0") == 0
    )
    printed = capsys.readouterr()
    assert not (tmp_path / "run" / "best-by-reward.sdf").exists()
    assert "dock gave no molecule a score" in " ".join(printed.out.split())
    # One kind of reason, not one for each number.
    remarks = (tmp_path / "run" / "remarks.txt").read_text()
    assert remarks.count("with a decimal comma; it must write a decimal point") == 2
    assert "(wrote …, with a decimal comma" in remarks


def test_samples_go_on_from_a_beginning(prior, tmp_path):
    out = tmp_path / "out"
    arguments = ["sample", "molecule", str(prior), "--number", "6", "--prime", "CCO"]
    assert main([*arguments, "--formats", "csv", "--grid", "none", "--output", str(out)]) == 0
    with (out / "molecules.csv").open() as file:
        strings = [row["smiles"] for row in csv.DictReader(file)]
    assert len(strings) == 6
    assert all(one.startswith("CCO") for one in strings)
    assert len(set(strings)) > 1
