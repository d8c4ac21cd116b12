"""Policies of melodies by the names that commands take."""

from __future__ import annotations

from seqtutor.cli.policies import NamedPolicy, policy_named
from seqtutor.tasks.melody.settings import MelodyTuning
from seqtutor.tasks.melody.task import load_melody_model


def find_policy(name: str) -> NamedPolicy:
    """Read the policy of that name.

    Raises:
        UserError: if there is none.
    """
    return policy_named(name, MelodyTuning, load_melody_model, MelodyTuning.length)
