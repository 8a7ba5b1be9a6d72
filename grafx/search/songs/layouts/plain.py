"""A folder for each song: a file called mix or mixture, and the stems beside it or in a folder of theirs."""

import re

from .folder import Folder, Multitrack, named

MIX = r"(full[ _-]?)?(mix|mixture|mixdown)"
ALONE, AT_THE_END = re.compile(MIX), re.compile(rf".*[ _-]{MIX}")
STEMS = ("stems", "stem", "tracks", "sources", "multitrack", "multitracks")


def find(folder: Folder) -> Multitrack | None:
    """Find a song whose mix is the only file of such a name."""
    mixes = [path for path in folder.sounds if ALONE.fullmatch(path.stem.lower())]
    mixes = mixes or [path for path in folder.sounds if AT_THE_END.fullmatch(path.stem.lower())]
    if len(mixes) != 1:
        return None
    inner = [Folder.at(path).sounds for path in folder.folders if path.name.lower() in STEMS]
    mix = mixes[0]
    beside = tuple(path for path in folder.sounds if path != mix)
    stems = next((sounds for sounds in inner if sounds), beside)
    return Multitrack(mix, named((path.stem, path) for path in stems)) if stems else None
