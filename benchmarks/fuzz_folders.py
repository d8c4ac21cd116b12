"""Readers of folders and of what is kept in them: models, runs and caches."""

from __future__ import annotations

import contextlib
import functools
import json
import tempfile
from pathlib import Path
from typing import Any

from fuzz_reader import JSON_WORDS, Reader, Seed, files_of, only_file
from fuzz_scores import abc_seeds
from fuzz_text import config_seeds


@functools.cache
def tiny_tutor() -> Any:
    """Melodies of eight steps, a few cells, two chunks."""
    import jax

    from seqtutor.models.lstm import LSTM
    from seqtutor.tasks.melody.settings import MelodySettings
    from seqtutor.tasks.melody.task import melody_task
    from seqtutor.training.settings import TutorSettings
    from seqtutor.training.tutor import Tutor

    settings = TutorSettings.of(
        "psi", environments=4, batch=2, updates=1, replay_capacity=4, steps=64, log_every=32
    )
    return Tutor(
        melody_task(MelodySettings(length=8)), LSTM(38, (2,), key=jax.random.key(0)), settings
    )


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
    from seqtutor.runs.policies import find_policy
    from seqtutor.task_registry import find_spec

    find_policy(find_spec("melody"), str(folder))


def run_seeds() -> list[Seed]:
    """A run that was stopped after its last chunk, and a finished one."""
    from seqtutor.runs.run_folder import RunFolder
    from seqtutor.runs.run_on_disk import run_on_disk

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
    from seqtutor.errors import UserError
    from seqtutor.runs.config import read_config
    from seqtutor.runs.policies import find_policy
    from seqtutor.runs.run_folder import RunFolder
    from seqtutor.runs.run_on_disk import run_on_disk
    from seqtutor.task_registry import find_spec

    spec = find_spec("melody")
    with contextlib.suppress(UserError):
        find_policy(spec, str(folder))
    read_config(spec, folder)
    run_on_disk(tiny_tutor(), RunFolder(folder))


def cache_seeds() -> list[Seed]:
    """Tunes and molecules as they are kept once read."""
    import numpy as np

    from seqtutor.data import Sequences
    from seqtutor.tasks.melody.abc import read_abc
    from seqtutor.tasks.melody.corpus import save_tunes
    from seqtutor.tasks.molecule.dataset_cache import EncodedSource, save_encoded
    from seqtutor.tasks.molecule.import_report import ImportReport
    from seqtutor.tasks.scores.abc import decode_abc
    from seqtutor.vocabulary import Vocabulary

    tunes, report = read_abc(decode_abc(abc_seeds()[1]["tune.abc"]), "tune.abc")
    encoded = EncodedSource(
        Sequences(np.array([[0, 2], [1, 2]], np.uint8), np.ones((2, 2), bool)),
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
    from seqtutor.tasks.melody.corpus import load_tunes
    from seqtutor.tasks.molecule.dataset_cache import load_encoded

    path = only_file(folder)
    load_tunes(path)
    load_encoded(path)


VALUES: tuple[Any, ...] = ("x", None, [])


FOLDER_READERS = (
    Reader(
        "model folder",
        model_seeds,
        read_model,
        (*JSON_WORDS, b'"kind"', b'"lstm"', b'"product"', b'"F64"', b'"I8"', b'"BF16"'),
        lambda folder: ["sample", str(folder), "--number", "1"],
        model_hostile,
    ),
    Reader("run folder", run_seeds, read_run, JSON_WORDS, None, run_hostile),
    Reader("cache", cache_seeds, read_cache, JSON_WORDS),
)
