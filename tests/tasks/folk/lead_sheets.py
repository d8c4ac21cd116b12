"""Lead sheets to test with: small ones written out, and any at all."""

from fractions import Fraction
from itertools import accumulate

from hypothesis import strategies as st

from seqtutor.tasks.folk.abc import read_abc
from seqtutor.tasks.scores.chord_names import QUALITIES, ChordName, chord_pitches
from seqtutor.tasks.scores.keys import Key
from seqtutor.tasks.scores.lead_sheet import Chord, LeadSheet, MelodyNote

TUNES = """%abc-2.1
X:1
T:A reel with a pickup, a repeat and two endings
M:4/4
L:1/8
K:G
D2|"G"G2 BG "D7/f+"A2 cA|"G"B>d "Em"g2 "C"e4|1 "D7"d2 cA "G"G2:|2 "D7"dcAF "G"G4||

X:2
T:A jig, chords between the notes
M:6/8
L:1/8
K:Am
"Am"A3- A"E7"B2|"Am"c2d "Dm"e3-|"E7"e3 "N.C."z3|"Am"a6|]

X:3
T:A waltz with triplets and a tie over the bar line
M:3/4
L:1/4
K:Bb
"Bb"d (3:2:3f/g/f/ "Gm"d-|"Eb"d2 "F7"(3c/2B/2A/2|z2 "Bb"B|]

X:4
T:No chords, a rest at the start
M:2/4
L:1/16
K:Edor
z2 E2 G2 B2|^c2 B2 z12|E8|]

X:5
T:A long rest
M:3/2
L:1/4
K:D
"D"d6|z6|z4 "A7"a2|"D"d6|]
"""


def tunes() -> list[LeadSheet]:
    """The five tunes above."""
    return read_abc(TUNES, "tunes.abc")[0]


keys = st.builds(Key, st.integers(0, 11), st.sampled_from(("major", "minor", "dorian")))
meters = st.sampled_from((None, (4, 4), (3, 4), (6, 8), (2, 2), (9, 8)))
durations = st.sampled_from(
    [Fraction(n, d) for n, d in ((1, 2), (1, 1), (3, 2), (2, 1), (1, 4), (1, 3), (2, 3), (5, 1))]
)
gaps = st.one_of(st.just(Fraction(0)), durations, st.just(Fraction(19, 2)))
chord_names = st.builds(
    ChordName, st.integers(0, 11), st.sampled_from(QUALITIES), st.integers(0, 11)
)
named_chords = chord_names.map(chord_pitches)
any_chords = st.sets(st.integers(36, 80), min_size=1, max_size=5).map(
    lambda pitches: tuple(sorted({pitch % 12: pitch for pitch in sorted(pitches)}.values()))
)


@st.composite
def lead_sheets(draw, chords=any_chords, pitches=None):
    """Any lead sheet, empty parts and silence included."""
    pitches = st.integers(40, 100) if pitches is None else pitches
    notes = [MelodyNote(onset, duration, draw(pitches)) for onset, duration in draw(_places(20))]
    harmony = [Chord(onset, duration, draw(chords)) for onset, duration in draw(_places(8))]
    end = max([Fraction(0), *(event.end for event in (*notes, *harmony))])
    meter = draw(meters)
    pickup = draw(st.sampled_from((Fraction(0), Fraction(1, 2), Fraction(1)))) if meter else 0
    return LeadSheet(
        notes=tuple(notes),
        chords=tuple(harmony),
        length=end + draw(gaps),
        key=draw(keys),
        meter=meter,
        pickup=Fraction(pickup),
        title="A tune",
    )


def _places(at_most):
    def ordered(pairs):
        ends = accumulate(gap + duration for gap, duration in pairs)
        return [(end - duration, duration) for end, (_, duration) in zip(ends, pairs, strict=True)]

    return st.lists(st.tuples(gaps, durations), max_size=at_most).map(ordered)
