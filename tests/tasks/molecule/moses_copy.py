"""A wheel like that of molsets, with 300 of its strings and statistics of the same make."""

import csv
import gzip
import hashlib
import io
import pickle
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np

from seqtutor.tasks.molecule.moses_wheel import MOSES_RELEASE, Release

SAMPLE = Path(__file__).parents[2] / "data" / "molecule" / "moses_sample.csv"
FOLDER = "moses/dataset/data"


def moses_sample(split: str) -> list[str]:
    with SAMPLE.open(encoding="ascii") as file:
        return [row["SMILES"] for row in csv.DictReader(file) if row["SPLIT"] == split]


def statistics() -> dict:
    rng = np.random.default_rng(0)
    return {
        "FCD": {"mu": rng.normal(size=4).astype(np.float32), "sigma": np.eye(4)},
        "SNN": {"fps": rng.integers(0, 2, (50, 16)).astype(np.uint8)},
        "Frag": {"frag": Counter({"[1*]C": 3})},
        "Scaf": {"scaf": Counter({"c1ccccc1": 7})},
        "logP": {"values": [2.5, 3.0]},
        "SA": {"values": [1.5, 4.0]},
        "QED": {"values": [0.5, 0.9]},
        "weight": {"values": [300.25, 320.0]},
    }


def as_npz(content: object) -> bytes:
    """An archive as the authors' NumPy wrote it: an array of one object, pickled."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": ()})
    pickled = pickle.dumps(np.array(content, object), protocol=2)
    file.write(pickled.replace(b"numpy._core.multiarray\n", b"numpy.core.multiarray\n"))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as arrays:
        arrays.writestr("stats.npy", file.getvalue())
    return archive.getvalue()


def write_wheel(folder: Path, **replaced: bytes) -> Path:
    """Write the wheel, with some of its files replaced; returns its path."""
    path = folder / MOSES_RELEASE.file_name
    info = f"{MOSES_RELEASE.name}-{MOSES_RELEASE.version}.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: molsets\nVersion: 0.3.1\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
        for split in ("train", "test", "test_scaffolds"):
            text = "\n".join(["SMILES", *moses_sample(split), ""])
            content = replaced.get(split, gzip.compress(text.encode()))
            wheel.writestr(f"{FOLDER}/{split}.csv.gz", content)
        for split in ("test", "test_scaffolds"):
            content = replaced.get(f"{split}_stats", as_npz(statistics()))
            wheel.writestr(f"{FOLDER}/{split}_stats.npz", content)
    return path


def release_of(path: Path) -> Release:
    """The release that the file would be."""
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return Release(MOSES_RELEASE.name, MOSES_RELEASE.version, sha256)
