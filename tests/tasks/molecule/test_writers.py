from __future__ import annotations

import csv
import gzip
import io
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from molecules import HARD_AND_INVALID, HARD_AND_VALID, real_molecules
from rdkit import Chem
from rdkit.Chem import QED, Crippen, Descriptors
from rdkit.Contrib.SA_Score import sascorer

from seqtutor.cli.main import main
from seqtutor.errors import UserError
from seqtutor.tasks.molecule.smiles_files import Entry, read_entries
from seqtutor.tasks.molecule.writers import draw_grid

FEW = ["CC(=O)Oc1ccccc1C(=O)O aspirin", "C1CC open", "[Na+].[Cl-] table salt", "C[C@H](N)C(=O)O"]


def scored(capsys):
    return list(csv.DictReader(io.StringIO(capsys.readouterr().out)))


def score(path, *options):
    assert main(["score", "molecule", str(path), "--workers", "0", *options]) == 0


@pytest.fixture
def few(tmp_path):
    path = tmp_path / "few.smi"
    path.write_text("SMILES name\n" + "\n".join(FEW) + "\n")
    return path


def test_scores_of_real_and_hard_molecules_are_rdkits_to_the_last_digit(tmp_path, capsys):
    strings = [*real_molecules()[::25], *(s for s in HARD_AND_VALID if len(s) < 400)]
    invalid = [smiles for smiles in HARD_AND_INVALID if "\udcff" not in smiles]
    path = tmp_path / "molecules.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "SMILES"])
        writer.writerows([index, smiles] for index, smiles in enumerate([*strings, *invalid]))
    score(path)
    rows = scored(capsys)
    assert [row["smiles"] for row in rows] == [*strings, *invalid]
    assert [row["name"] for row in rows] == [str(index) for index in range(len(rows))]
    functions = {
        "logp": Crippen.MolLogP,
        "sa": sascorer.calculateScore,
        "qed": QED.qed,
        "molecular_weight": Descriptors.MolWt,
        "tpsa": Descriptors.TPSA,
    }
    for row in rows[: len(strings)]:
        if Chem.MolFromSmiles(row["smiles"]) is None:
            assert row["valid"] == "0"
            assert row["reason"]
            continue
        for name, function in functions.items():
            found = function(Chem.MolFromSmiles(row["smiles"]))
            assert row[name] == f"{float(f'{found:.15g}')!r}".removesuffix(".0"), row["smiles"]
    for row in rows[len(strings) :]:
        assert (row["valid"], row["reason"]) == ("0", HARD_AND_INVALID[row["smiles"]])
        assert row["logp"] == row["canonical_smiles"] == ""


def test_rewards_are_weighted_and_add_up(few, capsys):
    score(few, "--reward.logp.weight", "2", "--reward.qed.weight", "0", "--reward.ring.scale", "4")
    aspirin, invalid, *_ = scored(capsys)
    assert float(aspirin["reward_logp"]) == 2 * float(aspirin["logp"])
    assert float(aspirin["reward_sa"]) == -float(aspirin["sa"])
    assert "reward_qed" not in aspirin
    parts = [float(aspirin[name]) for name in aspirin if name.startswith("reward_")]
    assert float(aspirin["reward"]) == pytest.approx(sum(parts))
    assert invalid["reward"] == invalid["reward_valid"] == "-10"


def test_every_form_of_output_holds_the_same(few, tmp_path, capsys):
    score(few)
    printed = capsys.readouterr().out
    rows = list(csv.DictReader(io.StringIO(printed)))
    for suffix in (".csv", ".smi", ".sdf"):
        score(few, "--output", str(tmp_path / f"out{suffix}"))
    assert capsys.readouterr().out == ""
    assert (tmp_path / "out.csv").read_text() == printed
    valid = [row for row in rows if row["valid"] == "1"]
    assert (tmp_path / "out.smi").read_text().splitlines() == [
        "CC(=O)Oc1ccccc1C(=O)O aspirin",
        "[Cl-].[Na+] table salt",
        "C[C@H](N)C(=O)O",
    ]
    structures = list(Chem.SDMolSupplier(str(tmp_path / "out.sdf")))
    assert [structure.GetProp("_Name") for structure in structures] == [r["name"] for r in valid]
    for structure, row in zip(structures, valid, strict=True):
        assert Chem.MolToSmiles(structure) == row["canonical_smiles"]
        assert structure.GetPropsAsDict().keys() == {name for name in row if row[name]} - {"reason"}
        assert float(structure.GetProp("qed")) == float(row["qed"])
        assert structure.GetConformer().GetPositions().any() or structure.GetNumAtoms() == 1


