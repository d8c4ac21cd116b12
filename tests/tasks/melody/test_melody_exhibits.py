"""What a page says of the notes of a melody."""

from __future__ import annotations

import re

import numpy as np
import pytest

from seqtutor.data import Sequences
from seqtutor.exhibits import Shown
from seqtutor.report.page.page import Card
from seqtutor.task_records import Drawn
from seqtutor.tasks.melody.encoding import melody_vocabulary, symbols_of_tokens
from seqtutor.tasks.melody.exhibits import exhibition
from seqtutor.tasks.melody.render import RenderSettings
from seqtutor.tasks.melody.rule_settings import MelodyRuleSettings
from seqtutor.tasks.melody.scoring import score
from seqtutor.tasks.melody.settings import MelodySettings
from seqtutor.tasks.melody.training_melodies import training_melodies
from seqtutor.tasks.scores.keys import Key

# C4, up a fifth to G4 and held, a rest, F#4, which is not in C major, and C4 at the end.
MELODY = np.array([[14, 1, 21, 1, 0, 1, 20, 1, 14, 1, 1, 1, 1, 1, 1, 1]])


@pytest.fixture(scope="module")
def card() -> Card:
    terms = score(MELODY).rules
    sequences = Sequences(MELODY, np.ones(MELODY.shape, bool))
    drawn = Drawn(sequences, melody_vocabulary(), {}, MelodySettings(), has_reward=True)
    shown = {"psi": Shown(drawn, np.array([0]), terms)}
    (exhibit,) = exhibition(shown, RenderSettings(key=Key(0))).exhibits["psi"]
    return Card("psi", "psi", exhibit, {name: term[0].tolist() for name, term in terms.items()})


def test_every_step_belongs_to_one_note_or_rest(card):
    steps = [step for mark in card.exhibit.marks for step in range(mark.first, mark.end)]
    assert steps == list(range(16))
    assert [mark.label for mark in card.exhibit.marks] == ["C4", "G4", "rest", "F#4", "C4"]
    assert sum(map(card.earned, card.exhibit.marks)) == pytest.approx(card.reward)


def test_the_reasons_are_in_words(card):
    tonic, fifth, _, foreign, close = map(card.sentence, card.exhibit.marks)
    assert tonic.startswith("C4, an eighth in bar 1, beat 1: ")
    assert "begins with the tonic +3" in tonic
    assert "a fifth up, held" in fifth
    assert "not in C major −1" in foreign
    assert "the tonic at the close" in close


def test_notes_of_the_score_and_of_the_roll_stand_for_the_same_marks(card):
    for picture in card.exhibit.pictures:
        marks = [int(one) for one in re.findall(r'data-mark="(\d+)"', picture.svg)]
        assert sorted(set(marks)) == [0, 1, 3, 4], "all but the rest"


def test_a_melody_has_its_nearest_training_tune(card):
    nearest = training_melodies(16).nearest(symbols_of_tokens(MELODY[0]))
    said = str(card.exhibit.facts["nearest training tune"])
    assert said.startswith(f"{nearest.place.title}, bar {nearest.place.bar} (")
    assert f"a distance of {nearest.distance} at 5 notes and rests" in said
    assert said.endswith(", a copy") == nearest.is_copy


def test_a_page_shows_the_key_that_was_asked_for():
    rules = MelodyRuleSettings(tonic="D", mode="minor", transposition=5)
    tokens = np.array([[11, 1, 14, 1, 18, 1, 0, 1]])  # A3, C4 and E4 of the model
    sequences = Sequences(tokens, np.ones(tokens.shape, bool))
    drawn = Drawn(sequences, melody_vocabulary(), {}, MelodySettings(rules), has_reward=True)
    settings = RenderSettings(key=Key(2, "minor"), transposition=rules.semitones)
    shown = exhibition({"psi": Shown(drawn, np.array([0]))}, settings)
    (exhibit,) = shown.exhibits["psi"]
    assert [mark.label for mark in exhibit.marks] == ["D4", "F4", "A4", "rest"]
    assert shown.listed["psi"][0].text.startswith("D4 hold F4")
