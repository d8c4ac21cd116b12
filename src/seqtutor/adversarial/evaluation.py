"""Measures of a finished generator: likeness to data, its game's discriminator, judges."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace

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
from seqtutor.measure import Estimate, Estimates
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


@dataclass(frozen=True)
class GeneratorMeasures:
    """The columns of Table 1 of Bjare & Meredith (2020), and further ones.

    Attributes:
        cross_entropy, entropy, bleu, corpus_bleu, self_bleu: those of `Likeness`.
        reward_mean, reward_deviation: of D(x) over samples, by the discriminator of the game, which
            was trained on samples of every round; NaN where there was no game, as the next two.
        precision, recall: of that discriminator, on held-out sequences and as many samples.
        judge_mean: D(x) of samples, the mean over judges.
        judge_real: D(x) of real sequences by the same judges.
        judge_accuracy: of those judges; ½ where they cannot tell samples from real sequences.
        judge_error: standard error of `judge_mean` over the judges; NaN for a single one.
        judges: how many there were.
    """

    cross_entropy: float
    entropy: float
    bleu: float
    corpus_bleu: float
    self_bleu: float
    judge_mean: float
    judge_real: float
    judge_accuracy: float
    judge_error: float = math.nan
    judges: float = 1
    reward_mean: float = math.nan
    reward_deviation: float = math.nan
    precision: float = math.nan
    recall: float = math.nan

    @property
    def estimates(self) -> dict[str, Estimate]:
        """All measures by name; the standard error of `judge_mean` is over the judges."""
        found = {name: Estimate(value) for name, value in vars(self).items()}
        judges = int(self.judges)
        found["judge_mean"] = Estimate(self.judge_mean, self.judge_error, judges)
        return found

    @classmethod
    def from_estimates(cls, estimates: Estimates) -> GeneratorMeasures:
        """The inverse of `estimates`."""
        return cls(**{one.name: estimates[one.name].value for one in fields(cls)})


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
) -> GeneratorMeasures:
    """Measure a generator at temperature one.

    For each judge as many sequences are generated as there are real ones. The other measures are
    taken of those samples that the first judge did not learn from.

    Args:
        model: the generator.
        real: sequences to compare with.
        settings: of the judges; their seeds are derived from `seed`.
        judges: how many, each with its own weights and samples, on which its result depends much;
            the measures are means over them.
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
    of_the_game: dict[str, float] = {}
    if discriminator is not None:
        of_the_game = _of_the_game(discriminator, real.held_out, unseen)
    means = np.array([one.mean_generated for one in found])
    has_error = judges > 1
    return GeneratorMeasures(
        **asdict(like),
        judge_mean=float(means.mean()),
        judge_real=float(np.mean([one.mean_real for one in found])),
        judge_accuracy=float(np.mean([one.accuracy for one in found])),
        judge_error=float(means.std(ddof=1) / math.sqrt(judges)) if has_error else math.nan,
        judges=judges,
        **of_the_game,
    )


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


def measure_real(real: RealSequences) -> GeneratorMeasures:
    """BLEU and self-BLEU of real sequences in place of a generator's samples.

    These are training sequences, as many as there are samples if there are so many. Measures of a
    generator are NaN.
    """
    parts = real.judging
    number = len(parts.validation) + len(parts.test)
    return GeneratorMeasures(
        cross_entropy=math.nan,
        entropy=math.nan,
        **bleus(real.held_out, real.training[:number])._asdict(),
        judge_mean=math.nan,
        judge_real=math.nan,
        judge_accuracy=math.nan,
        judges=0,
    )


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
