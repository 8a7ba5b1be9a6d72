"""Audio file input, whole or in blocks, by libsndfile, with PyAV for other formats."""

import math
import os
import re
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import torch
from torch import Tensor

from .errors import AudioError
from .text import Notice, printable

if TYPE_CHECKING:
    from soundfile import SoundFile

PIECE = 2**16
HEAD = 2**12
MOST_FRAMES = 2**62  # more than that is how libsndfile says that it does not know
UNKNOWN = 2**31 - 2**13  # and how programs that write to a pipe do
PROMISE = r"^\s*(?:data|SSND|Data Size|riff|Riff size)\s*: (\d+) \(should be (\d+)\)"
STREAMS = {"mp3", "aac", "ac3", "eac3", "mpegts", "asf"}
LATE = (
    "{} does not declare its encoder delay, so the sound is about 10 to 50 ms late: a WAV or FLAC"
    " file would be in time."
)
# Formats that PyAV may detect: no playlists, which could refer to other files and addresses.
CONTAINERS = "aac,ac3,aiff,ape,asf,caf,eac3,flac,matroska,webm,mov,mp4,m4a,mp3,mpegts,ogg,tta,w64,wav,wv"


def read_audio(path: str | os.PathLike, notice: Notice | None = None) -> tuple[Tensor, int]:
    """Read an audio file in any format of libsndfile (WAV, FLAC, OGG, Opus, MP3, AIFF, …).

    With PyAV installed, other formats are read as well (M4A, AAC, WebM, …). Padding added by an encoder before and
    after the sound is removed if the file declares it.

    Args:
        path: The file.
        notice: Called with a sentence if the file is truncated, or the sound in it is delayed; by default this is a
            warning.

    Returns:
        ``(signal, sample_rate)`` with a float32 signal of shape ``(channels, samples)``.

    Raises:
        AudioError: The file is missing, cannot be read, is damaged, is empty, has more than two channels, or contains
            values that are not finite.
    """
    with open_audio(path) as file:
        signal, count = torch.empty(file.channels, file.frames), 0
        for block in file.blocks(PIECE):
            signal[:, count : count + block.shape[1]] = block
            count += block.shape[1]
        for fault in file.faults:
            (notice or _warn)(fault)
        return signal[:, :count], file.samplerate


def audio_blocks(path: str | os.PathLike, size: int) -> Iterator[Tensor]:
    """Yield the signal of an audio file in blocks of ``(channels, size)``, the last of which may be shorter.

    Raises:
        AudioError: As in :func:`read_audio`.
    """
    with open_audio(path) as file:
        yield from file.blocks(size)


def read_excerpt(path: str | os.PathLike, start: int, length: int) -> Tensor:
    """Read a part of an audio file, without what comes before it where the format allows that.

    Args:
        path: The file.
        start: The first sample.
        length: How many samples; fewer where the file ends.

    Returns:
        The signal ``(channels, samples)``, at the sample rate of the file.

    Raises:
        AudioError: As in :func:`read_audio`, about this part alone.
    """
    with open_audio(path) as file:
        return file.excerpt(start, min(length, file.frames - start))


@dataclass(frozen=True)
class AudioHeader:
    """What an audio file says of its sound.

    Attributes:
        seconds: Its duration; infinite where the file does not say it.
        channels, samplerate: Number of channels, and samples per second.
        faults: A sentence for each fault that does not prevent reading.
    """

    seconds: float
    channels: int
    samplerate: int
    faults: tuple[str, ...] = ()


def read_header(path: str | os.PathLike) -> AudioHeader:
    """Read what an audio file says of its sound, and see whether its end is there, without decoding what is between.

    Raises:
        AudioError: As in :func:`read_audio`, but for what only the sound itself tells.
    """
    with open_audio(path, whole=False) as file:
        file.seek_end()
        seconds = file.frames / file.samplerate if file.frames < MOST_FRAMES else math.inf
        return AudioHeader(seconds, file.channels, file.samplerate, tuple(file.faults))


