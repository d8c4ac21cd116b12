"""Public reports on readers and scorers of molecules, tried with small inputs of our own."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from public_case import Case
from seqtutor.errors import UserError
from seqtutor.tasks.molecule.measurer import Measurer
from seqtutor.tasks.molecule.properties import parse, why_invalid
from seqtutor.tasks.molecule.scoring import MoleculeScorer
from seqtutor.tasks.molecule.smiles_files import read_entries, read_smiles_file
from seqtutor.tasks.molecule.tokens import join_tokens, tokenise


def entries(name: str, content: str | bytes, column: str = "smiles") -> Callable[[Path], Any]:
    """Reads strings and names of a file; a refusal is its message."""

    def read(folder: Path) -> Any:
        path = folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        try:
            return [(entry.smiles, entry.name) for entry in read_entries(path, column)]
        except UserError as error:
            return str(error).removeprefix(f"{path} ")

    return read


def columns(name: str, content: str) -> Callable[[Path], Any]:
    """Reads the other columns of the first molecule."""

    def read(folder: Path) -> Any:
        (folder / name).write_text(content)
        return dict(read_entries(folder / name)[0].columns)

    return read


def canonical(*strings: str) -> Callable[[Path], Any]:
    """What the scorer takes the strings for; `None` if they are no molecules."""
    return lambda folder: MoleculeScorer(Measurer(("logp",))).score(list(strings)).smiles


def is_explained(*strings: str) -> Callable[[Path], Any]:
    """Whether each string is refused with a reason."""
    return lambda folder: [parse(one) is None and bool(why_invalid(one)) for one in strings]


def molecule_block(blank: bool = False) -> str:
    gap = "\n" if blank else ""
    return (
        "ethanol\n  own\n\n  3  2  0  0  0  0  0  0  0  0999 V2000\n"
        "    0.0000    0.0000    0.0000 C   0  0\n    1.5000    0.0000    0.0000 C   0  0\n"
        f"    2.2000    1.2000    0.0000 O   0  0\n  1  2  1  0\n  2  3  1  0\n{gap}M  END\n"
    )


def molecules() -> Iterator[Case]:
    """Files, then strings."""
    two = [("CCO", ""), ("CCN", "")]
    yield Case(
        "rdkit#1318",
        "blanks before the string, a name of several words",
        entries("a.smi", "  CCO vitamin a\nCCN\n"),
        [("CCO", "vitamin a"), ("CCN", "")],
    )
    yield Case("rdkit#1633", "the first line is a molecule", entries("a.smi", "CCO\nCCN\n"), two)
    yield Case(
        "isayevlab/Auto3D_pkg#31",
        "a line of headings in a .smi file is none",
        entries("a.smi", "SMILES ID\nCCO a\n"),
        [("CCO", "a")],
    )
    yield Case(
        "Kohulan/ChemAudit PR 86",
        "a table of one column, with and without a heading",
        lambda f: [entries("a.csv", t)(f) for t in ("smiles\nCCO\nCCN\n", "CCO\nCCN\n")],
        [two, two],
    )
    yield Case(
        "FelixBaensch/MORTAR PR 31",
        "blank lines and more columns than two",
        entries("a.csv", "smiles,a,b,c\n\nCCO,1,2,3\n\nCCN,4,5,6\n"),
        two,
    )
    yield Case(
        "rdkit#2672; datamol#85",
        "the extension of CXSMILES behind a blank is no part of the string",
        lambda f: entries("a.smi", "CCO |$;;x$| n\n")(f)[0][0],
        "CCO",
    )
    yield Case(
        "SMVDGroup/SCORCH#10; mqcomplab/bblean PR 168",
        "tabs, several blanks, no name",
        entries("a.smi", "CCO\tone\nCCN    two\nCC\n"),
        [("CCO", "one"), ("CCN", "two"), ("CC", "")],
    )
    yield Case(
        "choderalab/yank#444",
        "semicolons between the columns of a table",
        entries("a.csv", "name;smiles\na;CCO\nb;CCN\n"),
        [("CCO", "a"), ("CCN", "b")],
    )
    yield Case(
        "spreadsheets (mark of the byte order)",
        "a table that a spreadsheet wrote",
        entries("a.csv", b"\xef\xbb\xbfSMILES,Name\r\nCCO,a\r\n"),
        [("CCO", "a")],
    )
    yield Case(
        "MOSES and others",
        "a compressed file",
        entries("a.smi.gz", gzip.compress(b"CCO\nCCN\n")),
        two,
    )
    yield Case(
        "rdkit#1689",
        "a blank line before the end of a block in SDF",
        lambda f: [smiles for smiles, _ in entries("a.sdf", molecule_block(True) + "$$$$\n")(f)],
        ["CCO"],
    )
    yield Case(
        "rdkit#5467",
        "no blank line before the end of a record in SDF",
        lambda f: len(entries("a.sdf", (molecule_block() + ">  <x>\n1\n$$$$\n") * 2)(f)),
        2,
    )
    yield Case(
        "grit42/grit#36; rdkit PR 404",
        "the properties of an SDF file come along",
        columns("a.sdf", molecule_block() + ">  <pIC50>  (1)\n7.5\n\n>  <note>\nx y\n\n$$$$\n"),
        {"pIC50": "7.5", "note": "x y"},
    )
    yield Case(
        "datagrok#351; capoe/benchml PR 15",
        "the other columns of a table come along",
        columns("a.csv", "smiles,activity\nCCO,5\n"),
        {"smiles": "CCO", "activity": "5"},
    )
    yield Case(
        "REINVENT4#54; REINVENT4#202",
        "a file without a molecule is refused in a line",
        lambda f: isinstance(entries("a.csv", "compound,x\nethanol,1\n")(f), str),
        True,
    )
    yield Case(
        "REINVENT4#125, #130, #227, #46, #221",
        "isotopes, phosphorus, explicit hydrogens, charges and dots are tokens",
        lambda f: [
            join_tokens(tokenise(one)) == one
            for one in ("[2H]OP(=O)(O)O", "C[NH1]C", "C[C@@H1](N)O", "CC.[Na+].[Cl-]", "C%10CC%10")
        ],
        [True] * 5,
    )
    yield Case(
        "REINVENT4#278",
        "backslashes of double bonds",
        canonical("F/C=C\\F", "F/C=C/F"),
        ["F/C=C\\F", "F/C=C/F"],
    )
    yield Case(
        "Reinvent#20; REINVENT4#160",
        "a training file with strings that are not SMILES: the others are read, with a count",
        _training_file,
        (["CCO", "CCN"], 1),
    )
    yield Case(
        "singa#24",
        "isotopes and ions",
        canonical("[13CH4]", "[NH4+].[Cl-]"),
        ["[13CH4]", "[Cl-].[NH4+]"],
    )
    yield Case(
        "rdkit#378",
        "ring numbers that join across dots",
        lambda f: len(set(canonical("C1.C12.C2CON", "CCCCON")(f))),
        1,
    )
    yield Case(
        "EBjerrum/SMILES-enumeration#7; cheminfo/wikipedia#29",
        "an aromatic nitrogen that lacks its hydrogen has a reason, with it a molecule",
        lambda f: [*is_explained("c1cnc2c1cccc2")(f), *canonical("c1c[nH]c2c1cccc2")(f)],
        [True, "c1ccc2[nH]ccc2c1"],
    )
    yield Case(
        "cheminfo/wikipedia#19",
        "anthracene, written from another atom",
        lambda f: len(set(canonical("c1ccc2cc3ccccc3cc2c1", "c3ccc2cc1ccccc1cc2c3")(f))),
        1,
    )
    yield Case(
        "MobleyLab/FreeSolv#40; Lilly-Medchem-Rules PR 14",
        "one molecule in several spellings is one",
        lambda f: len(set(canonical("OCC", "C(O)C", "[CH3][CH2][OH]")(f))),
        1,
    )
    yield Case(
        "chemfiles#303; rdkit#3722",
        "braces, unclosed rings, a bond of an atom with itself have a reason",
        is_explained("C{-}C", "C1CC", "C11", "C(", ""),
        [True] * 5,
    )
    yield Case(
        "REINVENT4#335",
        "strings that are no molecules do not stop the others",
        canonical("C1CC", "CCO", "c1cc", "*CC"),
        [None, "CCO", None, "*CC"],
    )
    yield Case(
        "rdkit PR 369",
        "stereo centres stay",
        canonical("C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O"),
        ["C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O"],
    )
    yield from _of_strangers()


def _of_strangers() -> Iterator[Case]:
    """Tables and strings that people have, some of them after reports."""
    named = [("CCO", "a"), ("CCN", "b")]
    yield Case(
        "SergeiNikolenko/Burette PR 237; coderdata PR 416; mf-pcba PR 1",
        "headings that contain the word SMILES, of several the canonical one",
        lambda f: [
            [smiles for smiles, _ in entries("a.csv", head + "\nCCO,CCN\n")(f)]
            for head in (
                "Ligand SMILES,x",
                "#SMILES,x",
                "Canonical SMILES,Isomeric SMILES",
                "mol,x",
                "ConnectivitySMILES,x",
            )
        ],
        [["CCO"]] * 5,
    )
    yield Case(
        "yuyangw/MolCLR PR 25",
        "a table without headings: its first line is a molecule, too",
        lambda f: [one for one, _ in entries("a.csv", "CCO,ethanol\nCCN,x\n")(f)],
        ["CCO", "CCN"],
    )
    yield Case(
        "spreadsheets (sep=;), programs (# remarks)",
        "lines before the headings",
        lambda f: [
            entries("a.csv", head + "smiles;name\nCCO;a\nCCN;b\n")(f)
            for head in ("sep=;\n", "# made by hand, today\n\n")
        ],
        [named, named],
    )
    yield Case(
        "databases that part columns by bars",
        "bars between the columns",
        entries("a.csv", "smiles|name\nCCO|a\nCCN|b\n"),
        named,
    )
    yield Case(
        "ischemist/syntharena PR 35; datamol-io/medchem#4",
        "commas and line ends within quotes",
        entries("a.csv", 'smiles,name\n"CCO","a, b"\nCCN,"two\nlines"\n'),
        [("CCO", "a, b"), ("CCN", "two\nlines")],
    )
    yield Case(
        "MORTAR PR 31",
        "lines with a comma or a semicolon behind the string, under a heading of several words",
        lambda f: [
            entries("a.smi", text)(f)
            for text in ("smiles,name\nCCO,a\nCCN;b\n", "canonical_smiles id\nCCO a\nCCN b\n")
        ],
        [named, named],
    )
    yield Case(
        "samplchallenges/SAMPL7#56",
        "the extension of CXSMILES in a cell of a table",
        lambda f: entries("a.csv", "smiles,n\nCC |&1:1,r|,1\n".replace("1,r", "1"))(f)[0][0],
        "CC",
    )
    yield Case(
        "openff-toolkit#1807",
        "spaces of no width, and zero bytes, that nobody sees",
        entries("a.smi", b"CC\xe2\x80\x8bO a\nCCN\x00 b\n"),
        named,
    )
    yield Case(
        "cheminformatics-microservice#372; wikipedia#9",
        "an InChI, a reaction and a name are called so, or by their first strange character",
        lambda f: [why_invalid(one) for one in ("InChI=1S/CH4/h1H4", "CCO>>CC=O", "aspirin")],
        [
            f"no SMILES text: {why}"
            for why in ("it is an InChI", "it is a reaction", "character 1 is 'a'")
        ],
    )
    yield Case(
        "tables of other programs",
        "a file of JSON or Parquet is refused by its name",
        lambda f: ["not a text file" in entries(n, "{}")(f) for n in ("a.json", "a.parquet")],
        [True, True],
    )
    yield Case(
        "chembiohub_helpdesk#385",
        "a broken string in the middle keeps its place",
        lambda f: [one for one, _ in entries("a.csv", "smiles,n\nCCO,1\nC1CC,2\nCCN,3\n")(f)],
        ["CCO", "C1CC", "CCN"],
    )
    yield Case(
        "RDKit's own writers",
        "V3000 blocks, ends of line of Windows, no $$$$ at the end",
        lambda f: [
            [one for one, _ in entries("a.sdf", text)(f)]
            for text in (molecule_block().replace("\n", "\r\n"), molecule_block(), _V3000)
        ],
        [["CCO"], ["CCO"], ["CO"]],
    )


_V3000 = """x
  y

  0  0  0     0  0            999 V3000
M  V30 BEGIN CTAB
M  V30 COUNTS 2 1 0 0 0
M  V30 BEGIN ATOM
M  V30 1 C 0 0 0 0
M  V30 2 O 1 0 0 0
M  V30 END ATOM
M  V30 BEGIN BOND
M  V30 1 1 1 2
M  V30 END BOND
M  V30 END CTAB
M  END
$$$$
"""


def _training_file(folder: Path) -> Any:
    path = folder / "train.smi"
    path.write_text("CCO\nnot a molecule!\n%%%\nCCN\n".replace("not a molecule!\n", ""))
    strings, report = read_smiles_file(path)
    return strings, sum(report.dropped.values())
