"""What a discriminator is worth without any tuning: samples of the prior, chosen by its judgement.

With the logit of a discriminator as reward, the optimum of E[r]/c − KL(π‖p) is π* ∝ p·exp(r/c).
Something like its samples can be had without learning: of three times as many samples of the
prior as are wanted a third is drawn without putting back, each time with chances in proportion to
exp(r/c) (much like the rejection sampling of Azadi et al. 2019). No sample can then count for more
than three, so that at small c this is the best third of the prior's samples and not π*.

    python benchmarks/folk_reweighting.py published-prior \\
        --sequences sequences.npz --token-table vocabulary.json

Prints for each c BLEU, self-BLEU and the mean D(x) of fresh judges; c = inf is the prior itself.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Float

from seqtutor.adversarial.discriminator import ConvolutionalDiscriminator
from seqtutor.adversarial.evaluation import RealSequences, divided
from seqtutor.adversarial.judges import train_judge
from seqtutor.adversarial.training import logits_of
from seqtutor.measures.likeness import bleus
from seqtutor.models.files import SavedModel
from seqtutor.runs.policies import load_prior
from seqtutor.tasks.folk.data_settings import FolkDataSettings
from seqtutor.tasks.folk.scales import USUAL_JUDGE
from seqtutor.tasks.folk.spec import spec
from seqtutor.training.rollout import generate
from seqtutor.types import SequenceBatch, join

POOL = 3
"""How many times as many samples there are to choose from as are chosen."""
DISCRIMINATORS = 3
"""Those whose mean logit is the reward."""
WEIGHTS = (math.inf, 2.0, 1.0, 0.5)


def wanted_by(real: RealSequences) -> int:
    """Samples that a judge asks for: as many as there are real sequences."""
    return sum(len(part) for part in vars(real.judging).values())


def mean_logits(
    discriminators: list[ConvolutionalDiscriminator], samples: SequenceBatch
) -> Float[np.ndarray, " sample"]:
    """The reward of every sample."""
    return np.mean([logits_of(one, samples) for one in discriminators], axis=0)


def trained(prior: SavedModel, real: RealSequences) -> list[ConvolutionalDiscriminator]:
    """Discriminators of the prior's samples, of which they see as many as are chosen from."""
    number = POOL * wanted_by(real)
    length = real.training.tokens.shape[1]
    smoothed = replace(USUAL_JUDGE.discrimination, label_smoothing=0.1)
    found = []
    for seed in range(DISCRIMINATORS):
        samples = generate(prior.model, jax.random.key(1000 + seed), number, length)
        parts = divided(samples, real.judging)
        settings = replace(USUAL_JUDGE, seed=1000 + seed, discrimination=smoothed)
        size = prior.model.vocabulary_size
        found.append(train_judge(size, real.judging, parts, settings).discriminator)
    return found


def main() -> None:
    """Print a line for each c."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("prior", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--sequences", type=Path)
    parser.add_argument("--token-table", type=Path)
    parser.add_argument("--judges", type=int, default=3)
    options = parser.parse_args()
    settings = FolkDataSettings(
        data=options.data, sequences=options.sequences, token_table=options.token_table
    )
    prior = load_prior(spec, options.prior)
    real = RealSequences.of(spec.read_data(settings))
    discriminators = trained(prior, real)
    wanted, length = wanted_by(real), real.training.tokens.shape[1]
    rows: dict[float, list[list[float]]] = {c: [] for c in WEIGHTS}
    for seed in range(options.judges):
        pool = generate(prior.model, jax.random.key(seed), POOL * wanted, length)
        logits = mean_logits(discriminators, pool)
        for c in WEIGHTS:
            chances = np.random.default_rng(seed).gumbel(size=len(pool)) + logits / c
            # The highest of all, in an order that tells nothing.
            chosen = divided(pool[np.sort(np.argsort(-chances)[:wanted])], real.judging)
            runs = bleus(real.held_out, join(chosen.validation, chosen.test))
            vocabulary_size = prior.model.vocabulary_size
            found = train_judge(
                vocabulary_size, real.judging, chosen, replace(USUAL_JUDGE, seed=seed)
            ).test
            rows[c].append([runs.bleu, runs.self_bleu, found.mean_generated, found.accuracy])
    print("   c   BLEU  self-BLEU  mean D(x)  accuracy of the judges")
    for c, values in rows.items():
        print(
            f"{c:4g}  {{:5.3f}}      {{:5.3f}}      {{:5.3f}}     {{:5.3f}}".format(
                *np.mean(values, 0)
            )
        )


if __name__ == "__main__":
    main()