def test_worker_processes_give_the_same_file(few, tmp_path):
    score(few, "--output", str(tmp_path / "one.csv"))
    score(few, "--output", str(tmp_path / "two.csv"), "--workers", "2")
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--output", "out.xlsx"], "cannot write out.xlsx; use one of .csv, .tsv, .smi, .sdf"),
        (["--grid", "grid.pdf"], "cannot write grid.pdf; use one of .svg, .png"),
        (["--workers", "-1"], "--workers must not be negative"),
        (["--reward.required.smarts", "c1cc"], "'c1cc' is not a SMARTS pattern"),
        (["--reward.diversity.weight", "1"], "the term diversity depends on a run"),
    ],
)
def test_what_cannot_be_done_is_one_line(few, tmp_path, capsys, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    assert main(["score", "molecule", str(few), "--workers", "0", *options]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.smi", b"", "has no SMILES string"),
        ("table.csv", b"a,b\n1,2\n", "no column 'smiles'; name one of 'a', 'b' with --column"),
        ("bad.smi.gz", b"\x1f\x8b\x08\x00nothing", "cannot be read"),
    ],
)
def test_a_file_without_molecules_is_refused(tmp_path, capsys, name, content, message):
    (tmp_path / name).write_bytes(content)
    assert main(["score", "molecule", str(tmp_path / name)]) == 2
    assert message in capsys.readouterr().err
    assert main(["score", "molecule", str(tmp_path / "missing.smi")]) == 2
    assert "No such file" in capsys.readouterr().err


def test_without_rdkit_a_user_is_told_what_to_install(few, capsys, monkeypatch):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert main(["score", "molecule", str(few)]) == 2
    assert capsys.readouterr().err.strip().endswith("pip install 'seqtutor[molecule]'")


def test_files_are_read_whatever_their_form(tmp_path):
    lines = "\ufeffC methane\r\n\r\nCC\tethane of\tthe lab\r\n  CCC  \r\n"
    table = 'name;Smiles;x\nmethane;C;1\n"two\nlines";CC;2\nnone;;3\nshort\n'
    for name, text in (("a.smi", lines), ("b.csv", table)):
        (tmp_path / name).write_text(text, newline="")
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(text.encode()))
    expected = [Entry(1, "C", "methane"), Entry(3, "CC", "ethane of\tthe lab"), Entry(4, "CCC", "")]
    assert read_entries(tmp_path / "a.smi") == read_entries(tmp_path / "a.smi.gz") == expected
    of_table = read_entries(tmp_path / "b.csv")
    assert of_table == read_entries(tmp_path / "b.csv.gz")
    assert [(entry.smiles, entry.name) for entry in of_table] == [
        ("C", "methane"),
        ("CC", "two\nlines"),
        ("", "none"),
        ("", "short"),
    ]


def test_a_table_keeps_its_other_columns(tmp_path, capsys):
    path = tmp_path / "mine.csv"
    path.write_text("id;Smiles;IC50 (nM);logp;name\nA1;CCO;12,5;0.3;ethanol\nA2;C1CC;;;ring\n")
    score(path, "--words", "0")
    printed = capsys.readouterr().out
    rows = list(csv.DictReader(io.StringIO(printed)))
    names = ("id", "Smiles", "IC50 (nM)", "logp_given", "name")
    own = [tuple(row[name] for name in names) for row in rows]
    assert own == [("A1", "CCO", "12,5", "0.3", "ethanol"), ("A2", "C1CC", "", "", "ring")]
    logp = Crippen.MolLogP(Chem.MolFromSmiles("CCO"))
    assert float(rows[0]["logp"]) == pytest.approx(logp, rel=1e-14)
    again = tmp_path / "again.csv"
    again.write_text(printed)
    score(again, "--words", "0")
    assert capsys.readouterr().out == printed, "of its own table only foreign columns are kept"


def test_a_table_is_written_for_the_program_that_wrote_it(tmp_path):
    """With its separator and, beyond ASCII, a mark without which Excel reads another code page."""
    path, out = tmp_path / "mine.csv", tmp_path / "out.csv"
    path.write_bytes(
        "Nr;Structure;Name\n1;CCO;Äthanol\n2;CC(=O)Oc1ccccc1C(=O)O;x\n".encode("cp1252")
    )
    score(path, "--words", "0", "--output", str(out))
    assert out.read_bytes().startswith("\ufeffline;Nr;Structure;Name;smiles;".encode())
    rows = list(csv.DictReader(out.read_text(encoding="utf-8-sig").splitlines(), delimiter=";"))
    assert [row["name"] for row in rows] == ["Äthanol", "x"]
    assert rows[1]["molecular_weight"] == "180.159"
    path.write_text("smiles,name\nCCO,ethanol\n")
    score(path, "--words", "0", "--output", str(out))
    assert out.read_text().startswith("line,smiles,"), "no mark where none is needed"
    score(path, "--words", "0", "--output", str(out.with_suffix(".tsv")))
    assert out.with_suffix(".tsv").read_text() == out.read_text().replace(",", "\t")


