"""Synthetic drum loop, for comparisons of sound without a recording."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

EIGHTH = 0.25
EIGHTHS = 32
PEAK = 0.9


def drum_loop(samples: int, sample_rate: int) -> "np.ndarray":
    """Make a reproducible four-bar loop of kick, snare and hi-hat, ``(2, samples)``."""
    import numpy as np

    loop = np.zeros((2, round(EIGHTHS * EIGHTH * sample_rate)))
    noise = np.random.default_rng(0)
    for eighth in range(EIGHTHS):
        hits = [("hat", 0.15 if eighth % 2 else 0.25, 0.3)]
        if eighth % 8 in (0, 5):
            hits.append(("kick", 0.9, 0.0))
        if eighth % 8 == 4 or eighth > EIGHTHS - 4:
            hits.append(("snare", 0.6, -0.1))
        start = round(eighth * EIGHTH * sample_rate)
        for name, amplitude, pan in hits:
            hit = _hit(name, sample_rate, noise)[: loop.shape[1] - start]
            loop[:, start : start + len(hit)] += amplitude * np.outer([1 - pan, 1 + pan], hit)
    repeated = np.tile(loop * PEAK / np.abs(loop).max(), -(-samples // loop.shape[1]))
    return repeated[:, :samples].astype(np.float32)


def _hit(name: str, sample_rate: int, noise: "np.random.Generator") -> "np.ndarray":
    import numpy as np

    t = np.arange(round(0.4 * sample_rate)) / sample_rate
    hiss = noise.standard_normal(len(t)) / 3
    if name == "kick":
        return np.sin(2 * np.pi * (50 * t - 5 * np.exp(-t / 0.03))) * np.exp(-t / 0.1)
    if name == "snare":
        return (0.5 * np.sin(2 * np.pi * 190 * t) + hiss) * np.exp(-t / 0.06)
    return np.diff(hiss, prepend=0.0) * np.exp(-t / 0.02)
