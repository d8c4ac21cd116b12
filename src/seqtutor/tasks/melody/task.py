"""Melody as a task: 38 tokens, a length in sixteenths, nine rules."""

from __future__ import annotations

from pathlib import Path

from seqtutor.errors import UserError
from seqtutor.models.files import SavedModel, load_model
from seqtutor.rewards import Reward
from seqtutor.task import Task
from seqtutor.tasks.melody.encoding import melody_vocabulary
from seqtutor.tasks.melody.rule_settings import MelodyRuleSettings
from seqtutor.tasks.melody.rules import MelodyReward
from seqtutor.tasks.melody.settings import RuleWeights

SHIPPED_PRIOR = Path(__file__).parent / "prior"
"""The Note RNN that comes with the package; its `config.json` says how it was made."""


def melody_task(
    length: int = 32,
    rules: MelodyRuleSettings | None = None,
    weights: RuleWeights | None = None,
) -> Task:
    """Melodies of `length` sixteenths, rewarded by the nine rules."""
    reward = MelodyReward(rules or MelodyRuleSettings())
    return Task(
        melody_vocabulary(), length, Reward(reward, vars(weights or RuleWeights())), "melody"
    )


def load_melody_model(folder: Path | None = None) -> SavedModel:
    """Read a model of melodies, or the prior that comes with the package.

    Raises:
        UserError: if the folder holds no model, or one of another vocabulary.
    """
    saved = load_model(folder or SHIPPED_PRIOR)
    if saved.vocabulary != melody_vocabulary():
        raise UserError(
            f"the model in {folder} has another vocabulary than melodies have "
            f"({saved.vocabulary.size} tokens); train one with: seqtutor pretrain melody"
        )
    return saved