def test_the_parent_of_a_salt_is_scored_where_it_is_asked_for(tmp_path, capsys):
    path = tmp_path / "salts.smi"
    path.write_text("CC(=O)[O-].[Na+] acetate\nC1CC ring\n")
    score(path, "--words", "0")
    printed = capsys.readouterr()
    (acetate, _) = csv.DictReader(io.StringIO(printed.out))
    assert acetate["canonical_smiles"] == "CC(=O)[O-].[Na+]"
    assert "1 of several parts, such as salts, were scored whole; --parent" in printed.err
    assert "the paper's terms, each once" in " ".join(printed.err.split())
    score(path, "--words", "0", "--parent")
    acetate, ring = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (acetate["canonical_smiles"], acetate["name"]) == ("CC(=O)O", "acetate")
    assert acetate["smiles_given"] == "CC(=O)[O-].[Na+]"
    assert ring["reason"] == "ring bond 1 is not closed"


@pytest.mark.parametrize(
    ("heading", "kept"), [("Structure SMILES", "Structure SMILES"), ("smiles", "smiles_given")]
)
def test_the_strings_of_a_table_are_kept_as_they_were_written(tmp_path, capsys, heading, kept):
    path, written = tmp_path / "mine.csv", ["c1ccccc1C(=O)[O-].[Na+]", " OCC |$;;$|", "C1CC.C"]
    path.write_text("\n".join([f"id,{heading}", *(f"{n},{w}" for n, w in enumerate(written))]))
    score(path, "--words", "0", "--parent")
    printed = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(printed.out)))
    assert [row[kept] for row in rows] == written
    assert [row["smiles"] for row in rows] == ["O=C(O)c1ccccc1", "CCO", "C1CC.C"]
    told = " ".join(printed.err.split())
    assert f"those of the column '{heading}'" in told
    assert "1 of several parts, such as salts, were stripped to one part" in told
    path.write_text(printed.out)
    score(path, "--words", "0", "--column", "smiles")
    assert scored(capsys) == rows, "and by the commands that follow"


def test_the_file_that_is_read_is_not_written(few, tmp_path, capsys):
    (tmp_path / "link.csv").symlink_to(few)
    before = few.read_bytes()
    for output in (few, tmp_path / "link.csv"):
        assert main(["score", "molecule", str(few), "--output", str(output)]) == 2
        error = capsys.readouterr().err
        assert (error.count("\n"), "is the file that is read" in error) == (1, True)
    assert few.read_bytes() == before


def test_a_structure_that_cannot_be_read_is_told_from_an_empty_string(tmp_path, capsys):
    path = tmp_path / "mine.sdf"
    good = Chem.MolToMolBlock(Chem.MolFromSmiles("CCO"))
    broken = good.replace("  3  2  0", "  9  2  0")
    assert broken != good
    path.write_text(f"{good}$$$$\n{broken}$$$$\ncut\n\n\n  3  2  0\n$$$$\n")
    score(path, "--words", "0")
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["reason"] for row in rows] == [
        "",
        "RDKit cannot read the structure of this record",
        "this record has no structure: its line M  END is missing",
    ]


