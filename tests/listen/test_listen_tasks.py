"""What each task has for the page: choices, a canvas, openings, and what it shows by them."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import symusic

import tiny_problems
from listening import session_of
from seqtutor.data import Sequences
from seqtutor.errors import UserError
from seqtutor.exhibits import Shown
from seqtutor.listen.requests import wish_of
from seqtutor.models.files import SavedModel, save_model
from seqtutor.task_records import Drawn
from seqtutor.task_registry import find_spec
from seqtutor.tasks.folk.listening import rendering_of, semitones_of
from seqtutor.tasks.melody.encoding import (
    Note,
    melody_vocabulary,
    notes_to_tokens,
    tokens_to_notes,
)
from seqtutor.tasks.melody.folder import read_melody_file
from seqtutor.tasks.melody.listening import rendering
from seqtutor.tasks.melody.notation import Meter
from seqtutor.tasks.melody.render import RenderSettings
from seqtutor.tasks.melody.rule_settings import MelodyRuleSettings
from seqtutor.tasks.melody.settings import MelodySettings
from seqtutor.tasks.melody.spec import MelodySamples
from seqtutor.tasks.melody.spec import spec as melody
from seqtutor.tasks.molecule.spec import spec as molecule
from seqtutor.tasks.scores.keys import Key
from seqtutor.tasks.scores.listening import KEYS, key_control, semitones_between
from seqtutor.tasks.scores.notation import key_title
from seqtutor.tasks.tunes.listening import USUAL_TEMPO
from seqtutor.tasks.tunes.spec import SHIPPED_PRIOR as SHIPPED_TUNES
from seqtutor.tasks.tunes.spec import spec as tunes
from seqtutor.vocabulary import Vocabulary
from written import write_melody

ROOT = Path(__file__).parents[2]
PEPTIDE = ROOT / "examples" / "peptide" / "peptide.py"
SETTINGS = MelodySettings()
IN_D_MINOR = MelodySettings(MelodyRuleSettings(tonic="D", mode="minor", transposition=5))
"""What `tune --rules.tonic D --rules.mode minor` makes of the prior, which writes in A minor."""
SCALE = [Note(4 * place, 4, pitch) for place, pitch in enumerate((60, 64, 67, 72))]


@dataclass(frozen=True)
class Prior:
    """What an opening reads of a prior."""

    vocabulary: object
    origin: dict
    folder: Path | None = None


MELODY_PRIOR = Prior(melody_vocabulary(), {"max_length": 32})


def files_of(card: str) -> dict[str, bytes]:
    """The files of a card, by suffix."""
    found = re.findall(r'<a download="[^"]*\.(\w+)" href="data:[^,]*;base64,([^"]*)"', card)
    return {suffix: base64.b64decode(content) for suffix, content in found}


@pytest.mark.parametrize("own", [Key(2, "minor"), Key(0), Key(7, "mixolydian")], ids=str)
def test_every_key_that_is_offered_sounds_as_it_is_called(own):
    """The melody of a policy is in the policy's mode, whatever the tonic."""
    control = key_control(own)
    assert control.default == control.options[0] == key_title(own)
    assert len(set(control.options)) == 12
    for name in control.options:
        heard = rendering(own, 3, {"key": name})
        assert heard.key == KEYS[name]
        assert heard.key.mode == own.mode
        way = heard.transposition - 3
        assert -6 <= way <= 5
        assert own.transposed(way) == heard.key


@pytest.mark.parametrize("key", ["C major", "D major", "Bb major", "A minor", "A# major"])
def test_a_melody_is_heard_in_the_chosen_key_and_tempo(key):
    if key in ("A minor", "A# major"):
        with pytest.raises(UserError, match=f"cannot be '{key}'"):
            rendering(Key(0), 0, {"key": key})
        return
    how = {"key": key, "tempo": 60.0, "instrument": "violin", "swing": 0.6}
    tokens = notes_to_tokens(SCALE, 16)[None]
    drawn = Drawn(Sequences(tokens, np.ones_like(tokens, bool)), None, {}, SETTINGS)
    drawn = Drawn(drawn.sequences, melody_vocabulary(), {}, SETTINGS)
    shown = melody.exhibits({"Ψ": Shown(drawn, np.array([0]), {}, how)})
    (exhibit,) = shown.exhibits["Ψ"]
    score = symusic.Score.from_midi(exhibit.files["mid"])
    way = semitones_between(Key(0), KEYS[key])
    (track,) = score.tracks
    assert [note.pitch for note in track.notes] == [note.pitch + way for note in SCALE]
    assert track.program == 40
    assert score.tempos[0].qpm == pytest.approx(60)
    assert len(exhibit.pictures) == 2
    assert 'data-to="4.000"' in exhibit.pictures[1].svg


