import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from moses_copy import moses_sample, write_wheel
from rdkit import Chem

from seqtutor.errors import UserError
from seqtutor.tasks.molecule import sources
from seqtutor.tasks.molecule.data_settings import MoleculeDataSettings
from seqtutor.tasks.molecule.dataset import MoleculeDataset, load_molecules
from seqtutor.tasks.molecule.dataset_cache import load_encoded, save_encoded
from seqtutor.tasks.molecule.encoding import vocabulary_of
from seqtutor.tasks.molecule.import_report import ImportReport
from seqtutor.tasks.molecule.moses_wheel import MOSES_RELEASE
from seqtutor.tasks.molecule.tokens import END_TOKEN, tokenise

ALL_TOKENS = MoleculeDataSettings(rarest=0)


@pytest.fixture(scope="module")
def module_cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def cache(module_cache, monkeypatch):
    monkeypatch.setenv("SEQTUTOR_CACHE", str(module_cache))
    return module_cache


@pytest.fixture
def nci(cache) -> MoleculeDataset:
    return load_molecules("nci")


@pytest.fixture
def moses(cache, monkeypatch):
    """`fetch_wheel` alone checks whether it is the right wheel."""
    write_wheel(cache).rename(cache / MOSES_RELEASE.file_name)
    return load_molecules("moses", ALL_TOKENS)


def strings_of(dataset: MoleculeDataset) -> dict[str, list[str]]:
    return {name: dataset.strings(part) for name, part in dataset.parts.items()}


def digest(dataset: MoleculeDataset) -> str:
    return dataset.origin["data"]["sha256"]


def all_strings(dataset: MoleculeDataset) -> set[str]:
    return {smiles for part in strings_of(dataset).values() for smiles in part}


def write(tmp_path: Path, *strings: str) -> Path:
    path = tmp_path / "mine.smi"
    path.write_text("\n".join(strings) + "\n")
    return path


def test_each_molecule_is_in_one_part_once(nci):
    parts = strings_of(nci)
    together = [smiles for part in parts.values() for smiles in part]
    assert len(set(together)) == len(together) == nci.report.usable > 4500
    assert len(parts["test"]) == len(parts["validation"]) == round(0.1 * len(together))
    for smiles in parts["test"]:
        assert Chem.MolToSmiles(Chem.MolFromSmiles(smiles)) == smiles
    assert nci.report.read == 4999
    assert nci.report.dropped["no molecule for RDKit"] == 8


def test_rows_are_tokens_an_end_and_more_ends(nci):
    for part in nci.parts.values():
        for row, length in zip(part.tokens[:50], part.mask[:50].sum(1), strict=True):
            decoded = [nci.vocabulary.tokens[i] for i in row]
            assert decoded[length - 1 :] == [END_TOKEN] * (nci.max_length - length + 1)
            assert tokenise("".join(decoded[: length - 1])) == decoded[: length - 1]
        assert part.tokens.dtype == np.int8
        ends = (part.tokens == nci.vocabulary.end).argmax(1)
        np.testing.assert_array_equal(part.mask.sum(1), ends + 1)
    used = {i for part in nci.parts.values() for i in np.unique(part.tokens)}
    assert used == set(range(nci.vocabulary.size)), "no token without a molecule"


def test_the_split_is_the_seeds(nci, cache):
    again = load_molecules("nci")
    assert digest(again) == digest(nci)
    other = load_molecules("nci", MoleculeDataSettings(split_seed=1))
    assert len(list(cache.iterdir())) == 1, "the split alone is no reason to read again"
    assert digest(other) != digest(nci)
    assert all_strings(other) == all_strings(nci)


def test_the_second_start_reads_the_cache_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQTUTOR_CACHE", str(tmp_path / "cache"))
    path = write(tmp_path, "OCC", "CN", "C1CC", "C=O", "CCC")
    first, again = load_molecules(path, ALL_TOKENS), load_molecules(path, ALL_TOKENS)
    assert (again.origin, again.report) == (first.origin, first.report)
    assert again.vocabulary == first.vocabulary
    (cached,) = (tmp_path / "cache").iterdir()
    encoded = load_encoded(cached)
    save_encoded(cached, replace(encoded, report=ImportReport(12345)))
    assert load_molecules(path, ALL_TOKENS).report.read == 12345
    for settings in (replace(ALL_TOKENS, stereo=False), replace(ALL_TOKENS, max_length=9)):
        assert load_molecules(path, settings).report.read == 5
    write(tmp_path, "OCC", "CN")
    assert load_molecules(path, ALL_TOKENS).report.read == 2


