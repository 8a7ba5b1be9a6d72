"""MedleyDB: ``Artist_Song_MIX.wav`` with ``Artist_Song_STEMS/Artist_Song_STEM_01.wav``, and a file about instruments.

References:
    Bittner et al., "MedleyDB: a multitrack dataset for annotation-intensive MIR research", ISMIR 2014.
"""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .folder import Folder, Multitrack, named

MIX, STEMS, METADATA = "_mix", "_stems", "_METADATA.yaml"


def find(folder: Folder) -> Multitrack | None:
    """Find a song; its stems are called as their instruments, where there is metadata beside it or in ``Metadata``."""
    folders = {path.name.lower(): path for path in folder.folders}
    for mix in folder.sounds:
        song = mix.stem[: -len(MIX)]
        inner = folders.get(f"{song}{STEMS}".lower())
        if not mix.stem.lower().endswith(MIX) or inner is None:
            continue
        instruments = _instruments(folder.path, song)
        stems = Folder.at(inner).sounds
        names = [instruments.get(path.name) or path.stem.removeprefix(f"{song}_") for path in stems]
        return Multitrack(mix, named(zip(names, stems, strict=True))) if stems else None
    return None


def _instruments(folder: Path, song: str) -> dict[str, str]:
    """The instrument of each file."""
    places = (folder, folder.parent / "Metadata", folder.parent.parent / "Metadata")
    file = next((path for place in places if (path := place / f"{song}{METADATA}").is_file()), None)
    if file is None:
        return {}
    stems: Any = None
    with contextlib.suppress(ModuleNotFoundError):  # names of files do, too
        import yaml

        with contextlib.suppress(OSError, ValueError, yaml.YAMLError):
            document = yaml.safe_load(file.read_text(encoding="utf-8"))
            stems = document.get("stems") if isinstance(document, Mapping) else None
    entries = [each for each in stems.values() if isinstance(each, Mapping)] if isinstance(stems, Mapping) else []
    return {str(each.get("filename")): _words(each.get("instrument")) for each in entries}


def _words(instrument: Any) -> str:
    return " and ".join(map(str, instrument)) if isinstance(instrument, list) else str(instrument or "")
