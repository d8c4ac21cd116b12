"""The policies of a page: what was measured of each, and what their folders say of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import yaml
from jaxtyping import Float, Int

from seqtutor.data import Sequences
from seqtutor.measures.policy import Evaluation
from seqtutor.measures.sampling import step_probabilities
from seqtutor.methods.registry import symbol_of
from seqtutor.report.evaluation_table import PolicyColumn
from seqtutor.report.page.page import RunRecord
from seqtutor.report.plots import History
from seqtutor.runs.evaluating import MeasuredGroup
from seqtutor.runs.grouping import PolicyGroup, grouped
from seqtutor.runs.policies import PRIOR, NamedPolicy, distinct_titles, find_policy
from seqtutor.runs.run_folder import CONFIG, RunFolder, as_columns, read_made_by, read_settings
from seqtutor.task_records import Drawn
from seqtutor.task_spec import TaskSpec

_NAMES = {
    "command": "command",
    "date": "began",
    "seqtutor": "seqtutor",
    "commit": "commit",
    "python": "Python",
    "jax": "JAX",
    "numpy": "NumPy",
    "equinox": "equinox",
    "optax": "optax",
    "rdkit": "RDKit",
    "machine": "machine",
    "processor": "processor",
    "usable_cores": "cores",
    "device": "device",
    "devices": "devices",
    "prior_sha256": "SHA-256 of the prior",
}
"""Entries of `made_by` that are shown, and what they are called."""
_OF_DATA = ("source", "data", "sequences", "tunes", "windows", "tokenisation", "licence", "form")
"""Entries of a model's origin that say what it was trained on."""


@dataclass(frozen=True)
class Member:
    """A policy of the page with its seeds: runs that differ in nothing else."""

    title: str
    folders: Sequence[Path | None]
    group: PolicyGroup
    measured: MeasuredGroup | None = None

    @property
    def name(self) -> str:
        """The method, the model's folder, or "prior"."""
        return self.group.name

    @property
    def policies(self) -> Sequence[NamedPolicy]:
        """One for each seed."""
        return self.group.policies

    @property
    def evaluations(self) -> Sequence[Evaluation]:
        """Of each seed."""
        assert self.measured is not None
        return self.measured.evaluations

    @property
    def column(self) -> PolicyColumn:
        """Under the title of the page, which tells it from the others."""
        assert self.measured is not None
        return replace(self.measured.column, title=self.title, variant="")

    @property
    def tokens(self) -> np.ndarray:
        """The samples of all seeds."""
        return np.concatenate([one.samples.tokens for one in self.evaluations])

    @property
    def rewards(self) -> np.ndarray | None:
        """Of every sample; `None` where none is measured."""
        parts = [one.samples.reward for one in self.evaluations]
        return None if any(one is None for one in parts) else np.concatenate(parts)  # type: ignore[arg-type]

    @property
    def terms(self) -> Mapping[str, np.ndarray]:
        """The terms of every sample."""
        parts = [one.samples.terms for one in self.evaluations]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def probabilities(self, rows: Int[np.ndarray, " row"]) -> Float[np.ndarray, "row time vocab"]:
        """What each sample's own policy thought of every token at each step.

        Args:
            rows: of `tokens`.
        """
        numbers = [one.number for one in self.evaluations]
        owners = np.repeat(np.arange(len(numbers)), numbers)[rows]
        tokens = jnp.asarray(self.tokens[rows])
        size = self.policies[0].saved.vocabulary.size
        found = np.zeros((*tokens.shape, size), np.float32)
        for place in np.unique(owners):
            # Of all the rows each time, so that one program serves every seed.
            own = np.asarray(step_probabilities(self.policies[place].model, tokens))
            found[owners == place] = own[owners == place]
        return found

    def drawn(self, settings: Any, may_run_code: bool = False) -> Drawn:
        """The samples as a task takes them."""
        mask = np.concatenate([one.samples.mask for one in self.evaluations])
        first = self.policies[0]
        saved = first.saved
        sequences = Sequences(self.tokens, mask)
        has_reward = self.rewards is not None
        return Drawn(
            sequences,
            saved.vocabulary,
            saved.origin,
            settings,
            first.seed,
            has_reward,
            may_run_code,
        )


