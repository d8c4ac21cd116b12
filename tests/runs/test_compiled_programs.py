"""Programs that JAX keeps on the disk survive a run that was killed while it kept one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from seqtutor.runs.compiled_programs import remove_unfinished

COMPILE = """
from seqtutor.runs.compiled_programs import keep_compiled_programs

keep_compiled_programs()
import jax

jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
jax.jit(lambda x: x * 3 + 1)(1.0)
"""


def _age(file: Path, seconds: float) -> None:
    moment = time.time() - seconds
    os.utime(file, (moment, moment))


def _compile(cache: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("JAX_")
    } | {"SEQTUTOR_CACHE": str(cache)}
    return subprocess.run(
        [sys.executable, "-c", COMPILE], env=environment, capture_output=True, text=True
    )


def test_only_old_programs_without_a_last_use_are_removed(tmp_path: Path) -> None:
    for name in ("whole-cache", "whole-atime", "killed-cache", "being-written-cache"):
        (tmp_path / name).write_bytes(b"program")
        _age(tmp_path / name, 3600)
    _age(tmp_path / "being-written-cache", 1)
    remove_unfinished(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {
        "whole-cache",
        "whole-atime",
        "being-written-cache",
    }


def test_a_program_half_written_does_not_keep_others_from_being_kept(tmp_path: Path) -> None:
    programs = tmp_path / "compiled"
    programs.mkdir()
    killed = programs / "jit_killed-0123-cache"
    killed.write_bytes(b"half a prog")
    _age(killed, 3600)
    run = _compile(tmp_path)
    assert run.returncode == 0, run.stderr
    assert list(programs.glob("jit__lambda*-cache"))
    assert not killed.exists()


def test_a_program_that_cannot_be_read_is_compiled_anew_without_a_word(tmp_path: Path) -> None:
    assert _compile(tmp_path).returncode == 0
    (program,) = (tmp_path / "compiled").glob("jit__lambda*-cache")
    program.write_bytes(b"no program")
    run = _compile(tmp_path)
    assert (run.returncode, run.stderr) == (0, "")
