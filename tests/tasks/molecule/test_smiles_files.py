import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqtutor.errors import UserError
from seqtutor.tasks.molecule import smiles_files
from seqtutor.tasks.molecule.smiles_files import read_entries, read_smiles_file

STRINGS = st.lists(st.text(st.sampled_from("CNOcno()=#12")).map("C{}".format), min_size=1)


def as_lines(strings):
    return "".join(f"{smiles}\tmolecule {i}\n" for i, smiles in enumerate(strings))


def as_table(separator):
    return lambda strings: (
        f'name{separator}"SMILES"{separator}logP\n'
        + "".join(
            f'"a {separator} b"{separator}{smiles}{separator}{i}\n'
            for i, smiles in enumerate(strings)
        )
    )


FORMATS = {
    "a.smi": as_lines,
    "a.smi.gz": as_lines,
    "a.txt": lambda strings: "smiles name\r\n\r\n# a remark\r\n" + "\r\n".join(strings),
    "a.csv": as_table(","),
    "a.CSV.gz": as_table(";"),
    "a.tsv": as_table("\t"),
}


@pytest.mark.parametrize("name", FORMATS)
@settings(deadline=None)
@given(strings=STRINGS)
def test_strings_are_read_from_every_kind_of_file(name, strings, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / name
    content = "\ufeff".encode() + FORMATS[name](strings).encode()
    path.write_bytes(gzip.compress(content, 1) if name.endswith("gz") else content)
    read, report = read_smiles_file(path)
    assert read == strings
    assert (report.read, report.dropped) == (len(strings), {})


def test_bad_lines_are_counted_and_named(tmp_path):
    path = tmp_path / "mine.smi"
    path.write_bytes(b"CCO ethanol\n\nC[N broken\nCX\nCC\xe9\n# not counted\nhello\nc1ccccc1\n")
    read, report = read_smiles_file(path)
    assert read == ["CCO", "c1ccccc1"]
    assert (report.read, report.usable, report.dropped) == (6, 2, {"no SMILES text": 4})
    shown = report.examples["no SMILES text"]
    assert shown[0] == "line 3: 'C[N': the bracket that opens at character 2 does not close " + (
        "around an atom"
    )
    assert shown[1] == "line 4: 'CX': character 2 is 'X'"
    assert shown[2].startswith("line 5: ")
    assert len(report.lines()) == 2


def test_rows_without_the_column_are_bad_lines(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text('id,Structure\n1,CC\n2\n3,""\n\n4, CN \n')
    read, report = read_smiles_file(path, "structure")
    assert read == ["CC", "CN"]
    assert report.dropped == {"no SMILES text": 2}
    assert report.examples["no SMILES text"][0] == "line 3: '': it is empty"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"id,molecule\n1,CC\n", r"no column 'smiles'; name one of 'id', 'molecule'"),
        ("a.smi", b"", "has no SMILES string"),
        ("a.csv", b"", "no column of SMILES strings: it is empty"),
        ("a.smi", b"hello\nworld\n", "has no SMILES string .line 1: 'hello'"),
        ("a.smi.gz", gzip.compress(b"CC\n" * 999, mtime=0)[:20], "cannot be read"),
        ("a.smi.gz", b"\x1f\x8b broken", "cannot be read"),
        ("a.csv", b'smiles\n"' + b"C" * (1 << 21), "is not a table, at line 2"),
    ],
)
def test_files_that_cannot_be_used_are_the_users_error(name, content, message, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_smiles_file(tmp_path / name)


def test_a_file_in_windows_code_page_keeps_its_letters_and_is_named(tmp_path, capsys):
    path = tmp_path / "latin.csv"
    path.write_bytes("Name;Structure\nHöfer – 5 µM;CCO\n".encode("cp1252"))
    (entry,) = read_entries(path)
    assert (entry.name, entry.smiles) == ("Höfer – 5 µM", "CCO")
    told = " ".join(capsys.readouterr().err.split())
    assert "is not in UTF-8 (line 2): it is read as Windows-1252" in told
    path.write_text("Name;Structure\nHöfer;CCO\n", encoding="utf-8")
    assert read_entries(path)[0].name == "Höfer"
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_lines_end_as_on_any_system(line_end, encoding, tmp_path):
    path = tmp_path / "mine.smi"
    path.write_bytes(line_end.join(["CCO ethanol", "# a remark", "", "CC"]).encode(encoding))
    assert read_smiles_file(path)[0] == ["CCO", "CC"]
    found = [(entry.line, entry.smiles, entry.name) for entry in read_entries(path)]
    assert found == [(1, "CCO", "ethanol"), (4, "CC", "")]


@pytest.mark.parametrize(
    ("name", "way"),
    [("mine.mol2", "obabel mine.mol2"), ("mine.PDB.gz", "obabel"), ("mine.xlsx", "a text file")],
)
@pytest.mark.parametrize("read", [read_smiles_file, read_entries])
def test_files_of_other_kinds_are_not_taken_for_smiles(read, name, way, tmp_path):
    (tmp_path / name).write_bytes(b"CCO\n")
    with pytest.raises(UserError, match=f"not a text file of SMILES strings; .*{way}"):
        read(tmp_path / name)


def test_a_missing_file_and_a_folder(tmp_path):
    for path in (tmp_path / "gone.smi", tmp_path):
        with pytest.raises(UserError, match="cannot be read"):
            read_smiles_file(path)


@pytest.mark.parametrize("read", [read_smiles_file, read_entries])
def test_a_small_archive_that_grows_too_large_is_refused(read, tmp_path, monkeypatch):
    path = tmp_path / "a.smi.gz"
    path.write_bytes(gzip.compress(b"CC\n" * 100_000))
    assert path.stat().st_size < 2000
    assert read(path)
    monkeypatch.setattr(smiles_files, "LARGEST_TEXT", 200_000)
    with pytest.raises(UserError, match="holds more than 0 MiB; split it"):
        read(path)
