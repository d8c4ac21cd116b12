"""What `benchmarks/fuzz.py` fuzzes: every reader, the small real files it starts from, its words.

A seed is a folder: file names with their contents. A reader gets a folder in which one of the files
has been spoilt, and does with it what the commands do.
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import io
import json
import struct
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Seed = dict[str, bytes]

MELODY = (14, 1, 16, 1, 18, 1, 19, 18, 16, 1, 14, 1, 21, 1, 0, 1) * 2
BOMB_BYTES = 1 << 31
"""What the hostile archives grow to."""


@dataclass(frozen=True)
class Reader:
    """A reader under test.

    Attributes:
        name: for the table.
        seeds: make the files to start from.
        read: does with a folder what a command does; may raise nothing but a `UserError`.
        words: pieces of the format that mutations insert.
        command: the command line that reads such a folder, for the share of inputs that go through
            `seqtutor` itself.
    """

    name: str
    seeds: Callable[[], list[Seed]]
    read: Callable[[Path], object]
    words: tuple[bytes, ...] = ()
    command: Callable[[Path], list[str]] | None = None
    hostile: Callable[[], list[Seed]] = field(default=list)


def only_file(folder: Path) -> Path:
    """The folder's one file."""
    (path,) = folder.iterdir()
    return path


def read_melodies(folder: Path) -> None:
    """A file as `score` and `pretrain` read it."""
    from seqtutor.tasks.melody.dataset import build_dataset
    from seqtutor.tasks.melody.encoding import notes_to_tokens
    from seqtutor.tasks.melody.folder import read_folder

    tunes, report = read_folder(folder)
    build_dataset(tunes, report, length=8)
    for tune in tunes:
        notes_to_tokens(tune.notes, tune.length)


def score_melody(folder: Path) -> list[str]:
    """The command that reads a melody's file."""
    return ["score", "melody", str(only_file(folder))]


def abc_seeds() -> list[Seed]:
    """One tune of ours, one with everything, and short tunes of the corpus."""
    from seqtutor.tasks.melody.render import abc_file, render_abc
    from seqtutor.tasks.scores.corpus import corpus_folder

    rich = """X:1
T:Everything
M:6/8
L:1/8
Q:1/4=120
K:Ador
V:1
|:"Am"A2B {g}c>de|(3efg [ce]2 z|1 a3-a2A:|2 ^G,,3 =f'2_b|]
[K:Bb][M:C|] B/2c/4d// e-e x8 |: w4 :: !trill!~g2 .a2 (bc') :|
w: la la
"""
    books = corpus_folder()
    short = [path.read_bytes() for path in sorted((books / "airdsAirs").glob("*.abc"))[:1]]
    tunes = [text[:1500] for text in short]
    return [
        {"tune.abc": content}
        for content in (abc_file([render_abc(MELODY)]).encode(), rich.encode(), *tunes)
    ]


def abc_hostile() -> list[Seed]:
    """Notes, rests, repeats and bars without end."""
    head = "X:1\nM:4/4\nL:1/4\nK:C\n"
    bodies = [f"C{'9' * digits}|D" for digits in (6, 9, 12, 5000)]
    bodies += [f"C|Z{'9' * digits}|D" for digits in (6, 9, 12)]
    bodies += ["|:" * 50_000 + "CDEF" + ":|" * 50_000, "|:CDEF:|" + "::" * 50_000, "(3" * 100_000]
    bodies += ["C" + "/" * 100_000, "[" * 100_000, "{" * 100_000, "C-" * 100_000, "C>" * 100_000]
    texts = [head + body + "\n" for body in bodies]
    texts += ["X:1\nK:C\nC|\n\n" * 100_000, head.replace("1/4", "1/" + "9" * 5000) + "C|"]
    texts += [
        head.replace("4/4", "999999999/1") + "C|D|",
        head.replace("4/4", "1/999999999") + "C|",
    ]
    return [{"tune.abc": text.encode()} for text in texts]


def midi_hostile() -> list[Seed]:
    """Notes at the end of the longest waits that a track can hold, in the coarsest of times."""
    wait = b"\xff\xff\xff\x7f"
    events = b"\x00\x90\x3c\x40" + wait + b"\x80\x3c\x00"
    files = []
    for times in (1, 20):
        track = events * times + b"\x00\xff\x2f\x00"
        head = b"MThd" + struct.pack(">IHHH", 6, 0, 1, 1)
        files.append(head + b"MTrk" + struct.pack(">I", len(track)) + track)
    return [{"tune.mid": content} for content in files]


def kern_hostile() -> list[Seed]:
    """Bars and notes without end."""
    wishes = (
        (b"M3/4", b"M999999/1"),
        (b"4g", b"0000g"),
        (b"8a", b"65536a"),
        (b"4r", b"4%99999999r"),
    )
    return [{"tune.krn": KERN.replace(*wish)} for wish in wishes]


