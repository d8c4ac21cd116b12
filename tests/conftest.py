"""Array shapes and types are checked at run time while the tests run; programs compile quickly."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # Of a shell's background job; programs that the tests interrupt would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Most of a test's time goes into compiling programs that then run for a moment: XLA's older way of
# making them takes half the time, in one piece it takes less while the other cores are busy, and
# each is made once for all processes, also those that the tests start.
QUICK_TO_COMPILE = (
    "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1 "
    "--xla_backend_extra_options=xla_cpu_disable_loop_unrolling,xla_cpu_disable_slp_vectorizer"
)
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {QUICK_TO_COMPILE}".strip()
if "PYTEST_XDIST_WORKER" not in os.environ:
    programs = tempfile.mkdtemp(prefix="seqtutor-programs-")
    atexit.register(shutil.rmtree, programs, ignore_errors=True)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = programs
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "0"

# The same examples in every run; `benchmarks/fuzz.py` looks for others.
# No deadline: the machine may have other work.
settings.register_profile("deterministic", derandomize=True, deadline=None)
settings.load_profile("deterministic")

install_import_hook(
    [
        # All of the models but what users give classes and settings to, which says itself what is
        # wrong with them.
        "seqtutor.models.action_values",
        "seqtutor.models.base",
        "seqtutor.models.consistency",
        "seqtutor.models.files",
        "seqtutor.models.lstm",
        "seqtutor.models.product",
        "seqtutor.models.recurrence",
        "seqtutor.adversarial.discriminator",
        "seqtutor.objectives",
        # All methods but those with settings of their own, as below.
        "seqtutor.methods.base",
        "seqtutor.methods.g",
        "seqtutor.methods.psi",
        "seqtutor.methods.reinforce",
        "seqtutor.methods.reinforce_baseline",
        "seqtutor.methods.rl_only",
        "seqtutor.methods.rloo",
        "seqtutor.methods.score_function",
        "seqtutor.rewards",
        # All of training but its settings, which say themselves what is wrong with a value.
        "seqtutor.adversarial.game",
        "seqtutor.measures.bleu",
        "seqtutor.measures.controls",
        "seqtutor.adversarial.reward",
        "seqtutor.measures.diversity",
        "seqtutor.measures.estimates",
        "seqtutor.adversarial.judges",
        "seqtutor.measures.likeness",
        "seqtutor.measures.sampling",
        "seqtutor.training.pretrain",
        "seqtutor.runs.pretrain_on_disk",
        "seqtutor.training.replay",
        "seqtutor.training.rollout",
        "seqtutor.training.run",
        "seqtutor.training.seeds",
        "seqtutor.training.iteration",
        "seqtutor.training.tutor",
        "seqtutor.training.plan",
        "seqtutor.types",
    ],
    "beartype.beartype",
)


@pytest.fixture(autouse=True, scope="module")
def optimised_as_the_file_needs(request: pytest.FixtureRequest) -> None:
    """Programs of a file that is marked `short_runs` are hardly optimised, nor are its children's.

    They take half the time to compile and run at a quarter of the speed: worth it where a program
    runs for a moment. Nothing compiled the one way is used the other way, since it rounds
    differently.
    """
    name = "JAX_DISABLE_MOST_OPTIMIZATIONS"
    is_short = request.node.get_closest_marker("short_runs") is not None
    if is_short != (name in os.environ):
        import jax

        jax.clear_caches()
        jax.config.update("jax_disable_most_optimizations", is_short)
        if is_short:
            os.environ[name] = "1"
        else:
            del os.environ[name]


MOST_MAPPINGS = 10_000


@pytest.fixture(autouse=True, scope="module")
def programs_of_one_file() -> Iterator[None]:
    """Compiled programs go after the file of tests with which they became too many.

    Each has pages of memory of its own, and a process that holds those of all tests comes to the
    65,530 mappings that Linux allows it: the next compilation then ends it. A program that trains
    has about 230 mappings and 30 MB, which glibc keeps for itself unless it is asked for them.
    """
    yield
    if "jax" in sys.modules and _mappings() > MOST_MAPPINGS:
        sys.modules["jax"].clear_caches()
        gc.collect()
        with contextlib.suppress(OSError, AttributeError):  # There is no glibc.
            ctypes.CDLL("libc.so.6").malloc_trim(0)


def _mappings() -> int:
    """Of this process; none are known where the system does not tell."""
    try:
        with Path("/proc/self/maps").open() as maps:
            return sum(1 for _ in maps)
    except OSError:
        return 0