def test_structures_are_read_with_their_data(few, tmp_path, capsys):
    """Those that this program writes, and others', whose strings RDKit writes."""
    score(few, "--output", str(tmp_path / "own.sdf"))
    score(few, "--output", str(tmp_path / "own.csv"))
    score(tmp_path / "own.sdf", "--words", "0")
    rows = scored(capsys)
    with (tmp_path / "own.csv").open() as file:
        valid = [row for row in csv.DictReader(file) if row["valid"] == "1"]
    changed = dict.fromkeys(("line", "smiles", "smiles_given"))
    assert [row["smiles_given"] for row in rows] == [row["smiles"] for row in valid]
    assert [row | changed for row in rows] == [row | changed for row in valid]
    block = Chem.MolToMolBlock(Chem.MolFromSmiles("C[C@H](N)C(=O)O"))
    records = [
        f"alanine{block}>  <Ki>  (1)\n3.2\n\n$$$$\n",
        f"none{block.replace(' N ', ' Xq')}>  <remark>\ntwo\nlines\n\n$$$$\n",
    ]
    (tmp_path / "theirs.sdf").write_bytes(gzip.compress("".join(records).encode()))
    (tmp_path / "theirs.sdf").rename(tmp_path / "theirs.sdf.gz")
    entries = read_entries(tmp_path / "theirs.sdf.gz")
    assert [entry.name for entry in entries] == ["alanine", "none"]
    assert Chem.CanonSmiles(entries[0].smiles) == Chem.CanonSmiles("C[C@H](N)C(=O)O")
    assert entries[0].columns == {"Ki": "3.2", "remark": ""}
    assert (entries[1].smiles, entries[1].columns["remark"]) == ("", "two\nlines")


@pytest.mark.parametrize(("tag", "kept"), [("SMILES", "SMILES"), ("smiles", "smiles_given")])
def test_a_structure_is_scored_whatever_its_data_say(tmp_path, capsys, tag, kept):
    path = tmp_path / "mine.sdf"
    block = Chem.MolToMolBlock(Chem.MolFromSmiles("CC(=O)Oc1ccccc1C(=O)O"))
    path.write_text(f"{block}>  <{tag}>\nCCO\n\n$$$$\n")
    score(path, "--words", "0")
    (row,) = scored(capsys)
    assert (row["smiles"], row[kept]) == ("CC(=O)Oc1ccccc1C(=O)O", "CCO")
    assert row["molecular_weight"] == "180.159"


def test_a_reward_is_told_in_words(few, tmp_path, capsys):
    options = ["--reward.logp.weight", "2", "--reward.window.tpsa.weight", "4"]
    options += ["--reward.window.tpsa.high", "60", "--reward.required.smarts", "C(=O)O", "C#N"]
    options += ["--reward.short.shortest", "24", "--reward.carbons.most", "1"]
    score(few, *options, "--words", "2")
    printed, told = capsys.readouterr()
    aspirin = next(csv.DictReader(io.StringIO(printed)))
    lines = told[told.index("aspirin (") :].splitlines()
    words = {line.split()[0]: line.strip() for line in lines if line.startswith("  ")}
    for name in ("valid", "logp", "sa", "qed", "ring", "short", "carbons", "window_tpsa"):
        worth = float(words[name].split()[2].rstrip(":").replace("−", "-"))
        assert worth == pytest.approx(float(aspirin[f"reward_{name}"]), abs=0.006), name
    assert lines[0].endswith(f"reward {float(aspirin['reward']):+.2f}".replace("-", "−"))
    assert "each unit more would earn 2 more" in words["logp"]
    assert "the best, 1, would earn −1.00" in words["sa"]
    assert "the best, 1, would earn +1.00" in words["qed"]
    assert "its largest ring has 6 atoms" in words["ring"]
    assert "21 characters, 3 too few (training strings have at least 24)" in words["short"]
    assert "2 carbons written in a row, 1 too many" in words["carbons"]
    assert (
        "polar surface area: 63.6, wanted is at most 60: 3.6 too much for +4.00"
        in (words["window_tpsa"])
    )
    assert "it lacks C#N" in words["required"]
    assert "open ('C1CC'): not a molecule: ring bond 1 is not closed; it earns −10.00 in place" in (
        told
    )
    assert "The first 2 are explained above" in told


def test_a_grid_shows_every_molecule_with_its_caption(tmp_path):
    strings = ["CCO", "C1CC", "c1ccccc1", "CC(=O)O", "N", "C#N"]
    path = draw_grid(strings, tmp_path / "grid.svg", [f"number {i}" for i in range(6)])
    svg = ET.parse(path).getroot()
    assert (svg.get("width"), svg.get("height")) == ("960px", "400px")
    drawn = {
        element.get("class", "").split()[0]
        for element in svg.iter()
        if "bond" in element.get("class", "")
    }
    assert drawn
    png = draw_grid(strings, tmp_path / "grid.png")
    header = png.read_bytes()[:24]
    assert header.startswith(b"\x89PNG")
    assert tuple(np.frombuffer(header[16:24], ">u4")) == (960, 400)
    with pytest.raises(UserError, match="no valid molecule to draw"):
        draw_grid([], tmp_path / "grid.svg")
    with pytest.raises(UserError, match=r"cannot draw molecules as \.gif"):
        draw_grid(strings, tmp_path / "grid.gif")
