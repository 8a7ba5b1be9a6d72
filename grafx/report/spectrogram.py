"""Spectrograms as small pictures."""

import base64
import io
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

ROWS, COLUMNS = 128, 600
FRAME = 0.08  # s
LOWEST, HIGHEST = 30.0, 20000.0  # Hz
RANGE_DB = 80.0  # below the loudest
AWAY_DB = 24.0  # of a difference
LEVELS, DIFFERENCES = "magma", "coolwarm"
PIECE = 64  # columns that are computed at once


def spectrograms(mix: Tensor, target: Tensor | None, sample_rate: int) -> dict[str, dict[str, Any]]:
    """Pictures of the mix, of the target on the same scale, and of the level of the mix over that of the target.

    Args:
        mix: ``(C, L)``.
        target: ``(C, L)``; None if there is none.
        sample_rate: In Hz.

    Returns:
        Name to the picture, as a page has it.
    """
    levels = {"mix": spectrogram(mix, sample_rate)}
    if target is not None:
        levels["target"] = spectrogram(target, sample_rate)
    top = 10.0 * math.ceil(max(level.max().item() for level in levels.values()) / 10)
    low, high = LOWEST, highest(sample_rate)
    about = {"low_hz": low, "high_hz": high, "seconds": mix.shape[-1] / sample_rate, "scale": "log"}
    found = {
        name: {**_picture(level, top - RANGE_DB, top, LEVELS), **about, "unit": "dB"} for name, level in levels.items()
    }
    if target is not None:
        floor = top - RANGE_DB
        away = levels["mix"].clamp(min=floor) - levels["target"].clamp(min=floor)
        found["difference"] = {
            **_picture(away, -AWAY_DB, AWAY_DB, DIFFERENCES),
            **about,
            "unit": "dB more than the target",
        }
    return found


def highest(sample_rate: int) -> float:
    """The frequency at the upper end of a picture, in Hz."""
    return min(HIGHEST, sample_rate / 2)


def spectrogram(signal: Tensor, sample_rate: int) -> Tensor:
    """Mean power in dB, of all channels, in bands of equal width on a logarithmic scale: ``(ROWS, COLUMNS or fewer)``.

    A sine of full scale has about −3 dB in its band. Frames overlap by half, and all that begin in a column count.
    """
    size = 2 * max(32, round(FRAME * sample_rate / 2))
    hop = size // 2
    padded = torch.nn.functional.pad(signal.detach().float(), (size // 2, size))
    frames = padded.unfold(-1, size, hop)[:, : max(1, signal.shape[-1] // hop)]
    columns = min(COLUMNS, frames.shape[1])
    edges = np.linspace(0, frames.shape[1], columns + 1).round().astype(int)
    window = torch.hann_window(size)
    scale = 2 / (window.square().sum() * size)
    bank = _bands(size, sample_rate)
    found = []
    for first in range(0, columns, PIECE):
        ends = edges[first : first + PIECE + 1]
        piece = torch.fft.rfft(frames[:, ends[0] : ends[-1]] * window).abs().square().mean(0) * scale
        bands = piece @ bank
        sums = torch.cat([bands.new_zeros(1, ROWS), bands.cumsum(0, dtype=torch.float64)])
        places = torch.from_numpy(ends - ends[0])
        found.append((sums[places[1:]] - sums[places[:-1]]) / (places[1:] - places[:-1])[:, None])
    return 10 * torch.cat(found).clamp(min=1e-14).log10().T


def _bands(size: int, sample_rate: int) -> Tensor:
    """``(size / 2 + 1, ROWS)``: which part of each bin lies in each band."""
    step = sample_rate / size
    edges = np.geomspace(LOWEST, highest(sample_rate), ROWS + 1) / step + 0.5  # bins reach from k − ½ to k + ½
    below = np.clip(edges[None] - np.arange(size // 2 + 1)[:, None], 0, 1)
    return torch.from_numpy(np.diff(below, axis=1)).float()


def _picture(values: Tensor, low: float, high: float, name: str) -> dict[str, Any]:
    """A PNG with a palette of 256 colours, of which the first is the lowest value."""
    from matplotlib import colormaps
    from PIL import Image

    steps = ((values - low) / (high - low) * 255).round().clamp(0, 255).to(torch.uint8)
    image = Image.fromarray(steps.flip(0).numpy(), "L").convert("L")
    palette = (np.asarray(colormaps[name](np.arange(256)))[:, :3] * 255).round().astype(np.uint8)
    image.putpalette(palette.tobytes())
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    source = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")
    return {"src": source, "low_db": low, "high_db": high, "map": name}
