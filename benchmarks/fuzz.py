"""Spoilt input for every reader: none may crash, hang, run away with memory or show a traceback.

    python benchmarks/fuzz.py --inputs 100000
    python benchmarks/fuzz.py --readers abc midi --inputs 2000 --seed 7

Each input is a small real file (see `fuzz_readers.py`) with a few mutations: bits, bytes, pieces
cut out, doubled or swapped with another file's, numbers made huge, words of the format put in,
archives packed anew around spoilt contents. Before them come the hostile ones: archives that grow
to gigabytes, aliases and entities that multiply, values in each other. What a reader may do with an
input is read it or raise a `UserError`, within twelve seconds and 4 GiB. One input in so many goes
through the command line itself, where only an exit code is accepted.

Every reader runs in a process of its own, which is started again after an input that killed it.
Inputs that were found to do harm are kept, one of each kind. An input's number and the seed make
it: `--first` and `--inputs 1` try one again.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import mmap
import os
import random
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from fuzz_reader import Reader, Seed
from fuzz_readers import READERS

SECONDS = 12
"""An input that takes longer, of the processor's time, counts as a hang."""
PATIENCE = 10 * SECONDS
"""Seconds after which a process that does not hear its own alarm is killed."""
MEMORY = 4 << 30
"""Bytes that a reader's process may ask for beyond those it has when it is ready."""
MOST_MUTATIONS = 6
WORKER = "SEQTUTOR_FUZZ_WORKER"
"""Holds the shared folder in the process that reads."""
_NOT_READY, _DONE = -2, -1


@dataclass(frozen=True)
class Options:
    """Fuzz the readers and print the table."""

    readers: tuple[str, ...] = tuple(READERS)
    """Which of them."""
    inputs: int = 2000
    """Mutated files for each."""
    first: int = 0
    """Number of the first."""
    seed: int = 0
    """Of the mutations."""
    commands: int = 1000
    """One input in so many goes through the command line, where the reader has one; 0 for none."""
    findings: Path = Path("fuzz-findings")
    """Folder for inputs that did harm."""

    def __post_init__(self) -> None:
        unknown = [name for name in self.readers if name not in READERS]
        if unknown:
            sys.exit(f"no reader is called {unknown[0]}; choose of {', '.join(READERS)}")


@dataclass(frozen=True)
class Finding:
    """An input that did what it may not."""

    number: int
    kind: str
    detail: str


class TooLongError(BaseException):
    """Not an `Exception`, so that no reader takes it for a fault of its own."""


# Mutations ------------------------------------------------------------------------------------


def mutated(content: bytes, other: bytes, words: Sequence[bytes], draw: random.Random) -> bytes:
    """A few mutations of a file's content."""
    unpacked = _unpacked(content)
    if unpacked is not None and draw.random() < 0.8:
        inside, pack = unpacked
        return pack(mutated(inside, _plain(other), words, draw))
    spoilt = bytearray(content)
    for _ in range(draw.randint(1, MOST_MUTATIONS)):
        draw.choice(_MUTATIONS)(spoilt, other, words, draw)
    return bytes(spoilt)


def _place(spoilt: bytearray, draw: random.Random) -> tuple[int, int]:
    start = draw.randint(0, len(spoilt))
    return start, min(len(spoilt), start + draw.choice((1, 2, 4, 16, 64, 256)))


def _flip(spoilt: bytearray, other: bytes, words: Sequence[bytes], draw: random.Random) -> None:
    if spoilt:
        spoilt[draw.randrange(len(spoilt))] ^= 1 << draw.randrange(8)


def _set(spoilt: bytearray, other: bytes, words: Sequence[bytes], draw: random.Random) -> None:
    if spoilt:
        spoilt[draw.randrange(len(spoilt))] = draw.choice((0, 1, 9, 10, 32, 127, 128, 255))


def _cut(spoilt: bytearray, other: bytes, words: Sequence[bytes], draw: random.Random) -> None:
    start, end = _place(spoilt, draw)
    del spoilt[start:end]


def _end(spoilt: bytearray, other: bytes, words: Sequence[bytes], draw: random.Random) -> None:
    if draw.random() < 0.2:
        del spoilt[draw.randint(0, len(spoilt)) :]


def _double(spoilt: bytearray, other: bytes, words: Sequence[bytes], draw: random.Random) -> None:
    start, end = _place(spoilt, draw)
    spoilt[start:start] = spoilt[start:end] * draw.choice((1, 1, 2, 50))


def _splice(spoilt: bytearray, other: bytes, words: Sequence[bytes], draw: random.Random) -> None:
    start, end = _place(spoilt, draw)
    from_other = draw.randint(0, len(other))
    spoilt[start:end] = other[from_other : from_other + draw.choice((4, 16, 64, 256))]