@pytest.mark.parametrize(
    "damage", ["empty", "cut", "changed", "packed", "foreign", "no array", "format"]
)
def test_a_damaged_cache_is_made_again(damage, tmp_path, monkeypatch):
    monkeypatch.setenv("SEQTUTOR_CACHE", str(tmp_path / "cache"))
    settings = MoleculeDataSettings(rarest=0, canonical="no")
    path = write(tmp_path, "CC", "CN", "CO", "C=O", "CCC")
    expected = load_molecules(path, settings)
    (cached,) = (tmp_path / "cache").iterdir()
    content = cached.read_bytes()
    if damage == "format":
        with np.load(cached) as arrays:
            parts = dict(arrays)
        names = json.loads(parts["names"].tobytes()) | {"format": -1}
        parts["names"] = np.frombuffer(json.dumps(names).encode(), np.uint8)
        np.savez(cached, **parts)
    elif damage == "no array":
        with zipfile.ZipFile(cached, "w") as archive:
            archive.writestr("names", b"no array")
    elif damage == "packed":
        with zipfile.ZipFile(cached) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        with zipfile.ZipFile(cached, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, part in parts.items():
                archive.writestr(name, part)
        content = bytearray(cached.read_bytes())
        content[60:64] = b"\xff" * 4
        cached.write_bytes(content)
    else:
        damaged = {
            "empty": b"",
            "cut": content[: len(content) // 2],
            "changed": content[:70] + b"\xff" * 9 + content[79:],
            "foreign": b"not an archive",
        }
        cached.write_bytes(damaged[damage])
    assert load_encoded(cached) is None
    again = load_molecules(path, settings)
    assert (again.origin, again.report) == (expected.origin, expected.report)
    assert load_encoded(cached) is not None


def test_what_cannot_be_used_is_counted_once(cache, tmp_path):
    good = ["CCO", "CCN", "CCC", "c1ccccc1", "CC=O"]
    path = write(tmp_path, *good, "OCC", "C1CC", "hello", "C" * 60, "C[Si](C)(C)C", "CCO")
    dataset = load_molecules(path, MoleculeDataSettings(rarest=2))
    # Of the five good ones, acetaldehyde has the only double bond, ethylamine the only nitrogen.
    assert sorted(all_strings(dataset)) == ["CCC", "CCO", "c1ccccc1"]
    assert dataset.report.dropped == {
        "no SMILES text": 1,
        "no molecule for RDKit": 1,
        "duplicates": 2,
        "longer than 55 tokens": 1,
        "with a token that occurs fewer than 2 times": 3,
    }
    assert dataset.report.read == 11
    assert dataset.report.examples["with a token that occurs fewer than 2 times"] == (
        *("=", "N", "[Si]"),
    )
    assert "'C1CC' (ring bond 1 is not closed)" in dataset.report.examples["no molecule for RDKit"]
    assert dataset.origin["data"]["molecules"] == {"train": 1, "validation": 1, "test": 1}
    assert "11 molecules read, 3 used" in dataset.summary


def test_a_models_vocabulary_rules(cache, tmp_path):
    vocabulary = vocabulary_of("CON()1=c")
    path = write(tmp_path, "CCO", "CCN", "c1ccccc1", "CCF", "CC(Cl)F", "CCS")
    dataset = load_molecules(path, vocabulary=vocabulary)
    assert dataset.vocabulary == vocabulary
    reason = "with a token that the model does not know"
    assert dataset.report.dropped == {reason: 3}
    assert dataset.report.examples[reason] == ("F", "Cl", "S")
    with pytest.raises(UserError, match=r"none of 6 molecules .* 6 longer than 2 tokens"):
        load_molecules(path, MoleculeDataSettings(max_length=3), vocabulary=vocabulary_of("F"))


def test_molecules_are_brought_to_the_form_that_is_asked_for(cache, tmp_path):
    path = write(tmp_path, "C[C@H](N)C(=O)[O-].[Na+]", "C[CH](N)C(=O)O", "OC(=O)CN", "C(C)O")

    def load(**settings: object) -> set[str]:
        dataset = load_molecules(path, MoleculeDataSettings(rarest=0, **settings))
        return all_strings(dataset)

    assert "CCO" in load()
    assert load(stereo=False, parent=True) == {"CC(N)C(=O)O", "NCC(=O)O", "CCO"}
    assert "C(C)O" in load(canonical="no")
    with pytest.raises(UserError, match="cannot go with --canonical no"):
        load(canonical="no", stereo=False)


def test_moses_keeps_its_own_test_set_and_its_strings(moses):
    parts = strings_of(moses)
    assert parts["test"] == moses_sample("test")
    assert sorted(parts["train"] + parts["validation"]) == sorted(moses_sample("train"))
    assert len(parts["validation"]) == 20
    assert moses.report.dropped == {}


def test_what_training_and_test_share_is_not_tested_on(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQTUTOR_CACHE", str(tmp_path))
    train, test = moses_sample("train"), moses_sample("test")
    shared = sources.SourceStrings(train, [train[0], *test[:9]], ImportReport(210))
    monkeypatch.setattr(sources, "_read_moses", lambda: shared)
    (tmp_path / MOSES_RELEASE.file_name).touch()
    for canonical in ("auto", "yes"):
        settings = MoleculeDataSettings(rarest=0, split_seed=3, canonical=canonical)
        dataset = load_molecules("moses", settings)
        assert len(dataset.test) == 9
        assert dataset.report.dropped == {"duplicates": 1}
        assert len(dataset.train) + len(dataset.validation) == 200


def test_a_limit_draws_at_random(cache, moses):
    settings = MoleculeDataSettings(rarest=0, limit=100)
    first, again = (load_molecules("moses", settings) for _ in range(2))
    assert digest(first) == digest(again)
    assert len(first.train) + len(first.validation) == 100
    assert len(first.test) == 10
    assert first.report.read == 110
    everything = all_strings(moses)
    assert all_strings(first) < everything
    other = load_molecules("moses", MoleculeDataSettings(rarest=0, limit=100, split_seed=1))
    assert all_strings(other) != all_strings(first)


def test_missing_sources(cache, tmp_path, monkeypatch):
    with pytest.raises(UserError, match='give a file of SMILES strings, "moses" or "nci"'):
        load_molecules(tmp_path / "gone.smi")
    monkeypatch.setenv("SEQTUTOR_CACHE", str(tmp_path / "empty"))
    with pytest.raises(UserError, match="seqtutor data moses"):
        load_molecules("moses")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'seqtutor\[molecule\]'"):
        load_molecules("nci")


@pytest.mark.parametrize(
    "wrong", [{"max_length": 1}, {"rarest": -1}, {"limit": 0}, {"split_seed": -1}]
)
def test_senseless_settings(wrong):
    with pytest.raises(UserError):
        MoleculeDataSettings(**wrong)
