"""Which policies are the seeds of one column of a table, and what tells the columns apart."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from seqtutor.errors import UserError
from seqtutor.models.files import weights_hash
from seqtutor.runs.made_of import TASK_FILE_SHA256, made_of, what_differs
from seqtutor.runs.policies import NamedPolicy
from seqtutor.runs.preferred import remarks_on_term
from seqtutor.runs.run_folder import flattened

SHOWN = 8
"""Characters of a hash that tell one prior, or one file, from another."""


@dataclass(frozen=True)
class PolicyGroup:
    """The policies of one column.

    Attributes:
        name: of the method or the model, or "prior".
        policies: runs that differ in their seed alone, or one model.
        variant: what tells the group from others of its name, such as "c 0.5"; may be empty.
    """

    name: str
    policies: tuple[NamedPolicy, ...]
    variant: str = ""


def grouped(policies: Sequence[NamedPolicy]) -> list[PolicyGroup]:
    """Runs whose whole configuration but the seed is equal are one group, any other policy is one.

    Raises:
        UserError: if two runs of a group are not independent: they have the same seed, or the same
            weights, as a copy has; or if a model is a copy of another.
    """
    groups: dict[str, list[NamedPolicy]] = {}
    for policy in policies:
        groups.setdefault(_key(policy), []).append(policy)
    for group in groups.values():
        _require_independent(group)
    by_name: dict[str, list[NamedPolicy]] = {}
    for first, *_ in groups.values():
        by_name.setdefault(first.name, []).append(first)
    return [
        PolicyGroup(group[0].name, tuple(group), _variant(group[0], by_name[group[0].name]))
        for group in groups.values()
    ]


def remarks_on(policies: Sequence[NamedPolicy]) -> list[str]:
    """What to know when policies are measured.

    That is to which priors KL refers, what has changed, and which preference model is noise.
    """
    remarks = []
    for policy in policies:
        now = made_of(policy.spec, policy.prior().model, config=policy.config)
        if differs := what_differs(policy.made_by, now, policy.spec):
            remarks.append(
                f"{policy.folder} was tuned with {differs}; it is measured by what is there now."
            )
    terms = dict.fromkeys(policy.config.preference for policy in policies if policy.config)
    on_terms = [remark for term in terms for remark in remarks_on_term(term)]
    return [*remarks, *on_terms, *_on_priors(policies)]


def _on_priors(policies: Sequence[NamedPolicy]) -> list[str]:
    found: dict[str, list[NamedPolicy]] = {}
    for policy in policies:
        found.setdefault(weights_hash(policy.prior().model), []).append(policy)
    if len(found) < 2:
        return []
    parts = (
        f"{group[0].prior().folder} ({sha256[:SHOWN]}) for "
        + ", ".join(str(policy.folder) for policy in group)
        for sha256, group in found.items()
    )
    return [f"KL and log p(a|s) refer to different priors: {'; '.join(parts)}."]


def _key(policy: NamedPolicy) -> str:
    if policy.config is None:
        prior = weights_hash(policy.prior().model)
        return weights_hash(policy.model, f"{policy.length} {prior}")
    return json.dumps(_settings(policy), sort_keys=True)


def _settings(policy: NamedPolicy) -> dict[str, Any]:
    """All that makes a run but its seed; a prior is the same wherever it lies."""
    assert policy.config is not None
    settings = flattened(policy.config.content())
    del settings["seed"]
    file = str(policy.made_by.get(TASK_FILE_SHA256))
    return settings | {"prior": policy.prior_sha256[:SHOWN], "task file": file[:SHOWN]}


def _require_independent(group: Sequence[NamedPolicy]) -> None:
    seeds: dict[int, NamedPolicy] = {}
    weights: dict[str, NamedPolicy] = {}
    for policy in group:
        same = weights.setdefault(weights_hash(policy.model), policy)
        if same is not policy:
            raise UserError(
                f"{policy.folder} has the same weights as {same.folder}, as a copy has; name one "
                "of them"
            )
        same = seeds.setdefault(policy.seed, policy)
        if same is not policy:
            raise UserError(
                f"{policy.folder} and {same.folder} are runs of one configuration with the same "
                f"seed, {policy.seed}; name one of them"
            )


def _variant(policy: NamedPolicy, others: Sequence[NamedPolicy]) -> str:
    """What tells a policy from others of its name, itself among them, each of another group."""
    if len(others) == 1:
        return ""
    if policy.config is None:
        return str(policy.folder)
    runs = [_settings(other) for other in others if other.config is not None]
    own = _settings(policy)
    return ", ".join(
        f"{name} {value}"
        for name, value in own.items()
        if any(run.get(name) != value for run in runs)
    )
