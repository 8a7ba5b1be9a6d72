"""Levels of stems in a mix, and what no stem explains, by least squares."""

import torch
from torch import Tensor

from .correlation import OCTAVES, frame_size, solve

FITTED = 0.15  # s: frames
MOST_TAPS, MOST_UNKNOWNS = 8, 48  # per stem and in all


def gains(stems: Tensor, mix: Tensor) -> list[float]:
    """Compute the gain of each stem, ``(K, L)``, with which they add up to nearly the mix, ``(2, L)``."""
    scale = stems.square().sum(-1).sqrt().clamp(min=1e-30)
    rows = (stems / scale[:, None]).double()
    solution = torch.linalg.solve(rows @ rows.T + 1e-6 * torch.eye(len(rows)).double(), rows @ mix.double().T)
    return (solution.square().mean(-1).sqrt() / scale).tolist()


def unexplained(stems: Tensor, mix: Tensor, sample_rate: int) -> dict[float, tuple[float, float]]:
    """Compute for each octave the share that no filters of the stems explain, and its energy.

    Filters span several frames, to include reverbs.
    """
    spectra = _frames(torch.cat([stems, mix]), frame_size(FITTED, sample_rate)).transpose(0, 1)
    count, frames = len(stems), spectra.shape[-1]
    independent = 0.75 * frames  # of frames that overlap by a half
    taps = max(1, min(MOST_TAPS, MOST_UNKNOWNS // count, int(0.5 * independent / count)))
    hertz, octaves = torch.linspace(0, sample_rate / 2, len(spectra)), {}
    for low in (low for low in OCTAVES if low <= sample_rate / 2):
        part = spectra[(hertz >= low) & (hertz < 2 * low)]
        residual = energy = 0.0
        for chunk in part.split(256):
            sources, target = chunk[:, :count], chunk[:, count:]
            past = torch.nn.functional.pad(sources, (taps - 1, 0)).unfold(-1, frames, 1).flatten(1, 2)
            filters = solve(past @ past.mH, past @ target.mH)
            residual += (target - filters.mH @ past).abs().square().sum().item()
            energy += target.abs().square().sum().item()
        # The same number of unknowns explains as large a share of any signal.
        share = residual / max(energy, 1e-30) / (1 - min(0.6, count * taps / independent))
        octaves[low] = min(share, 1.0), energy
    return octaves


def _frames(signals: Tensor, size: int) -> Tensor:
    """Compute spectra ``(signals, frequencies, frames)``."""
    frames = signals.unfold(-1, size, size // 2) * torch.hann_window(size)
    return torch.fft.rfft(frames).mT