@contextmanager
def open_audio(path: str | os.PathLike, whole: bool = True) -> Iterator["AudioFile"]:
    """Open a mono or stereo audio file for reading.

    Args:
        path: The file.
        whole: Whether it is going to be read: its samples are counted where it does not say how many there are.

    Raises:
        AudioError: The file is missing, cannot be read, is empty, or has more than two channels.
    """
    name = printable(path)
    if not os.path.isfile(path):  # noqa: PTH113 – pathlib raises for names that are too long
        raise AudioError(f"{name} is not a file: check the path.")
    with ExitStack() as stack:
        stream = stack.enter_context(_opened(path, name))
        file = _open(Path(path), stream, name, stack, whole)
        if file.channels > 2:
            raise AudioError(f"{name} has {file.channels} channels: mix it down to stereo or mono first.")
        if file.frames == 0:
            raise AudioError(_empty(stream, name))
        yield file


class AudioFile(ABC):
    """An open audio file.

    Attributes:
        name: Name for messages.
        channels, samplerate, frames: Number of channels, samples per second, and samples per channel.
        faults: A sentence for each fault of the file that does not prevent reading.
    """

    name: str
    channels: int
    samplerate: int
    frames: int
    faults: list[str]

    @abstractmethod
    def pieces(self) -> Iterator[Tensor]:
        """Yield the sound from its beginning, as ``(channels, samples)`` of any lengths."""

    def seek_end(self) -> None:
        """Raise an :class:`AudioError` where the end is missing and that can be told at once."""
        return

    def blocks(self, size: int) -> Iterator[Tensor]:
        """Yield the sound in blocks of a size, the last of which may be shorter."""
        kept, start = torch.zeros(self.channels, 0), 0
        for piece in self.pieces():
            self._check_finite(piece, start)
            start += piece.shape[1]
            *whole, kept = torch.cat([kept, piece], 1).split(size, 1)
            yield from whole
        if kept.shape[1]:
            yield kept

    def excerpt(self, start: int, length: int) -> Tensor:
        """Read some samples, all of which the file has."""
        excerpt, count = torch.zeros(self.channels, length), 0
        for piece in self.pieces():
            first = max(0, start - count)
            part = piece[:, first : start + length - count]
            if part.shape[1]:
                excerpt[:, count + first - start :][:, : part.shape[1]] = part
            count += piece.shape[1]
            if count >= start + length:
                break
        self._check_finite(excerpt, start)
        return excerpt

    def _check_finite(self, piece: Tensor, start: int) -> None:
        if not piece.isfinite().all():
            first = start + int((~piece.isfinite()).any(0).nonzero()[0])
            raise AudioError(
                f"{self.name} holds NaN or infinity, first at {first / self.samplerate:.3f} s: repair or export it"
                " again."
            )


class _Sndfile(AudioFile):
    """An audio file read by libsndfile."""

    def __init__(self, file: "SoundFile", head: bytes, stream: BinaryIO, name: str) -> None:
        self.file, self.name = file, name
        self.channels, self.samplerate, self.frames = file.channels, file.samplerate, file.frames
        self.faults = _faults(file, head, stream, name)

    def seek_end(self) -> None:
        import soundfile

        try:
            self.file.seek(self.frames - 1)
            there = len(self.file.read(1)) == 1
        except (soundfile.SoundFileError, RuntimeError):
            there = False
        if not there:
            raise AudioError(f"{self.name} is damaged or cut short: its end cannot be read. Copy or export it again.")

    def pieces(self) -> Iterator[Tensor]:
        import soundfile

        count = 0
        while count < self.frames:
            try:
                samples = self.file.read(PIECE, dtype="float32", always_2d=True)
            except (soundfile.SoundFileError, RuntimeError):
                samples = ()
            if len(samples) == 0:
                raise AudioError(
                    f"{self.name} is damaged or cut short: it can be read for {count / self.samplerate:.3f} s of"
                    f" {self.frames / self.samplerate:.3f} s only. Copy or export it again."
                )
            count += len(samples)
            yield torch.from_numpy(samples.T.copy())

    def excerpt(self, start: int, length: int) -> Tensor:
        import soundfile

        try:
            self.file.seek(start)
            samples = self.file.read(length, dtype="float32", always_2d=True)
        except (soundfile.SoundFileError, RuntimeError):
            samples = None
        if samples is None or len(samples) < length:
            raise AudioError(
                f"{self.name} is damaged or cut short: it cannot be read at {start / self.samplerate:.3f} s of"
                f" {self.frames / self.samplerate:.3f} s. Copy or export it again."
            )
        excerpt = torch.from_numpy(samples.T.copy())
        self._check_finite(excerpt, start)
        return excerpt