def _word(spoilt: bytearray, other: bytes, words: Sequence[bytes], draw: random.Random) -> None:
    start, end = _place(spoilt, draw)
    spoilt[start : draw.choice((start, end))] = draw.choice(words)


def _number(spoilt: bytearray, other: bytes, words: Sequence[bytes], draw: random.Random) -> None:
    numbers = list(re.finditer(rb"\d+", spoilt))
    if numbers:
        start, end = draw.choice(numbers).span()
        spoilt[start:end] = draw.choice((b"0", b"7", b"-1", b"999", b"65536", b"9" * 12, b"1e9"))


def _integer(spoilt: bytearray, other: bytes, words: Sequence[bytes], draw: random.Random) -> None:
    if len(spoilt) >= 4:
        start = draw.randrange(len(spoilt) - 3)
        value = draw.choice((0, 1, 127, 255, 256, 32767, 65535, 2**31 - 1, 2**32 - 1))
        form = draw.choice(("<I", ">I", "<H", ">H"))
        size = struct.calcsize(form)
        spoilt[start : start + size] = struct.pack(form, value & (256**size - 1))


_MUTATIONS: tuple[Callable[[bytearray, bytes, Sequence[bytes], random.Random], None], ...] = (
    _flip, _set, _cut, _end, _double, _splice, _word, _number, _integer,
)  # fmt: skip


def _unpacked(content: bytes) -> tuple[bytes, Callable[[bytes], bytes]] | None:
    """What an archive holds (the last of its files), and how to pack it anew."""
    if content.startswith(b"\x1f\x8b"):
        return gzip.decompress(content), gzip.compress
    if not content.startswith(b"PK"):
        return None
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    last = list(files)[-1]

    def pack(inside: bytes) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, own in files.items():
                archive.writestr(name, inside if name == last else own)
        return buffer.getvalue()

    return files[last], pack


def _plain(content: bytes) -> bytes:
    unpacked = _unpacked(content)
    return content if unpacked is None else unpacked[0]


def input_of(
    reader: Reader, seeds: list[Seed], hostile: list[Seed], seed: int, number: int
) -> Seed:
    """The input of that number: first the hostile ones, then mutations."""
    if number < len(hostile):
        return hostile[number]
    draw = random.Random(f"{reader.name} {seed} {number}")
    chosen = dict(draw.choice(seeds))
    name = draw.choice(list(chosen))
    other = draw.choice(list(draw.choice(seeds).values()))
    if len(chosen) > 1 and draw.random() < 0.05:
        del chosen[name]
    else:
        chosen[name] = mutated(chosen[name], other, reader.words or (b"\0",), draw)
    return chosen


# The process that reads -----------------------------------------------------------------------


def work(options: Options, folder: Path) -> None:
    """Read input after input; the number of the present one stands in a shared file."""
    (name,) = options.readers
    reader = READERS[name]
    seeds, hostile = reader.seeds(), reader.hostile()
    # What is imported is not an input's fault.
    with tempfile.TemporaryDirectory(dir=folder) as ready:
        write(seeds[0], Path(ready))
        with contextlib.suppress(Exception):
            reader.read(Path(ready))
        if reader.command:
            from seqtutor.cli.main import main

            main(reader.command(Path(ready)))
    limit_memory()
    signal.signal(signal.SIGPROF, _too_long)
    with (folder / "present").open("r+b") as file, (folder / "found").open("a") as found:
        present = mmap.mmap(file.fileno(), 16)
        for number in range(options.first, options.first + options.inputs):
            present[:] = struct.pack("qd", number, time.time())
            content = input_of(reader, seeds, hostile, options.seed, number)
            finding = try_input(reader, content, number, options, folder)
            if finding is not None:
                found.write(json.dumps(vars(finding)) + "\n")
                found.flush()
    present[:] = struct.pack("qd", _DONE, time.time())


def try_input(
    reader: Reader, content: Seed, number: int, options: Options, folder: Path
) -> Finding | None:
    """Read one input as the reader or as the command line does."""
    from seqtutor.cli.main import main
    from seqtutor.errors import UserError

    own = Path(tempfile.mkdtemp(dir=folder))
    write(content, own)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        if reader.command and options.commands and number % options.commands == 0:
            main(reader.command(own))
        else:
            reader.read(own)
    except UserError:
        pass
    except TooLongError:
        return Finding(number, "hang", _place_of(sys.exc_info()[2]))
    except MemoryError:
        return Finding(number, "memory", _place_of(sys.exc_info()[2]))
    except BaseException as error:
        place = _place_of(error.__traceback__)
        return Finding(number, "traceback", f"{type(error).__name__} {place}: {str(error)[:80]}")
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        shutil.rmtree(own, ignore_errors=True)
    return None


