"""Faults of the machine, of files and of rewards, tried for real on small runs.

    python benchmarks/faults.py --times 50
    python benchmarks/faults.py --faults killed "disk full" --times 5

Each fault is done to processes of the real command (`fault_child.py`: it saves a checkpoint after
every chunk of 32 steps, so that most of its time goes into writing them). What must come of it: one
line that says what is wrong, exit code 2 and no traceback; and a run that goes on with --resume and
ends with the very weights and records of one that was never disturbed. The table says how often
each fault was tried, what failed, how many finished chunks were lost at most, and what was said.

Disks that are full or cannot be written are mounts of a namespace of our own (`unshare`), where the
system allows it.
"""

from __future__ import annotations

import contextlib
import os
import random
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import tyro

from fault_bench import (
    CHUNKS,
    LIMIT,
    MOLECULES,
    RUN,
    Bench,
    Outcome,
    can_mount,
    in_namespace,
    is_complete,
    lost_chunks,
    records,
    wait_for_records,
)


def killed(bench: Bench, times: int) -> Outcome:
    """SIGKILL, half of the time somewhere between start and end, half while chunks are made."""
    outcome = Outcome("killed (SIGKILL)", lost=0)
    _, seconds = bench.whole
    folder, in_writes = bench.folder(), 0
    while outcome.times < times:
        process = bench.start(*bench.go_on(folder))
        if outcome.times % 2:
            there = len(records(folder))
            wait_for_records(process, folder, bench.draw.randint(there + 1, there + CHUNKS // 4))
            time.sleep(bench.draw.uniform(0, 0.05))
        else:
            time.sleep(bench.draw.uniform(0, seconds))
        process.kill()
        _, err = process.communicate()
        if process.returncode == -signal.SIGKILL:
            outcome.times += 1
            in_writes += any(folder.glob("checkpoints/.*.tmp"))
            outcome.lost = max(outcome.lost or 0, lost_chunks(folder))
        else:
            outcome.expect(process.returncode == 0, f"it ended by itself: {err[-300:]}")
        if is_complete(folder):
            bench.finish(outcome, folder)
            folder = bench.folder()
    bench.finish(outcome, folder)
    outcome.messages.append(f"{in_writes} of them while a checkpoint was written")
    return outcome


def terminated(bench: Bench, times: int) -> Outcome:
    """SIGTERM and SIGINT: the chunk is finished, saved, and the command to go on is told."""
    outcome = Outcome("terminated (SIGTERM, SIGINT)", lost=0)
    for number in range(min(times, 6)):
        folder = bench.folder()
        process = bench.start(*bench.tune(folder))
        wait_for_records(process, folder, bench.draw.randint(1, CHUNKS // 2))
        process.send_signal((signal.SIGTERM, signal.SIGINT)[number % 2])
        _, err = process.communicate(timeout=LIMIT)
        outcome.times += 1
        outcome.lost = max(outcome.lost or 0, lost_chunks(folder))
        outcome.messages.append(err.strip().splitlines()[-1].replace(str(bench.root), "…"))
        outcome.expect(process.returncode == 130, f"exit code {process.returncode}: {err[-300:]}")
        outcome.expect(f"--resume {folder}" in err, f"it does not say how to go on: {err[-300:]}")
        bench.finish(outcome, folder)
    return outcome


def disk_full(bench: Bench, times: int) -> Outcome:
    """A disk that has no room for the configuration, the first, or a later checkpoint."""
    outcome = Outcome("disk full", lost=0)
    if not can_mount():
        outcome.messages.append("not tried: no mounts of our own here")
        return outcome
    # A checkpoint takes a mebibyte, and there are three for a moment.
    for number in range(min(times, 6)):
        kibibytes = (4, 64, 1024, 2900, 2048, bench.draw.randint(1024, 2900))[number]
        disk, kept = bench.folder(), bench.folder()
        disk.mkdir()
        folder = disk / "run"
        first, again = (
            shlex.join(bench.tune(folder)),
            shlex.join(["tune", "melody", *RUN, "--resume", str(folder)]),
        )
        result = in_namespace(
            bench,
            f"mount -t tmpfs -o size={kibibytes}k none {disk} || exit 99; $TUNE {first}; code=$?; "
            f"mount -o remount,size=256m {disk}; "
            f"if [ -e {folder}/config.yaml ]; then $TUNE {again} >/dev/null 2>&1; "
            f"else $TUNE {first} >/dev/null 2>&1; fi; "
            f"cp -r {folder} {kept}; exit $code",
        )
        outcome.times += 1
        outcome.expect_refusal(result, "No space left")
        if kept.is_dir():
            bench.finish(outcome, kept)
        else:
            outcome.failures.append("nothing is left to go on with")
    return outcome


def read_only(bench: Bench, times: int) -> Outcome:
    """A folder that cannot be written, for a new run and for one that is to go on."""
    outcome = Outcome("read-only folder", lost=0)
    if not can_mount():
        outcome.messages.append("not tried: no mounts of our own here")
        return outcome
    folder = bench.stopped()
    for path, arguments in (
        (bench.root, bench.tune(bench.root / "new")),
        (folder, bench.go_on(folder)),
    ):
        result = in_namespace(
            bench,
            f"mount --bind {path} {path} && mount -o remount,ro,bind {path} || exit 99; "
            f"$TUNE {shlex.join(arguments)}",
        )
        outcome.times += 1
        outcome.expect_refusal(result)
    bench.finish(outcome, folder)
    return outcome


def spoil(path: Path, draw: random.Random) -> str:
    """Cut a file short, change a byte of it, empty it, or fill its end with zeros."""
    content = bytearray(path.read_bytes())
    how = draw.choice(("cut", "changed", "empty", "zeros"))
    if how == "cut":
        del content[draw.randrange(len(content)) :]
    elif how == "changed":
        content[draw.randrange(len(content))] ^= draw.randrange(1, 256)
    elif how == "empty":
        content.clear()
    else:
        start = draw.randrange(len(content))
        content[start:] = bytes(len(content) - start)
    path.write_bytes(content)
    return how


def damaged_checkpoint(bench: Bench, times: int) -> Outcome:
    """One file of the newest checkpoint spoilt: the one before is taken; all spoilt: it is said."""
    outcome = Outcome("damaged checkpoint", lost=0)
    stopped = bench.stopped()
    for number in range(min(times, 12)):
        folder = bench.folder()
        shutil.copytree(stopped, folder)
        newest = max(folder.glob("checkpoints/step-*.json"), key=lambda path: int(path.stem[5:]))
        manifests, arrays = folder.glob("checkpoints/*.json"), newest.with_suffix(".safetensors")
        outcome.times += 1
        if number % 3 == 2:
            for path in manifests:
                path.write_bytes(path.read_bytes()[:-20])
            outcome.expect_refusal(bench.run(*bench.go_on(folder)), "no usable checkpoint")
            continue
        spoil((newest, arrays)[number % 2], bench.draw)
        outcome.lost = 1
        bench.finish(outcome, folder)
    return outcome


def damaged_weights(bench: Bench, times: int) -> Outcome:
    """A prior of which one file was spoilt; a byte that still is a number cannot be told."""
    outcome = Outcome("damaged weights")
    whole, _ = bench.whole
    for _ in range(min(times, 8)):
        folder = bench.folder()
        shutil.copytree(whole / "model", folder)
        path = bench.draw.choice(sorted(folder.iterdir()))
        path.write_bytes(path.read_bytes()[: bench.draw.randrange(path.stat().st_size)])
        outcome.times += 1
        outcome.expect_refusal(bench.run("sample", str(folder), "--number", "1"))
    return outcome


def damaged_tunes(bench: Bench, times: int) -> Outcome:
    """A MIDI file cut short, and the cache of tunes spoilt, which is made again."""
    from seqtutor.tasks.melody.corpus import read_corpus
    from seqtutor.tasks.melody.render import render_midi

    outcome = Outcome("damaged tunes and cache", lost=0)
    path = bench.root / "cut.mid"
    path.write_bytes(render_midi([14, 1, 16, 1] * 4)[:40])
    outcome.times += 1
    outcome.expect_refusal(bench.run("score", "melody", str(path)))
    os.environ["SEQTUTOR_CACHE"] = str(bench.root / "tunes")
    expected = read_corpus(("airdsAirs",))
    for _ in range(min(times, 8)):
        (cache,) = (bench.root / "tunes").glob("tunes-*.npz")
        spoil(cache, bench.draw)
        outcome.times += 1
        outcome.expect(read_corpus(("airdsAirs",)) == expected, "other tunes from a spoilt cache")
    return outcome


def two_runs(bench: Bench, times: int) -> Outcome:
    """A second process in the folder of a running one, as a new run and to go on with it."""
    outcome = Outcome("two runs in one folder", lost=0)
    folder = bench.folder()
    first = bench.start(*bench.tune(folder))
    wait_for_records(first, folder, 2)
    first.send_signal(signal.SIGSTOP)  # So that it cannot end too early.
    for arguments in (bench.go_on(folder), bench.tune(folder)):
        outcome.times += 1
        outcome.expect_refusal(bench.run(*arguments))
    first.send_signal(signal.SIGCONT)
    first.communicate(timeout=LIMIT)
    outcome.expect(first.returncode == 0, "the first one failed")
    bench.finish(outcome, folder)
    return outcome


def clock_jumps(bench: Bench, times: int) -> Outcome:
    """A clock that jumps by months, back and forth."""
    outcome = Outcome("clock jumps", 1, 0)
    folder = bench.folder()
    result = bench.run(*bench.tune(folder), SEQTUTOR_CLOCK="jumps")
    outcome.expect(result.returncode == 0, result.stderr[-300:])
    bench.finish(outcome, folder)
    return outcome


def bad_rewards(bench: Bench, times: int) -> Outcome:
    """A user's reward that raises, gives NaN, another shape, other names or no numbers."""
    outcome = Outcome("reward fails")
    words = {"raises": "ZeroDivisionError", "NaN": "'good' is not finite", "shape": "shape",
             "text": "not an array", "names": "good"}  # fmt: skip
    for kind, word in words.items():
        outcome.times += 1
        outcome.expect_refusal(bench.run("reward", kind), word)
    return outcome


def hanging_reward(bench: Bench, times: int) -> Outcome:
    """A user's reward that never comes back: an interruption must end the process."""
    outcome = Outcome("reward hangs, then SIGINT")
    process = bench.start("reward", "hangs")
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == "hanging":
            break
    process.send_signal(signal.SIGINT)
    outcome.times += 1
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        outcome.failures.append("it still hangs a minute later; SIGKILL ends it")
        process.kill()
    process.communicate()
    return outcome


def workers_killed(bench: Bench, times: int) -> Outcome:
    """Worker processes that score molecules are killed, as by a system without memory."""
    return shaken_workers(
        bench, times, "scoring worker killed", lambda worker: os.kill(worker, signal.SIGKILL)
    )


def workers_without_memory(bench: Bench, times: int) -> Outcome:
    """Worker processes that score molecules may have no more memory than they have."""
    limit = (1 << 20, 1 << 20)
    return shaken_workers(
        bench,
        min(times, 20),
        "scoring worker without memory",
        lambda worker: resource.prlimit(worker, resource.RLIMIT_AS, limit),
    )


def shaken_workers(bench: Bench, times: int, fault: str, shake: Callable[[int], object]) -> Outcome:
    """Runs whose workers are done something to, until that was done so often."""
    outcome = Outcome(fault, lost=0)
    tune = ("tune", "molecule", *MOLECULES, *RUN, "--output")
    calm = bench.folder()
    result = bench.run(*tune, str(calm))
    outcome.expect(result.returncode == 0, result.stderr[-300:])
    while outcome.times < times and not outcome.failures:
        folder, shaken = bench.folder(), set[int]()
        process = bench.start(*tune, str(folder))
        wait_for_records(process, folder, 1)
        # Not to the end, where other workers start for the best molecules.
        while (
            process.poll() is None
            and len(records(folder)) < 15
            and outcome.times + len(shaken) < times
        ):
            with contextlib.suppress(ProcessLookupError, IndexError):
                worker = bench.draw.choice(children(process.pid))
                shake(worker)
                shaken.add(worker)
            # Long enough for some to start again, also on a machine that has other work.
            time.sleep(bench.draw.uniform(0.05, 3.0))
        outcome.times += len(shaken)
        _, err = process.communicate(timeout=LIMIT)
        outcome.expect(process.returncode == 0, err[-300:])
        outcome.expect(records(calm) == records(folder), "other records than undisturbed")
    return outcome


def children(process: int) -> list[int]:
    """Numbers of a process's children."""
    found = Path(f"/proc/{process}/task").glob("*/children")
    return [int(number) for path in found for number in path.read_text().split()]


FAULTS: dict[str, Callable[[Bench, int], Outcome]] = {
    "killed": killed,
    "terminated": terminated,
    "disk full": disk_full,
    "read-only": read_only,
    "checkpoint": damaged_checkpoint,
    "weights": damaged_weights,
    "tunes": damaged_tunes,
    "two runs": two_runs,
    "clock": clock_jumps,
    "reward": bad_rewards,
    "hanging": hanging_reward,
    "workers": workers_killed,
    "memory": workers_without_memory,
}


@dataclass(frozen=True)
class Options:
    """Try the faults and print the table."""

    faults: tuple[str, ...] = tuple(FAULTS)
    """Which of them."""
    times: int = 50
    """How often a process is killed; the other faults are tried that often or fewer times."""
    seed: int = 0
    """Of the moments and damages."""


ROW = "{:<30}{:>7}{:>8}{:>13}{:>10}  {}"


def show(one: Outcome, seconds: float) -> None:
    """A row of the table."""
    lost = "–" if one.lost is None else str(one.lost)
    said = (*dict.fromkeys(one.messages), "")[0][:150]
    print(
        ROW.format(one.fault, one.times, len(one.failures), lost, f"{seconds:.0f}", said),
        flush=True,
    )


def main(options: Options) -> None:
    """Try one fault after the other; print the table, and what failed."""
    if unknown := set(options.faults) - set(FAULTS):
        sys.exit(f"no such fault: {', '.join(unknown)}; there are {', '.join(FAULTS)}")
    print(ROW.format("Fault", "Tried", "Failed", "Lost chunks", "Seconds", "Message"))
    outcomes = []
    with tempfile.TemporaryDirectory() as root:
        bench = Bench(Path(root), options.seed)
        for name in options.faults:
            start = time.monotonic()
            outcomes.append(FAULTS[name](bench, options.times))
            show(outcomes[-1], time.monotonic() - start)
    for one in outcomes:
        for failure in dict.fromkeys(one.failures):
            print(f"{one.fault}: {failure}")
    sys.exit(any(one.failures for one in outcomes))


if __name__ == "__main__":
    main(tyro.cli(Options))
