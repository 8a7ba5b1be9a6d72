"""Plots as plain data, and what all views need for them."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

View = dict[str, Any]
Series = dict[str, Any]

POINTS = 300  # of a series
LOWEST = 20.0  # Hz
FLOOR_DB = -120.0


def axis(label: str, unit: str, low: float, high: float, scale: str = "linear") -> dict[str, Any]:
    return {"label": label, "unit": unit, "scale": scale, "low": rounded(low), "high": rounded(high)}


def series(label: str, x: Any, y: Any, style: str = "line") -> Series:
    return {"label": label, "x": rounded_all(x), "y": rounded_all(y), "style": style}


def plot(title: str, x: dict[str, Any], y: dict[str, Any], lines: Sequence[Series]) -> View:
    return {"kind": "plot", "title": title, "x": x, "y": y, "series": list(lines)}


def text(title: str, words: str) -> View:
    return {"kind": "text", "title": title, "text": words}


def rounded(value: float) -> float | None:
    """Five significant digits; None for what is no number."""
    return float(f"{value:.5g}") if math.isfinite(value) else None


def rounded_all(values: Any) -> list[float | None]:
    values = values.tolist() if isinstance(values, Tensor | np.ndarray) else values
    return [rounded(float(value)) for value in values]


def bounds(lines: Sequence[Series], least: float, most: tuple[float, float] = (-math.inf, math.inf)) -> tuple:
    """Lowest and highest value on an axis that shows all lines, and at least a range around 0 of so much."""
    values = [y for line in lines for y in line["y"] if y is not None]
    low, high = min(values, default=0.0), max(values, default=0.0)
    margin = 0.05 * (high - low)
    low, high = min(low - margin, -least), max(high + margin, least)
    return max(low, most[0]), min(high, most[1])


def hertz_axis(sample_rate: int) -> dict[str, Any]:
    return axis("Frequency", "Hz", LOWEST, sample_rate / 2, "log")


def log_bins(num_bins: int, step: float, low: float = LOWEST) -> np.ndarray:
    """Indices of frequencies that lie evenly on a logarithmic axis, among multiples of a step in Hz, without 0."""
    wanted = np.geomspace(max(low, step), step * (num_bins - 1), POINTS)
    return np.unique(np.clip(np.round(wanted / step).astype(int), 1, num_bins - 1))


def blocks(signal: Tensor, number: int = POINTS) -> tuple[list[slice], int]:
    """Slices of equal length into which a signal falls, at most so many."""
    size = max(1, math.ceil(signal.shape[-1] / number))
    return [slice(start, start + size) for start in range(0, signal.shape[-1], size)], size


def rms_over_time(signal: Tensor, number: int = POINTS) -> Tensor:
    """RMS of all channels together in each of at most so many blocks."""
    parts, size = blocks(signal, number)
    padded = torch.nn.functional.pad(signal, (0, len(parts) * size - signal.shape[-1]))
    return padded.reshape(signal.shape[0], len(parts), size).square().mean((0, 2), dtype=torch.float64).sqrt()


def channel_names(signal: Tensor) -> tuple[str, ...]:
    """What the channels of ``(C, L)`` are called."""
    return ("all channels",) if signal.shape[0] == 1 else ("left", "right")


def times(num_samples: int, sample_rate: int, number: int) -> np.ndarray:
    """Middles in s of so many blocks of a signal."""
    size = math.ceil(num_samples / number)
    return (np.arange(number) + 0.5) * size / sample_rate


def spectrum(signal: Tensor, sample_rate: int, size: int = 4096) -> tuple[np.ndarray, Tensor]:
    """Mean power in dB of sixth octaves: frequencies and levels, where a full-scale sine in a band has −3 dB."""
    frames = min(200, max(1, signal.shape[-1] // size))
    hop = max(1, (signal.shape[-1] - size) // frames)
    mono = torch.nn.functional.pad(signal.float(), (0, max(0, size - signal.shape[-1])))
    window = torch.hann_window(size)
    pieces = mono.unfold(-1, size, hop)[:, :frames] * window
    powers = torch.fft.rfft(pieces).abs().square().double().mean((0, 1)) * 2 / window.square().sum() / size
    edges = np.geomspace(LOWEST, sample_rate / 2, 61)
    step = sample_rate / size
    centers, levels = [], []
    for low, high in pairwise(edges):
        first, last = math.ceil(low / step), math.ceil(high / step)
        if first < last:
            centers.append(math.sqrt(low * high))
            levels.append(powers[first:last].sum())
    power = torch.stack(levels) if levels else torch.zeros(0, dtype=torch.float64)
    return np.array(centers), 10 * power.clamp(min=10 ** (FLOOR_DB / 10)).log10()