def members_of(spec: TaskSpec[Any], names: Sequence[str]) -> list[Member]:
    """The priors, and then the runs and models, with runs that differ in the seed together."""
    policies = [find_policy(spec, name) for name in names]
    folders = {id(policy): Path(name) for policy, name in zip(policies, names, strict=True)}
    priors = _priors(spec, [(folders[id(policy)], policy) for policy in policies])
    members = list(priors.values())
    for group in grouped(policies):
        first = group.policies[0]
        if first.config is not None or str(first.saved.folder) not in priors:
            own = [folders[id(policy)] for policy in group.policies]
            members.append(Member(symbol_of(group.name), own, group))
    return _distinct(members)


def _priors(spec: TaskSpec[Any], policies: Sequence[tuple[Path, NamedPolicy]]) -> dict[str, Member]:
    """By folder, the policies that the others are compared with.

    A model that is not compared with another, such as a prior of the user's, is one by itself.
    """
    found: dict[str, NamedPolicy] = {}
    given: dict[str, Path] = {}
    tuned_from: set[str] = set()
    for folder, policy in policies:
        own = policy.prior()
        found.setdefault(str(own.folder), policy.as_prior(own))
        if own.folder == policy.saved.folder:
            given[str(own.folder)] = folder
        else:
            tuned_from.add(str(own.folder))
    members = {}
    for key, prior in found.items():
        is_given = key in given and key not in tuned_from and given[key].name != PRIOR
        title = given[key].name if is_given else spec.prior_title
        members[key] = Member(title, [given.get(key)], PolicyGroup(PRIOR, (prior,)))
    return members


def _distinct(members: Sequence[Member]) -> list[Member]:
    """The same with titles that differ: where several are equal, their folders are named."""
    folders = [one.folders[0] or one.policies[0].saved.folder for one in members]
    titles = distinct_titles([one.title for one in members], folders)
    return [replace(one, title=title) for one, title in zip(members, titles, strict=True)]


def histories_of(folders: Sequence[Path | None]) -> list[History]:
    """The records of each run as columns; none of mere models."""
    runs = [RunFolder(folder).records(()) for folder in folders if folder is not None]
    return [as_columns(records) for records in runs if records]


def run_record(title: str, folder: Path | None, policy: NamedPolicy) -> RunRecord:
    """How a run was made, or a model."""
    origin = policy.saved.origin
    facts = {"model": str(policy.saved.folder)} if policy.saved.folder else {}
    if folder is None or not (folder / CONFIG).is_file():
        return RunRecord(title, facts | _data(origin) | _made(origin.get("made_by")))
    run, content = RunFolder(folder), read_settings(folder / CONFIG)
    records = run.records(())
    facts = {"run": str(folder)} | _made(read_made_by(folder / CONFIG))
    if records and "seconds" in records[-1]:
        facts["training took"] = f"{records[-1]['seconds']:,.0f} s"
    config = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    seed = f", seed {policy.seed}" if policy.config is not None else ""
    return RunRecord(title + seed, facts, config, run.remarks())


def _made(made: Any) -> dict[str, str]:
    if not isinstance(made, Mapping):
        return {}
    return {name: str(made[key]) for key, name in _NAMES.items() if made.get(key) is not None}


def _data(origin: Mapping[str, Any]) -> dict[str, str]:
    """What a model was trained on, as far as it says."""
    return {name: _in_words(origin[name]) for name in _OF_DATA if name in origin}


def _in_words(value: Any) -> str:
    if isinstance(value, Mapping):
        known = {key: item for key, item in value.items() if item not in (None, {}, [], "")}
        return ", ".join(f"{key} {_in_words(item)}" for key, item in known.items())
    return f"{value:,}" if isinstance(value, int) else str(value)
