"""The "Mixing Secrets" library: numbered tracks, with a mix that is called unmastered, or a preview of it.

The mix is beside the tracks, or beside their folder with a name that begins as that of the folder.

References:
    Senior, "The 'Mixing Secrets' Free Multitrack Download Library", cambridge-mt.com.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from .folder import Folder, Multitrack, named
from .plain import ALONE, AT_THE_END

TRACK = re.compile(r"(\d{1,3})[ _.-]+(?=.)")
FULL = re.compile(r"_(full|excerpt|multitrack)$", re.IGNORECASE)
WORDS = ("unmastered", "mix", "preview", "master")
"""In the names of mixes, the best first: mastering is no part of a console."""


def find(folder: Folder) -> Multitrack | None:
    """Find a folder of numbered tracks that has a mix."""
    tracks = {path: TRACK.sub("", path.stem, count=1) for path in folder.sounds if TRACK.match(path.stem)}
    others = [path for path in folder.sounds if path not in tracks]
    if len(tracks) < 2 or not all(map(_rank, others)):
        return None
    mix = _best(others) or _best(_beside(folder))
    return None if mix is None else Multitrack(mix, named((name, path) for path, name in tracks.items()))


def _beside(folder: Folder) -> list[Path]:
    """Files beside a folder whose names begin as its own."""
    song = FULL.sub("", folder.path.name).lower()
    files = folder.above.beginning(song) if folder.above else []
    return [path for path in files if not path.stem[len(song) :][:1].isalnum()]


def _best(paths: Iterable[Path]) -> Path | None:
    return min((path for path in paths if _rank(path)), key=lambda path: (_rank(path), path.name), default=None)


def _rank(path: Path) -> int:
    """Which of the words a name has, from 1 on; 0 for none."""
    name = path.stem.lower()
    if ALONE.fullmatch(name) or AT_THE_END.fullmatch(name):
        return WORDS.index("mix") + 1
    return next((place for place, word in enumerate(WORDS, 1) if re.search(rf"(^|[ _.-]){word}", name)), 0)
