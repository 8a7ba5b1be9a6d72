"""What a model hears: spectrograms, levels, responses and statistics of an output and the dry sound beside it.

All that is fixed is computed once for each sound, in batches, and kept small, so that training costs little:

``mel``
    ``(3, bands, frames)``: levels in mel bands of the dry sound and of the output's mid and side.
``levels``
    ``(6, frames)``: energy, peak and energy of the difference signal, of both, in short frames, for what dynamics do.
``response``
    ``(2, lags)``: levels of the impulse response that leads from the dry sound to the output, and of the output's
    cepstrum, for delays and reverbs.
``spectrum``
    ``(6, bands)``: long-term levels of dry sound, mid and side, their ratio, its phase-aware part, and the coherence.
``statistics``
    ``(n,)``: histograms, transfer curves, grids of amplitudes and of time.

Levels are in units of 20 dB around −50 dB. Without a dry sound, what would need one is 0.
"""

import math
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

BANDS = 64
FLOOR = 1e-10  # of powers: −100 dB
FFT, HOP = 2048, 1024
LOWEST = 30.0  # Hz
LEVEL_HOP = 256
FINE, COARSE = 2.5e-4, 4e-3  # seconds of a lag
FINE_LAGS, COARSE_LAGS = 160, 256
BINS = 32
GRID = 16
HOLDS = 32


def features(output: Tensor, dry: Tensor | None, sample_rate: int) -> dict[str, Tensor]:
    """Compute the features of sounds.

    Args:
        output: ``(B, C, L)`` with one or two channels.
        dry: ``(B, C, L)``, or ``None`` where it is not known.
        sample_rate: In Hz.

    Returns:
        Name to ``(B, …)`` of half precision.
    """
    output = output.float()
    mid, side = output.mean(1), (output[:, 0] - output[:, -1]) / 2
    source = torch.zeros_like(mid) if dry is None else dry.float().mean(1)
    spectra = _spectra(torch.stack([source, mid, side], 1))
    X, Y = (torch.fft.rfft(part, 2 * part.shape[-1]) for part in (source, mid))
    found = {
        "mel": _level(torch.einsum("bcft,fm->bcmt", _power(spectra), _triangles(sample_rate))),
        "levels": torch.cat([_levels(source), _levels(mid)], 1),
        "response": _response(X, Y, sample_rate),
        "spectrum": _spectrum(spectra, (source != 0).any(-1), sample_rate),
        "statistics": _statistics(source, mid, _power(Y)),
    }
    return {name: value.clamp(-60000, 60000).half() for name, value in found.items()}


def _level(power: Tensor) -> Tensor:
    return (10 * torch.log10(power + FLOOR) + 50) / 20


def _power(spectrum: Tensor) -> Tensor:
    return spectrum.real.square().addcmul_(spectrum.imag, spectrum.imag)


def _spectra(signals: Tensor) -> Tensor:
    window = torch.hann_window(FFT, device=signals.device) / math.sqrt(FFT)
    found = torch.stft(signals.flatten(0, 1), FFT, HOP, window=window, return_complex=True, pad_mode="constant")
    return found.unflatten(0, signals.shape[:2])


