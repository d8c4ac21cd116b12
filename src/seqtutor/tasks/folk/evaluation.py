"""What is measured of a generator of tunes: likeness, its own discriminator, and fresh judges."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int, PRNGKeyArray

from seqtutor.adversarial.discriminating import Discrimination, discrimination, logits_of
from seqtutor.adversarial.discriminator import ConvolutionalDiscriminator
from seqtutor.adversarial.judges import Parts, judge
from seqtutor.adversarial.settings import JudgeSettings
from seqtutor.errors import UserError
from seqtutor.measure import Estimate, Estimates
from seqtutor.measures.likeness import bleus, likeness
from seqtutor.models.base import SequenceModel
from seqtutor.tasks.folk.dataset import FolkData
from seqtutor.training.rollout import generate
from seqtutor.types import SequenceBatch, join


@dataclass(frozen=True)
class RealTunes:
    """Real sequences by what they are for.

    Attributes:
        played: those that the discriminators of games learn from.
        watched: held out, to measure by during a game.
        held_out: held out, to measure by in the end.
        judged: those that a judge learns from, stops by, and is measured on.
    """

    played: SequenceBatch
    watched: SequenceBatch
    held_out: SequenceBatch
    judged: Parts

    @classmethod
    def of(
        cls,
        data: FolkData,
        at_most: int | None = None,
        held_out_at_most: int | None = None,
        seed: int = 0,
    ) -> RealTunes:
        """The data's sequences, or so many of them, drawn at random.

        Data without a test part, such as the published sequences, are measured on the validation
        part; then every second sequence of it stops the judge, the others measure it.

        Args:
            data: that of the generators.
            at_most: sequences for training.
            held_out_at_most: sequences of the validation part, and of the test part.
            seed: of the drawing.

        Raises:
            UserError: if there are no held-out sequences.
        """
        if len(data.validation) < 2:
            raise UserError(_too_few(data))
        training = np.random.default_rng(seed).permutation(len(data.train))[:at_most]
        played = unmasked(data.train[training])
        watched = unmasked(_drawn(data.validation, held_out_at_most, seed))
        if len(data.test):
            test = unmasked(_drawn(data.test, held_out_at_most, seed))
            return cls(played, watched, test, Parts(played, watched, test))
        return cls(played, watched, watched, Parts(played, watched[::2], watched[1::2]))

    @property
    def counts(self) -> dict[str, int]:
        """Sequences to learn from, and to measure by."""
        return {"played": len(self.played), "held_out": len(self.held_out)}


def _drawn(
    tokens: Int[np.ndarray, "sequence time"], at_most: int | None, seed: int
) -> Int[np.ndarray, "drawn time"]:
    """So many sequences at most, in their order."""
    chosen = np.random.default_rng(seed).permutation(len(tokens))[:at_most]
    return tokens[np.sort(chosen)]


def _too_few(data: FolkData) -> str:
    if not data.train_tunes:
        return "the array 'valid' holds fewer than 2 sequences"
    return (
        f"the {len(data.validation_tunes)} tunes for validation have tokens for fewer than 2 "
        f"sequences of {data.length}; give more tunes or a smaller --length"
    )


def unmasked(tokens: Int[np.ndarray, "sequence time"]) -> SequenceBatch:
    """Sequences of one length, all of whose tokens count."""
    return SequenceBatch(jnp.asarray(tokens, jnp.int32), jnp.ones(tokens.shape, bool))


@dataclass(frozen=True)
class FolkEvaluation:
    """The columns of the paper's Table 1, and those that it lacks.

    Attributes:
        cross_entropy, entropy, bleu, corpus_bleu, self_bleu: those of `Likeness`.
        reward_mean, reward_deviation: of D(x) over samples, by the game's own discriminator, which
            has learned from samples of every round; NaN where there was no game, as the next two.
        precision, recall: of that discriminator, on held-out sequences and as many samples.
        judge_mean: D(x) of samples, the mean of judges that were trained on this generator
            afterwards.
        judge_real: D(x) of real sequences by the same judges.
        judge_accuracy: of those judges; ½ where they cannot tell samples from real sequences.
        judge_error: the standard error of `judge_mean`, from what the judges differ by; NaN of one.
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
    def from_estimates(cls, estimates: Estimates) -> FolkEvaluation:
        """The inverse of `estimates`."""
        return cls(**{one.name: estimates[one.name].value for one in fields(cls)})


