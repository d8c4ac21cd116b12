"""A tune is made once as notes; every reader gives the same notes, key and bars."""

import pytest
from generated_tunes import expected_downbeats, expected_notes, make, make_phrases
from small_scores import musicxml, read_score
from tune_writers import abc, midi_file, xml_measures

from seqtutor.tasks.tunes.reader import read_tune_file
from seqtutor.tasks.tunes.sections import Cutting
from seqtutor.tasks.tunes.tokens import tokens_of

REST = '<note><rest measure="yes"/><duration>24</duration></note>'


@pytest.mark.parametrize("block", range(8))
def test_one_tune_one_answer(tmp_path, block):
    for seed in range(40 * block, 40 * block + 40):
        piece = make(seed)
        measures = xml_measures(piece)
        silent = ["<attributes><divisions>24</divisions></attributes>" + REST] + [REST] * (
            len(measures) - 1
        )
        text = abc(piece)
        head, body = text.split("\n", 4)[:4], text.split("\n", 4)[4]
        files = {
            ".abc": text,
            ".ABC": "\n".join([*head, "V:1\nz4|", "V:2", body]),
            ".musicxml": musicxml(measures),
            ".xml": musicxml(silent, measures) if seed % 2 else musicxml(measures, silent),
            ".mid": midi_file(piece),
        }
        for suffix, content in files.items():
            tune, _ = read_score(tmp_path, content, suffix)
            where = f"seed {seed}, {suffix}: {text}"
            assert list(tune.notes) == expected_notes(piece), where
            assert tune.meter == piece.meter, where
            assert tune.downbeats == expected_downbeats(piece), where
            if suffix == ".mid":  # MIDI has no modes but major and minor
                assert tune.key.relative_major == piece.key.relative_major, where
            else:
                assert tune.key == piece.key, where


@pytest.mark.parametrize("block", range(4))
def test_one_tune_gives_the_same_phrases(tmp_path, block):
    """Also without sections, which MIDI cannot tell: all have eight bars."""
    for seed in range(20 * block, 20 * block + 20):
        piece = make_phrases(seed)
        contents = {
            ".abc": abc(piece).encode(),
            ".musicxml": musicxml(xml_measures(piece)).encode(),
            ".mid": midi_file(piece),
        }
        found = {}
        for suffix, content in contents.items():
            path = tmp_path / f"tune{suffix}"
            path.write_bytes(content)
            (tune,), _ = read_tune_file(path, Cutting(8))
            found[suffix] = [tokens_of(phrase) for phrase in tune.phrases]
        assert found[".abc"] == found[".musicxml"], f"seed {seed}: {abc(piece)}"
        assert {tokens[1] for tokens in found[".abc"]} == {piece.mode}
        midi = [[tokens[0], piece.mode, *tokens[2:]] for tokens in found[".mid"]]
        assert midi == found[".abc"], f"seed {seed}: {abc(piece)}"
