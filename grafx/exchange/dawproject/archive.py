"""The ZIP archive of a DAWproject, of which nothing is believed."""

import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from zlib import error as ZlibError

from ...errors import ExchangeError
from ...text import printable

PROJECT, METADATA = "project.xml", "metadata.xml"
MOST_XML = 64 * 2**20
MOST_AUDIO = 4 * 2**30
"""Largest files in bytes that are taken out of an archive."""
MOST_GROWTH, GROWN = 500, 256 * 2**20
"""How many times its compressed size a file may have, unless it is smaller than the second in bytes: silence alone
shrinks as much."""
PIECE = 2**20
REMEDY = "take the clips that play it out of the project, or export the project again"


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open an archive.

    Raises:
        ExchangeError: It is no DAWproject.
        OSError: It cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if PROJECT not in archive.namelist():
                raise ExchangeError(f"{printable(path)} has no {PROJECT}: it is no DAWproject.")
            yield archive
    except (zipfile.BadZipFile, NotImplementedError, ZlibError, EOFError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "encrypted" not in str(error):
            raise
        raise ExchangeError(f"{printable(path)} is no DAWproject that can be read: {error}.") from None


def text_of(archive: zipfile.ZipFile, name: str) -> bytes | None:
    """The content of a small file; ``None`` where there is none of this name."""
    if name not in archive.namelist():
        return None
    return b"".join(_pieces(archive, name, MOST_XML))


def take_out(archive: zipfile.ZipFile, name: str, to: Path) -> None:
    """Write a file of an archive to a place that does not depend on its name.

    Raises:
        ExchangeError: There is no such file, it leads out of the archive, or it is too large.
    """
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if name.startswith(("/", "\\")) or ".." in parts or ":" in name.split("/")[0]:
        raise ExchangeError(
            f"The project names the file {printable(name)!r}, which leads out of its archive: {REMEDY}."
        )
    if name not in archive.namelist():
        raise ExchangeError(
            f"The project names the file {printable(name)!r}, which its archive does not have: {REMEDY}."
        )
    with open(to, "wb") as file:
        for piece in _pieces(archive, name, MOST_AUDIO):
            file.write(piece)


def write_archive(
    out: Path, texts: Mapping[str, bytes], audio: Iterable[tuple[str, Callable[[Path], None]]], scratch: Path
) -> None:
    """Write an archive.

    Args:
        out: The file.
        texts: Name to content.
        audio: Names of files, and what writes them.
        scratch: Folder for one of them at a time.
    """
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in texts.items():
            archive.writestr(_entry(name, zipfile.ZIP_DEFLATED), content)
        for name, write in audio:
            whole = scratch / f"audio{PurePosixPath(name).suffix}"
            write(whole)
            # Floats hardly get smaller.
            with whole.open("rb") as source, archive.open(_entry(name), "w", force_zip64=True) as entry:
                while piece := source.read(PIECE):
                    entry.write(piece)
            whole.unlink()


def _entry(name: str, compression: int = zipfile.ZIP_STORED) -> zipfile.ZipInfo:
    """An entry without the time, so that the same project is the same bytes."""
    entry = zipfile.ZipInfo(name)
    entry.compress_type, entry.external_attr = compression, 0o644 << 16
    return entry


def _pieces(archive: zipfile.ZipFile, name: str, most: int) -> Iterator[bytes]:
    """Read a file, but no more than it may have, whatever it says it has."""
    most = min(most, max(GROWN, MOST_GROWTH * archive.getinfo(name).compress_size))
    left = most
    with archive.open(name) as file:
        while piece := file.read(PIECE):
            left -= len(piece)
            if left < 0:
                raise ExchangeError(
                    f"{printable(name)} has more than {most} bytes when it is unpacked, too many for what it is packed"
                    f" in: {REMEDY}."
                )
            yield piece
