"""A policy's network that follows the nine rules: their state, and what each next token earns."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any, ClassVar, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from seqtutor.models.informed import Activation, InformedModel
from seqtutor.settings import require
from seqtutor.tasks.melody.autocorrelation_inputs import autocorrelation_inputs
from seqtutor.tasks.melody.encoding import VOCABULARY_SIZE
from seqtutor.tasks.melody.rule_settings import IntervalRewards, MelodyRuleSettings
from seqtutor.tasks.melody.rules.stepwise import (
    TOKENS,
    RuleState,
    centred,
    continuations,
    initial_rule_state,
    next_rewards,
    next_rule_state,
    recent_pitches,
)
from seqtutor.tasks.melody.settings import RuleWeights

HIDDEN_SIZES = (256, 256)
_PITCHES = 10.0
"""A spread of pitches, in semitones, by which such numbers are divided."""


class RuleNetwork(InformedModel):
    """An `InformedModel` of melodies."""

    kind: ClassVar[str] = "melody-rules"

    length: int = eqx.field(static=True)
    rules: MelodyRuleSettings = eqx.field(static=True)
    rule_weights: RuleWeights = eqx.field(static=True)
    sees_margins: bool = eqx.field(static=True)

    def __init__(
        self,
        unit: float,
        length: int,
        rules: MelodyRuleSettings,
        rule_weights: RuleWeights,
        hidden_sizes: tuple[int, ...] = HIDDEN_SIZES,
        key: PRNGKeyArray | None = None,
        *,
        sees_margins: bool = True,
        activation: Activation = "silu",
    ) -> None:
        """Draw the weights.

        Args:
            unit: rewards are divided by it, as c.
            length: of a melody, in steps.
            rules: by which tokens earn.
            rule_weights: a factor for each rule.
            hidden_sizes: of the hidden layers.
            key: of the weights; by default always the same.
            sees_margins: whether it is told how far each autocorrelation is from its limit, and
                what the next tokens change of it (`autocorrelation_inputs`).
            activation: of the hidden layers.
        """
        self.sees_margins = sees_margins
        self.length, self.rules, self.rule_weights = length, rules, rule_weights
        inputs, _ = jax.eval_shape(lambda: self.describe(self.initial_reward_state()))
        key = jax.random.key(0) if key is None else key
        self.draw(VOCABULARY_SIZE, inputs.shape[0], hidden_sizes, unit, key, activation)

    @property
    def config(self) -> dict[str, Any]:
        """All that the constructor takes but the key, records as lists of names and values."""
        return {
            "unit": self.unit,
            "length": self.length,
            "hidden_sizes": [len(bias) for bias in self.biases],
            "rules": _pairs(self.rules),
            "rule_weights": _pairs(self.rule_weights),
            "sees_margins": self.sees_margins,
            "activation": self.activation,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> RuleNetwork:
        """A network of these sizes.

        Raises:
            ValueError, KeyError, TypeError, UserError: if the values are not usable.
        """
        rules = {name: _tuple(value) for name, value in config["rules"]}
        rules["intervals"] = IntervalRewards(**dict(rules["intervals"]))
        sizes = [config["length"], *config["hidden_sizes"]]
        require(
            all(type(size) is int and size > 0 for size in sizes) and len(sizes) > 1,
            f"a {cls.kind} cannot have a length and layers of {sizes}",
        )
        activation = config.get("activation", "relu")
        require(activation in get_args(Activation), f"there is no activation {activation!r}")
        return cls(
            float(config["unit"]),
            config["length"],
            MelodyRuleSettings(**rules),
            RuleWeights(**dict(config["rule_weights"])),
            tuple(config["hidden_sizes"]),
            # Older folders have neither name.
            sees_margins=bool(config.get("sees_margins", False)),
            activation=activation,
        )

    def initial_reward_state(self) -> RuleState:
        """The state of the rules before the first token."""
        return initial_rule_state(self.rules, self.length)

    def next_reward_state(self, state: RuleState, token: Int[Array, ""]) -> RuleState:
        """The state of the rules after one more token."""
        return next_rule_state(state, token, self.rules)

    def describe(self, state: RuleState) -> tuple[Float[Array, " inputs"], Float[Array, " vocab"]]:
        """The state of each rule, most of it as one of several cases."""
        cases = self._cases(state)
        numbers = jnp.stack(_contour(state, self.rules)).astype(jnp.float32)
        margins = [autocorrelation_inputs(state, self.rules)] if self.sees_margins else []
        earned = next_rewards(state, self.rules)
        weighted = [vars(self.rule_weights)[name] * each for name, each in earned.items()]
        inputs = jnp.concatenate([*cases, numbers, *margins])
        return inputs, jnp.sum(jnp.stack(weighted), axis=0)

    def _cases(self, state: RuleState) -> list[Float[Array, " cases"]]:
        rules, origin = self.rules, state.leap_origin
        pitches = recent_pitches(state, rules)
        matches = continuations(state, rules)
        longest = jnp.max(matches)
        following = state.tokens[jnp.argmax(matches)]
        share = longest / max(rules.motif_window - 1, 1)
        repeats = max(rules.allowed_repeats, rules.allowed_repeats_with_breaks)
        return [
            _one_of(state.position, self.length),
            _token(state.pitch, state.pitch > 0),
            _token(origin, origin > 0),
            _token(-origin, origin < 0),
            _one_of(state.since_leap, rules.minimum_steps_before_leap_back + 1),
            _one_of(state.soundings, repeats + 1),
            _one_of(state.rests, rules.allowed_rests + 2),
            _one_of(state.holds, repeats + 1),
            pitches.astype(jnp.float32),
            _one_of(jnp.sum(pitches), rules.motif_minimum_pitches + 4),
            _token(state.highest, state.highest_count > 0),
            _token(state.lowest, state.lowest_count > 0),
            _token(following, longest > 0) * share,
            _one_of(longest, rules.motif_window),
        ]


def _one_of(number: Int[Array, ""], cases: int) -> Float[Array, " cases"]:
    """1 in the place of a number, which is taken as the last if it is beyond; below 0 nowhere."""
    return jax.nn.one_hot(jnp.minimum(number, cases - 1), cases)


def _token(token: Int[Array, ""], is_there: Bool[Array, ""]) -> Float[Array, " token"]:
    return jnp.where(is_there, jax.nn.one_hot(token, len(TOKENS)), 0.0)


def _contour(state: RuleState, rules: MelodyRuleSettings) -> list[Float[Array, ""]]:
    """Autocorrelations so far and whether they are high, mean, spread, counts that are one."""
    n = jnp.maximum(state.position, 1).astype(jnp.float32)
    total = state.total.astype(jnp.float32)
    mean = total / n
    variance = jnp.maximum(state.squares.astype(jnp.float32) / n - mean**2, 0.0)
    found = [mean / _PITCHES, jnp.sqrt(variance) / _PITCHES]
    for number, lag in enumerate(rules.autocorrelation_lags):
        ends = state.opening[number] + sum(centred(state, back) for back in range(1, lag + 1))
        covariance = state.products[number] - mean * (2 * total - ends) + (n - lag) * mean**2
        is_known = (n > lag) & (variance > 0)
        r = jnp.where(is_known, covariance / (n * jnp.maximum(variance, 1e-3)), 0.0)
        limit = rules.autocorrelation_threshold
        found += [2 * r, r > limit, r < -limit]
    counts = [state.breaks > 0, state.highest_count == 1, state.lowest_count == 1]
    return [jnp.asarray(one, jnp.float32) for one in [*found, *counts]]


def _pairs(record: Any) -> list[list[Any]]:
    """A record's names and values, those of records within it too."""
    values = [(one.name, getattr(record, one.name)) for one in fields(record)]
    return [
        [n, _pairs(v) if is_dataclass(v) else list(v) if isinstance(v, tuple) else v]
        for n, v in values
    ]


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
