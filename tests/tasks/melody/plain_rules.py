"""The nine rules in plain Python, step by step and in exact fractions: slow and obvious.

Written from the description of the rules, not from the vectorised form, to check the latter.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from seqtutor.tasks.melody.rule_settings import MelodyRuleSettings

STEPS_OF_SCALE = {
    "major": {0, 2, 4, 5, 7, 9, 11},
    "minor": {0, 2, 3, 5, 7, 8, 10},
    "dorian": {0, 2, 3, 5, 7, 9, 10},
    "mixolydian": {0, 2, 4, 5, 7, 9, 10},
    "lydian": {0, 2, 4, 6, 7, 9, 11},
    "phrygian": {0, 1, 3, 5, 7, 8, 10},
}


def degree(token: int, settings: MelodyRuleSettings) -> int:
    return (token - 14 - settings.tonic_pitch_class) % 12


def in_key(token: int, settings: MelodyRuleSettings) -> bool:
    return token < 2 or degree(token, settings) in STEPS_OF_SCALE[settings.mode]


def key(heard: list[int], length: int, settings: MelodyRuleSettings) -> float:
    return 0.0 if in_key(heard[-1], settings) else settings.key_penalty


def tonic(heard: list[int], length: int, settings: MelodyRuleSettings) -> float:
    step, token, bar = len(heard) - 1, heard[-1], length - settings.tonic_bar

    def is_tonic(pitch: int | None) -> bool:
        if settings.tonic_in_any_octave:
            return pitch is not None and pitch >= 2 and degree(pitch, settings) == 0
        return pitch == 14 + settings.tonic_pitch_class

    if step >= bar and settings.tonic_close_on_tonic:
        last_note = next((one for one in reversed(heard) if one >= 2), None)
        sounds = token >= 2 or (token == 1 and step > 0) or (token == 0 and step > bar + 1)
        fits = is_tonic(last_note) and sounds
    elif step in (0, bar):
        fits = is_tonic(token)
    elif step == bar + 1:
        fits = token == 1
    else:
        fits = step > bar + 1 and token in (0, 1)
    return settings.tonic_reward if fits else 0.0


def penalize_repeating(heard: list[int], length: int, settings: MelodyRuleSettings) -> float:
    *before, token = heard
    repeats, has_break = 0, False
    for earlier in reversed(before):
        if earlier == token:
            repeats += 1
        elif earlier < 2:
            has_break = True
        else:
            break
    if has_break:
        is_excessive = repeats >= settings.allowed_repeats_with_breaks
    else:
        is_excessive = repeats >= settings.allowed_repeats
    is_excessive |= token == 0 and repeats >= settings.allowed_rests
    is_excessive &= token != 1 or settings.repetition_counts_holds
    return settings.repetition_penalty if is_excessive else 0.0


def autocorrelation(heard: list[int], lag: int) -> Fraction | None:
    n = len(heard)
    mean = Fraction(sum(heard), n)
    centred = [token - mean for token in heard]
    variance = sum(value * value for value in centred) / n
    if variance == 0:
        return None
    products = [a * b for a, b in zip(centred[lag:], centred[: max(n - lag, 0)], strict=True)]
    return sum(products, start=Fraction(0)) / n / variance


def penalize_autocorrelation(heard: list[int], length: int, settings: MelodyRuleSettings) -> float:
    if len(heard) < settings.autocorrelation_first_step:
        return 0.0
    total = 0.0
    for index, lag in enumerate(settings.autocorrelation_lags):
        r = autocorrelation(heard, lag)
        if r is not None and abs(r) > Fraction(str(settings.autocorrelation_threshold)):
            factor = settings.autocorrelation_negative_factors[index] if r < 0 else 1.0
            total += settings.autocorrelation_penalties[index] * factor * float(abs(r))
    return total


def pitches_of_motif(heard: list[int], settings: MelodyRuleSettings) -> int:
    """Different pitches of the last window, 0 if it is no motif."""
    window = heard[-settings.motif_window :]
    pitches = len({token for token in window if token >= 2})
    is_whole = len(window) == settings.motif_window
    return pitches if is_whole and pitches >= settings.motif_minimum_pitches else 0


def motif(heard: list[int], length: int, settings: MelodyRuleSettings) -> float:
    pitches = pitches_of_motif(heard, settings)
    further = pitches - settings.motif_minimum_pitches
    return (
        settings.motif_reward + settings.motif_reward_per_further_pitch * further
        if pitches
        else 0.0
    )


def repeated_motif(heard: list[int], length: int, settings: MelodyRuleSettings) -> float:
    pitches, size = pitches_of_motif(heard, settings), settings.motif_window
    before, window = heard[:-size], heard[-size:]
    windows = [before[start : start + size] for start in range(len(before) - size + 1)]
    if not pitches or window not in windows:
        return 0.0
    further = pitches - settings.motif_minimum_pitches
    return (
        settings.repeated_motif_reward + settings.repeated_motif_reward_per_further_pitch * further
    )


def last_pitch(heard: list[int]) -> int | None:
    pitches = [token for token in heard if token >= 2]
    return pitches[-1] if pitches else None


def preferred_intervals(heard: list[int], length: int, settings: MelodyRuleSettings) -> float:
    *before, token = heard
    previous, amounts = last_pitch(before), settings.intervals
    if previous is None:
        return 0.0
    from_degree = degree(previous, settings)
    is_stable = from_degree in (0, 7)
    semitones = abs(token - previous)
    third = 4 if settings.mode in ("major", "mixolydian", "lydian") else 3
    is_third = semitones == third and from_degree in (0, third)
    if settings.in_key_third_stays_in_key:
        is_third = is_third and in_key(token, settings)
    if token == 0:
        amount = amounts.rest_after_tonic_or_fifth if is_stable else amounts.rest
    elif token == 1:
        amount = amounts.hold_after_tonic_or_fifth if is_stable else amounts.hold
    elif semitones == 7 and is_stable:
        amount = amounts.in_key_fifth
    elif is_third:
        amount = amounts.in_key_third
    elif semitones > 12:
        amount = amounts.beyond_octave
    else:
        by_size = {2: amounts.major_second, 4: amounts.major_third, 5: amounts.perfect_fourth}
        by_size |= {7: amounts.perfect_fifth, 9: amounts.major_sixth, 11: amounts.major_seventh}
        by_size |= {12: amounts.octave}
        amount = by_size.get(semitones, 0.0)
    return settings.interval_scale * amount


def leap_up_back(heard: list[int], length: int, settings: MelodyRuleSettings) -> float:
    direction, origin, since, reward = 0, 0, 0, 0.0
    for step in range(1, len(heard)):
        token, previous, reward = heard[step], last_pitch(heard[:step]), 0.0
        distance = token - previous if token >= 2 and previous is not None else 0
        going = (distance > 0) - (distance < 0)
        if abs(distance) < settings.leap_minimum_semitones:
            since += 1
            if direction and token >= 2 and (origin - token) * direction >= 0:
                direction, reward = 0, settings.leap_resolved_reward
            continue
        if direction == 0:
            direction, origin = going, previous
        elif direction == going:
            reward = settings.leap_doubled_penalty
        else:
            direction = 0
            if since >= settings.minimum_steps_before_leap_back:
                reward = settings.leap_resolved_reward
        since = 0
    return reward


def high_low_unique(heard: list[int], length: int, settings: MelodyRuleSettings) -> float:
    if len(heard) != length:
        return 0.0
    pitches = [token for token in heard if token >= 2]
    tops = pitches if settings.highest_note_ignores_rests else heard
    is_high_unique = bool(tops) and tops.count(max(tops)) == 1
    is_low_unique = bool(pitches) and pitches.count(min(pitches)) == 1
    return settings.unique_note_reward * (is_high_unique + is_low_unique)


PLAIN_RULES: dict[str, Callable[[list[int], int, MelodyRuleSettings], float]] = {
    rule.__name__: rule
    for rule in (
        key,
        tonic,
        penalize_repeating,
        penalize_autocorrelation,
        motif,
        repeated_motif,
        preferred_intervals,
        leap_up_back,
        high_low_unique,
    )
}


def plain_rule(name: str, tokens: list[int], settings: MelodyRuleSettings) -> list[float]:
    """What a rule gives at every step of a melody."""
    length = settings.melody_length or len(tokens)
    steps = range(1, min(length, len(tokens)) + 1)
    rewards = [PLAIN_RULES[name](tokens[:step], length, settings) for step in steps]
    return rewards + [0.0] * (len(tokens) - len(rewards))
