"""What a page says of the notes of a melody."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from seqtutor.data import Sequences
from seqtutor.exhibits import Shown
from seqtutor.report.page.page import Card
from seqtutor.task_records import Drawn
from seqtutor.tasks.melody.encoding import melody_vocabulary, symbols_of_tokens
from seqtutor.tasks.melody.exhibits import exhibition
from seqtutor.tasks.melody.notation import Meter
from seqtutor.tasks.melody.render import RenderSettings, render_score
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
    nearest = training_melodies(16).nearest(*symbols_of_tokens(MELODY[:1]))
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


def test_notes_tell_how_probable_they_were_and_rolls_what_else_was():
    probabilities = np.random.default_rng(0).dirichlet(np.ones(38), MELODY.shape)
    sequences = Sequences(MELODY, np.ones(MELODY.shape, bool))
    drawn = Drawn(sequences, melody_vocabulary(), {}, MelodySettings())
    shown = Shown(drawn, np.array([0]), probabilities=lambda: probabilities)
    found = exhibition({"psi": shown}, RenderSettings(key=Key(0)))
    (exhibit,) = found.exhibits["psi"]
    for mark in exhibit.marks:
        own = 100 * probabilities[0, mark.first, MELODY[0, mark.first]]
        said = float(re.search(r"probability ([\d.]+) %", mark.detail)[1])
        assert said == pytest.approx(own, abs=0.51 if own > 9 else 0.051)
    assert 'class="chance-' in exhibit.pictures[1].svg
    assert len(found.keys) == 1


@pytest.mark.parametrize(("meter", "pickup"), [((4, 4), 4), ((3, 4), 2), ((6, 8), 6), ((4, 4), 0)])
def test_bars_of_the_roll_and_of_the_marks_are_those_of_the_score(meter, pickup):
    tokens = np.array([[14, 1, 16, 1] * 12])
    drawn = Drawn(Sequences(tokens, tokens > 0), melody_vocabulary(), {}, MelodySettings())
    settings = RenderSettings(key=Key(0), meter=Meter(*meter), downbeats=(pickup,))
    shown = exhibition({"psi": Shown(drawn, np.array([0]))}, settings)
    (exhibit,) = shown.exhibits["psi"]
    score = ElementTree.fromstring(render_score(tokens[0], settings).split("\n", 2)[2])
    of_score = [
        0 if measure.get("implicit") == "yes" and place == 0 else int(measure.get("number"))
        for place, measure in enumerate(score.iter("measure"))
        for note in measure.iter("note")
        if note.find("tie[@type='stop']") is None
    ]
    told = [re.search(r"in (?:bar (\d+)|the upbeat)", mark.detail)[1] for mark in exhibit.marks]
    assert [int(one or 0) for one in told] == of_score
    (roll,) = (one.svg for one in exhibit.pictures if 'class="roll"' in one.svg)
    lines = [float(x) for x in re.findall(r'class="bar" d="M([\d.]+),', roll)]
    notes = [float(x) for x in re.findall(r'data-mark="\d+" x="([\d.]+)"', roll)]
    of_roll = [sum(line <= x + 0.15 for line in lines) for x in notes]
    assert of_roll == of_score
    assert (of_score[0] == 0) == (pickup > 0)
