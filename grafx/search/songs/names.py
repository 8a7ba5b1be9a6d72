"""Names of songs, which are names of folders on every system."""

import os
import re
import unicodedata
from pathlib import Path

from ...errors import SearchError
from ...text import printable

MANIFEST_FILE, STATE_FOLDER = "songs.jsonl", "state"
SONGS_FILE, PROCESSORS_FILE, GRAPHS_FILE, ATLAS_FILE = (
    "songs.parquet",
    "processors.parquet",
    "graphs.safetensors",
    "atlas.html",
)
OWN_NAMES = (MANIFEST_FILE, STATE_FOLDER, SONGS_FILE, PROCESSORS_FILE, GRAPHS_FILE, ATLAS_FILE)
"""What lies beside the folders of songs."""

LONGEST_NAME = 200
"""In bytes: what file systems allow is 255, and files for a while have longer names than they will keep."""

_FORBIDDEN = '<>:"/\\|?*'
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)\s*(\..*)?", re.IGNORECASE)


def name_problem(name: str) -> str | None:
    """Say why a name cannot be that of a folder on each system, or ``None`` if it can."""
    if not name:
        return "is empty"
    if name != printable(name):
        return "has characters that are not printable"
    if odd := sorted({character for character in name if character in _FORBIDDEN}):
        return f"has {' '.join(odd)}, which names of folders cannot have on every system"
    if name.startswith(".") or name.endswith(".") or name != name.strip():
        return "begins with a dot or a space, or ends with one"
    if _DEVICES.fullmatch(name):
        return "is the name of a device on Windows"
    if len(os.fsencode(name)) > LONGEST_NAME:
        return f"is longer than {LONGEST_NAME} bytes"
    if folder_key(name) in OWN_NAMES:
        return f"is taken by what lies beside the folders of songs ({', '.join(OWN_NAMES)})"
    return None


def folder_key(name: str) -> str:
    """What is equal of names that are the same folder on some system: up to case, and to how accents are written."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def song_folder(runs: str | os.PathLike, name: str) -> Path:
    """The folder of one song among those of many.

    Raises:
        SearchError: The name cannot be that of a folder on each system.
    """
    if problem := name_problem(name):
        raise SearchError(f"The name of the song '{printable(name)}' {problem}: rename it.")
    return Path(runs) / name


def folder_name(text: str) -> str:
    """A name for a folder on each system that is as near to a text as possible."""
    name = "".join("_" if character in _FORBIDDEN else character for character in printable(text))
    while len(os.fsencode(name)) >= LONGEST_NAME:
        name = name[:-1]
    name = name.strip(". ") or "song"
    if name_problem(name) is None:
        return name
    first, dot, rest = name.partition(".")  # Windows keeps the names of devices whatever follows the first dot
    return f"{first}_{dot}{rest}"


def plain_name(name: str) -> str:
    """The words of a name of a stem, without numbers around them: ``"vocals"`` of ``"02_Vocals-1"``."""
    words = re.sub(r"[\W_]+", " ", unicodedata.normalize("NFC", name).casefold()).strip()
    return re.sub(r"^(\d+ )+|( ?\d+)+$", "", words) or words