def write(content: Seed, folder: Path) -> Path:
    """Write the files of an input."""
    for name, own in content.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(own)
    return folder


def limit_memory() -> None:
    """Let this process grow by so much and no more."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _too_long(number: int, frame: object) -> None:
    raise TooLongError


def _place_of(trace: Any) -> str:
    """The innermost line of the package on the way to where it happened."""
    frames = [frame for frame in traceback.extract_tb(trace) if "seqtutor/" in frame.filename]
    if not frames:
        return "?"
    return f"{frames[-1].filename.partition('seqtutor/')[2]}:{frames[-1].lineno}"


# The process that watches ---------------------------------------------------------------------


def fuzz(options: Options, name: str) -> list[Finding]:
    """Have one reader's inputs read, beginning again after each that kills the process."""
    findings: list[Finding] = []
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent)
        first, last = options.first, options.first + options.inputs
        while first < last:
            (folder / "present").write_bytes(struct.pack("qd", _NOT_READY, time.time()))
            end, reached = watch(start(options, name, first, last, folder), folder)
            if end is None:
                break
            findings.append(Finding(reached, *end))
            first = reached + 1
        findings += [Finding(**json.loads(line)) for line in _lines(folder / "found")]
    return sorted(findings, key=lambda one: one.number)


def start(
    options: Options, name: str, first: int, last: int, folder: Path
) -> subprocess.Popen[bytes]:
    """A process that reads the inputs from the first to before the last."""
    command = [sys.executable, __file__, "--readers", name]
    numbers = {"--inputs": last - first, "--first": first, "--seed": options.seed}
    for option, value in {**numbers, "--commands": options.commands}.items():
        command += [option, str(value)]
    environment = {**os.environ, "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"}
    environment |= {"SEQTUTOR_CACHE": str(folder / "cache"), WORKER: str(folder)}
    with (folder / "errors").open("wb") as errors:
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors, env=environment)


def watch(process: subprocess.Popen[bytes], folder: Path) -> tuple[tuple[str, str] | None, int]:
    """Wait for its end; gives what killed it, if anything did, and the input it was at."""
    hangs = False
    while process.poll() is None:
        time.sleep(0.2)
        number, since = _present(folder)
        if number != _NOT_READY and time.time() - since > PATIENCE:
            hangs = True
            process.kill()
            process.wait()
    number, _ = _present(folder)
    if process.returncode == 0 and number == _DONE:
        return None, number
    if number == _NOT_READY:
        raise SystemExit("\n".join(["the reader cannot start", *_lines(folder / "errors")[-5:]]))
    if hangs:
        return ("hang", "in compiled code"), number
    told = _lines(folder / "errors")[-1:]
    return ("crash", f"exit code {process.returncode} {' '.join(told)[:100]}"), number


def _present(folder: Path) -> tuple[int, float]:
    number, since = struct.unpack("qd", (folder / "present").read_bytes())
    return number, since


def _lines(path: Path) -> list[str]:
    return path.read_text(errors="replace").splitlines() if path.is_file() else []


def kinds(findings: list[Finding]) -> dict[str, Finding]:
    """The first finding of each kind: what happened, and where."""
    first: dict[str, Finding] = {}
    for finding in findings:
        first.setdefault(f"{finding.kind}: {finding.detail.partition(': ')[0]}", finding)
    return first


def keep(options: Options, name: str, findings: list[Finding]) -> None:
    """Write one input of each kind of finding, to try it again."""
    reader = READERS[name]
    seeds, hostile = reader.seeds(), reader.hostile()
    for finding in kinds(findings).values():
        content = input_of(reader, seeds, hostile, options.seed, finding.number)
        write(content, options.findings / f"{name.replace(' ', '-')}-{finding.number}")


def main(options: Options) -> None:
    """Fuzz each reader; print the table, and what was found."""
    if WORKER in os.environ:
        work(options, Path(os.environ[WORKER]))
        return
    print(f"{'Reader':<16}{'Inputs':>10}{'Seconds':>10}{'Findings':>10}{'Kinds':>8}")
    all_findings: dict[str, list[Finding]] = {}
    for name in options.readers:
        before = time.perf_counter()
        findings = all_findings[name] = fuzz(options, name)
        seconds = time.perf_counter() - before
        row = f"{name:<16}{options.inputs:>10,}{seconds:>10.0f}{len(findings):>10,}"
        print(f"{row}{len(kinds(findings)):>8}", flush=True)
        keep(options, name, findings)
    for name, findings in all_findings.items():
        for kind, first in kinds(findings).items():
            print(f"{name}, input {first.number}: {kind}; {first.detail}")
    sys.exit(any(all_findings.values()))


if __name__ == "__main__":
    main(tyro.cli(Options))
