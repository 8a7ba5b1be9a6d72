"""Cases of pedalboard, which processes one track after another."""

import platform
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import TYPE_CHECKING

from .drums import drum_loop

if TYPE_CHECKING:
    import numpy as np

SAMPLE_RATE = 44100


def about(packages: Sequence[str] = ()) -> Callable[[], dict[str, str]]:
    """Report versions."""
    return lambda: {"about": f"pedalboard {version('pedalboard')}, Python {platform.python_version()}"}


def rendering_strips(chain: Sequence[str], tracks: int, samples: int, threads: int) -> Callable[[], None]:
    """Process stereo noise, a board with the same chain for each track."""
    import numpy as np
    from pedalboard import Pedalboard

    boards = [Pedalboard([plugin for name in chain for plugin in _plugins(name)]) for _ in range(tracks)]
    signals = np.random.default_rng(0).standard_normal((tracks, 2, samples), dtype=np.float32) / 10
    pool = ThreadPoolExecutor(threads)

    def process(track: int) -> None:
        boards[track](signals[track], SAMPLE_RATE, reset=True)

    def run() -> None:
        if threads == 1:
            for track in range(tracks):
                process(track)
        else:
            list(pool.map(process, range(tracks)))

    return run


def playing(plugin: str, settings: dict[str, float], file: str, samples: int, audio: str | None) -> Callable[[], None]:
    """Process the beginning of a recording, or of a drum loop, by one plug-in, and save input and output in a file.

    Args:
        plugin: Name of the plug-in.
        settings: Its settings.
        file: File for its input, ``x``, and its output, ``y``.
        samples: Maximum length.
        audio: The recording.
    """
    import numpy as np
    import pedalboard

    x = drum_loop(samples, SAMPLE_RATE) if audio is None else _beginning(audio, samples)
    processor = getattr(pedalboard, plugin)(**settings)

    def run() -> None:
        np.savez(file, x=x, y=processor(x, SAMPLE_RATE))

    return run


def modulating(plugin: str, samples: int) -> Callable[[], None]:
    """Process stereo noise by one plug-in with default settings."""
    import numpy as np
    import pedalboard

    processor = getattr(pedalboard, plugin)()
    x = np.random.default_rng(0).standard_normal((2, samples), dtype=np.float32)

    def run() -> None:
        processor(x, SAMPLE_RATE, reset=True)

    return run


def _beginning(audio: str, samples: int) -> "np.ndarray":
    from pedalboard.io import AudioFile

    with AudioFile(audio).resampled_to(SAMPLE_RATE) as recording:
        return recording.read(samples)


def _plugins(name: str) -> list:
    from pedalboard import (
        Compressor,
        Delay,
        Gain,
        HighShelfFilter,
        LowShelfFilter,
        NoiseGate,
        PeakFilter,
        Reverb,
    )

    if name == "eq":
        return [LowShelfFilter(100, 3.0), PeakFilter(1000, -3.0), HighShelfFilter(8000, 3.0)]
    plugins = {
        "compressor": Compressor(threshold_db=-20, ratio=4),
        "noisegate": NoiseGate(threshold_db=-50),
        "gain": Gain(gain_db=-3),
        "delay": Delay(delay_seconds=0.25, feedback=0.3),
        "reverb": Reverb(),
    }
    return [plugins[name]]
