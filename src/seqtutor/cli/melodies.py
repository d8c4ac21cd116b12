"""Policies of melodies by the names that commands take."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from seqtutor.errors import UserError
from seqtutor.runs.policies import NamedPolicy, policy_named
from seqtutor.runs.progress import console
from seqtutor.tasks.melody.folder import SEVERAL_PARTS
from seqtutor.tasks.melody.rule_settings import MelodyRuleSettings
from seqtutor.tasks.melody.settings import MelodyTuning
from seqtutor.tasks.melody.task import load_melody_model
from seqtutor.tasks.scores.import_report import ImportReport
from seqtutor.tasks.scores.keys import Key


def find_policy(name: str) -> NamedPolicy:
    """Read the policy of that name.

    Raises:
        UserError: if there is none.
    """
    return policy_named(name, MelodyTuning, load_melody_model, MelodyTuning.length)


def key_of(rules: MelodyRuleSettings) -> Key:
    """The key that the rules are about."""
    return Key(rules.tonic_pitch_class, rules.mode)


def tell_parts(path: Path, report: ImportReport) -> None:
    """Say so where only the first of a file's parts was read."""
    if report.noted.get(SEVERAL_PARTS):
        console.print(f"{path} has several parts; only the first is read")


def common_rules(
    policies: Iterable[NamedPolicy], given: MelodyRuleSettings | None = None
) -> MelodyRuleSettings:
    """The rules by which policies are measured: those given, or those they were tuned by.

    Raises:
        UserError: if none are given, and the policies were tuned by several.
    """
    if given is not None:
        return given
    own = [policy.tuning.rules for policy in policies if policy.tuning is not None]
    if any(rules != own[0] for rules in own):
        raise UserError(
            "the runs were tuned by different rules; measure them one by one, or say by which "
            "rules to count with --rules.tonic and its like"
        )
    return own[0] if own else MelodyRuleSettings()


def counted_in(title: str, rules: MelodyRuleSettings) -> str:
    """A table's title with the key, if it is not that of the papers."""
    key = key_of(rules)
    return title if key == Key(0) else f"{title}, counted in {key} (the papers' figures in C major)"
