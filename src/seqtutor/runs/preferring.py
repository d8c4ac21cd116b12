"""A preference model made of a file of votes, in its folder, with what held-out votes say of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from seqtutor.comparisons import ComparedSequences, file_sha256, read_votes
from seqtutor.files import require_unused
from seqtutor.models.files import weights_hash
from seqtutor.preferences.files import save_preference
from seqtutor.preferences.model import PreferenceModel, fit_preference
from seqtutor.preferences.settings import Basis
from seqtutor.preferences.validation import NOISE, Validation, parts_of_sequences, validate
from seqtutor.report.tables import Cell, Column, Row, Table
from seqtutor.runs.policies import PRIOR, NamedPolicy, find_policy
from seqtutor.runs.progress import progress_bar
from seqtutor.runs.provenance import made_by
from seqtutor.runs.terminal import print_table
from seqtutor.task_spec import TaskSpec

BASES: tuple[Basis, ...] = get_args(Basis)
SHOWN = 8
"""Features that are shown: those that the votes tell most of."""


@dataclass(frozen=True)
class Preferring:
    """What a preference model is made of.

    Attributes:
        spec: the task.
        votes: the file.
        output: folder of the model; a new one.
        basis: what is read of a sequence; `None` for what predicts held-out votes best.
        prior: whose network is read; `None` for the one that comes with the package.
    """

    spec: TaskSpec[Any]
    votes: Path
    output: Path
    basis: Basis | None = None
    prior: Path | None = None


@dataclass(frozen=True)
class Preferred:
    """A preference model and how the bases that were tried predict held-out votes."""

    model: PreferenceModel
    votes: ComparedSequences
    validations: Mapping[Basis, Validation] = field(default_factory=dict)

    @property
    def basis(self) -> Basis:
        """What the model reads of a sequence."""
        return self.model.weights.basis

    def lines(self) -> list[str]:
        """What the votes say, for people."""
        own, weights = self.validations[self.basis], self.model.weights
        number, ties = len(self.votes), int((self.votes.scores == 0.5).sum())
        found = [
            f"{number:,} votes, {ties:,} of them without a preference; the left side is favoured "
            f"by {float(weights.bias):+.2f} nats of log-odds.",
            f"The model reads {_WORDS[self.basis]}. Calibration of held-out votes, predicted and "
            "observed share of left: "
            + ", ".join(f"{one.predicted:.2f} {one.observed:.2f}" for one in own.bins)
            + f"; log-odds would have to be multiplied by {own.slope:.2f}.",
        ]
        return [*found, NOISE] if own.is_noise else found


_WORDS: dict[Basis, str] = {
    "features": "numbers that describe a sequence",
    "network": "what the prior's network computes",
    "both": "numbers that describe a sequence and what the prior's network computes",
}


def prefer_in_folder(plan: Preferring) -> Preferred:
    """Learn a preference model, measure it by cross-validation, and write its folder.

    Raises:
        UserError: if the folder is taken, the votes cannot be used, or there are too few.
    """
    require_unused(plan.output)
    policy = find_policy(plan.spec, PRIOR if plan.prior is None else str(plan.prior))
    vocabulary = policy.saved.vocabulary
    votes = read_votes(plan.votes, vocabulary, policy.length)
    parts_of_sequences(votes)  # Refuses too few before the work begins.
    wanted = BASES if plan.basis is None else (plan.basis,)
    models: dict[Basis, PreferenceModel] = {}
    validations: dict[Basis, Validation] = {}
    with progress_bar() as progress:
        bar = progress.add_task("Learning from votes", total=len(wanted), unit="models", note="")
        for basis in wanted:
            progress.update(bar, note=basis)
            models[basis] = fit_preference(
                votes, vocabulary, policy.model, basis=basis, of_task=plan.spec.features()
            )
            validations[basis] = validate(votes, models[basis])
            progress.update(bar, advance=1)
    best = min(wanted, key=lambda basis: validations[basis].log_loss)
    origin = _origin(plan, policy, models[best], validations[best])
    model = replace(models[best], origin=origin)
    save_preference(model, votes, plan.output)
    return Preferred(model, votes, validations)


def _origin(
    plan: Preferring, policy: NamedPolicy, model: PreferenceModel, validation: Validation
) -> dict[str, Any]:
    return {
        **model.origin,
        "made_by": made_by(),
        "task": plan.spec.name,
        "max_length": policy.length,
        "votes": str(plan.votes),
        "votes_sha256": file_sha256(plan.votes),
        "network_sha256": weights_hash(policy.model),
        "held_out": asdict(validation),
    }


def validation_table(found: Preferred) -> Table:
    """How each basis predicts held-out votes."""
    columns = ("accuracy", "±", "log loss", "by chance", "calibration error", "slope")
    rows = [
        Row(
            f"{basis} ←" if basis == found.basis else basis,
            tuple(
                map(
                    Cell,
                    (
                        one.accuracy,
                        1.96 * one.standard_error,
                        one.log_loss,
                        one.chance_log_loss,
                        one.calibration_error,
                        one.slope,
                    ),
                )
            ),
        )
        for basis, one in found.validations.items()
    ]
    return Table("Held-out votes", tuple(map(Column, columns)), tuple(rows))


def weights_table(found: Preferred) -> Table | None:
    """The features that the votes tell most of; `None` where none of them has a meaning."""
    if found.basis != "features":
        return None
    weights = found.model.weights
    names = (*weights.names, *(f"{name} squared" for name in weights.names[: weights.squares]))
    means = np.asarray(weights.weights)
    deviations = np.sqrt(np.sum(np.asarray(weights.factor) ** 2, axis=1))
    order = np.argsort(-np.abs(means / deviations))[:SHOWN]
    rows = tuple(
        Row(names[at], (Cell(float(means[at])), Cell(float(deviations[at])))) for at in order
    )
    columns = (Column("weight"), Column("standard deviation"))
    return Table("Weights, in nats for each standard deviation of the feature", columns, rows)


def prefer_and_print(plan: Preferring) -> Preferred:
    """`prefer_in_folder`, with tables of what was found and, if it is any use, the next command."""
    found = prefer_in_folder(plan)
    print_table(validation_table(found))
    if (weights := weights_table(found)) is not None:
        print_table(weights)
    print("\n".join(found.lines()))
    if found.validations[found.basis].is_noise:
        print(
            f"The model is in {plan.output}; a run on it would learn nothing that anyone prefers."
        )
    else:
        print(
            f"The model is in {plan.output}; tune on it with: seqtutor tune "
            f"{plan.spec.reference} --preference.model {plan.output}"
        )
    return found
