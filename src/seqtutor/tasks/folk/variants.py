"""The generators that the folk experiment compares: published, anchored to the prior, controls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from seqtutor.adversarial.settings import (
    DiscriminationSettings,
    DiscriminatorSettings,
    GameSettings,
)
from seqtutor.errors import UserError
from seqtutor.methods.registry import method_named, symbol_of
from seqtutor.methods.settings import NO_EXPLORATION
from seqtutor.settings import require
from seqtutor.training.settings import TutorSettings, applicable_settings

MAXIMUM_LIKELIHOOD = "maximum-likelihood"
UNTRAINED = "untrained"
REAL = "real-tunes"
PUBLISHED = ("reinforce", "reinforce-baseline", "merl")
ANCHORED = ("rloo", "psi", "g", "path")
CONTROLS = ("constant", "random", "frozen", UNTRAINED)
VARIANTS = (*PUBLISHED, *ANCHORED, *CONTROLS)
USUAL = (*PUBLISHED, "rloo", "psi", *CONTROLS)
"""Those that play unless others are asked for."""

_TITLES = {
    MAXIMUM_LIKELIHOOD: "Maximum likelihood",
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


GeneratorStart = Literal["prior", "untrained"]
"""What a generator begins as: the prior, or a model of its sizes that has learned nothing."""


@dataclass(frozen=True)
class GameSizes:
    """How long the games are, and how large."""

    rounds: int = 40
    """Rounds in which the generator learns."""
    first_rounds: int = 10
    """Rounds before them in which the discriminator learns alone."""
    discriminator_epochs: int = 1
    """Passes of the discriminator in each round."""
    environments: int = 64
    """Sequences that a published generator learns from in each round, in one collection."""
    anchored_environments: int = 256
    """Sequences in each collection of those that are held by the prior. What a whole sequence is
    worth says little of one token: it takes many sequences to tell."""
    anchored_iterations: int = 4
    """Collections of those in each round."""
    generated: int = 2048
    """Sequences that the generator makes for the discriminator in each round."""
    diagnoses: int = 10
    """How often likelihood, BLEU and entropy are measured during a game."""
    discriminator: Literal["small", "yu", "lee", "bjare"] = "small"
    """The discriminator's sizes, those of which paper."""
    discriminator_batch: int = 64
    """Sequences in each of the discriminator's updates, half of them real."""
    discriminator_rate: float = 1e-3
    """The discriminator's learning rate."""
    generator_rate: float = 1e-3
    """The learning rate of the published generators."""
    anchored_rate: float = 5e-4
    """That of those that are held by the prior."""
    rollouts: int | None = None
    """Completions of each prefix, by whose mean reward a token is judged (Yu et al. 2017); `None`
    for the reward at the end alone."""


@dataclass(frozen=True)
class Variant:
    """A generator: how it is tuned, and by the rules of which game."""

    name: str
    tutoring: TutorSettings = field(default_factory=TutorSettings.of)
    adversary: GameSettings = field(default_factory=GameSettings)
    start: GeneratorStart = "prior"

    @property
    def title(self) -> str:
        """What tables and figures call it."""
        return title_of(self.name)

    def in_a_game(self, seed: int, length: int) -> Variant:
        """The same with a seed, and with the steps of a game of sequences so long."""
        steps = self.adversary.generator_steps(self.tutoring.environments, length)
        return replace(self, tutoring=replace(self.tutoring, seed=seed, steps=steps))


def variant_named(name: str, sizes: GameSizes, c: float) -> Variant:
    """A generator of the experiment.

    Args:
        name: one of `VARIANTS`.
        sizes: of the game.
        c: the weight of the prior, of the anchored ones and the controls.

    Raises:
        UserError: if there is no such generator, it can do nothing with rollouts, or a setting is
            out of its range.
    """
    if sizes.rollouts is not None:
        _require_rollouts(name, sizes.rollouts)
    if name == UNTRAINED:
        published = variant_named("reinforce", sizes, c)
        return replace(published, name=name, start="untrained")
    if name in PUBLISHED:
        return Variant(name, _tutoring_published(name, sizes), _published(sizes))
    game = _anchored(sizes)
    if name in ANCHORED:
        return Variant(name, _tutoring_anchored(name, sizes, c), game)
    if name == "constant":
        return Variant(name, _tutoring_anchored("rloo", sizes, c), replace(game, source="constant"))
    if name == "random":
        return Variant(name, _tutoring_anchored("rloo", sizes, c), replace(game, source="random"))
    if name == "frozen":
        return Variant(name, _tutoring_anchored("rloo", sizes, c), replace(game, source="frozen"))
    raise UserError(f"there is no generator {name!r}; choose from {', '.join(VARIANTS)}")


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
        f"the generator {name} judges its whole replay again in each round, for which rollouts "
        f"take too long; leave out {', '.join(replaying)} with --generators",
    )


def _tutoring_published(method: str, sizes: GameSizes) -> TutorSettings:
    return TutorSettings.of(
        method, c=1.0, environments=sizes.environments, learning_rate=sizes.generator_rate
    )


def _tutoring_anchored(method: str, sizes: GameSizes, c: float) -> TutorSettings:
    number = sizes.anchored_environments
    # A policy that begins as the prior need not try tokens at random, which real tunes never have.
    own = applicable_settings(
        method,
        exploration=NO_EXPLORATION,
        batch=number,
        updates=2,
        replay_capacity=8 * number,
        trace=1.0,
    )
    return TutorSettings.of(
        method,
        c=c,
        discount=1.0,
        environments=number,
        learning_rate=sizes.anchored_rate,
        **own,
    )


def _published(sizes: GameSizes) -> GameSettings:
    """Yu et al. and Bjare & Meredith: D(x) itself, at the end."""
    return replace(
        _game(sizes),
        term="probability",
        discrimination=replace(_discrimination(sizes), output_penalty=0.2),
    )


def _anchored(sizes: GameSizes) -> GameSettings:
    """The logit of a discriminator that is kept from running away, for the whole sequence.

    A discriminator that learns to judge every prefix could pay token by token, but it tells whole
    sequences apart much worse.
    """
    return replace(
        _game(sizes),
        generator_iterations=sizes.anchored_iterations,
        term="logit",
        old_share=0.25,
        only_better=True,
        discrimination=replace(_discrimination(sizes), label_smoothing=0.1),
    )


def _game(sizes: GameSizes) -> GameSettings:
    rounds = sizes.rounds + sizes.first_rounds
    rules = GameSettings(
        rounds=sizes.rounds,
        first_rounds=sizes.first_rounds,
        discriminator_epochs=sizes.discriminator_epochs,
        generated=sizes.generated,
        diagnose_every=max(1, rounds // max(1, sizes.diagnoses)),
        discriminator=DiscriminatorSettings.of(sizes.discriminator),
    )
    if sizes.rollouts is None:
        return rules
    return replace(rules, shape="rollouts", rollouts=sizes.rollouts)


def _discrimination(sizes: GameSizes) -> DiscriminationSettings:
    return DiscriminationSettings(
        batch=sizes.discriminator_batch, learning_rate=sizes.discriminator_rate
    )