def test_without_a_choice_melodies_are_shown_as_ever():
    assert rendering(Key(0), 0, {}) == RenderSettings(key=Key(0))
    assert rendering(Key(2, "dorian"), 0, {}) == RenderSettings(key=Key(2, "dorian"))


def test_the_canvas_has_the_pitches_that_are_heard():
    plain = melody.canvas(SETTINGS, {})
    moved = melody.canvas(SETTINGS, {"key": "D major"})
    assert [row.token for row in plain.rows] == [row.token for row in moved.rows]
    assert (plain.rows[-1].label, moved.rows[-1].label) == ("C3", "D3")
    assert {row.token for row in plain.rows} | {plain.hold, plain.off} == set(
        melody_vocabulary().tokens
    )
    a4 = next(row for row in plain.rows if row.label == "A4")
    assert a4.hertz == pytest.approx(440)


@pytest.mark.parametrize("suffix", [".mid", ".musicxml", ".abc"])
def test_a_file_in_another_key_opens_in_the_models_and_is_heard_in_its_own(tmp_path, suffix):
    up = [Note(one.onset, one.duration, one.pitch + 4) for one in SCALE]
    path = write_melody(
        notes_to_tokens(up, 16), tmp_path / f"tune{suffix}", RenderSettings(key=Key(4))
    )
    opening = melody.opening(path, MELODY_PRIOR, SETTINGS, {})
    assert opening.tokens.tolist() == notes_to_tokens(SCALE, 16).tolist()
    assert opening.how == {"key": "E major", "metre": "4/4", "upbeat": 0}
    assert "it is in E major: moved by -4 semitones" in " ".join(opening.notes)


@pytest.mark.parametrize("suffix", [".mid", ".musicxml", ".abc"])
def test_a_file_with_an_upbeat_is_shown_in_its_own_bars(tmp_path, suffix):
    own = RenderSettings(key=Key(0), meter=Meter(3, 4), downbeats=(4,))
    # A quarter, two bars of three quarters, and two more.
    notes = [Note(4 * place, 4, 60 + place) for place in range(9)]
    path = write_melody(notes_to_tokens(notes, 36), tmp_path / f"tune{suffix}", own)
    opening = melody.opening(path, MELODY_PRIOR, SETTINGS, {})
    assert opening.how == {"key": "C major", "metre": "3/4", "upbeat": 4}
    assert "may not keep these" in " ".join(opening.notes)
    settings = rendering(Key(0), 0, opening.how)
    assert (settings.meter, settings.pickup) == (own.meter, own.pickup)
    grid = melody.canvas(SETTINGS, opening.how)
    assert (grid.upbeat, grid.bar, grid.beat, grid.columns) == (4, 12, 4, 16)


def test_an_upbeat_of_a_bar_and_more_is_what_is_left_of_it():
    assert rendering(Key(0), 0, {"metre": "3/4", "upbeat": 14}).pickup == 2


def test_the_canvas_is_labelled_as_the_key_spells_it():
    labels = [row.label for row in melody.canvas(IN_D_MINOR, {}).rows]
    assert (labels[0], labels[-1]) == ("E6", "F3")
    assert {"Bb3", "Bb4", "Eb5", "C#5", "F#4", "G#4"} - set(labels) == {"G#4"}
    assert "Ab4" in labels
    assert [row.label for row in melody.canvas(IN_D_MINOR, {"key": "E minor"}).rows][-1] == "G3"


@pytest.mark.parametrize(
    ("text", "how", "tokens"),
    [
        ("D5 E5 F5", {}, "A4 B4 C5"),
        ("A#4 hold A4", {}, "F4 hold E4"),
        ("Bb4 hold A4 rest", {}, "F4 hold E4 off"),
        ("D6", {}, "A5"),
        ("28 30 31", {}, "A4 B4 C5"),
        ("E5 F#5 G5", {"key": "E minor"}, "A4 B4 C5"),
    ],
)
def test_typed_notes_are_those_that_are_heard(text, how, tokens):
    """In the key asked for, as for `sample --prime`; and the page calls them so."""
    found = melody.opening(text, MELODY_PRIOR, IN_D_MINOR, how).tokens
    vocabulary = melody_vocabulary()
    assert found.tolist() == vocabulary.encode(tokens.split()).tolist()
    if not how:
        options = MelodySamples(prime=text)
        primed, _ = melody.primer(options, IN_D_MINOR, 1, 0, vocabulary)
        assert primed[0].tolist() == found.tolist()
    names = melody.token_names(vocabulary, IN_D_MINOR, how)
    again = melody.opening(" ".join(names[one] for one in found), MELODY_PRIOR, IN_D_MINOR, how)
    assert again.tokens.tolist() == found.tolist()