def midi_seeds() -> list[Seed]:
    """A melody of ours and one with other events."""
    import symusic

    from seqtutor.tasks.melody.render import render_midi

    score: Any = symusic.Score.from_midi(render_midi(MELODY))
    score.key_signatures.append(symusic.KeySignature(0, -3, 1))
    score.time_signatures.append(symusic.TimeSignature(0, 3, 4))
    score.tracks[0].controls.append(symusic.ControlChange(10, 64, 127))
    score.tracks[0].pitch_bends.append(symusic.PitchBend(20, 300))
    return [{"tune.mid": render_midi(MELODY)}, {"tune.mid": bytes(score.dumps_midi())}]


def musicxml() -> bytes:
    """A melody of ours, engraved."""
    from seqtutor.tasks.melody.render import render_score

    return render_score(MELODY[:16]).encode()


def zipped(name: str, content: bytes, container: str | None = None) -> bytes:
    """A compressed MusicXML file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/container.xml", container or CONTAINER)
        archive.writestr(name, content)
    return buffer.getvalue()


CONTAINER = '<container><rootfiles><rootfile full-path="score.musicxml"/></rootfiles></container>'


def mxl_hostile() -> list[Seed]:
    """An archive that grows to gigabytes, one that leads out of the folder, one that holds none."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/container.xml", CONTAINER)
        with archive.open("score.musicxml", "w", force_zip64=True) as file:
            zeros = bytes(1 << 20)
            for _ in range(BOMB_BYTES >> 20):
                file.write(zeros)
    nothing = io.BytesIO()
    zipfile.ZipFile(nothing, "w").close()
    outside = zipped("../../score.musicxml", musicxml())
    return [{"tune.mxl": one} for one in (buffer.getvalue(), nothing.getvalue(), outside)]


def xml_hostile() -> list[Seed]:
    """Entities that multiply, one that reads another file, and elements in each other."""
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    score = "<score-partwise><part-list/><work><work-title>{}</work-title></work></score-partwise>"
    head = '<?xml version="1.0"?><!DOCTYPE s [<!ENTITY l0 "ha">{}]>'
    return [
        {"tune.xml": (head.format(laughs) + score.format("&l11;")).encode()},
        {
            "tune.xml": (
                head.format('<!ENTITY f SYSTEM "file:///etc/passwd">') + score.format("&f;")
            ).encode()
        },
        {"tune.xml": b"<score-partwise>" + b"<part>" * 200_000},
    ]


KERN = b"""!!!OTL: A tune
**kern\t**kern
*clefG2\t*clefF4
*k[f#]\t*k[f#]
*G:\t*G:
*M3/4\t*M3/4
4g\t2.GG
8a\t.
8b\t.
[4cc\t.
=1\t=1
4cc]\t2.r
16dd\t.
16ee\t.
8ff#\t.
4r\t.
==\t==
*-\t*-
"""


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
    from seqtutor.tasks.molecule.score_file import read_entries
    from seqtutor.tasks.molecule.smiles_files import read_smiles_file

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

    from seqtutor.tasks.melody.settings import MelodyTuning
    from seqtutor.tasks.molecule.settings import MoleculeTuning
    from seqtutor.training.run_folder import plain

    def text(tuning: Any) -> bytes:
        content = {**plain(tuning), "made_by": {"command": "seqtutor tune", "jax": "0.8"}}
        return yaml.safe_dump(content, sort_keys=False).encode()

    return [{"config.yaml": text(MelodyTuning())}, {"config.yaml": text(MoleculeTuning())}]


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
    from seqtutor.tasks.melody.settings import MelodyTuning
    from seqtutor.tasks.molecule.settings import MoleculeTuning
    from seqtutor.training.run_folder import read_config

    failure = None
    for kind in (MelodyTuning, MoleculeTuning):
        try:
            read_config(kind, only_file(folder))
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
    from seqtutor.cli.token_files import read_token_file
    from seqtutor.errors import UserError
    from seqtutor.tasks.melody.primer import read_primer

    path = only_file(folder)
    text = path.read_bytes()[:200].decode(errors="replace")
    with contextlib.suppress(UserError):
        read_primer(text.partition(":")[2].strip(" }\n"))
    read_token_file(path)


