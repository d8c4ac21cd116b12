"""Sequence Tutor: teach a trained sequence generator new rules, without forgetting its data."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from seqtutor.api import Generator, pretrain, tune
    from seqtutor.errors import UserError
    from seqtutor.methods.settings import Exploration
    from seqtutor.models.base import SequenceModel
    from seqtutor.models.registry import register_model
    from seqtutor.models.settings import ModelSettings
    from seqtutor.rewards import Reward, compiled, string_reward
    from seqtutor.task import Task
    from seqtutor.training.pretrain_settings import PretrainSettings
    from seqtutor.training.settings import TutorSettings
    from seqtutor.vocabulary import Vocabulary

# Loaded on first use: JAX takes most of a second, which `seqtutor --help` need not wait for.
_HOMES = {
    "Exploration": "seqtutor.methods.settings",
    "Generator": "seqtutor.api",
    "ModelSettings": "seqtutor.models.settings",
    "PretrainSettings": "seqtutor.training.pretrain_settings",
    "Reward": "seqtutor.rewards",
    "SequenceModel": "seqtutor.models.base",
    "Task": "seqtutor.task",
    "TutorSettings": "seqtutor.training.settings",
    "UserError": "seqtutor.errors",
    "Vocabulary": "seqtutor.vocabulary",
    "compiled": "seqtutor.rewards",
    "pretrain": "seqtutor.api",
    "string_reward": "seqtutor.rewards",
    "register_model": "seqtutor.models.registry",
    "tune": "seqtutor.api",
}
__all__ = [
    "Exploration",
    "Generator",
    "ModelSettings",
    "PretrainSettings",
    "Reward",
    "SequenceModel",
    "Task",
    "TutorSettings",
    "UserError",
    "Vocabulary",
    "compiled",
    "pretrain",
    "register_model",
    "string_reward",
    "tune",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'seqtutor' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