def evaluate_folk(
    model: SequenceModel,
    real: RealTunes,
    settings: JudgeSettings,
    *,
    judges: int = 1,
    seed: int = 0,
    discriminator: ConvolutionalDiscriminator | None = None,
    on_judged: Callable[[ConvolutionalDiscriminator], None] = lambda judge: None,
) -> FolkEvaluation:
    """Measure a generator at temperature one.

    As many sequences are generated for a judge as there are real ones. Those that the first judge
    has not learned from are what the other measures are taken of.

    Args:
        model: the generator.
        real: sequences to measure by.
        settings: of the judges; their seeds come from `seed`.
        judges: how many, each with weights and samples of its own. What one finds depends much on
            both; their means are given.
        seed: of the sampling and of the judges.
        discriminator: of the game, where there was one.
        on_judged: called with the first judge when it is trained.

    Raises:
        UserError: if there are too few sequences for a judge.
    """
    key = jax.random.key(seed)
    generated = _as_many(model, real.judged, key)
    unseen = join(generated.validation, generated.test)
    like = likeness(model, real.held_out, unseen)
    found: list[Discrimination] = []
    for number in range(judges):
        if number:
            # The key's first fold makes the samples of galleries.
            generated = _as_many(model, real.judged, jax.random.fold_in(key, 1 + number))
        own = replace(settings, seed=_seed_of_judge(seed, number))
        judgement = judge(model.vocabulary_size, real.judged, generated, own)
        found.append(judgement.test)
        if number == 0:
            on_judged(judgement.discriminator)
    of_the_game: dict[str, float] = {}
    if discriminator is not None:
        of_the_game = _of_the_game(discriminator, real.held_out, unseen)
    earned = np.array([one.mean_generated for one in found])
    has_error = judges > 1
    return FolkEvaluation(
        **asdict(like),
        judge_mean=float(earned.mean()),
        judge_real=float(np.mean([one.mean_real for one in found])),
        judge_accuracy=float(np.mean([one.accuracy for one in found])),
        judge_error=float(earned.std(ddof=1) / math.sqrt(judges)) if has_error else math.nan,
        judges=judges,
        **of_the_game,
    )


def _as_many(model: SequenceModel, real: Parts, key: PRNGKeyArray) -> Parts:
    """As many samples of a generator as there are real sequences in each part."""
    sizes = [len(part) for part in (real.training, real.validation, real.test)]
    return divided(generate(model, key, sum(sizes), real.training.tokens.shape[1]), real)


def divided(samples: SequenceBatch, real: Parts) -> Parts:
    """Samples for a judge: as many to stop by and to measure on as real ones, all others before."""
    test = len(samples) - len(real.test)
    validation = test - len(real.validation)
    return Parts(samples[:validation], samples[validation:test], samples[test:])


def _seed_of_judge(seed: int, number: int) -> int:
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def evaluate_real(real: RealTunes) -> FolkEvaluation:
    """What real tunes reach where a generator's samples stand: BLEU and self-BLEU.

    Training sequences take the samples' place, as many of them where there are so many. No
    generator made them, so that what is asked of one is NaN.
    """
    parts = real.judged
    number = len(parts.validation) + len(parts.test)
    return FolkEvaluation(
        cross_entropy=math.nan,
        entropy=math.nan,
        **bleus(real.held_out, real.played[:number])._asdict(),
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
