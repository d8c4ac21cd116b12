"""The generators that the folk experiment compares: published, anchored to the prior, controls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from seqtutor.adversarial.settings import (
    DiscriminationSettings,
    DiscriminatorSettings,
    GameSettings,
    RewardSource,
)
from seqtutor.methods.registry import method_named, symbol_of
from seqtutor.settings import require
from seqtutor.training.settings import TutorSettings, undiscounted

MAXIMUM_LIKELIHOOD = "maximum-likelihood"
UNTRAINED = "untrained"
REAL = "real-tunes"
MERL_WITH_BASELINE = "merl-baseline"
PUBLISHED = ("reinforce", "reinforce-baseline", "merl", MERL_WITH_BASELINE)
ANCHORED = ("rloo", "psi", "g", "path")
CONTROLS = ("constant", "random", "frozen", UNTRAINED)
VARIANTS = (*PUBLISHED, *ANCHORED, *CONTROLS)
USUAL = (*PUBLISHED, "rloo", "psi", *CONTROLS)
"""Those that play unless others are asked for."""

_TITLES = {
    MAXIMUM_LIKELIHOOD: "Maximum likelihood",
    MERL_WITH_BASELINE: "MERL with baseline",
    "constant": "Constant reward",
    "random": "Random reward",
    "frozen": "Frozen discriminator",
    UNTRAINED: "REINFORCE, not pretrained",
    REAL: "Real tunes",
}


def title_of(name: str) -> str:
    """What tables and figures call a generator."""
    if name in ANCHORED:
        return f"{symbol_of(name)}, anchored"
    return _TITLES.get(name) or symbol_of(name)


@dataclass(frozen=True)
class GameSizes:
    """The length and size of the games.

    Attributes:
        rounds: in which the generator learns.
        first_rounds: before them, in which only the discriminator learns.
        discriminator_epochs: passes of the discriminator in each round.
        environments: sequences that a published generator learns from in each round.
        anchored_environments: sequences in each collection of generators that are held by the
            prior. The reward of a whole sequence says little about one token, so that it takes many
            sequences.
        anchored_iterations: collections of these generators in each round.
        generated: sequences for the discriminator in each round.
        diagnoses: how often likelihood, BLEU and entropy are measured during a game.
        discriminator: sizes of the discriminator, by name.
        discriminator_batch: sequences in each of its updates, half of them real.
        discriminator_rate, generator_rate, anchored_rate: learning rates of the discriminator, of
            the published generators, and of those that are held by the prior.
        rollouts: completions of each prefix, whose mean reward is its value (Yu et al. 2017);
            `None` for the reward at the end alone.
    """

    rounds: int = 40
    first_rounds: int = 10
    discriminator_epochs: int = 1
    environments: int = 64
    anchored_environments: int = 256
    anchored_iterations: int = 4
    generated: int = 2048
    diagnoses: int = 10
    discriminator: str = "small"
    discriminator_batch: int = 64
    discriminator_rate: float = 1e-3
    generator_rate: float = 1e-3
    anchored_rate: float = 5e-4
    rollouts: int | None = None


@dataclass(frozen=True)
class Variant:
    """A generator: how it is tuned, by which rules, and what it starts as."""

    name: str
    tutoring: TutorSettings = field(default_factory=TutorSettings.of)
    adversary: GameSettings = field(default_factory=GameSettings)
    start: str = "prior"

    def in_a_game(self, seed: int, length: int) -> Variant:
        """The same with a seed, and with the steps of a game of sequences of this length."""
        steps = self.adversary.generator_steps(self.tutoring.environments, length)
        return replace(self, tutoring=replace(self.tutoring, seed=seed, steps=steps))


def variant_named(name: str, sizes: GameSizes, c: float) -> Variant:
    """A generator of the experiment.

    Args:
        name: one of `VARIANTS`.
        sizes: of the game.
        c: weight of the prior, for generators that are held by it and for the controls.

    Raises:
        UserError: if there is no such generator, it cannot use rollouts, or a setting is out of its
            range.
    """
    require(name in VARIANTS, f"there is no generator {name!r}; choose from {', '.join(VARIANTS)}")
    if sizes.rollouts is not None:
        _require_rollouts(name, sizes.rollouts)
    if name == UNTRAINED:
        return replace(variant_named("reinforce", sizes, c), name=name, start="untrained")
    if name in PUBLISHED:
        tutoring = _published_tutoring(name, sizes)
        # Yu et al. and Bjare & Meredith: D(x) itself.
        return Variant(name, tutoring, _rules(sizes, term="probability", output_penalty=0.2))
    # The logit, of a discriminator that is kept in balance with the generator. A discriminator that
    # is trained on prefixes could reward each token, but it tells whole sequences apart much worse.
    rules = _rules(
        sizes,
        generator_iterations=sizes.anchored_iterations,
        old_share=0.25,
        only_better=True,
        label_smoothing=0.1,
    )
    if name in ANCHORED:
        return Variant(name, _anchored_tutoring(name, sizes, c), rules)
    source = cast(RewardSource, name)
    return Variant(name, _anchored_tutoring("rloo", sizes, c), replace(rules, source=source))


def require_variants(names: Sequence[str], sizes: GameSizes) -> None:
    """Raise a `UserError` unless all can play games of these sizes, and each is named once."""
    for name in names:
        variant_named(name, sizes, 1.0)
        require(list(names).count(name) == 1, f"the generator {name} is named twice")


def _require_rollouts(name: str, rollouts: int) -> None:
    require(rollouts >= 1, f"rollouts must be at least 1, not {rollouts}")
    replaying = [one for one in ANCHORED if not method_named(one).is_on_policy]
    require(
        name not in replaying,
        f"the generator {name} recomputes the rewards of its whole replay in each round, for which "
        f"rollouts take too long; leave out {', '.join(replaying)} with --generators",
    )


def _published_tutoring(name: str, sizes: GameSizes) -> TutorSettings:
    own: dict[str, Any] = {"baseline": True} if name == MERL_WITH_BASELINE else {}
    return TutorSettings.of(
        "merl" if own else name,
        c=1.0,
        environments=sizes.environments,
        learning_rate=sizes.generator_rate,
        **own,
    )


def _anchored_tutoring(method: str, sizes: GameSizes, c: float) -> TutorSettings:
    number = sizes.anchored_environments
    # A policy that starts as the prior need not try random tokens, which real tunes never have.
    own = undiscounted(
        method,
        c=c,
        environments=number,
        learning_rate=sizes.anchored_rate,
        batch=number,
        updates=2,
        replay_capacity=8 * number,
    )
    return TutorSettings.of(method, **own)


def _rules(
    sizes: GameSizes, *, output_penalty: float = 0.0, label_smoothing: float = 0.0, **changes: Any
) -> GameSettings:
    if sizes.rollouts is not None:
        changes |= {"shape": "rollouts", "rollouts": sizes.rollouts}
    rounds = sizes.rounds + sizes.first_rounds
    return GameSettings(
        rounds=sizes.rounds,
        first_rounds=sizes.first_rounds,
        discriminator_epochs=sizes.discriminator_epochs,
        generated=sizes.generated,
        diagnose_every=max(1, rounds // max(1, sizes.diagnoses)),
        discriminator=DiscriminatorSettings.of(sizes.discriminator),
        discrimination=DiscriminationSettings(
            batch=sizes.discriminator_batch,
            learning_rate=sizes.discriminator_rate,
            output_penalty=output_penalty,
            label_smoothing=label_smoothing,
        ),
        **changes,
    )
