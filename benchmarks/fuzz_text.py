"""Readers of single files of text: SMILES, configurations and tokens."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
from pathlib import Path
from typing import Any

from fuzz_reader import BOMB_BYTES, JSON_WORDS, MELODY, Reader, Seed, only_file


def smiles_seeds() -> list[Seed]:
    """Lines, tables, and each of them compressed."""
    lines = (
        b"SMILES name\nCCO ethanol\nc1ccccc1 benzene\nC[C@H](N)C(=O)O alanine\n# no\n[Na+].[Cl-]\n"
    )
    table = b'id,"smiles",logp\n1,CCO,-.1\n2,"c1ccccc1",2.1\n3,CC(=O)Oc1ccccc1C(=O)O,1.2\n'
    return [
        {"molecules.smi": lines},
        {"molecules.csv": table},
        {"molecules.tsv": table.replace(b",", b"\t")},
        {"molecules.smi.gz": gzip.compress(lines)},
        {"molecules.csv.gz": gzip.compress(table)},
    ]


def smiles_hostile() -> list[Seed]:
    """Archives that grow to gigabytes, one line without an end, quotes without an end."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=1) as file:
        for _ in range(BOMB_BYTES >> 20):
            file.write(b"C" * (1 << 20))
    return [
        {"molecules.smi.gz": buffer.getvalue()},
        {"molecules.smi": b"C" * (1 << 24)},
        {"molecules.csv": b'smiles\n"' + b"C" * (1 << 22)},
        {"molecules.csv": b"smiles," * 100_000 + b"\n" + b"C," * 100_000},
    ]


def read_smiles(folder: Path) -> None:
    """A file as `pretrain` reads it, and as `score` does."""
    from seqtutor.errors import UserError
    from seqtutor.tasks.molecule.smiles_files import read_entries, read_smiles_file

    path, failure = only_file(folder), None
    for read in (read_smiles_file, read_entries):
        try:
            read(path)
        except UserError as error:
            failure = error
    if failure is not None:
        raise failure


def config_seeds() -> list[Seed]:
    """A configuration of each task, as runs write them."""
    import yaml

    from seqtutor.runs.config import RunConfig
    from seqtutor.task_registry import find_spec

    def text(task: str) -> bytes:
        config: Any = RunConfig(task, settings=find_spec(task).settings_type())
        content = {**config.content(), "made_by": {"command": "seqtutor tune", "jax": "0.8"}}
        return yaml.safe_dump(content, sort_keys=False).encode()

    return [{"config.yaml": text("melody")}, {"config.yaml": text("molecule")}]


def config_hostile() -> list[Seed]:
    """Aliases that multiply, lists in each other, numbers without an end."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    deep = b"rules: " + b"[" * 100_000
    return [
        {"config.yaml": "\n".join(lines).encode()},
        {"config.yaml": b"tutor: " + lines[-1].encode()},
        {"config.yaml": deep},
        {"config.yaml": b"length: " + b"9" * 100_000},
        {"config.yaml": b"length: !!python/object/apply:os.system ['true']"},
        {"config.yaml": b"&a [*a]"},
        {"config.yaml": b"tutor: &a {seed: *a}"},
        {"config.yaml": b"x: 0\n" * 2_000_000},
    ]


def read_configuration(folder: Path) -> None:
    """A configuration as `tune --config` reads it, for both tasks."""
    from seqtutor.errors import UserError
    from seqtutor.runs.config import read_config
    from seqtutor.task_registry import find_spec

    failure = None
    for task in ("melody", "molecule"):
        try:
            read_config(find_spec(task), only_file(folder))
        except UserError as error:
            failure = error
    if failure is not None:
        raise failure


def token_seeds() -> list[Seed]:
    """Melodies as lines of JSON."""
    lines = "\n".join(json.dumps({"tokens": list(MELODY[:size])}) for size in (4, 8, 32))
    return [{"melodies.jsonl": lines.encode()}, {"melodies.jsonl": b'{"tokens": [2, 37]}\n'}]


def token_hostile() -> list[Seed]:
    """Lists in each other, numbers without an end, one long line."""
    return [
        {"melodies.jsonl": b'{"tokens": ' + b"[" * 100_000},
        {"melodies.jsonl": b'{"tokens": [' + b"1" * 100_000 + b"]}"},
        {"melodies.jsonl": b'{"tokens": [' + b"1," * 1_000_000 + b"1]}"},
        {"melodies.jsonl": b"\n" * (1 << 24)},
    ]


def read_tokens(folder: Path) -> None:
    """A token file, and its text as a primer."""
    from seqtutor.errors import UserError
    from seqtutor.tasks.melody.primer import read_primer
    from seqtutor.text_sequences import read_token_file

    path = only_file(folder)
    text = path.read_bytes()[:200].decode(errors="replace")
    with contextlib.suppress(UserError):
        read_primer(text.partition(":")[2].strip(" }\n"))
    read_token_file(path)


TEXT_READERS = (
    Reader(
        "smiles",
        smiles_seeds,
        read_smiles,
        (
            b"smiles",
            b",",
            b";",
            b"\t",
            b'"',
            b'""',
            b"\r",
            b"\0",
            b"[",
            b"]",
            b"(",
            b"%99",
            b"#",
            b"[CH]",
            b"\xef\xbb\xbf",
            b"\xff\xfe",
            b"C" * 300,
        ),
        None,
        smiles_hostile,
    ),
    Reader(
        "configuration",
        config_seeds,
        read_configuration,
        (
            *JSON_WORDS,
            b"~",
            b"&a ",
            b"*a",
            b"!!python/name:os.system",
            b"!!binary ",
            b"? ",
            b"|",
            b">",
            b"<<: ",
            b"- ",
            b": ",
            b"\t",
            b"---\n",
            b"2001-01-01",
            b"0o7",
            b"1:2:3",
            b"!!set ",
            b".inf",
            b".nan",
            b"!!timestamp ",
        ),
        lambda folder: ["tune", "melody", "--steps", "0", "--config", str(only_file(folder))],
        config_hostile,
    ),
    Reader(
        "token file",
        token_seeds,
        read_tokens,
        (*JSON_WORDS, b'"tokens"', b"38", b"\n", b"\xe2\x80\xa8", b"\x85", b"\xef\xbb\xbf"),
        lambda folder: ["score", "melody", "--tokens", str(only_file(folder))],
        token_hostile,
    ),
)
