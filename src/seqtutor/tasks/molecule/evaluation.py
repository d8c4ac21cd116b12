"""What a policy's molecules are like: Table 2, MOSES's measures, and whether it has collapsed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from seqtutor.measures.sampling import PolicyMeasures
from seqtutor.models.base import SequenceModel
from seqtutor.objectives.temporal_difference import of_action
from seqtutor.tasks.molecule.encoding import decode
from seqtutor.tasks.molecule.metrics import Estimate, Reference, molecule_metrics
from seqtutor.tasks.molecule.scoring import MoleculeScorer
from seqtutor.tasks.molecule.terms import Scores
from seqtutor.training.rollout import sample
from seqtutor.vocabulary import Vocabulary
from seqtutor.workers.cache import Pending

BATCH = 1024


@dataclass(frozen=True)
class MoleculeEvaluation:
    """The metrics of sampled strings with the measures of the policy that made them.

    Attributes:
        metrics: by name.
        policy: measures a step.
        mean_length: tokens of a string, the end token included.
        scores: of each string.
    """

    metrics: dict[str, Estimate]
    policy: PolicyMeasures
    mean_length: float
    scores: Scores = field(repr=False)

    @property
    def number(self) -> int:
        """Of strings."""
        return len(self.scores.strings)

    @property
    def kl_a_string(self) -> float:
        """KL(π‖p) between the distributions of whole strings, in nats."""
        return self.policy.kl * self.mean_length


def evaluate_policy(
    policy: SequenceModel,
    prior: SequenceModel,
    vocabulary: Vocabulary,
    scorer: MoleculeScorer,
    *,
    number: int,
    length: int,
    seed: int = 0,
    temperature: float = 1.0,
    reference: Reference | None = None,
    on_molecules: Callable[[int], None] = lambda done: None,
) -> MoleculeEvaluation:
    """Sample strings from a policy and measure them and it.

    Args:
        policy: what is judged.
        prior: what KL and log p(a|s) refer to.
        vocabulary: of both.
        scorer: with the `METRICS_MEASURER`; it scores while the next strings are sampled.
        number: of strings.
        length: tokens of the longest string, the end token included.
        seed: of the sampling.
        temperature: of the sampling; the measures of the policy are those at temperature one.
        reference: what novelty and similarities refer to.
        on_molecules: told how many strings have been scored so far.
    """
    pending: list[Pending[Scores]] = []
    sums = np.zeros(4)
    for index, done in enumerate(range(0, number, BATCH)):
        key = jax.random.fold_in(jax.random.key(seed), index)
        wanted = min(BATCH, number - done)
        tokens, parts = _sample_and_measure(
            policy, prior, key, length, temperature, vocabulary.end, wanted
        )
        sums += np.array(parts, np.float64)
        pending.append(scorer.start(decode(np.asarray(tokens)[:wanted], vocabulary)))
    strings: list[str] = []
    for one in pending:
        one.collect()
        strings += one.items
        on_molecules(len(strings))
    scores = scorer.score(strings)
    steps, entropy, kl, log_prior = sums
    measures = PolicyMeasures(
        float(entropy / steps),
        max(0.0, round(float(kl / steps), 7)),  # Of a policy from itself it is rounding.
        float(log_prior / steps),
        len(set(strings)) / len(strings),
    )
    return MoleculeEvaluation(
        molecule_metrics(scores, reference), measures, float(steps) / number, scores
    )


@eqx.filter_jit
def _sample_and_measure(
    policy: SequenceModel,
    prior: SequenceModel,
    key: PRNGKeyArray,
    length: int,
    temperature: float,
    end: int | None,
    wanted: int | Array,
) -> tuple[Array, tuple[Array, Array, Array, Array]]:
    """Tokens; and steps, entropy, KL and log p in all, of the first `wanted` strings."""
    tokens, mask, log_policy = sample(policy, key, BATCH, length, temperature, end)
    log_prior = jax.nn.log_softmax(prior.unroll(tokens))
    probability = jnp.exp(log_policy)
    counted = mask & (jnp.arange(BATCH) < wanted)[:, None]

    def total(per_step: Array) -> Array:
        return jnp.sum(jnp.where(counted, per_step, 0.0))

    return tokens, (
        jnp.sum(counted),
        total(-jnp.sum(probability * log_policy, axis=-1)),
        total(jnp.sum(probability * (log_policy - log_prior), axis=-1)),
        total(of_action(log_prior, tokens)),
    )