def files_of(folder: Path) -> Seed:
    """A folder as a seed."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@functools.cache
def tiny_tutor() -> Any:
    """Melodies of eight steps, a few cells, two chunks."""
    import jax

    from seqtutor.models.lstm import LSTM
    from seqtutor.tasks.melody.task import melody_task
    from seqtutor.training.settings import TutorSettings
    from seqtutor.training.tutor import Tutor

    settings = TutorSettings.of(
        "psi", environments=4, batch=2, updates=1, replay_capacity=4, steps=64, log_every=32
    )
    return Tutor(melody_task(8), LSTM(38, (2,), key=jax.random.key(0)), settings)


def model_seeds() -> list[Seed]:
    """A small model, and a product of two."""
    import jax

    from seqtutor.models.files import SavedModel, save_model
    from seqtutor.models.lstm import LSTM
    from seqtutor.models.product import ProductModel
    from seqtutor.tasks.melody.encoding import melody_vocabulary

    model = LSTM(38, (2, 3), positions=2, key=jax.random.key(0))
    seeds = []
    for one in (model, ProductModel(model, model)):
        with tempfile.TemporaryDirectory() as parent:
            folder = Path(parent, "model")
            save_model(SavedModel(one, melody_vocabulary(), {"max_length": 8}), folder)
            seeds.append(files_of(folder))
    return seeds


def model_hostile() -> list[Seed]:
    """Sizes beyond any memory, values in each other, models in each other."""
    seed = model_seeds()[0]
    config = json.loads(seed["config.json"])
    huge = {**config, "model": {**config["model"], "hidden_sizes": [1 << 40]}}
    many = {**config, "model": {**config["model"], "hidden_sizes": [1] * 100_000}}
    nested = config["model"]
    for _ in range(300):
        nested = {"kind": "product", "prior": nested, "factor": config["model"]}
    deep = b'{"a":' * 100_000
    header = (1 << 60).to_bytes(8, "little") + b"{}"
    return [
        {**seed, "config.json": json.dumps(huge).encode()},
        {**seed, "config.json": json.dumps(many).encode()},
        {**seed, "config.json": json.dumps({**config, "model": nested}).encode()},
        {**seed, "config.json": deep},
        {**seed, "vocabulary.json": deep},
        {**seed, "vocabulary.json": b'{"tokens": [[' + b"[" * 500 + b"]" * 500 + b"]], "},
        {**seed, "config.json": b'{"format": ' + b"1" * 10_000 + b"}"},
        {**seed, "model.safetensors": header},
    ]


def read_model(folder: Path) -> None:
    """A model's folder as `sample` reads it."""
    from seqtutor.cli.policies import policy_named
    from seqtutor.tasks.melody.settings import MelodyTuning
    from seqtutor.tasks.melody.task import load_melody_model

    policy_named(str(folder), MelodyTuning, load_melody_model)


def run_seeds() -> list[Seed]:
    """A run that was stopped after its last chunk, and a finished one."""
    from seqtutor.training.run_folder import RunFolder
    from seqtutor.training.run_on_disk import run_on_disk

    model = {f"model/{name}": content for name, content in model_seeds()[0].items()}
    config = config_seeds()[0]["config.yaml"]
    with tempfile.TemporaryDirectory() as parent:
        folder = RunFolder.start(Path(parent, "run"), {}, {})
        (folder.path / "config.yaml").write_bytes(config)
        run_on_disk(tiny_tutor(), folder, seconds=0.0)
        folder.remark("a remark")
        stopped = files_of(folder.path)
    return [stopped, {"config.yaml": config, "metrics.jsonl": stopped["metrics.jsonl"], **model}]


def run_hostile() -> list[Seed]:
    """Records and manifests that are no such thing."""
    seed = run_seeds()[0]
    record = json.loads(seed["metrics.jsonl"].splitlines()[0])
    manifest = next(name for name in seed if name.endswith(".json"))
    texts = [json.dumps({**record, name: value}) for name in record for value in VALUES]
    texts += ["[" * 100_000, '{"step": ' + "1" * 10_000 + "}", "NaN", '{"step": NaN}']
    wanted = [{**seed, "metrics.jsonl": f"{text}\n".encode()} for text in texts]
    wanted += [{**seed, manifest: text.encode()} for text in ("[" * 100_000, "1" * 10_000, "null")]
    wanted.append({**seed, "checkpoints/step-99999999999999999999.json": b"{}"})
    return wanted


def read_run(folder: Path) -> None:
    """A run's folder as `--resume` and as `evaluate` read it."""
    from seqtutor.cli.policies import policy_named
    from seqtutor.errors import UserError
    from seqtutor.tasks.melody.settings import MelodyTuning
    from seqtutor.tasks.melody.task import load_melody_model
    from seqtutor.training.run_folder import RunFolder
    from seqtutor.training.run_on_disk import run_on_disk

    with contextlib.suppress(UserError):
        policy_named(str(folder), MelodyTuning, load_melody_model)
    run = RunFolder(folder)
    run.config(MelodyTuning)
    run_on_disk(tiny_tutor(), run)


