"""Settings of the nine melody rules. Imports nothing heavy, so that help texts stay quick."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal, get_args

from seqtutor.errors import UserError
from seqtutor.settings import CheckedSettings, Count, Range, Share

RULE_NAMES = (
    "key",
    "tonic",
    "penalize_repeating",
    "penalize_autocorrelation",
    "motif",
    "repeated_motif",
    "preferred_intervals",
    "leap_up_back",
    "high_low_unique",
)
"""The rules' names, in the order in which they are summed."""

_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ACCIDENTALS = {"": 0, "#": 1, "b": -1}
_SMALLEST_THRESHOLD_STEP = 1e-4

Mode = Literal["major", "minor", "dorian", "mixolydian", "lydian", "phrygian"]
MODES: tuple[str, ...] = get_args(Mode)
"""Those with a perfect fifth above the tonic."""
_UP_TO_MAJOR = {
    "major": 0,
    "minor": 3,
    "dorian": 10,
    "mixolydian": 5,
    "lydian": 7,
    "phrygian": 8,
}
"""Semitones from the tonic up to that of the major key with the same signature."""


def parse_pitch_class(tonic: int | str) -> int:
    """Read a pitch class: 0 (C) to 11 (B), or a letter with `#` or `b`, such as "F#".

    Raises:
        UserError: if it is neither.
    """
    if isinstance(tonic, str):
        letter, accidental = tonic[:1].upper(), tonic[1:]
        if letter in _LETTERS and accidental in _ACCIDENTALS:
            return (_LETTERS[letter] + _ACCIDENTALS[accidental]) % 12
        if tonic.isdecimal():
            tonic = int(tonic)
    if isinstance(tonic, int) and 0 <= tonic < 12:
        return tonic
    raise UserError(f"no such tonic: {tonic!r}; use a letter such as C, F# or Bb, or 0 to 11")


@dataclass(frozen=True)
class IntervalRewards(CheckedSettings):
    """What each melodic interval earns, before `interval_scale`. A unison earns nothing."""

    rest: float = 0.05
    """A rest after a note."""
    hold: float = 0.075
    """A hold after a note."""
    rest_after_tonic_or_fifth: float = 0.15
    """A rest after the first or the fifth degree of the key."""
    hold_after_tonic_or_fifth: float = 0.3
    """A hold after the first or the fifth degree of the key."""
    in_key_fifth: float = 0.1
    """A perfect fifth, up or down, from the first or the fifth degree."""
    in_key_third: float = 0.15
    """The key's own third (major or minor), up or down, from the first or the third degree."""
    minor_second: float = 0.0
    major_second: float = 0.08
    minor_third: float = 0.0
    major_third: float = 0.09
    perfect_fourth: float = 0.07
    tritone: float = 0.0
    perfect_fifth: float = 0.02
    minor_sixth: float = 0.0
    major_sixth: float = 0.05
    minor_seventh: float = 0.0
    major_seventh: float = -0.3
    octave: float = 0.0
    beyond_octave: float = -1.0
    """Any interval of more than twelve semitones."""

    @property
    def by_semitones(self) -> tuple[float, ...]:
        """The rewards of 0 (unison) to 12 semitones (octave)."""
        return (
            0.0,
            self.minor_second,
            self.major_second,
            self.minor_third,
            self.major_third,
            self.perfect_fourth,
            self.tritone,
            self.perfect_fifth,
            self.minor_sixth,
            self.major_sixth,
            self.minor_seventh,
            self.major_seventh,
            self.octave,
        )