class _Av(AudioFile):
    """An audio file read by PyAV: the first audio stream of a container."""

    def __init__(self, stream: BinaryIO, name: str, whole: bool) -> None:
        self.stream, self.name = stream, name
        self.channels = self.samplerate = self.frames = 0
        self.faults = []
        if not whole:
            self._take_header()
            return
        for piece, rate in self._decode(self.faults):
            # The container's sample rate is half of the true one for some kinds of AAC.
            self.channels, self.samplerate = piece.shape[0], rate
            self.frames += piece.shape[1]

    def pieces(self) -> Iterator[Tensor]:
        return (piece for piece, _ in self._decode([]))

    @contextmanager
    def _container(self) -> Iterator[Any]:
        import av

        self.stream.seek(0)
        options = {"format_whitelist": CONTAINERS}
        with av.open(_Quiet(self.stream), mode="r", options=options, metadata_errors="replace") as container:
            if not container.streams.audio:
                raise AudioError(f"{self.name} holds no sound.")
            yield container

    def _take_header(self) -> None:
        with self._container() as container:
            sound = container.streams.audio[0]
            self.channels, self.samplerate = sound.channels, sound.sample_rate
            if container.format.name in STREAMS:  # whose duration FFmpeg guesses
                self.frames = MOST_FRAMES
            elif sound.duration and sound.time_base:
                self.frames = round(sound.duration * sound.time_base * self.samplerate)
            else:
                self.frames = round(container.duration / 1e6 * self.samplerate) if container.duration else MOST_FRAMES

    def _decode(self, faults: list[str]) -> Iterator[tuple[Tensor, int]]:
        import av.error

        with self._container() as container:
            if container.format.name in STREAMS:
                faults.append(LATE.format(self.name))
            converter = av.AudioResampler(format="fltp")
            damaged = False
            for packet in container.demux(audio=0):
                try:
                    frames = packet.decode()
                except av.error.InvalidDataError:
                    damaged = True
                    continue
                for frame in frames:
                    for converted in converter.resample(frame):
                        yield torch.from_numpy(converted.to_ndarray()), frame.sample_rate
            if damaged:
                faults.append(f"{self.name} is damaged or cut short: what cannot be decoded is left out.")


class _Quiet:
    """A stream that tolerates seeks to invalid positions, which FFmpeg makes when it detects a format."""

    def __init__(self, stream: BinaryIO) -> None:
        self.read, self.tell, self._seek = stream.read, stream.tell, stream.seek

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        try:
            return self._seek(offset, whence)
        except OSError:
            return -1


