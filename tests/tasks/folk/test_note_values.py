"""Lengths as notation has them: nothing lost, nothing that a program would refuse."""

from fractions import Fraction

import pytest
from hypothesis import given
from lead_sheets import lead_sheets

from seqtutor.tasks.scores.lead_sheet import LeadSheet, MelodyNote
from seqtutor.tasks.scores.lead_sheet_bars import COMMON_TIME, write_bars
from seqtutor.tasks.scores.lead_sheet_files import render_abc
from seqtutor.tasks.scores.notation import Symbol, bar_length
from seqtutor.tasks.scores.note_values import note_values


def is_note_value(duration: Fraction) -> bool:
    numerator = duration.numerator
    dots = numerator // (numerator & -numerator)
    return dots in (1, 3, 7) and duration.denominator & (duration.denominator - 1) == 0


@given(lead_sheets())
def test_values_sound_as_the_notes_that_were_given(sheet: LeadSheet) -> None:
    meter = sheet.meter or COMMON_TIME
    for bar in write_bars(sheet):
        time = Fraction(0)
        found: list[Symbol] = []
        for group in note_values(bar.symbols, meter):
            for note in group.symbols:
                assert note.start == time
                is_whole_bar = note.pitch is None and note.duration == bar_length(meter)
                assert is_whole_bar or is_note_value(note.duration)
                duration = group.sounding(note)
                if found and found[-1].tied_to and note.tied_from:
                    found[-1] = Symbol(
                        found[-1].start,
                        found[-1].duration + duration,
                        note.pitch,
                        found[-1].tied_from,
                        note.tied_to,
                    )
                else:
                    found.append(Symbol(time, duration, note.pitch, note.tied_from, note.tied_to))
                time += duration
        assert [note for note in found if note.pitch is not None] == [
            note for note in bar.symbols if note.pitch is not None
        ]
        assert time == bar.length


def test_an_upbeat_may_begin_where_no_metre_divides_the_bar() -> None:
    eighth, of_triplet = Fraction(1, 2), Fraction(1, 3)
    notes = [Symbol(Fraction(0), eighth, 60), Symbol(eighth, of_triplet, 62)]
    groups = note_values(notes, (3, 4), 3 - eighth - of_triplet)
    sounding = [group.sounding(note) for group in groups for note in group.symbols]
    assert sounding == [eighth, of_triplet]


@pytest.mark.parametrize(
    ("durations", "body"),
    [
        ("1 5/4 7/4", "C2 C2- C1/2C3/2- C2 |]"),
        ("1/3 1/3 1/3 3", "(3 CCC C6 |]"),
        ("2/3 2/3 2/3 2", "(3 C2C2 C2 C4 |]"),
        ("2/3 1/3 3", "(3:2:2 C2C C6 |]"),
        ("1/3 7/3 1/3 1", "(3:2:2 CC2- C2- (3:2:2 C2C C2 |]"),
        ("3 1/3", "C6 (3:2:1 C |]"),
        ("1/5 4/5 3", "(5:4:2 C1/2C2 C6 |]"),
        ("1/6 1/6 1/6 7/2", "(3 C1/2C1/2C1/2C3- C4 |]"),
        ("5 3", "C8- | C2 C6 |]"),
    ],
)
def test_abc_has_lengths_that_programs_read(durations: str, body: str) -> None:
    notes, onset = [], Fraction(0)
    for duration in map(Fraction, durations.split()):
        notes.append(MelodyNote(onset, duration, 60))
        onset += duration
    assert render_abc(LeadSheet(tuple(notes), (), onset)).splitlines()[-1] == body