def test_a_note_outside_the_range_is_told_in_the_key():
    with pytest.raises(UserError, match="in D minor a melody lies between F3 and E6"):
        melody.opening("C3", MELODY_PRIOR, IN_D_MINOR, {})


def test_tokens_cards_canvas_and_score_call_a_note_the_same(tmp_path):
    """A card's parts, the page's names of tokens, the grid's rows and the listed text."""
    vocabulary = melody_vocabulary()
    row = vocabulary.encode(["F4", "hold", "off", "hold", "E4", "hold", "G#4", "A4"])
    drawn = Drawn(Sequences(row[None], np.ones((1, 8), bool)), vocabulary, {}, IN_D_MINOR)
    for how in ({}, {"key": "Eb minor"}):
        shown = melody.exhibits({"Ψ": Shown(drawn, np.array([0]), {}, how)})
        (exhibit,), (listed,) = shown.exhibits["Ψ"], shown.listed["Ψ"]
        names = melody.token_names(vocabulary, IN_D_MINOR, how)
        said = [names[token] for token in row]
        assert listed.text == " ".join(said)
        assert [mark.label for mark in exhibit.marks] == [one for one in said if one != "hold"]
        labels = {one.token: one.label for one in melody.canvas(IN_D_MINOR, how).rows}
        assert all(labels[vocabulary.tokens[token]] == names[token] for token in row if token > 1)
        (tune,), _ = read_melody_file(_written(exhibit.files["abc"], tmp_path / "one.abc"))
        assert tune.key == KEYS[str(how.get("key", "D minor"))]
    assert said[0] == "Cb5", "as E flat minor has it"


def _written(content: bytes, path: Path) -> Path:
    path.write_bytes(content)
    return path


def test_a_file_in_another_mode_keeps_its_signature_and_is_named(tmp_path):
    """F major on a run in D minor: the same notes, continued in D minor."""
    up = [Note(one.onset, one.duration, one.pitch + 5) for one in SCALE]
    path = write_melody(
        notes_to_tokens(up, 16), tmp_path / "f.musicxml", RenderSettings(key=Key(5))
    )
    opening = melody.opening(path, MELODY_PRIOR, IN_D_MINOR, {})
    heard = rendering(Key(2, "minor"), 5, opening.how)
    assert tokens_to_notes(opening.tokens, heard.transposition) == up
    assert opening.how["key"] == "D minor"
    assert list(opening.notes) == ["it is in F major, which has the signature of D minor"]


@pytest.mark.parametrize("tonic", range(12))
@pytest.mark.parametrize("mode", ["major", "minor"])
def test_a_file_in_any_key_is_heard_as_it_was(tmp_path, tonic, mode):
    key = Key(tonic, mode)
    path = write_melody(notes_to_tokens(SCALE, 16), tmp_path / "t.abc", RenderSettings(key=key))
    for settings, own in ((IN_D_MINOR, Key(2, "minor")), (SETTINGS, Key(0))):
        opening = melody.opening(path, MELODY_PRIOR, settings, {})
        heard = rendering(own, settings.rules.semitones, opening.how)
        assert tokens_to_notes(opening.tokens, heard.transposition) == SCALE
        assert heard.key.scale == key.scale
        assert "octave" not in " ".join(opening.notes)


@pytest.mark.parametrize("suffix", [".mid", ".musicxml", ".abc"])
def test_the_first_bars_of_a_file_are_a_beginning(tmp_path, suffix):
    own = RenderSettings(key=Key(0), meter=Meter(3, 4), downbeats=(4,))
    notes = [Note(4 * place, 4, 60 + place) for place in range(9)]
    path = write_melody(notes_to_tokens(notes, 36), tmp_path / f"tune{suffix}", own)
    for bars, count in ((1, 4), (2, 7), (99, 9), (0, 9)):
        opening = melody.opening(path, MELODY_PRIOR, SETTINGS, {"bars": bars})
        assert tokens_to_notes(opening.tokens) == notes[:count]
        assert opening.how["upbeat"] == 4
        if bars:
            options = MelodySamples(prime=str(path), prime_bars=bars)
            primed, _ = melody.primer(options, SETTINGS, 1, 0, melody_vocabulary())
            assert primed[0].tolist() == opening.tokens.tolist()


