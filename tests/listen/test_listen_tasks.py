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
from seqtutor.tasks.melody.encoding import Note, melody_vocabulary, notes_to_tokens
from seqtutor.tasks.melody.listening import rendering
from seqtutor.tasks.melody.notation import Meter
from seqtutor.tasks.melody.render import RenderSettings, write_melody
from seqtutor.tasks.melody.settings import MelodySettings
from seqtutor.tasks.melody.spec import spec as melody
from seqtutor.tasks.molecule.spec import spec as molecule
from seqtutor.tasks.scores.keys import Key
from seqtutor.tasks.scores.listening import WRITTEN_KEYS, key_named, semitones_between

ROOT = Path(__file__).parents[2]
PEPTIDE = ROOT / "examples" / "peptide" / "peptide.py"
SETTINGS = MelodySettings()
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


def test_pieces_move_the_shorter_way_and_relative_keys_share_a_signature():
    for name in WRITTEN_KEYS:
        way = semitones_between(Key(0), key_named(name))
        assert -6 <= way <= 5
        assert Key(0).transposed(way).relative_major == key_named(name).relative_major
        assert str(key_named(name)) == name


@pytest.mark.parametrize("key", ["C major", "D major", "A minor", "Bb major", "A# major"])
def test_a_melody_is_heard_in_the_chosen_key_and_tempo(key):
    if key not in WRITTEN_KEYS:
        with pytest.raises(UserError, match="Key cannot be 'Bb major'"):
            rendering(Key(0), 0, {"key": key})
        return
    how = {"key": key, "tempo": 60.0, "instrument": "violin", "swing": 0.6}
    tokens = notes_to_tokens(SCALE, 16)[None]
    drawn = Drawn(Sequences(tokens, np.ones_like(tokens, bool)), None, {}, SETTINGS)
    drawn = Drawn(drawn.sequences, melody_vocabulary(), {}, SETTINGS)
    shown = melody.exhibits({"Ψ": Shown(drawn, np.array([0]), {}, how)})
    (exhibit,) = shown.exhibits["Ψ"]
    score = symusic.Score.from_midi(exhibit.files["mid"])
    way = semitones_between(Key(0), key_named(key))
    (track,) = score.tracks
    assert [note.pitch for note in track.notes] == [note.pitch + way for note in SCALE]
    assert track.program == 40
    assert score.tempos[0].qpm == pytest.approx(60)
    assert len(exhibit.pictures) == 2
    assert 'data-seconds="4.000"' in exhibit.pictures[1].svg


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
    own = RenderSettings(key=Key(0), meter=Meter(3, 4), pickup=4)
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


@pytest.mark.parametrize("text", ["14 1 16 0", "C4 hold D4 off"])
def test_typed_melodies_are_names_or_numbers(text):
    assert melody.opening(text, MELODY_PRIOR, SETTINGS, {}).tokens.tolist() == [14, 1, 16, 0]


@pytest.mark.parametrize("text", ["/etc/passwd", "random", "14 1 99", "14 99999999999999999999"])
def test_typed_melodies_are_never_files(text, tmp_path):
    with pytest.raises(UserError, match=r"not in the vocabulary|is not a melody token"):
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
