"""`seqtutor evaluate molecule`: Table 2 and the measures of MOSES, of runs and models."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from seqtutor.cli.arguments import require_once
from seqtutor.errors import UserError
from seqtutor.settings import require, require_seed

if TYPE_CHECKING:
    from seqtutor.runs.policies import NamedPolicy
    from seqtutor.tasks.molecule.evaluation import MoleculeEvaluation
    from seqtutor.tasks.molecule.mean_terms import MeanTerms
    from seqtutor.tasks.molecule.references import ReferenceSet


@dataclass(frozen=True)
class Options:
    """Measure molecules: the paper's Table 2 and the measures of MOSES, with 95 % intervals.

    Samples from the policies of runs or models; runs of one method count as its seeds. Novelty and
    the similarities to real molecules need a set to compare with, such as MOSES.
    """

    what: tyro.conf.Positional[
        Annotated[tuple[str, ...], tyro.conf.arg(metavar="molecule [MODEL ...]")]
    ] = ("molecule",)
    """The task, "molecule", and folders of runs or models, or "prior" for the one that comes with
    the package (also if none is named)."""
    json: bool = False
    """Print one JSON object instead of a table."""
    number: int = 20_000
    """Strings to sample from each policy."""
    temperature: float = 1.0
    """Of the sampling."""
    seed: int = 0
    """Of the sampling; the seed of a run is added, so that runs of several seeds differ in that,
    too."""
    reference: str = "auto"
    """What novelty and similarities refer to: "moses" (see seqtutor data moses), "nci", or a file
    of molecules; "none" for nothing; auto: moses where it has been brought and the prior is made
    of it."""
    fcd: bool = False
    """Measure the Fréchet ChemNet distance to the reference's test set, too; some minutes."""
    rewards: bool = True
    """Measure the terms of the runs' reward, if they have one; a function of your own must be
    where it was found then."""
    workers: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """Processes that score molecules; one for each core if not given, 0 for this one alone."""

    @property
    def policies(self) -> tuple[str, ...]:
        """The folders, without the task's name."""
        names = self.what[1:] if self.what[:1] == ("molecule",) else self.what
        return names or ("prior",)


def run(options: Options) -> None:
    """Print the measurements."""
    from seqtutor.tasks.molecule.requirements import require_rdkit

    require_rdkit()
    from seqtutor.cli.molecules import find_policy
    from seqtutor.cli.output import print_table
    from seqtutor.runs.policies import with_seeds
    from seqtutor.tasks.molecule.table import Measured, molecule_table

    _check(options)
    names = with_seeds(options.policies)
    require_once(names)
    policies = [find_policy(name) for name in names]
    grouped: dict[str, list[MoleculeEvaluation]] = {}
    with Evaluator(options.number, options.temperature, options.workers) as evaluator:
        evaluator.compare_with(options.reference, policies[0], options.fcd)
        for policy in policies:
            evaluation = evaluator.measure(policy, options.seed + policy.seed)
            grouped.setdefault(policy.name, []).append(evaluation)
        reference = evaluator.reference
    earned = _earned(policies, grouped, options.workers) if options.rewards else {}
    if options.json:
        print(json.dumps(_in_json(grouped, earned)))
        return
    columns = [Measured(name, evaluations) for name, evaluations in grouped.items()]
    named = None if reference is None else reference.name
    print_table(molecule_table(columns, reference=named, earned=list(earned.values())))


def _check(options: Options) -> None:
    require(options.number >= 2, f"--number must be at least 2, not {options.number}")
    require(
        0 < options.temperature < math.inf,
        f"--temperature must be a number above 0, not {options.temperature}",
    )
    require_seed("--seed", options.seed)
    require(
        options.workers is None or options.workers >= 0,
        f"--workers must not be negative, not {options.workers}",
    )


def _earned(
    policies: Sequence[NamedPolicy],
    grouped: Mapping[str, Sequence[MoleculeEvaluation]],
    workers: int | None,
) -> dict[str, list[MeanTerms]]:
    """What the strings of each earn, if the runs among the policies have one reward."""
    from seqtutor.tasks.molecule.mean_terms import mean_terms

    rewards = [policy.tuning.reward for policy in policies if policy.tuning is not None]
    if not rewards or any(reward != rewards[0] for reward in rewards):
        return {}
    strings = {
        (name, seed): evaluation.scores.strings
        for name, evaluations in grouped.items()
        for seed, evaluation in enumerate(evaluations)
    }
    found = mean_terms(rewards[0], strings, workers)
    return {
        name: [found[name, seed] for seed in range(len(evaluations))]
        for name, evaluations in grouped.items()
    }


