"""Small tunes with chords, written for tests, as a file that the commands read."""

from pathlib import Path

import numpy as np

SCALE = "CDEFGAB"
CHORDS = ("C", "F", "G7", "Am")


def write_tunes(path: Path, number: int = 30, bars: int = 12, seed: int = 0) -> Path:
    """An ABC tune book: a chord in every bar of 4/4, quarters that wander up and down the scale."""
    generator = np.random.default_rng(seed)
    book = ["%abc-2.1"]
    for index in range(1, number + 1):
        steps = 3 + np.cumsum(generator.integers(-2, 3, 4 * bars)) % 7
        notes = [SCALE[step % 7] + "'" * (step // 7) for step in steps]
        music = [
            f'"{CHORDS[generator.integers(4)]}"' + "".join(notes[4 * bar : 4 * bar + 4])
            for bar in range(bars)
        ]
        book.append(f"X:{index}\nT:Tune {index}\nM:4/4\nL:1/4\nK:C\n" + "|".join(music) + "|]\n")
    path.write_text("\n".join(book) + "\n", encoding="utf-8")
    return path
