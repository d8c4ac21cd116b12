"""The nine rules one step at a time: a state, and the reward of each next token in it.

`rule_rewards` is of whole melodies, which is quicker where they are complete. A network whose
inputs are the rewards of its next tokens needs the same rules as functions of the tokens so far.
The functions here are of one melody; `jax.vmap` makes them functions of many.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Num

from seqtutor.tasks.melody.encoding import HOLD, NOTE_OFF, VOCABULARY_SIZE
from seqtutor.tasks.melody.rule_settings import MelodyRuleSettings
from seqtutor.tasks.melody.rules.arrays import is_note
from seqtutor.tasks.melody.rules.autocorrelation import CENTRE, Coefficient, exact_type
from seqtutor.tasks.melody.rules.intervals import interval_table, reward_of_interval
from seqtutor.tasks.melody.rules.tonality import is_tonic, tokens_in_key

Number = Int[Array, ""]
PerToken = Float[Array, " token"]
TOKENS = np.arange(VOCABULARY_SIZE)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class RuleState:
    """What the rules need to know of the tokens so far.

    Attributes:
        position: how many there are.
        tokens: in the places of those to come stand zeros.
        recent: the last of them, the newest at the end; zeros before the first.
        matches: how many tokens up to each step are the same as the last ones, as many as a motif
            has at most.
        pitch: the last pitch, 0 before the first.
        leap_origin: the pitch that a pending leap came from, negative for a leap down, 0 for none.
        since_leap: steps since the last leap, or since the first step.
        soundings: how often the pitch sounded since the last other one.
        breaks: rests and holds since the last other pitch.
        rests: since the last pitch.
        holds: since the last pitch.
        total: of the tokens less `CENTRE`, as all that follows to `opening`.
        squares: their sum.
        products: of tokens at each lag.
        opening: the sum of the first tokens, as many as each lag has.
        highest, highest_count: the largest token, −1 before the first, and how often it occurred.
        lowest, lowest_count: the same of the lowest pitch; `VOCABULARY_SIZE` before the first.
        motifs_again: steps that have completed a motif heard before.
    """

    position: Number
    tokens: Int[Array, " time"]
    recent: Int[Array, " recent"]
    matches: Int[Array, " time"]
    pitch: Number
    leap_origin: Number
    since_leap: Number
    soundings: Number
    breaks: Number
    rests: Number
    holds: Number
    total: Num[Array, ""]
    squares: Num[Array, ""]
    products: Num[Array, " lag"]
    opening: Num[Array, " lag"]
    highest: Number
    highest_count: Number
    lowest: Number
    lowest_count: Number
    motifs_again: Number

    def back(self, steps: int) -> Number:
        """The token so many steps back, 1 for the last."""
        return self.recent[-steps]


def initial_rule_state(settings: MelodyRuleSettings, length: int) -> RuleState:
    """Before the first of `length` tokens."""
    zero = jnp.zeros((), jnp.int32)
    real = jnp.zeros((), exact_type(length))
    whole = jnp.zeros(length, jnp.int32)
    lags = settings.autocorrelation_lags
    per_lag = jnp.zeros(len(lags), real.dtype)
    recent = jnp.zeros(max([settings.motif_window - 1, *lags]), jnp.int32)
    return RuleState(
        position=zero,
        tokens=whole,
        recent=recent,
        matches=whole,
        pitch=zero,
        leap_origin=zero,
        since_leap=zero - 1,
        soundings=zero,
        breaks=zero,
        rests=zero,
        holds=zero,
        total=real,
        squares=real,
        products=per_lag,
        opening=per_lag,
        highest=zero - 1,
        highest_count=zero,
        lowest=zero + VOCABULARY_SIZE,
        lowest_count=zero,
        motifs_again=zero,
    )


def next_rule_state(state: RuleState, token: Number, settings: MelodyRuleSettings) -> RuleState:
    """The state after one more token."""
    note, t = is_note(token), state.position
    steps = jnp.arange(len(state.tokens))
    before = jnp.concatenate([jnp.zeros(1, jnp.int32), state.matches[:-1]])
    goes_on = (state.tokens == token) & (steps < t)
    leap = _Leap.by(state, token, settings)
    x = (token - CENTRE).astype(state.total.dtype)
    lags = settings.autocorrelation_lags
    is_other = note & (token != state.pitch)
    is_higher, is_lower = token > state.highest, note & (token < state.lowest)
    again = is_motif_again(state, settings)[token]
    return RuleState(
        position=t + 1,
        tokens=jnp.where(steps == t, token, state.tokens),
        recent=jnp.concatenate([state.recent[1:], token[None]]),
        matches=jnp.where(goes_on, jnp.minimum(before + 1, settings.motif_window), 0),
        pitch=jnp.where(note, token, state.pitch),
        leap_origin=leap.origin_after,
        since_leap=jnp.where(leap.is_leap, 0, state.since_leap + 1),
        soundings=jnp.where(is_other, 0, state.soundings) + note,
        breaks=jnp.where(is_other, state.rests + state.holds, state.breaks) + ~note,
        rests=jnp.where(note, 0, state.rests + (token == NOTE_OFF)),
        holds=jnp.where(note, 0, state.holds + (token == HOLD)),
        total=state.total + x,
        squares=state.squares + x * x,
        products=state.products + x * jnp.array([centred(state, lag) for lag in lags], x.dtype),
        opening=state.opening + jnp.where(t < jnp.array(lags, jnp.int32), x, 0),
        highest=jnp.maximum(state.highest, token),
        highest_count=jnp.where(is_higher, 1, state.highest_count + (token == state.highest)),
        lowest=jnp.where(is_lower, token, state.lowest),
        lowest_count=jnp.where(is_lower, 1, state.lowest_count + (token == state.lowest)),
        motifs_again=state.motifs_again + again,
    )


def next_rewards(state: RuleState, settings: MelodyRuleSettings) -> dict[str, PerToken]:
    """What each rule would give for each next token, by name; see `RULES` for what they mean.

    Nothing beyond the end of the melody.
    """
    length = settings.melody_length or len(state.tokens)
    intervals = jnp.asarray(reward_of_interval(settings)[interval_table(settings)], jnp.float32)
    further = _further_pitches(state, settings)
    of_motif = settings.motif_reward + settings.motif_reward_per_further_pitch * further
    each_further = settings.repeated_motif_reward_per_further_pitch
    of_again = settings.repeated_motif_reward + each_further * further
    limit = settings.repeated_motif_limit
    counts = True if limit is None else state.motifs_again < limit
    is_last = state.position == length - 1
    found = {
        "key": jnp.where(jnp.asarray(tokens_in_key(settings)), 0.0, settings.key_penalty),
        "tonic": _tonic(state, settings, length),
        "penalize_repeating": _repetition(state, settings),
        "penalize_autocorrelation": _autocorrelation(state, settings),
        "motif": jnp.where(is_motif(state, settings), of_motif, 0.0),
        "repeated_motif": jnp.where(counts & is_motif_again(state, settings), of_again, 0.0),
        "preferred_intervals": intervals[state.pitch],
        "leap_up_back": _leaps(state, settings),
        "high_low_unique": jnp.where(is_last, _extremes(state, settings), 0.0),
    }
    return {name: jnp.where(state.position < length, one, 0.0) for name, one in found.items()}


def centred(state: RuleState, steps: int) -> Num[Array, ""]:
    """The token so many steps back less `CENTRE`, 0 before the first."""
    there = state.back(steps) - CENTRE
    return jnp.where(state.position >= steps, there, 0).astype(state.total.dtype)


def _tonic(state: RuleState, settings: MelodyRuleSettings, length: int) -> PerToken:
    t, tokens = state.position, jnp.asarray(TOKENS)
    last_bar = length - settings.tonic_bar
    is_here = is_tonic(tokens, settings)
    holding = (t == last_bar + 1) & (tokens == HOLD)
    ending = (t > last_bar + 1) & ((tokens == HOLD) | (tokens == NOTE_OFF))
    if settings.tonic_close_on_tonic:
        last_note = jnp.where(is_note(tokens), tokens, state.pitch)
        sounds = (t >= last_bar) & (is_here | (tokens == HOLD) | ending)
        fits = ((t == 0) & is_here) | (sounds & is_tonic(last_note, settings))
    else:
        fits = ((t == 0) | (t == last_bar)) & is_here | (t > 0) & (holding | ending)
    opening = settings.tonic_opening_reward
    at_start = settings.tonic_reward if opening is None else opening
    return jnp.where(fits, jnp.where(t == 0, at_start, settings.tonic_reward), 0.0)


def _repetition(state: RuleState, settings: MelodyRuleSettings) -> PerToken:
    tokens = jnp.asarray(TOKENS)
    rest, hold = tokens == NOTE_OFF, tokens == HOLD
    repeats = jnp.where(is_note(tokens) & (tokens == state.pitch), state.soundings, 0)
    repeats = jnp.where(rest, state.rests, jnp.where(hold, state.holds, repeats))
    breaks = jnp.where(rest, state.holds, jnp.where(hold, state.rests, state.breaks))
    allowed = jnp.where(breaks > 0, settings.allowed_repeats_with_breaks, settings.allowed_repeats)
    is_excessive = (repeats >= allowed) | (rest & (repeats >= settings.allowed_rests))
    if not settings.repetition_counts_holds:
        is_excessive &= ~hold
    return jnp.where(is_excessive, settings.repetition_penalty, 0.0)


def _autocorrelation(state: RuleState, settings: MelodyRuleSettings) -> PerToken:
    """By the fractions of `penalize_autocorrelation`, with the next token as the last."""
    x = jnp.asarray(TOKENS - CENTRE).astype(state.total.dtype)
    n = (state.position + 1).astype(x.dtype)
    total, squares = state.total + x, state.squares + x * x
    denominator = n * (n * squares - total * total)
    reward = jnp.zeros(len(TOKENS))
    for number, lag in enumerate(settings.autocorrelation_lags):
        product = state.products[number] + x * centred(state, lag)
        leading = total - state.opening[number] - jnp.where(n <= lag, x, 0)
        last = x + sum(centred(state, back) for back in range(1, lag))
        numerator = n * n * product - n * total * (leading + total - last)
        numerator = jnp.where(n > lag, numerator + (n - lag) * total * total, 0)
        found = Coefficient(numerator, denominator)
        r = found.coefficient()
        factor = settings.autocorrelation_negative_factors[number]
        weighted = jnp.where(r < 0, -factor * r, r)
        is_high = found.exceeds(settings.autocorrelation_threshold)
        reward += jnp.where(is_high, settings.autocorrelation_penalties[number] * weighted, 0.0)
    return jnp.where(n >= settings.autocorrelation_first_step, reward, 0.0)


def recent_pitches(state: RuleState, settings: MelodyRuleSettings) -> Bool[Array, " token"]:
    """Which pitches a motif that ends with the next token holds already."""
    steps = settings.motif_window - 1
    window = state.recent[len(state.recent) - steps :]
    is_heard = jnp.arange(steps) >= steps - state.position
    found = jnp.any((window[:, None] == TOKENS) & is_heard[:, None], axis=0)
    return found & is_note(jnp.asarray(TOKENS))


def _pitches(state: RuleState, settings: MelodyRuleSettings) -> Int[Array, " token"]:
    recent = recent_pitches(state, settings)
    return jnp.sum(recent) + (is_note(jnp.asarray(TOKENS)) & ~recent)


def _further_pitches(state: RuleState, settings: MelodyRuleSettings) -> Int[Array, " token"]:
    return _pitches(state, settings) - settings.motif_minimum_pitches


def is_motif(state: RuleState, settings: MelodyRuleSettings) -> Bool[Array, " token"]:
    """Whether each next token completes a motif."""
    return (state.position >= settings.motif_window - 1) & (_further_pitches(state, settings) >= 0)


def continuations(state: RuleState, settings: MelodyRuleSettings) -> Int[Array, " time"]:
    """How many of the last tokens were heard before, just before each earlier step.

    As many as a motif has but for its last token; of steps after which a motif that ends with the
    next token would overlap with itself, none.
    """
    window = settings.motif_window
    before = jnp.concatenate([jnp.zeros(1, jnp.int32), state.matches[:-1]])
    is_apart = jnp.arange(len(state.tokens)) <= state.position - window
    return jnp.where(is_apart, jnp.minimum(before, window - 1), 0)


def is_motif_again(state: RuleState, settings: MelodyRuleSettings) -> Bool[Array, " token"]:
    """Whether each next token completes a motif that was heard before."""
    steps = jnp.arange(len(state.tokens))
    fits = continuations(state, settings) >= settings.motif_window - 1
    # A motif of one token needs nothing before it, but must not be the empty place itself.
    fits &= steps <= state.position - settings.motif_window
    again = jnp.any(fits[:, None] & (state.tokens[:, None] == TOKENS), axis=0)
    return again & is_motif(state, settings)


@dataclass(frozen=True)
class _Leap:
    """What tokens are to the pending leap; see `leap_up_back`."""

    is_leap: Bool[Array, "*tokens"]
    is_resolved: Bool[Array, "*tokens"]
    is_doubled: Bool[Array, "*tokens"]
    origin_after: Int[Array, "*tokens"]

    @classmethod
    def by(
        cls, state: RuleState, token: Int[Array, "*tokens"], settings: MelodyRuleSettings
    ) -> _Leap:
        note, origin, pitch = is_note(token), state.leap_origin, state.pitch
        distance = jnp.where(note & (pitch > 0), token - pitch, 0)
        is_leap = jnp.abs(distance) >= settings.leap_minimum_semitones
        is_pending = origin != 0
        same_direction = jnp.sign(distance) == jnp.sign(origin)
        is_leap_back = is_pending & is_leap & ~same_direction
        is_return = is_pending & note & ~is_leap & (token * jnp.sign(origin) <= origin)
        has_waited = state.since_leap >= settings.minimum_steps_before_leap_back
        new = jnp.where(is_leap, jnp.sign(distance) * pitch, 0)
        after = jnp.where(is_pending, origin, new)
        return cls(
            is_leap,
            is_return | (is_leap_back & has_waited),
            is_pending & is_leap & same_direction,
            jnp.where(is_return | is_leap_back, 0, after),
        )


def _leaps(state: RuleState, settings: MelodyRuleSettings) -> PerToken:
    leap = _Leap.by(state, jnp.asarray(TOKENS), settings)
    doubled = jnp.where(leap.is_doubled, settings.leap_doubled_penalty, 0.0)
    return jnp.where(leap.is_resolved, settings.leap_resolved_reward, doubled)


def _extremes(state: RuleState, settings: MelodyRuleSettings) -> PerToken:
    """What the melody earns if each token is its last."""
    tokens = jnp.asarray(TOKENS)
    note, top, bottom = is_note(tokens), state.highest, state.lowest
    highest = (tokens > top) | ((tokens < top) & (state.highest_count == 1))
    if settings.highest_note_ignores_rests:
        highest &= is_note(jnp.maximum(tokens, top))
    stays_lowest = state.lowest_count == 1
    lowest = jnp.where(note, (tokens < bottom) | ((tokens > bottom) & stays_lowest), stays_lowest)
    of_lowest, of_highest = settings.unique_note_reward, settings.unique_highest_reward
    of_highest = of_lowest if of_highest is None else of_highest
    return of_highest * highest.astype(jnp.float32) + of_lowest * lowest
