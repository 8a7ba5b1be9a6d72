"""MUSDB18-HQ, and MUSDB18 where it was decoded: a mixture with four stems, and sums of them that are no stems.

References:
    Rafii et al., "MUSDB18-HQ – an uncompressed version of MUSDB18", 2019.
"""

from .folder import Folder, Multitrack

STEMS = ("drums", "bass", "other", "vocals")


def find(folder: Folder) -> Multitrack | None:
    """Find a mixture with the four stems; what else there is, such as the accompaniment, is made of them."""
    files = {path.stem.lower(): path for path in folder.sounds}
    if not {"mixture", *STEMS} <= files.keys():
        return None
    return Multitrack(files["mixture"], {name: files[name] for name in STEMS})
