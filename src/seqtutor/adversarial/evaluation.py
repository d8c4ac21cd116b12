"""Measures of a finished generator: likeness to data, its game's discriminator, judges."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from seqtutor.adversarial.discriminator import ConvolutionalDiscriminator
from seqtutor.adversarial.judges import Parts, train_judge
from seqtutor.adversarial.settings import JudgeSettings
from seqtutor.adversarial.training import Discrimination, discrimination, logits_of
from seqtutor.data import Dataset, Sequences
from seqtutor.errors import UserError
from seqtutor.measure import Estimate, Measure
from seqtutor.measures.estimates import mean_estimate
from seqtutor.measures.likeness import bleus, likeness
from seqtutor.models.base import SequenceModel
from seqtutor.training.rollout import generate
from seqtutor.types import SequenceBatch, join


@dataclass(frozen=True)
class RealSequences:
    """Real sequences by their use.

    Attributes:
        training: for the discriminators of games.
        validation: for measurements during a game.
        held_out: for measurements of finished generators.
        judging: for the judges: to learn from, to stop by, and to measure on.
    """

    training: SequenceBatch
    validation: SequenceBatch
    held_out: SequenceBatch
    judging: Parts

    @classmethod
    def of(
        cls,
        data: Dataset,
        at_most: int | None = None,
        held_out_at_most: int | None = None,
        seed: int = 0,
    ) -> RealSequences:
        """The sequences of a dataset, or a random part of them.

        Data without a test part are measured on the validation part. Every second sequence of it
        then stops the judges, and the others measure them.

        Args:
            data: on which the generators were trained.
            at_most: number of training sequences.
            held_out_at_most: number of sequences of the validation part, and of the test part.
            seed: of the random choice.

        Raises:
            UserError: if there are fewer than two validation sequences.
        """
        if len(data.validation) < 2:
            raise UserError(
                f"the validation part has {len(data.validation)} sequences of {data.max_length} "
                "tokens; a game needs at least 2: give more data"
            )
        chosen = np.random.default_rng(seed).permutation(len(data.train))[:at_most]
        training = as_batch(data.train[chosen])
        validation = _part(data.validation, held_out_at_most, seed)
        if len(data.test):
            test = _part(data.test, held_out_at_most, seed)
            return cls(training, validation, test, Parts(training, validation, test))
        parts = Parts(training, validation[::2], validation[1::2])
        return cls(training, validation, validation, parts)

    @property
    def counts(self) -> dict[str, int]:
        """Numbers of training and of held-out sequences."""
        return {"played": len(self.training), "held_out": len(self.held_out)}


def _part(sequences: Sequences, at_most: int | None, seed: int) -> SequenceBatch:
    """So many of the sequences, chosen at random, in their order."""
    chosen = np.random.default_rng(seed).permutation(len(sequences))[:at_most]
    return as_batch(sequences[np.sort(chosen)])


def as_batch(sequences: Sequences) -> SequenceBatch:
    """Sequences as JAX arrays."""
    return SequenceBatch(jnp.asarray(sequences.tokens, jnp.int32), jnp.asarray(sequences.mask))


MEASURES = (
    Measure("cross_entropy", "H(p_data, p_gen), nats a token", "lower"),
    Measure("bleu", "BLEU, as published", "higher"),
    Measure("corpus_bleu", "Corpus BLEU"),
    Measure("self_bleu", "Self-BLEU"),
    Measure("entropy", "H(p_gen), nats a token"),
    Measure("reward_mean", "Mean D(x), the game's discriminator", "higher"),
    Measure("reward_deviation", "Its standard deviation"),
    Measure("precision", "Precision of that discriminator"),
    Measure("recall", "Recall of that discriminator"),
    Measure("judge_mean", "Mean D(x), fresh judges"),
    Measure("judge_real", "Their mean D(x) of real sequences"),
    Measure("judge_accuracy", "Their accuracy"),
)
"""What `measure_generator` gives: the columns of Table 1 of Bjare & Meredith (2020), and more.

