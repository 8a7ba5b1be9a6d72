"""Checks of output paths, made before any work."""

import tempfile
from collections.abc import Collection
from pathlib import Path

from ..errors import AudioError


def refuse_file(folder: Path, error: type[ValueError]) -> None:
    """Refuse a file where a folder is to be.

    Raises:
        ValueError: of the type ``error``.
    """
    if folder.exists() and not folder.is_dir():
        raise error(f"{folder} is a file: give a folder for the results.")


def check_folder(folder: Path, error: type[ValueError]) -> None:
    """Refuse a folder that results cannot be written to, without creating it.

    Raises:
        ValueError: It is a file; the type is ``error``.
        OSError: It is not writable.
    """
    refuse_file(folder, error)
    _check_writable(folder)


def check_file(file: Path, suffixes: Collection[str], error: type[ValueError]) -> None:
    """Refuse a file that cannot be written to or has another suffix, without creating it.

    Raises:
        ValueError: It is a folder or has another suffix; the type is ``error``.
        OSError: Its folder is not writable.
    """
    if file.suffix.lower() not in suffixes:
        *others, last = suffixes
        choice = f"{', '.join(others)} or {last}" if others else last
        raise error(f"{file} should end in {choice}.")
    if file.is_dir():
        raise error(f"{file} is a folder: give a file.")
    _check_writable(file.parent)


def check_audio_file(file: Path) -> None:
    """Refuse an audio file that cannot be written to or has an unsupported suffix, without creating it.

    Raises:
        AudioError: It is a folder, its suffix is not that of a writable audio format, or its folder is not writable.
    """
    from ..audio_writer import audio_suffixes

    kinds = {f".{suffix}" for suffix in audio_suffixes()}
    if file.suffix.lower() not in kinds:
        raise AudioError(f"{file} has no known audio suffix: use .wav or .flac.")
    try:
        check_file(file, kinds, AudioError)
    except OSError as error:
        raise AudioError(f"{file} cannot be written: {error.strerror}.") from None


def _check_writable(folder: Path) -> None:
    """Check the folder or, if it does not exist, its nearest existing parent."""
    wanted = folder
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(wanted)) from None