def _in_json(
    grouped: Mapping[str, Sequence[MoleculeEvaluation]], earned: Mapping[str, Sequence[MeanTerms]]
) -> dict[str, list[dict[str, Any]]]:
    """By policy and seed; what is no number is null."""
    from seqtutor.cli.output import finite

    found = {name: [_values(one) for one in evaluations] for name, evaluations in grouped.items()}
    for name, means in earned.items():
        for values, own in zip(found[name], means, strict=True):
            values["reward"] = own.reward
            values |= {f"term_{term}": mean for term, mean in own.terms.items()}
    return {name: [finite(values) for values in own] for name, own in found.items()}


def _values(evaluation: MoleculeEvaluation) -> dict[str, float]:
    estimates = {name: estimate.value for name, estimate in evaluation.metrics.items()}
    return {**estimates, **vars(evaluation.policy)}


class Evaluator:
    """Measures policies, with worker processes that are kept from one to the next.

    Args:
        number: strings to sample from each.
        temperature: of the sampling.
        workers: processes; one for each core by default, 0 for none.
    """

    def __init__(self, number: int, temperature: float = 1.0, workers: int | None = None) -> None:
        from seqtutor.tasks.molecule.metrics import METRICS_MEASURER
        from seqtutor.tasks.molecule.scoring import MoleculeScorer

        self.number, self.temperature = number, temperature
        self.reference: ReferenceSet | None = None
        self._wants_frechet = False
        self._scorer = MoleculeScorer.with_workers(METRICS_MEASURER, workers)

    def __enter__(self) -> Evaluator:
        return self

    def __exit__(self, *exception: object) -> None:
        self._scorer.close()

    def compare_with(self, name: str, policy: NamedPolicy, wants_frechet: bool) -> None:
        """Read the reference of that name; "auto" depends on the policy's prior.

        Raises:
            UserError: if it cannot be read, or the Fréchet ChemNet distance is wanted and there is
                no reference or no network.
        """
        from seqtutor.runs.progress import console
        from seqtutor.tasks.molecule.frechet import require_chemnet
        from seqtutor.tasks.molecule.references import NONE, load_reference, resolve_reference

        source = resolve_reference(name, policy.load(policy.prior_folder))
        if wants_frechet:
            require_chemnet()
            if source == NONE:
                raise UserError("--fcd needs a set to compare with; name one with --reference")
        if source != NONE:
            console.print(f"Reading {source} to compare with")
        self.reference = load_reference(source, self._scorer)
        self._wants_frechet = wants_frechet

    def measure(self, policy: NamedPolicy, seed: int) -> MoleculeEvaluation:
        """Measure a policy, with a bar."""
        from seqtutor.runs.progress import progress_bar
        from seqtutor.tasks.molecule.evaluation import evaluate_policy

        with progress_bar() as progress:
            bar = progress.add_task(
                f"Scoring {policy.name}", total=self.number, unit="molecules", note="sampling"
            )
            found = evaluate_policy(
                policy.model,
                policy.prior(),
                policy.saved.vocabulary,
                self._scorer,
                number=self.number,
                length=policy.length,
                seed=seed,
                temperature=self.temperature,
                reference=None if self.reference is None else self.reference.reference,
                on_molecules=lambda done: progress.update(bar, completed=done, note=""),
            )
        return self._with_frechet(found) if self._wants_frechet else found

    def measure_prior_of(self, policy: NamedPolicy, seed: int) -> MoleculeEvaluation:
        """Measure the prior that a policy was tuned from."""
        prior = replace(policy, name="prior", saved=policy.load(policy.prior_folder))
        return self.measure(prior, seed)

    def _with_frechet(self, found: MoleculeEvaluation) -> MoleculeEvaluation:
        from seqtutor.tasks.molecule.frechet import chemnet_statistics, frechet_distance
        from seqtutor.tasks.molecule.metrics import Estimate
        from seqtutor.tasks.molecule.table import FRECHET

        assert self.reference is not None
        valid = [smiles for smiles in found.scores.smiles if smiles is not None]
        distance = frechet_distance(chemnet_statistics(valid), self.reference.chemnet_statistics())
        return replace(found, metrics={**found.metrics, FRECHET: Estimate(distance, math.nan)})