The first five are those of `Likeness`. The next four are those of the game's discriminator, which
was trained on samples of every round: mean and deviation of D(x) over samples, precision and recall
on held-out sequences and as many samples. The last three are means over judges: D(x) of samples,
D(x) of real sequences, and the accuracy, ½ where the judges cannot tell one from the other.
"""


def measure_generator(
    model: SequenceModel,
    real: RealSequences,
    settings: JudgeSettings,
    *,
    judges: int = 1,
    seed: int = 0,
    end: int | None = None,
    discriminator: ConvolutionalDiscriminator | None = None,
    on_judge: Callable[[ConvolutionalDiscriminator], None] = lambda judge: None,
) -> dict[str, Estimate]:
    """The `MEASURES` of a generator at temperature one; NaN where there was no game.

    The standard error of `judge_mean`, if there are several judges, is over them.

    For each judge as many sequences are generated as there are real ones. The other measures are
    taken of those samples that the first judge did not learn from.

    Args:
        model: the generator.
        real: sequences to compare with.
        settings: of the judges; their seeds are derived from `seed`.
        judges: how many, each with its own weights and samples, on which its result depends much.
        seed: of the sampling and of the judges.
        end: the token that ends a sequence, if there is one.
        discriminator: of the game, if there was one.
        on_judge: called with the first judge when it is trained.

    Raises:
        UserError: if there are too few sequences for a judge.
    """
    key = jax.random.key(seed)
    generated = _as_many(model, real.judging, key, end)
    unseen = join(generated.validation, generated.test)
    like = likeness(model, real.held_out, unseen)
    found: list[Discrimination] = []
    for number in range(judges):
        if number:
            # Galleries use the first fold of the key.
            generated = _as_many(model, real.judging, jax.random.fold_in(key, 1 + number), end)
        own = replace(settings, seed=_seed_of_judge(seed, number))
        trained = train_judge(model.vocabulary_size, real.judging, generated, own)
        found.append(trained.test)
        if number == 0:
            on_judge(trained.discriminator)
    values = asdict(like)
    if discriminator is not None:
        values |= _of_the_game(discriminator, real.held_out, unseen)
    values["judge_real"] = float(np.mean([one.mean_real for one in found]))
    values["judge_accuracy"] = float(np.mean([one.accuracy for one in found]))
    of_judges = mean_estimate([one.mean_generated for one in found])
    return _complete(values) | {"judge_mean": of_judges}


def _complete(values: Mapping[str, float]) -> dict[str, Estimate]:
    return {measure.name: Estimate(values.get(measure.name, math.nan)) for measure in MEASURES}


def _as_many(model: SequenceModel, real: Parts, key: PRNGKeyArray, end: int | None) -> Parts:
    """As many samples of a generator as there are real sequences in each part."""
    sizes = [len(part) for part in (real.training, real.validation, real.test)]
    length = real.training.tokens.shape[1]
    return divided(generate(model, key, sum(sizes), length, end=end), real)


def divided(samples: SequenceBatch, real: Parts) -> Parts:
    """Samples for a judge: as many to stop by and to measure on as real ones, the rest to learn."""
    test = len(samples) - len(real.test)
    validation = test - len(real.validation)
    return Parts(samples[:validation], samples[validation:test], samples[test:])


def _seed_of_judge(seed: int, number: int) -> int:
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def measure_real(real: RealSequences) -> dict[str, Estimate]:
    """BLEU of training sequences in place of a generator's samples; other measures are NaN."""
    parts = real.judging
    number = len(parts.validation) + len(parts.test)
    return _complete(bleus(real.held_out, real.training[:number])._asdict())


def _of_the_game(
    discriminator: ConvolutionalDiscriminator, held_out: SequenceBatch, samples: SequenceBatch
) -> dict[str, float]:
    number = min(len(held_out), len(samples))
    found = discrimination(
        logits_of(discriminator, held_out[:number]), logits_of(discriminator, samples[:number])
    )
    return {
        "reward_mean": found.mean_generated,
        "reward_deviation": found.deviation_generated,
        "precision": found.precision,
        "recall": found.recall,
    }
