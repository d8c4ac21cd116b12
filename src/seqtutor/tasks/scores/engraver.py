"""A process that engraves: on each line a score as JSON in, a JSON string of SVG out.

It is a process of its own because verovio, which is written in C++, can end the process that it
runs in.
"""

from __future__ import annotations

import json
import re
import sys

import verovio

_SCALE = 40
"""Of the picture, in per cent of the page."""
_LETTER, _MARGIN = 30, 50
"""Of a letter of a title, and of what verovio wants beside the notes."""
_OPTIONS = {
    "adjustPageHeight": True,
    "footer": "none",
    "header": "auto",
    "pageHeight": 60_000,
    "scale": _SCALE,
    # Text in the music font would bring that font into every score.
    "smuflTextFont": "none",
    "svgFormatRaw": True,
    "svgRemoveXlink": True,
    "svgViewBox": True,
}
# What verovio takes from the music font within text, by its code there, as text.
_TEXT_OF_GLYPH = {"\ueca5": "♩", "\uecb7": ".", "\uea64": "♭", "\uea65": "♮", "\uea66": "♯"}
_GLYPHS = re.compile(r'<tspan font-family="Leipzig" font-size="\d+px">([^<]*)</tspan>')
_TEXT_SIZE = 405
# Verovio leaves room for Times above the first notes; a wider font of a browser would lie on them.
_TEMPO_SIZE, _TEMPO_RAISED = 320, 150
_TEMPO = re.compile(r'(<g class="tempo"><text) x="\d+" y="(\d+)"(.*?</text>)')
_STAFF = re.compile(r'd="M(\d+) \d+ L\d+')
_TOOLTIP = re.compile(r'<title class="labelAttr">[^<]*</title>')
_SYSTEM, _WIDTH = re.compile(r'class="system"'), re.compile(r'viewBox="0 0 (\d+)')
_TITLE = re.compile(r"<work-title>([^<]*)<")
_NOTE = re.compile(r' id="n(\d+)(?:-\d+)?"')
_LEAF = re.compile(
    r'<g class="(?:stem|notehead|flag|clef|barLine)">((?:<(?:use|path)\b[^>]*/>)+)</g>'
)
_PLACE = re.compile(r"translate\((\S+), (\S+)\) scale\((\S+), \3\)")
_LINE = re.compile(r"M(\S+) (\S+) L(\S+) (\S+)(?=\")")
_ALIKE = re.compile(
    r'(?:<path d="[^"]*" stroke-width="(\d+)"/>)(?:<path d="[^"]*" stroke-width="\1"/>)+'
)
_OTHER = re.compile(r'(?<=<g) id="[a-z0-9]+"|(?<=<tspan) id="[a-z0-9]+"')


def main() -> None:
    """Engrave what comes on standard input: [number, width of the widest page, MusicXML] a line."""
    toolkit = verovio.toolkit()
    for line in sys.stdin:
        number, widest, document = json.loads(line)
        # The names of glyphs differ from score to score, so that several fit on one page.
        toolkit.setOptions({**_OPTIONS, "xmlIdSeed": number})
        if not toolkit.loadData(document):
            raise SystemExit(f"verovio cannot read score {number}")
        print(json.dumps(_plain(_page(toolkit, document, widest))), flush=True)


def _page(toolkit: verovio.toolkit, document: str, widest: int) -> str:
    """The score on a page that is as wide as a single system and the title, or has several."""

    def laid_out(width: int, adjust: bool) -> str:
        toolkit.setOptions({"pageWidth": width, "adjustPageWidth": adjust})
        toolkit.redoLayout()
        return str(toolkit.renderToSVG(1))

    page = laid_out(widest, adjust=False)
    if len(_SYSTEM.findall(page)) > 1:
        return page
    narrow = _WIDTH.search(laid_out(widest, adjust=True))
    title = _TITLE.search(document)
    music = 100 * int(narrow[1]) // _SCALE + _MARGIN if narrow else widest
    return laid_out(min(max(music, _LETTER * len(title[1]) if title else 0), widest), adjust=False)


def _plain(svg: str) -> str:
    """SVG without the music font and the names of elements, but with the numbers of the notes."""
    svg = _GLYPHS.sub(_as_text, _TOOLTIP.sub("", svg))
    svg = _OTHER.sub("", _NOTE.sub(r' data-note="\1"', svg))
    return _brief(_beginning_with_tempo(svg))


def _brief(svg: str) -> str:
    """The same picture in a fifth fewer bytes, as many of which stand on one page."""
    svg = _LINE.sub(_as_line, _PLACE.sub(r"translate(\1 \2)scale(\3)", svg))
    for _ in range(2):  # A stem may hold a flag.
        svg = _LEAF.sub(r"\1", svg)
    # Such as the five lines of a staff.
    return _ALIKE.sub(_as_one, svg)


def _as_line(match: re.Match[str]) -> str:
    left, top, right, bottom = match.groups()
    end = f"H{right}" if top == bottom else f"V{bottom}" if left == right else f"L{right} {bottom}"
    return f"M{left} {top}{end}"


def _as_one(match: re.Match[str]) -> str:
    lines = "".join(re.findall(r' d="([^"]*)"', match[0]))
    return f'<path d="{lines}" stroke-width="{match[1]}"/>'


def _beginning_with_tempo(svg: str) -> str:
    """The tempo over the clef in place of the first notes."""
    left = _STAFF.search(svg)

    def moved(match: re.Match[str]) -> str:
        assert left is not None
        text = match[3].replace(f'"{_TEXT_SIZE}px"', f'"{_TEMPO_SIZE}px"')
        return f'{match[1]} x="{left[1]}" y="{int(match[2]) - _TEMPO_RAISED}"{text}'

    return _TEMPO.sub(moved, svg)


def _as_text(match: re.Match[str]) -> str:
    text = "".join(_TEXT_OF_GLYPH.get(sign, sign) for sign in match[1])
    return f'<tspan font-size="{_TEXT_SIZE}px">{text}</tspan>'


if __name__ == "__main__":
    main()
