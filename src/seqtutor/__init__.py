"""Sequence Tutor: teach a trained sequence generator new rules, without forgetting its data."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from seqtutor.adversarial.reward import discriminator_reward
    from seqtutor.api import Generator, compare, evaluate, load, pretrain, tune
    from seqtutor.errors import UserError
    from seqtutor.measure import Estimate, Measure, MeasureGroup, Published
    from seqtutor.methods.settings import Exploration
    from seqtutor.models.base import SequenceModel
    from seqtutor.models.registry import register_model
    from seqtutor.models.settings import ModelSettings
    from seqtutor.playing import play
    from seqtutor.preferences.reward import preference_reward
    from seqtutor.rewards import Reward, compiled, string_reward
    from seqtutor.task import Task
    from seqtutor.task_records import Preset
    from seqtutor.task_spec import TaskSpec
    from seqtutor.training.pretrain_settings import PretrainSettings
    from seqtutor.training.settings import TutorSettings
    from seqtutor.vocabulary import Vocabulary

# Loaded on first use: JAX takes most of a second, which `seqtutor --help` need not wait for.
_HOMES = {
    "Estimate": "seqtutor.measure",
    "Exploration": "seqtutor.methods.settings",
    "Generator": "seqtutor.api",
    "Measure": "seqtutor.measure",
    "MeasureGroup": "seqtutor.measure",
    "ModelSettings": "seqtutor.models.settings",
    "Preset": "seqtutor.task_records",
    "PretrainSettings": "seqtutor.training.pretrain_settings",
    "Published": "seqtutor.measure",
    "Reward": "seqtutor.rewards",
    "SequenceModel": "seqtutor.models.base",
    "Task": "seqtutor.task",
    "TaskSpec": "seqtutor.task_spec",
    "TutorSettings": "seqtutor.training.settings",
    "UserError": "seqtutor.errors",
    "Vocabulary": "seqtutor.vocabulary",
    "compare": "seqtutor.api",
    "compiled": "seqtutor.rewards",
    "discriminator_reward": "seqtutor.adversarial.reward",
    "evaluate": "seqtutor.api",
    "load": "seqtutor.api",
    "play": "seqtutor.playing",
    "preference_reward": "seqtutor.preferences.reward",
    "pretrain": "seqtutor.api",
    "register_model": "seqtutor.models.registry",
    "string_reward": "seqtutor.rewards",
    "tune": "seqtutor.api",
}
__all__ = [
    "Estimate",
    "Exploration",
    "Generator",
    "Measure",
    "MeasureGroup",
    "ModelSettings",
    "Preset",
    "PretrainSettings",
    "Published",
    "Reward",
    "SequenceModel",
    "Task",
    "TaskSpec",
    "TutorSettings",
    "UserError",
    "Vocabulary",
    "compare",
    "compiled",
    "discriminator_reward",
    "evaluate",
    "load",
    "play",
    "preference_reward",
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