def test_a_note_that_sounds_over_the_last_bar_line_ends_there(tmp_path):
    notes = [Note(0, 12, 60), Note(12, 12, 64), Note(24, 8, 67)]
    path = write_melody(notes_to_tokens(notes, 32), tmp_path / "tune.abc")
    opening = melody.opening(path, MELODY_PRIOR, SETTINGS, {"bars": 1})
    assert tokens_to_notes(opening.tokens) == [Note(0, 12, 60), Note(12, 4, 64)]


@pytest.mark.parametrize("text", ["14 1 16 0", "C4 hold D4 off", "C4 hold D4 rest"])
def test_typed_melodies_are_names_or_numbers(text):
    assert melody.opening(text, MELODY_PRIOR, SETTINGS, {}).tokens.tolist() == [14, 1, 16, 0]


@pytest.mark.parametrize("text", ["/etc/passwd", "random", "14 1 99", "14 99999999999999999999"])
def test_typed_melodies_are_never_files(text, tmp_path):
    with pytest.raises(UserError, match="is not a melody token"):
        melody.opening(text, MELODY_PRIOR, SETTINGS, {})


def test_hostile_files_are_refused_in_one_line(tmp_path):
    for name, content in (
        ("a.mid", b"MThd\x00\x00\x00\x06\x00\x01\xff\xff\x00\x60" + b"\xff" * 300),
        ("a.musicxml", b"<score-partwise>" * 3000),
        ("a.abc", b"X:1\nK:C\n" + b"[" * 5000),
        ("a.mxl", b"PK\x03\x04" + b"\x00" * 200),
        ("a.krn", b"**kern\n4c\n*-\n"),
        ("a.txt", b"14 1"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError) as caught:
            melody.opening(tmp_path / name, MELODY_PRIOR, SETTINGS, {})
        assert len(str(caught.value).splitlines()) == 1


def test_tunes_begin_as_files_of_sample_do():
    """In D, for a violin, and with the same names of notes."""
    found = {one.name: one.default for one in tunes.controls(tunes.settings_type())}
    assert found["instrument"] == tunes.sample_type().instrument
    assert found["transposition"] == 2
    assert found["tempo"] == USUAL_TEMPO
    vocabulary = Vocabulary.load(SHIPPED_TUNES / "vocabulary.json")
    prior = Prior(vocabulary, {"max_length": 96, "bars": 8})
    settings = tunes.settings_type()
    opening = tunes.opening("jig major |1 A4:1/2 F#5:1", prior, settings, {})
    assert vocabulary.decode(opening.tokens) == ["6/8", "major", "|1", "G4:1/2", "E5:1"]
    options = tunes.sample_type(prime="jig major |1 A4:1/2 Gb5:1")
    primed, _ = tunes.primer(options, settings, 1, 0, vocabulary)
    assert primed[0].tolist() == opening.tokens.tolist()
    names = tunes.token_names(vocabulary, settings, {})
    assert [names[token] for token in opening.tokens] == ["6/8", "major", "|1", "A4:1/2", "F#5:1"]
    row = np.append(opening.tokens, vocabulary.end)
    drawn = Drawn(Sequences(row[None], np.ones((1, 6), bool)), vocabulary, {}, settings)
    shown = tunes.exhibits({"Ψ": Shown(drawn, np.array([0]), titles=["Ψ 1"])})
    (exhibit,), (listed,) = shown.exhibits["Ψ"], shown.listed["Ψ"]
    assert [mark.label for mark in exhibit.marks][-3:-1] == ["A4", "F#5"]
    assert listed.text.endswith("A4:1/2 F#5:1")
    score = symusic.Score.from_midi(exhibit.files["mid"])
    assert [note.pitch for note in score.tracks[0].notes] == [69, 78]
    assert score.tracks[0].program == 40
    assert b"T:psi 1\n" in exhibit.files["abc"]


def test_tunes_have_two_instruments_and_a_transposition():
    how = {"transposition": -3, "chord_instrument": "church organ", "instrument": "flute"}
    own = rendering_of(how)
    assert (own.melody_program, own.chord_program, semitones_of(how)) == (73, 19, -3)
    assert own.tempo == 120
    assert semitones_of({}) == 0


def test_molecules_go_on_from_a_beginning_and_can_be_downloaded(tmp_path):
    from rdkit import Chem

    with session_of(molecule, ["prior"], tmp_path) as session:
        (source,) = session.sources
        opening = session.opening(source, "Clc1ccc", "", {})
        names = [source.vocabulary.tokens[int(one)] for one in opening.tokens]
        assert names == ["Cl", "c", "1", "c", "c", "c"]
        assert session.separator_of(source) == ""
        file = session.opening(source, b"# ours\nClc1ccc chlorobenzene\n", "x.smi", {})
        assert file.tokens.tolist() == opening.tokens.tolist()
        structure = Chem.MolToMolBlock(Chem.MolFromSmiles("Clc1ccccc1")).encode() + b"$$$$\n"
        whole = session.opening(source, structure, "asp.sdf", {})
        assert [source.vocabulary.tokens[int(one)] for one in whole.tokens][:5] == names[:5]
        table = session.opening(source, b"Nr;Structure\n1;Clc1ccc\n", "x.csv", {})
        assert table.tokens.tolist() == opening.tokens.tolist()
        with pytest.raises(UserError, match="is not SMILES text"):
            session.opening(source, "Cl c", "", {})
        wish = wish_of(molecule, session.sources, {"primer": names, "number": 8, "seed": 1})
        files = [files_of(one.card) for one in session.generate(wish)]
    valid = [one for one in files if "sdf" in one]
    assert len(valid) > 3
    for one in valid:
        smiles = one["smi"].decode().split()[0]
        block = one["sdf"].decode().partition("$$$$")[0]
        assert Chem.MolToSmiles(Chem.MolFromMolBlock(block)) == smiles
        assert "Cl" in smiles


def test_a_task_of_the_users_has_the_page_too(tmp_path):
    spec = find_spec(f"{PEPTIDE}:task")
    vocabulary = spec.usual_task().vocabulary
    model = SavedModel(tiny_problems.prior(vocabulary.size), vocabulary, {"max_length": 21})
    save_model(model, tmp_path / "prior")
    with session_of(spec, [str(tmp_path / "prior")], tmp_path) as session:
        (source,) = session.sources
        assert session.separator_of(source) == ""
        wish = wish_of(spec, session.sources, {"primer": list("MKV"), "number": 2})
        for one in session.generate(wish):
            assert one.sample.tokens[:3] == ("M", "K", "V")
            text = "".join(one.sample.tokens).rstrip(".")
            assert f"<code>{text}</code>" in one.card
            assert files_of(one.card) == {"txt": f"{text}\n".encode()}


def test_the_prior_of_the_package_is_named_without_its_folder(tmp_path):
    with session_of(melody, ["prior"], tmp_path) as session:
        (source,) = session.sources
        assert source.facts == {"model": "the prior that comes with seqtutor"}


def test_tunes_are_whole_where_only_such_are_wanted(tmp_path):
    """The seed gives the same ones again, and what was whole without it."""
    from seqtutor.tasks.tunes.measures import whole_tunes

    def are_whole(found):
        vocabulary = session.sources[0].vocabulary
        width = max(len(one.sample.tokens) for one in found)
        tokens = np.full((len(found), width), vocabulary.end, np.int32)
        mask = np.zeros((len(found), width), bool)
        for row, one in enumerate(found):
            tokens[row, : len(one.sample.tokens)] = vocabulary.encode(one.sample.tokens)
            mask[row, : len(one.sample.tokens)] = True
        return whole_tunes(tokens, mask, vocabulary, 8)

    with session_of(tunes, [str(SHIPPED_TUNES)], tmp_path) as session:
        asked = {"number": 4, "seed": 2}
        before = session.generate(wish_of(tunes, session.sources, asked))
        is_whole = are_whole(before)
        assert 0 < is_whole.sum() < 4
        wish = wish_of(tunes, session.sources, asked | {"valid_only": True})
        found, again = session.generate(wish), session.generate(wish)
        assert are_whole(found).all()
        tokens = [one.sample.tokens for one in found]
        assert tokens == [one.sample.tokens for one in again]
        kept = [one.sample.tokens for one, own in zip(before, is_whole, strict=True) if own]
        assert set(kept) <= set(tokens)
        hot = wish_of(tunes, session.sources, asked | {"valid_only": True, "temperature": 5})
        with pytest.raises(UserError, match="0 whole tunes are among 200 that were drawn, not 4"):
            session.generate(hot)
