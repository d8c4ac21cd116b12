"""The nine music rules one step at a time in plain Python, as an eager training loop calls them.

What the papers' reference implementation gives at each step, with its slips (Jaques et al. 2016,
section 4; `reward_music_theory`), written to be quick: a list of tokens, integers for the
autocorrelation, no object a step. `check` holds it against the package's compiled rules.
"""

from __future__ import annotations

import numpy as np

LENGTH = 32
REST, HOLD, LOWEST_PITCH, MIDDLE_C = 0, 1, 2, 14
_OFF_KEY = frozenset(
    token for token in range(2, 38) if (token - MIDDLE_C) % 12 not in (0, 2, 4, 5, 7, 9, 11)
)
_PREFERRED = {11: -0.3, 4: 0.09, 2: 0.08, 5: 0.07, 9: 0.05, 7: 0.02}


class MelodyRules:
    """A melody as far as it is known, and what each further token earns."""

    def __init__(self) -> None:
        self.heard: list[int] = []
        self._last_pitch = 0
        self._direction = self._leapt_from = self._since = 0

    def reward(self, token: int) -> float:
        """Add a token; gives the sum of the nine rules at this step."""
        heard = self.heard
        previous = self._last_pitch
        heard.append(token)
        total = -1.0 if token in _OFF_KEY else 0.0
        total += self._tonic(token) + self._repetition(token) + self._autocorrelation()
        total += self._motifs()
        if previous:
            total += self._interval(token, previous)
        if len(heard) > 1:
            total += self._leap(token, previous)
        if token >= LOWEST_PITCH:
            self._last_pitch = token
        if len(heard) == LENGTH:
            total += self._extremes()
        return total

    def _tonic(self, token: int) -> float:
        step = len(self.heard) - 1
        if step in (0, LENGTH - 4):
            return 3.0 * (token == MIDDLE_C)
        if step == LENGTH - 3:
            return 3.0 * (token == HOLD)
        return 3.0 * (step > LENGTH - 3 and token < LOWEST_PITCH)

    def _repetition(self, token: int) -> float:
        count, has_break = 0, False
        for earlier in reversed(self.heard[:-1]):
            if earlier == token:
                count += 1
            elif earlier < LOWEST_PITCH:
                has_break = True
            else:
                break
        too_many = count > (6 if has_break else 4) or (token == REST and count > 1)
        return -100.0 if too_many else 0.0

    def _autocorrelation(self) -> float:
        heard, size = self.heard, len(self.heard)
        total = sum(heard)
        centred = [size * token - total for token in heard]
        variance = sum(value * value for value in centred)
        if variance == 0:
            return 0.0
        penalty = 0.0
        for lag in (1, 2, 3):
            covariance = sum(a * b for a, b in zip(centred, centred[lag:], strict=False))
            if 20 * abs(covariance) > 3 * variance:
                penalty -= 3.0 * abs(covariance) / variance
        return penalty

    def _motifs(self) -> float:
        heard = self.heard
        if len(heard) < 8:
            return 0.0
        window = heard[-8:]
        pitches = len({token for token in window if token >= LOWEST_PITCH})
        if pitches < 3:
            return 0.0
        earned = 3.0 + 0.3 * (pitches - 3)
        last = len(heard) - 16
        if any(heard[start : start + 8] == window for start in range(last + 1)):
            earned += 4.0 + (pitches - 3)
        return earned

    def _interval(self, token: int, previous: int) -> float:
        degree = (previous - MIDDLE_C) % 12
        is_stable = degree in (0, 7)
        if token == REST:
            return 5 * (0.15 if is_stable else 0.05)
        if token == HOLD:
            return 5 * (0.3 if is_stable else 0.075)
        semitones = abs(token - previous)
        if semitones == 7 and is_stable:
            return 5 * 0.1
        if semitones == 4 and degree in (0, 4):
            return 5 * 0.15
        return 5 * (-1.0 if semitones > 12 else _PREFERRED.get(semitones, 0.0))

    def _leap(self, token: int, previous: int) -> float:
        distance = token - previous if previous and token >= LOWEST_PITCH else 0
        if abs(distance) < 7:
            self._since += 1
            back = (self._leapt_from - token) * self._direction
            if self._direction and token >= LOWEST_PITCH and back >= 0:
                self._direction = 0
                return 5.0
            return 0.0
        going, earned = (1 if distance > 0 else -1), 0.0
        if self._direction == 0:
            self._direction, self._leapt_from = going, previous
        elif self._direction == going:
            earned = -5.0
        else:
            self._direction = 0
            earned = 5.0 if self._since >= 7 else 0.0
        self._since = 0
        return earned

    def _extremes(self) -> float:
        heard = self.heard
        pitches = [token for token in heard if token >= LOWEST_PITCH]
        is_low_unique = bool(pitches) and pitches.count(min(pitches)) == 1
        return 3.0 * (heard.count(max(heard)) == 1) + 3.0 * is_low_unique


def check(melodies: np.ndarray) -> None:
    """Hold the rules against the package's.

    Raises:
        AssertionError: if a step earns something else.
    """
    from seqtutor.tasks.melody.scoring import score

    expected = score(melodies).total
    for melody, row in zip(melodies.tolist(), expected, strict=True):
        rules = MelodyRules()
        given = [rules.reward(token) for token in melody]
        np.testing.assert_allclose(given, row, atol=1e-4, err_msg=str(melody))
