"""Sequence Tutor: teach a trained sequence generator new rules, without forgetting its data."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from seqtutor.api import Generator, pretrain, tune
    from seqtutor.errors import UserError
    from seqtutor.methods.settings import Exploration
    from seqtutor.rewards import Reward, compiled
    from seqtutor.task import Task
    from seqtutor.training.settings import PretrainSettings, TutorSettings
    from seqtutor.vocabulary import Vocabulary

# Loaded on first use: JAX takes most of a second, which `seqtutor --help` need not wait for.
_HOMES = {
    "Exploration": "seqtutor.methods.settings",
    "Generator": "seqtutor.api",
    "PretrainSettings": "seqtutor.training.settings",
    "Reward": "seqtutor.rewards",
    "Task": "seqtutor.task",
    "TutorSettings": "seqtutor.training.settings",
    "UserError": "seqtutor.errors",
    "Vocabulary": "seqtutor.vocabulary",
    "compiled": "seqtutor.rewards",
    "pretrain": "seqtutor.api",
    "tune": "seqtutor.api",
}
__all__ = [
    "Exploration",
    "Generator",
    "PretrainSettings",
    "Reward",
    "Task",
    "TutorSettings",
    "UserError",
    "Vocabulary",
    "compiled",
    "pretrain",
    "tune",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'seqtutor' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
