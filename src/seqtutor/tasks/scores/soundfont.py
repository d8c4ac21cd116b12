"""Reading what some instruments need out of a SoundFont.

A SoundFont 2 file is a RIFF file of samples, `smpl`, and nine tables of fixed-size records; in a
SoundFont 3 file the samples are Ogg Vorbis, and places in `smpl` count bytes instead of samples.
Format: SoundFont Technical Specification 2.04, E-mu Systems, chapters 5 to 8; of SoundFont 3:
https://github.com/FluidSynth/fluidsynth/wiki/SoundFont3Format.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

_PRESETS = np.dtype(
    [("name", "S20"), ("program", "<u2"), ("bank", "<u2"), ("bag", "<u2"), ("rest", "V12")]
)
_INSTRUMENTS = np.dtype([("name", "S20"), ("bag", "<u2")])
_BAGS = np.dtype([("generator", "<u2"), ("modulator", "<u2")])
_GENERATORS = np.dtype([("kind", "<u2"), ("amount", "<u2")])
_SAMPLES = np.dtype(
    [
        ("name", "S20"),
        ("start", "<u4"),
        ("end", "<u4"),
        ("loop_start", "<u4"),
        ("loop_end", "<u4"),
        ("rest", "V6"),
        ("link", "<u2"),
        ("kind", "<u2"),
    ]
)
_INSTRUMENT, _SAMPLE = 41, 53
"""Kinds of generators that name an instrument and a sample."""
_COMPRESSED, _READ_ONLY_MEMORY = 0x10, 0x8000
"""Bits of a sample's kind."""
_PADDING = 46
"""Zeros that the specification wants after each sample."""


def with_programs(content: bytes, programs: Sequence[int]) -> bytes:
    """The SoundFont with the samples of a few programs of the first bank alone, uncompressed.

    Its tables stay; the samples of all other programs are silent.

    Args:
        content: of an SF2 or SF3 file.
        programs: MIDI programs from 0.

    Raises:
        ValueError: if it is not a SoundFont, or lacks one of the programs.
    """
    try:
        font = _Font(dict(_chunks(content)))
        needed = {sample for program in programs for sample in font.samples_of(program)}
        return font.reduced(needed)
    except (KeyError, IndexError, struct.error) as error:
        raise ValueError(f"it is not a whole SoundFont ({error})") from None


def _chunks(content: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[str, bytes]]:
    """The chunks that hold data, by name, in the order of the file."""
    if start == 0 and (content[:4], content[8:12]) != (b"RIFF", b"sfbk"):
        raise ValueError("it is not a SoundFont")
    place, end = start or 12, len(content) if end is None else end
    while place + 8 <= end:
        name, size = struct.unpack_from("<4sI", content, place)
        place += 8
        if name == b"LIST":
            yield from _chunks(content, place + 4, min(place + size, end))
        else:
            yield name.decode("latin-1"), content[place : place + size]
        place += size
        # A chunk of an odd length ends with a zero, but some programs forget it.
        place += size % 2 if content[place : place + 1] == b"\0" else 0


@dataclass(frozen=True)
class _Font:
    """The chunks of a SoundFont."""

    chunks: dict[str, bytes]

    def table(self, name: str, kind: np.dtype) -> np.ndarray:
        """One of the tables, its terminal record included."""
        return np.frombuffer(self.chunks[name], kind)

    def samples_of(self, program: int) -> set[int]:
        """The samples that a program of the first bank plays, those of the other channel too."""
        presets = self.table("phdr", _PRESETS)
        (places,) = np.nonzero((presets["program"] == program) & (presets["bank"] == 0))
        if not len(places) or places[0] == len(presets) - 1:
            raise ValueError(f"it has no instrument {program + 1}")
        table, samples = self.table("inst", _INSTRUMENTS), self.table("shdr", _SAMPLES)
        found = {
            int(sample)
            for instrument in self._amounts(presets["bag"], int(places[0]), "p", _INSTRUMENT)
            for sample in self._amounts(table["bag"], int(instrument), "i", _SAMPLE)
        }
        # Of a sample that has no other channel the link is 0 or arbitrary, and then not needed.
        return found | {int(samples["link"][sample]) for sample in found} & set(range(len(samples)))

    def _amounts(self, bags: np.ndarray, place: int, side: str, kind: int) -> Int[np.ndarray, " n"]:
        """What the generators of a kind hold in all zones of a preset or an instrument."""
        zones = self.table(f"{side}bag", _BAGS)["generator"]
        generators = self.table(f"{side}gen", _GENERATORS)
        own = generators[zones[bags[place]] : zones[bags[place + 1]]]
        return np.asarray(own["amount"][own["kind"] == kind])

    def reduced(self, needed: set[int]) -> bytes:
        """The file with the needed samples alone."""
        table = self.table("shdr", _SAMPLES).copy()
        parts: list[Int[np.ndarray, " frame"]] = []
        place = 0
        for number, row in enumerate(table[:-1]):
            is_heard = number in needed and not row["kind"] & _READ_ONLY_MEMORY
            sound = self._sound(row) if is_heard else np.zeros(_PADDING, np.int16)
            # Places of a loop count from the sample's start in SoundFont 3, from that of all else.
            origin = 0 if row["kind"] & _COMPRESSED else int(row["start"])
            loop = [int(row[name]) - origin for name in ("loop_start", "loop_end")]
            inside = [min(max(frame, 0), len(sound)) for frame in loop]
            row["loop_start"], row["loop_end"] = (place + frame for frame in inside)
            row["start"], row["end"] = place, place + len(sound)
            row["kind"] &= ~_COMPRESSED & 0xFFFF
            parts += [sound, np.zeros(_PADDING, np.int16)]
            place += len(sound) + _PADDING
        data = {**self.chunks, "shdr": table.tobytes(), "smpl": np.concatenate(parts).tobytes()}
        data["ifil"] = struct.pack("<HH", 2, 4)
        lists = {"INFO": ["ifil", "isng", "INAM"], "sdta": ["smpl"]}
        lists["pdta"] = ["phdr", "pbag", "pmod", "pgen", "inst", "ibag", "imod", "igen", "shdr"]
        body = b"sfbk" + b"".join(
            _chunk("LIST", kind.encode() + b"".join(_chunk(n, data[n]) for n in names if n in data))
            for kind, names in lists.items()
        )
        return _chunk("RIFF", body)

    def _sound(self, row: np.void) -> Int[np.ndarray, " frame"]:
        """A sample's frames."""
        everything = self.chunks["smpl"]
        if not row["kind"] & _COMPRESSED:
            return np.frombuffer(everything[2 * row["start"] : 2 * row["end"]], "<i2")
        import soundfile

        compressed = io.BytesIO(everything[row["start"] : row["end"]])
        return np.asarray(soundfile.read(compressed, dtype="int16")[0])


def _chunk(name: str, content: bytes) -> bytes:
    return name.encode() + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
