"""Real tunes in two formats: our readers of ABC, MusicXML and MIDI on the same music.

    python benchmarks/reader_agreement.py --tunes 500 --through abc2midi
    python benchmarks/reader_agreement.py --tunes 200 --through music21

Tunes of music21's public-domain books are read by our reader of ABC. Another program, abc2midi
(Debian's package `abcmidi`) or music21, reads the same text and writes it as MIDI, music21 also as
MusicXML, which our other readers read. What comes is compared in notes and key, and disagreements
are printed by kind; `--show KIND` prints the tunes of one. Before abc2midi ornaments are taken out
of the text, and they are not played. music21 fills incomplete bars of MusicXML with hidden rests,
which are taken out here.
"""

from __future__ import annotations

import argparse
import random
import re
import subprocess
import tempfile
import warnings
from collections import Counter, defaultdict
from pathlib import Path

from seqtutor.errors import UserError
from seqtutor.tasks.melody.abc import read_abc
from seqtutor.tasks.melody.folder import read_melody_file
from seqtutor.tasks.melody.tune import Tune
from seqtutor.tasks.scores.abc import decode_abc
from seqtutor.tasks.scores.corpus import PUBLIC_DOMAIN_BOOKS, book_sources

FORMATS = ("musicxml", "midi")
ABC2MIDI = ("abc2midi", "1", "-NGRA", "-NGUI", "-NFER", "-NFNP", "-silent")
ORNAMENT = re.compile(r"![^!\n]*!|\{[^}\n]*\}|[~.HLMOPRSTkuv]+(?=[\^_=\[]*[A-Ga-g(\[])")
# What abc2midi reads otherwise, with a rewriting of the text that takes it away.
KINDS = {
    "da capo, segno, fine in words, which abc2midi does not play": (
        r'(?i)"[^"\n]*(D\. ?[CS]|segno|fine|end|coda)[^"\n]*"|!D\.C\.!',
        "",
    ),
    "a repeat without its beginning: abc2midi begins at the start, not at the last double bar": (
        r"\|\||\|\](?!:)|(?<!\[)\|\]",
        "|",
    ),
    "a repeat that begins where an ending is over: abc2midi begins at the start": (
        r"((?:\||\[)2[^\n]*?)(\|\||\|\])",
        r"\1|:",
    ),
    "a repeat sign after the last ending, which abc2midi plays a third time": (
        r"((?:\||\[)2[^|\n]*):\|",
        r"\1|",
    ),
    "broken rhythm between notes of unequal length, which the standard leaves open": (
        r"(?<=[A-Ga-g0-9])[<>](?=[A-Ga-g]\d)",
        "",
    ),
    "P: with repeats in its parts, which abc2midi plays once": (r"(?m)^P:.*\n", ""),
    "an invisible bar line [|], which abc2midi takes for a chord": (r"\[\|\]", "|"),
    "R:hornpipe, which abc2midi swings": (r"(?im)^R: *hornpipe.*\n", ""),
    "five or nine notes without a number, which abc2midi counts otherwise": (r"\(([59])", r"(\1:2"),
    "a second voice, which MIDI has as a track": (r"(?m)^\[V:2\].*\n", ""),
}
HIDDEN_REST = r'(?s)<note print-object="no"[^>]*>\s*<rest ?/>.*?</note>'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tunes", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--through", choices=("abc2midi", "music21"), default="abc2midi")
    parser.add_argument("--show", help="print the tunes of the kinds that contain this")
    options = parser.parse_args()
    compare = _through_abc2midi if options.through == "abc2midi" else _through_music21
    warnings.simplefilter("ignore")
    texts = list(_texts())
    random.Random(options.seed).shuffle(texts)
    kinds: Counter[str] = Counter()
    examples: defaultdict[str, list[str]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        for name, text in texts[: options.tunes]:
            for kind in compare(text, Path(folder)):
                kinds[kind] += 1
                examples[kind].append(name)
                if options.show and options.show in kind:
                    print(f"--- {name}: {kind}\n{text}")
    for kind, count in kinds.most_common():
        print(f"{count:>5}  {kind}  ({'; '.join(examples[kind][:3])})")


def _texts() -> list[tuple[str, str]]:
    """Each tune by itself, with its name."""
    found = []
    for source, content in book_sources(PUBLIC_DOMAIN_BOOKS):
        for number, part in enumerate(decode_abc(content).replace("\r\n", "\n").split("\nX:")):
            text = part if part.startswith("X:") else "X:" + part
            if "\nK:" not in text:
                continue  # The head of a book.
            found.append((f"{source} {number}", text.partition("\n\n")[0] + "\n"))
    return found


def _through_music21(text: str, folder: Path) -> list[str]:
    import music21

    ours, report = read_abc(text, "tune")
    if not ours:
        return [f"ABC not used: {', '.join(report.dropped) or 'no tune'}"]
    try:
        score = music21.converter.parse(text, format="abc")
        paths = {
            kind: Path(score.write(kind, folder / f"tune.{kind}")) for kind in ("musicxml", "midi")
        }
    except Exception as error:  # music21 raises whatever it comes across
        return [f"music21 does not read or write it: {type(error).__name__}"]
    hidden = re.sub(HIDDEN_REST, "", paths["musicxml"].read_text(encoding="utf-8"))
    paths["musicxml"].write_text(hidden, encoding="utf-8")
    read: dict[str, Tune] = {}
    kinds = []
    for kind, path in paths.items():
        try:
            (read[kind], *_), _ = read_melody_file(path)
        except UserError as error:
            kinds.append(f"{kind} not used: {str(error).removeprefix(str(path))[:60]}")
    kinds += [f"{kind}: {_difference(ours[0], tune)}" for kind, tune in read.items()]
    if len(read) == 2:
        kinds.append(f"musicxml and midi: {_difference(read['musicxml'], read['midi'])}")
    return kinds


def _through_abc2midi(text: str, folder: Path, deep: bool = False) -> list[str]:
    ours, report = read_abc(text, "tune")
    if not ours:
        return [f"ABC not used: {', '.join(report.dropped) or 'no tune'}"]
    lines = (x if re.match(r"[A-Za-z]:|%", x) else ORNAMENT.sub("", x) for x in text.splitlines())
    source, written = folder / "tune.abc", folder / "tune.mid"
    written.unlink(missing_ok=True)
    plain = re.sub(r"^X:.*", "X:1", "\n".join(lines), count=1)
    source.write_text(plain + "\n", encoding="latin-1", errors="replace")
    command = [ABC2MIDI[0], str(source), *ABC2MIDI[1:], "-o", str(written)]
    subprocess.run(command, capture_output=True, timeout=60, check=False)
    try:
        (read, *_), _ = read_melody_file(written)
    except UserError as error:
        return [f"midi not used: {str(error).removeprefix(str(written))[:60]}"]
    found = _difference(ours[0], read)
    return [found if found == "the same" or deep else _kind_of(text, folder) or found]


def _kind_of(text: str, folder: Path) -> str | None:
    """The first of `KINDS`, alone or with others, without which both readers agree."""
    named: list[str] = []
    for kind, rewriting in KINDS.items():
        if _agree(re.sub(*rewriting, text), folder):
            return kind
        if re.search(rewriting[0], text):
            named.append(kind)
            changed = text
            for one in named:
                changed = re.sub(*KINDS[one], changed)
            if _agree(changed, folder):
                return " + ".join(named)
    return None


def _agree(text: str, folder: Path) -> bool:
    return _through_abc2midi(text, folder, deep=True) == ["the same"]


def _difference(one: Tune, other: Tune) -> str:
    if one.notes == other.notes:
        same_key = one.key.relative_major == other.key.relative_major
        return "the same" if same_key else "the same notes, another key"
    pitches = [note.pitch for note in one.notes], [note.pitch for note in other.notes]
    if len(pitches[0]) != len(pitches[1]):
        return "other repeats or other notes at a sixteenth"
    if pitches[0] == pitches[1]:
        return "the same pitches, other times"
    return "as many notes, other pitches"


if __name__ == "__main__":
    main()