def cache_seeds() -> list[Seed]:
    """Tunes and molecules as they are kept once read."""
    import numpy as np

    from seqtutor.tasks.melody.abc import read_abc
    from seqtutor.tasks.melody.tune_cache import save_tunes
    from seqtutor.tasks.molecule.dataset_cache import EncodedSource, save_encoded
    from seqtutor.tasks.molecule.encoding import EncodedMolecules
    from seqtutor.tasks.molecule.import_report import ImportReport
    from seqtutor.tasks.scores.abc import decode_abc
    from seqtutor.vocabulary import Vocabulary

    tunes, report = read_abc(decode_abc(abc_seeds()[1]["tune.abc"]), "tune.abc")
    encoded = EncodedSource(
        EncodedMolecules(np.array([0, 0, 1, 2], np.uint8), np.array([2, 2])),
        1,
        Vocabulary(("C", "O", "$"), "$"),
        ImportReport(2),
    )
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent)
        save_tunes(folder / "tunes.npz", tunes, report)
        save_encoded(folder / "molecules.npz", encoded)
        return [{name: content} for name, content in files_of(folder).items()]


def read_cache(folder: Path) -> None:
    """A cache's file, which is whole or does not count."""
    from seqtutor.tasks.melody.tune_cache import load_tunes
    from seqtutor.tasks.molecule.dataset_cache import load_encoded

    path = only_file(folder)
    load_tunes(path)
    load_encoded(path)


VALUES: tuple[Any, ...] = ("x", None, [])
_NUMBERS = (b"0", b"-1", b"1e999", b"NaN", b"99999999999999999999", b"4294967296", b"1/0", b".5")
_JSON_WORDS = (*_NUMBERS, b"null", b"true", b"[]", b"{}", b'"', b"[[[[", b'{"":', b"\\ud800")

READERS = {
    reader.name: reader
    for reader in (
        Reader(
            "abc",
            abc_seeds,
            read_melodies,
            (
                *_NUMBERS,
                b"X:2\n",
                b"K:H\n",
                b"M:0/0\n",
                b"L:1/0\n",
                b"|:",
                b":|",
                b"(3",
                b"[",
                b"{",
                b"-",
                b"/",
                b"<>",
                b"V:2\n",
                b"[K:",
                b"\n\n",
                b"_",
                b"^",
                b"=",
                b"M:C|\n",
            ),
            score_melody,
            abc_hostile,
        ),
        Reader(
            "midi",
            midi_seeds,
            read_melodies,
            (
                b"MThd",
                b"MTrk",
                b"\xff\x2f\x00",
                b"\xff\x58\x04",
                b"\xff\x59\x02",
                b"\x90\x3c\x40",
                b"\x80\x3c\x40",
                b"\xff\xff\xff\x7f",
                b"\xf0",
                b"\x00\x00\x00\x06",
                b"\xe7\x28",
            ),
            score_melody,
            midi_hostile,
        ),
        Reader(
            "musicxml",
            lambda: [
                {"tune.musicxml": musicxml()},
                {"tune.mxl": zipped("score.musicxml", musicxml())},
            ],
            read_melodies,
            (
                *_NUMBERS,
                b"<note>",
                b"</note>",
                b"<measure>",
                b"<repeat direction='backward'/>",
                b"&",
                b"<chord/>",
                b"<grace/>",
                b"<divisions>0</divisions>",
                b"<backup>",
                b"<!--",
                b"<tie",
            ),
            score_melody,
            lambda: mxl_hostile() + xml_hostile(),
        ),
        Reader(
            "kern",
            lambda: [{"tune.krn": KERN}, {"tune.krn": KERN.replace(b"\t**kern", b"\t**dynam")}],
            read_melodies,
            (
                *_NUMBERS,
                b"\t",
                b"*^",
                b"*v",
                b"*-",
                b"**kern",
                b"=1",
                b"==",
                b"*M0/0",
                b"*>[A,A]",
                b"*>A",
                b"q",
                b"%",
                b"*k[zz]",
                b"*x",
                b"*+",
                b"!!!",
                b"[",
                b"]",
                b"_",
            ),
            score_melody,
            kern_hostile,
        ),
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
                b"[C@@H]",
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
                *_JSON_WORDS,
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
            (*_JSON_WORDS, b'"tokens"', b"38", b"\n", b"\xe2\x80\xa8", b"\x85", b"\xef\xbb\xbf"),
            lambda folder: ["score", "melody", "--tokens", str(only_file(folder))],
            token_hostile,
        ),
        Reader(
            "model folder",
            model_seeds,
            read_model,
            (*_JSON_WORDS, b'"kind"', b'"lstm"', b'"product"', b'"F64"', b'"I8"', b'"BF16"'),
            lambda folder: ["sample", str(folder), "--number", "1"],
            model_hostile,
        ),
        Reader("run folder", run_seeds, read_run, _JSON_WORDS, None, run_hostile),
        Reader("cache", cache_seeds, read_cache, _JSON_WORDS),
    )
}