def _open(path: Path, stream: BinaryIO, name: str, stack: ExitStack, whole: bool) -> AudioFile:
    """Open a file by libsndfile if it knows the length, otherwise by PyAV."""
    import soundfile

    head = _head(stream)
    try:
        # By its path, since what is MP3 is told by its suffix; as bytes, since not all names are text.
        plain: Any = str(path) if os.name == "nt" else os.fsencode(path)
        file = stack.enter_context(soundfile.SoundFile(plain))
    except (soundfile.SoundFileError, RuntimeError, OSError, TypeError) as error:
        file, reason = None, re.sub("^Error opening .*?: (?=[^:]*$)", "", str(error)).rstrip(".")
    else:
        if 0 < file.frames < MOST_FRAMES and (file.format != "MP3" or _xing(head) is not None):
            return _Sndfile(file, head, stream, name)
        reason = "it does not declare its length"
    try:
        import av.error

        return _Av(stream, name, whole or (file is not None and file.frames == 0))
    except ModuleNotFoundError:
        also = ", or install grafx with its extra 'demo', which can count it"
    except (av.error.FFmpegError, OSError, ValueError):
        also = ""
    if file is not None and file.frames == 0:
        raise AudioError(_empty(stream, name)) from None
    if head.startswith((b"fLaC", b"OggS")):
        if file is None:
            raise AudioError(f"{name} is damaged or cut short: copy or export it again.") from None
        raise AudioError(f"{name} cannot be read, since {reason}: write it again to a file rather than a pipe{also}.")
    raise AudioError(f"{name} cannot be read as audio ({reason}): convert it to WAV or FLAC{also}.") from None


@contextmanager
def _opened(path: str | os.PathLike, name: str) -> Iterator[BinaryIO]:
    try:
        stream = open(path, "rb")  # noqa: SIM115
    except OSError as error:
        raise AudioError(f"{name} cannot be read: {error.strerror}.") from None
    with stream:
        yield stream


def _head(stream: BinaryIO) -> bytes:
    """Read the beginning of a file, after an ID3 tag."""
    stream.seek(0)
    head = stream.read(HEAD)
    if head.startswith(b"ID3") and len(head) > 10:
        size = sum(byte << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
        stream.seek(10 + size + (10 if head[5] & 16 else 0))
        head = stream.read(HEAD)
    stream.seek(0)
    return head


def _xing(head: bytes) -> bool | None:
    """Whether an MP3 file that stores its length declares the encoder delay; ``None`` if it does not store its length.

    References:
        The tag of Xing and LAME (http://gabriel.mp3-tech.org/mp3infotag.html).
    """
    place = re.search(b"Xing|Info", head)
    if place is None or len(head) < place.end() + 4:
        return None
    flags = head[place.end() + 3]
    delay = place.end() + 4 + sum(size for bit, size in enumerate((4, 4, 100, 4)) if flags >> bit & 1) + 21
    return any(head[delay : delay + 3]) if flags & 1 else None


def _faults(file: "SoundFile", head: bytes, stream: BinaryIO, name: str) -> list[str]:
    if file.format == "MP3" and not _xing(head):
        return [LATE.format(name)]
    if file.format == "OGG":
        return [] if _ends(stream) else [f"{name} is cut short: its end is missing."]
    for promised, present in re.findall(PROMISE, file.extra_info, re.MULTILINE):
        if int(present) < int(promised) < UNKNOWN:
            seconds = file.frames / file.samplerate
            total = seconds * int(promised) / int(present)
            return [f"{name} is cut short: {seconds:.3f} s are there of the {total:.3f} s that it should have."]
    return []


def _empty(stream: BinaryIO, name: str) -> str:
    """Say why a file has no samples."""
    if _head(stream).startswith(b"OggS") and not _ends(stream):
        return f"{name} is cut short before its first sample can be decoded: copy or export it again."
    return f"{name} is empty: it holds no samples."


def _ends(stream: BinaryIO) -> bool:
    """Whether the last page of an Ogg file is marked as the end."""
    place = stream.tell()
    stream.seek(max(0, stream.seek(0, os.SEEK_END) - 2**17))
    end = stream.read()
    stream.seek(place)
    page = end[max(0, end.rfind(b"OggS\0")) :]
    size = 27 + page[26] + sum(page[27 : 27 + page[26]]) if len(page) > 27 else math.inf
    return len(page) >= size and bool(page[5] & 4)


def _warn(text: str) -> None:
    warnings.warn(text, stacklevel=3)
