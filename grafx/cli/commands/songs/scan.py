"""``grafx songs scan``."""

from pathlib import Path
from typing import Annotated

import typer

from ....errors import SearchError
from ....words import count
from ...faults import plain_errors, usage
from ...outputs import check_file
from ...progress import busy
from ...terminal import notice, say

NOTES_SHOWN = 10


def scan(
    folder: Annotated[Path, typer.Argument(help="Folder with songs, a folder each.", show_default=False)],
    out: Annotated[Path, typer.Option(help="The list to write: JSON lines or CSV.")] = Path("songs.jsonl"),
) -> None:
    """Make a list of the songs in a folder, to be looked at, edited, and searched.

    A song is a folder with a file mix or mixture and its stems; and what MUSDB18-HQ, MedleyDB and the Mixing Secrets
    library have.
    """
    with plain_errors():
        with busy("starting"):
            from ....search.songs.manifest import CSV_SUFFIX, JSON_SUFFIXES, write_manifest
            from ....search.songs.scan import scan_songs

        with usage():
            check_file(out, (*JSON_SUFFIXES, CSV_SUFFIX), SearchError)
            if out.exists():
                raise SearchError(f"{out} is there already, and is left as it is: give another --out, or remove it.")
        notes: list[str] = []
        with busy("looking for songs"):
            songs = scan_songs(folder, notes.append)
        for text in notes[:NOTES_SHOWN]:
            notice(text)
        if len(notes) > NOTES_SHOWN:
            notice(f"So it is with {count(len(notes) - NOTES_SHOWN, 'other folder')}.")
        if not songs:
            raise SearchError(f"{folder} has no songs: each is a folder with a file mix.* or mixture.*, and stems.")
        write_manifest(songs, out)
        stems = sum(len(song.stems) for song in songs)
        say(f"Found {count(len(songs), 'song')} with {count(stems, 'stem')}: wrote {out}.")
