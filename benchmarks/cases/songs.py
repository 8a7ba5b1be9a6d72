"""Songs with their stems, read under any package, or made up."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from .drums import drum_loop

MIXES = ("chain", "remix", "mix")
"""Names of mixes, the first of which that is there is the target."""
LEVEL = 10 ** (-14 / 20)
"""Root mean square at which songs are compared."""
RATE = 44100


class Song(NamedTuple):
    """Stems ``(K, 2, L)`` and a mix ``(2, L)`` of float32, with names of the stems."""

    stems: np.ndarray
    mix: np.ndarray
    rate: int
    names: list[str]

    @property
    def gain(self) -> float:
        """What brings the mix to :data:`LEVEL`."""
        return LEVEL / float(np.sqrt(np.square(self.mix.astype(float)).mean()))


def read_song(folder: str | None, seconds: float | None = None) -> Song:
    """Read the beginning of a song: ``stems/*`` or files beside the mix, and the first of :data:`MIXES`.

    Args:
        folder: Where it is; without one, the song is made up.
        seconds: How long; by default all of it, or four seconds of what is made up.
    """
    if folder is None:
        return made_up_song(seconds or 4.0)
    place = Path(folder)
    files = sorted(path for path in place.iterdir() if path.suffix.lower() in (".flac", ".wav"))
    mixes = {path.stem: path for path in files}
    mix = next((mixes[name] for name in MIXES if name in mixes), None)
    stems = sorted((place / "stems").glob("*.*")) or [path for path in files if path.stem not in MIXES]
    if mix is None or not stems:
        raise FileNotFoundError(f"{folder} holds no stems, or none of the mixes {', '.join(MIXES)}.")
    target, rate = _read(mix, seconds)
    length = target.shape[1]
    signals = [_read(path, seconds)[0][:, :length] for path in stems]
    padded = [np.pad(signal, ((0, 0), (0, length - signal.shape[1]))) for signal in signals]
    return Song(np.stack(padded), target, rate, [path.stem for path in stems])


def made_up_song(seconds: float, rate: int = RATE) -> Song:
    """Make drums, a bass and a chord, and mix them with gains, pans, an echo and a soft limit."""
    samples = round(seconds * rate)
    time = np.arange(samples) / rate
    beats = np.exp(-3 * (time % 0.5))
    bass = beats * sum(np.sin(2 * np.pi * 55 * n * time) / n for n in range(1, 9))
    chord = sum(np.sin(2 * np.pi * f * time + 0.3 * np.sin(2 * np.pi * 5 * time)) for f in (220, 277.2, 329.6, 880))
    mono = [0.2 * bass, 0.1 * (1 - beats) * chord]
    stems = np.stack([drum_loop(samples, rate), *(np.stack([signal, signal]) for signal in mono)]).astype(np.float32)
    echo = np.pad(stems[2], ((0, 0), (round(0.15 * rate), 0)))[:, :samples]
    gains = np.array([[1.0, 0.9], [0.7, 0.7], [0.5, 1.2]], np.float32)[..., None]
    mix = np.tanh((gains * stems).sum(0) + 0.3 * echo).astype(np.float32)
    return Song(stems, mix, rate, ["drums", "bass", "chord"])


def _read(path: Path, seconds: float | None) -> tuple[np.ndarray, int]:
    import soundfile

    rate = soundfile.info(path).samplerate
    frames = -1 if seconds is None else round(seconds * rate)
    signal, _ = soundfile.read(path, frames, dtype="float32", always_2d=True)
    return np.ascontiguousarray(np.broadcast_to(signal.T, (2, len(signal)))), rate