@dataclass(frozen=True)
class MelodyRuleSettings(CheckedSettings):
    """Key, lengths and rewards of the nine rules.

    The defaults give the values on which the figures of Jaques et al. (2017) rest. Some of them pay
    for what the rule's name does not say, as the docstrings of the rules tell. What mends that:
    `tonic_bar` 16, `tonic_close_on_tonic`, `tonic_in_any_octave`, `repetition_counts_holds` False,
    `motif_window` 16, `repeated_motif_limit`, `minimum_steps_before_leap_back` 0, the rests, holds
    and the octave of `IntervalRewards`, `in_key_third_stays_in_key`, `autocorrelation_first_step`
    and `highest_note_ignores_rests`.

    Raises:
        UserError: if a setting is out of its range.
    """

    tonic: int | str = "C"
    """The tonic: a note name such as C, F# or Bb, or a pitch class from 0 (C) to 11 (B)."""
    mode: Mode = "major"
    """The mode, which says what notes are in the key; minor means natural minor, whose seventh is
    not raised."""
    transposition: int | None = 0
    """Semitones from what the model writes up to the melody in this key. A model of tunes that were
    moved to the white keys writes in C major, A minor, D Dorian and so on; None moves its melodies
    the shorter way to the key. Rules and measures look at the melody, files and pages show it."""
    melody_length: Count | None = None
    """Steps of a whole melody, where the last bar and the final step lie; by default the length
    of the melodies that are scored."""

    key_penalty: float = -1.0
    """For each note outside the key."""

    tonic_bar: Count = 4
    """Steps of the last bar, which should hold the closing tonic (16 is a bar of 4/4)."""
    tonic_reward: float = 3.0
    """For the tonic at the start, and for each step of the close."""
    tonic_opening_reward: float | None = None
    """For the tonic at the start, where that is to earn something else than a step of the close."""
    tonic_close_on_tonic: bool = False
    """The steps of the close are paid while the tonic sounds, and for rests after it. By default
    their holds and rests are paid whatever the last note is."""
    tonic_in_any_octave: bool = False
    """The tonic counts in every octave. By default it counts in the one from middle C alone."""

    repetition_penalty: float = -100.0
    """For each step of excessive repetition."""
    allowed_rests: Count = 2
    """Note-offs without a note between them that are not yet excessive."""
    allowed_repeats: Count = 5
    """Soundings of one pitch (or holds) in immediate succession that are not yet excessive."""
    allowed_repeats_with_breaks: Count = 7
    """The same where rests or holds lie between or before them."""
    repetition_counts_holds: bool = True
    """Holds count like repeats of a note, so that a note of more than six sixteenths costs the
    penalty. Where they do not count, a note may be of any length."""

    autocorrelation_penalties: tuple[float, ...] = (-3.0, -3.0, -3.0)
    """For each lag, times the absolute coefficient where that is above the threshold."""
    autocorrelation_threshold: Share = 0.15
    """The absolute coefficient from which on a lag is penalised, to four decimals."""
    autocorrelation_lags: tuple[int, ...] = (1, 2, 3)
    """The lags, in steps."""
    autocorrelation_negative_factors: tuple[float, ...] = (1.0, 1.0, 1.0)
    """For each lag, a factor on its penalty where the coefficient is negative. The coefficient of n
    unrelated tokens is −1/n on average; a factor above 1 lets it come to lie at zero."""
    autocorrelation_first_step: Count = 1
    """The first step, counted from 1, at which it is penalised: a short beginning is always highly
    correlated with itself."""

    motif_window: Count = 8
    """Steps of a motif (16 is a bar of 4/4)."""
    motif_minimum_pitches: Count = 3
    """Different pitches that make a window a motif."""
    motif_reward: float = 3.0
    """For each step that completes a motif."""
    motif_reward_per_further_pitch: float = 0.3
    """For each different pitch beyond the minimum."""
    repeated_motif_reward: float = 4.0
    """For each step that completes a motif heard before."""
    repeated_motif_reward_per_further_pitch: float = 1.0
    """For each different pitch beyond the minimum."""
    repeated_motif_limit: Count | None = None
    """Steps of a melody that earn it at most. Without a limit a melody that goes round in circles
    earns the most of all."""

    interval_scale: float = 5.0
    """Multiplies all interval rewards."""
    intervals: IntervalRewards = field(default_factory=IntervalRewards)
    """What each interval earns."""
    in_key_third_stays_in_key: bool = False
    """An in-key third must end in the key. By default E to G# counts as one in C major."""

    leap_minimum_semitones: Count = 7
    """The smallest interval that is a leap."""
    minimum_steps_before_leap_back: Annotated[int, Range(at_least=0)] = 7
    """Steps between a leap and the leap back for it to earn the reward; an earlier leap back ends
    the leap without one. 0 rewards every leap back."""
    leap_resolved_reward: float = 5.0
    """For a leap that is resolved."""
    leap_doubled_penalty: float = -5.0
    """For a second leap in the same direction before the first is resolved."""

    unique_note_reward: float = 3.0
    """For a highest note that occurs once, and again for such a lowest note."""
    unique_highest_reward: float | None = None
    """For a highest note that occurs once, where that is to earn something else than a lowest."""
    highest_note_ignores_rests: bool = False
    """Look for the highest note among notes only. By default note-offs and holds count too, which
    matters only in a melody without notes."""

    def __post_init__(self) -> None:
        super().__post_init__()
        parse_pitch_class(self.tonic)
        if not -12 <= self.semitones <= 12:
            raise UserError(f"transposition is {self.semitones}; it must lie between -12 and 12")
        self._check_autocorrelation()

    def _check_autocorrelation(self) -> None:
        lags, threshold = self.autocorrelation_lags, self.autocorrelation_threshold
        if any(lag < 1 for lag in lags) or len(set(lags)) < len(lags):
            raise UserError(
                f"autocorrelation_lags are {lags}; they must be different and at least 1"
            )
        for name in ("autocorrelation_penalties", "autocorrelation_negative_factors"):
            if len(getattr(self, name)) != len(lags):
                raise UserError(
                    f"{name} has {len(getattr(self, name))} values for {len(lags)} "
                    "autocorrelation_lags; give one for each"
                )
        in_steps = threshold / _SMALLEST_THRESHOLD_STEP
        if abs(in_steps - round(in_steps)) > 1e-6:
            raise UserError(
                f"autocorrelation_threshold is {threshold}; it must have at most four decimals"
            )

    @property
    def semitones(self) -> int:
        """The transposition as a number."""
        if self.transposition is not None:
            return self.transposition
        relative_major = self.tonic_pitch_class + _UP_TO_MAJOR[self.mode]
        return (relative_major + 5) % 12 - 5

    @property
    def tonic_pitch_class(self) -> int:
        """The tonic as a pitch class, 0 (C) to 11 (B)."""
        return parse_pitch_class(self.tonic)