@lru_cache
def _triangles(sample_rate: int) -> Tensor:
    """``(frequencies, bands)``: triangles that overlap by half, evenly on the mel scale."""
    high = sample_rate / 2
    mel = torch.linspace(_to_mel(LOWEST), _to_mel(high), BANDS + 2, dtype=torch.double)
    edges = 700 * (10 ** (mel / 2595) - 1)
    hertz = torch.linspace(0, high, FFT // 2 + 1, dtype=torch.double)[:, None]
    width = (edges[1:] - edges[:-1]).clamp(min=sample_rate / FFT)
    up = 1 - (edges[1:-1] - hertz) / width[:-1]
    down = 1 - (hertz - edges[1:-1]) / width[1:]
    weights = torch.minimum(up, down).clamp(min=0)
    return (weights / weights.sum(0).clamp(min=1e-9)).float()


def _to_mel(hertz: float) -> float:
    return 2595 * math.log10(1 + hertz / 700)


def _levels(signal: Tensor) -> Tensor:
    slope = F.pad(signal[:, 1:] - signal[:, :-1], (1, 0))
    usable = signal.shape[-1] // LEVEL_HOP * LEVEL_HOP
    frames = torch.stack([signal, slope], 1)[..., :usable].unflatten(-1, (-1, LEVEL_HOP))
    energy = frames.square().mean(-1)
    peak = frames[:, :1].square().amax(-1)
    return _level(torch.cat([energy, peak], 1))


def _response(X: Tensor, Y: Tensor, sample_rate: int) -> Tensor:
    xx, yy = _power(X), _power(Y)
    impulse = torch.fft.irfft(Y * X.conj() / (xx + 1e-4 * xx.mean(-1, keepdim=True) + FLOOR))
    cepstrum = torch.fft.irfft(torch.log(yy + 1e-4 * yy.mean(-1, keepdim=True) + FLOOR).to(Y.dtype))
    return torch.stack([_lags(impulse, sample_rate), _lags(cepstrum, sample_rate)], 1)


def _lags(response: Tensor, sample_rate: int) -> Tensor:
    """Levels of the largest value within each lag: first fine ones, then coarse ones."""
    parts = []
    for seconds, count in ((FINE, FINE_LAGS), (COARSE, COARSE_LAGS)):
        step = max(1, round(seconds * sample_rate))
        part = F.pad(response, (0, max(0, step * count - response.shape[-1])))[:, : step * count]
        parts.append(part.unflatten(-1, (count, step)).square().amax(-1))
    return _level(torch.cat(parts, -1))


def _spectrum(spectra: Tensor, given: Tensor, sample_rate: int) -> Tensor:
    weights = _triangles(sample_rate)
    xx, yy, ss = (part.mean(-1) @ weights for part in _power(spectra).unbind(1))
    cross = _power((spectra[:, 1] * spectra[:, 0].conj()).mean(-1)).sqrt() @ weights
    ratio = _level((yy + FLOOR) / (xx + FLOOR) * 1e-5)
    linear = _level((cross / (xx + FLOOR)).square() * 1e-5)
    coherence = (cross.square() + FLOOR**2) / (xx * yy + FLOOR**2)
    last = (torch.where(given[:, None], part, 0) for part in (ratio, linear, coherence))
    return torch.stack([_level(xx), _level(yy), _level(ss), *last], 1)


def _statistics(source: Tensor, mid: Tensor, power: Tensor) -> Tensor:
    parts = [_histogram(source), _histogram(mid), _curve(source, mid), _grid(mid[:, ::4]), _holds(mid, power)]
    peaks = torch.stack([part.abs().amax(-1) for part in (source, mid)], 1)
    return torch.cat([*parts, _level(peaks.square())], -1)


def _histogram(signal: Tensor) -> Tensor:
    """How many of the larger samples lie how far below the peak, on a linear scale."""
    share = signal.abs() / signal.abs().amax(-1, keepdim=True).clamp(min=1e-6)
    bins = (share * BINS).long().clamp(0, BINS - 1)
    counts = torch.zeros(len(signal), BINS, device=signal.device).scatter_add_(1, bins, torch.ones_like(share))
    return torch.log10(1 + counts) / 2


def _curve(source: Tensor, mid: Tensor) -> Tensor:
    """Mean levels of the output where the dry sound's frames have a certain level."""
    x, y = (_levels(signal)[:, 0] for signal in (source, mid))
    bins = ((x + 2.5) / 5 * BINS).long().clamp(0, BINS - 1)
    counts = torch.zeros(len(x), BINS, device=x.device).scatter_add_(1, bins, torch.ones_like(x))
    sums = torch.zeros_like(counts).scatter_add_(1, bins, y - x)
    return torch.cat([sums / counts.clamp(min=1), torch.log10(1 + counts)], -1)


def _grid(mid: Tensor) -> Tensor:
    """How far samples lie from grids of 1 to 16 bits, as a share of what they would by chance."""
    loud = (mid.abs() > 1e-3).float()
    steps = 2.0 ** torch.arange(GRID, device=mid.device)
    parts = []
    for step in steps:
        scaled = mid * step
        parts.append(((scaled - scaled.round()).abs() * loud).sum(-1) / loud.sum(-1).clamp(min=1) * 4)
    return torch.stack(parts, -1)


def _holds(mid: Tensor, power: Tensor) -> Tensor:
    """Powers of differences over 1 to 32 samples, relative to the signal's, and how many are none at all."""
    correlation = torch.fft.irfft(power.double().to(torch.cdouble))[:, : HOLDS + 1]
    shares = 2 * (1 - correlation[:, 1:] / (correlation[:, :1] + FLOOR))
    same = [(mid[:, lag:] == mid[:, :-lag]).float().mean(-1) for lag in (1, 2, 4, 8)]
    return torch.cat([torch.log10(shares.clamp(min=0) + 1e-5).float(), torch.stack(same, -1)], -1)
